// A convolution or linear layer that reads spikes and keeps a bit of each for its backward pass.
#pragma once

#include <torch/torch.h>

namespace lasnn::distill {

/// conv2d(spikes, weight) without a bias. `spikes` holds nothing but 0 and 1; the gradients are conv2d's own.
torch::Tensor packedConv2d(const torch::Tensor &spikes, const torch::Tensor &weight, int64_t stride, int64_t pad, int64_t groups);
/// spikes weight^T.
torch::Tensor packedLinear(const torch::Tensor &spikes, const torch::Tensor &weight);

} // namespace lasnn::distill
