// The neuron of ir/spec.md in integer form (N1..N8) over all T steps, with the surrogate gradient of neuron.h: what a student
// that is trained in integers fires with.
#pragma once

#include "distill/options.h"

#include <torch/torch.h>

namespace lasnn::distill {

/// A layer's integers. threshold, rho [C] int32; unit [C] float32: what one unit of channel c is worth.
struct IntegerLayer {
  torch::Tensor threshold, rho, unit;
  int32_t decay = 0;     // of 4096
  int32_t lo = 0, hi = 0; // N4
};

/// current [given*B, C, ...] of whole numbers (float32, or float64 where sums may pass 2^24); spikes [steps*B, ...], float32.
/// Gradients pass rounding as if it were not there; `beta` (scalar) receives one when it asks for it. One pass forward, one
/// back on the CPU; elsewhere the plain version.
torch::Tensor integerSpikes(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps, const IntegerLayer &,
                            const NeuronOptions &);

/// The plain version in ordinary operations, in float64: what integerSpikes is tested against.
torch::Tensor integerSpikesPlain(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps, const IntegerLayer &,
                                 const NeuronOptions &);

} // namespace lasnn::distill
