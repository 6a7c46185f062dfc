// A layer of spiking neurons over all T steps, with a surrogate gradient.
//
//   i[t] = alpha * i[t-1] + I[t]         cuba only; elsewhere i[t] = I[t]
//   u[t] = beta * v[t-1] + i[t]          v[0] = 0
//   s[t] = 1 if u[t] > v_threshold       strict, as everywhere in LaSNN
//   v[t] = (1 - s[t]) * u[t]             reset "zero" (hard)
//        = u[t] - s[t] * v_threshold     reset "subtract" (soft)
//   ds/du := sigma'(u - v_threshold)     the surrogate: peak 1/width, area 1
//
// IF is beta = 1; PLIF is LIF with beta learned (a layer's own, through a sigmoid). CLIF (Huang et al., ICML 2024) remembers
// in m how often it fired, and its reset, which is always its own, goes deeper the more it did:
//
//   m[t] = m[t-1] * sigmoid((1 - beta) u[t]) + s[t]
//   v[t] = u[t] - s[t] * (v_threshold + sigmoid(m[t]))
//
// --detach-reset cuts the gradient through the s[t] of v[t]'s equation; m's stays, as published.
#pragma once

#include "distill/options.h"

#include <torch/torch.h>

namespace lasnn::distill {

/// One layer's numbers, on the current's device; each receives a gradient when it asks for one.
struct NeuronParameters {
  torch::Tensor beta, alpha; // scalars; alpha is read by cuba only
  torch::Tensor threshold;   // scalar, or one a channel (axis 1 of the current)
};

/// current [given*B, ...] with given = `steps`, or 1: the same current at every step; returns spikes [steps*B, ...], T slowest.
/// One pass forward, one back, no step saved: the backward pass recomputes u from the current. float32 or bfloat16 in; spikes
/// have the current's type, the state is float32 in both.
torch::Tensor spikeSteps(const torch::Tensor &current, int64_t given, const NeuronParameters &, int64_t steps, const NeuronOptions &);

/// Batch normalisation of what comes before the neuron, over batch, given steps and positions (Ioffe, Szegedy 2015; neuron_step.h has
/// the equations both ways).
struct Normalisation {
  torch::Tensor gamma, shift;            // [channels], axis 1 of x
  torch::Tensor runningMean, runningVar; // training: what the batch's statistics are counted into, or undefined; else what is used
  bool training = true;
  double momentum = 0.1, epsilon = 1e-5;
};

/// spikeSteps(normalised x + added, ...) in one pass forward and two back, which keeps x (and `added`, where defined: of x's shape and
/// type) and never the normalised tensor. The current is float32 whatever x is: with bfloat16 there is one rounding less. Only where
/// fusesNormalisation(x).
torch::Tensor normalisedSpikeSteps(const torch::Tensor &x, int64_t given, const Normalisation &, const torch::Tensor &added, const NeuronParameters &,
                                   int64_t steps, const NeuronOptions &);
bool fusesNormalisation(const torch::Tensor &x);

/// 1 where x > 0, with the surrogate's slope as gradient.
torch::Tensor spike(const torch::Tensor &x, const NeuronOptions &);

/// The plain version in ordinary autograd operations, step after step; what spikeSteps is tested against.
torch::Tensor spikeStepsPlain(const torch::Tensor &current, int64_t given, const NeuronParameters &, int64_t steps, const NeuronOptions &);

/// The plain version one step at a time, for currents that depend on the spikes before.
class NeuronStepper {
public:
  NeuronStepper(const NeuronParameters &, const NeuronOptions &);
  torch::Tensor step(const torch::Tensor &current); // [B, ...] -> spikes

private:
  NeuronParameters p_;
  NeuronOptions o_;
  torch::Tensor v_, i_, m_, threshold_;
};

} // namespace lasnn::distill
