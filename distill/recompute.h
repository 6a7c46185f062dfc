// Activation checkpointing: a function's inputs are kept, spikes at a bit each, and the rest is computed again for the gradient.
#pragma once

#include <torch/torch.h>

#include <functional>

namespace lasnn::distill {

/// body(inputs, again): called once now without a graph, and once in the backward pass with again = true. `spikes[k]`: input k
/// holds nothing but 0 and 1. `parameters`: every other tensor that body reads and that may need a gradient.
torch::Tensor recompute(const std::function<torch::Tensor(const std::vector<torch::Tensor> &, bool again)> &body,
                        const std::vector<torch::Tensor> &inputs, const std::vector<bool> &spikes, const std::vector<torch::Tensor> &parameters);

} // namespace lasnn::distill
