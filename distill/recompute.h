// Activation checkpointing: a function's inputs are kept, spikes at a bit each, and the rest is computed again for the gradient.
#pragma once

#include <torch/torch.h>

#include <functional>

namespace lasnn::distill {

/// 0 and 1 to a bit each, eight a byte, in the order of memory; and back, as `like`'s type in that layout.
torch::Tensor packBits(const torch::Tensor &spikes);
torch::Tensor unpackBits(const torch::Tensor &packed, torch::IntArrayRef sizes, torch::MemoryFormat format, const torch::TensorOptions &options);

/// body(inputs, again): called once now without a graph, and once in the backward pass with again = true. `spikes[k]`: input k
/// holds nothing but 0 and 1. `parameters`: every other tensor that body reads and that may need a gradient.
torch::Tensor recompute(const std::function<torch::Tensor(const std::vector<torch::Tensor> &, bool again)> &body,
                        const std::vector<torch::Tensor> &inputs, const std::vector<bool> &spikes, const std::vector<torch::Tensor> &parameters);

} // namespace lasnn::distill
