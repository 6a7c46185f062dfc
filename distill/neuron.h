// A layer of leaky integrate-and-fire neurons over all T steps, with a surrogate gradient.
//
//   u[t] = beta * v[t-1] + I[t]          v[0] = 0
//   s[t] = 1 if u[t] > v_threshold       strict, as everywhere in LaSNN
//   v[t] = (1 - s[t]) * u[t]             reset "zero" (hard)
//        = u[t] - s[t] * v_threshold     reset "subtract" (soft)
//   ds/du := sigma'(u - v_threshold)     the surrogate: peak 1/width, area 1
//
// IF is beta = 1; PLIF learns beta (a layer's own, through a sigmoid).
#pragma once

#include "distill/options.h"

#include <torch/torch.h>

namespace lasnn::distill {

/// current [given*B, ...] with given = `steps`, or 1: the same current at every step; returns spikes [steps*B, ...], T slowest.
/// `beta` is a scalar tensor and receives a gradient when it asks for one. One pass forward, one back, no step saved:
/// the backward pass recomputes u from the current. float32 or bfloat16 in; spikes have the current's type.
torch::Tensor spikeSteps(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps,
                         const NeuronOptions &);

/// The plain version in ordinary autograd operations, step after step; what spikeSteps is tested against.
torch::Tensor spikeStepsPlain(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps,
                              const NeuronOptions &);

} // namespace lasnn::distill
