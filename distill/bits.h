// Spikes at a bit each, for what is kept for the backward pass.
#pragma once

#include <torch/torch.h>

namespace lasnn::distill {

/// 0 and 1 to a bit each, eight a byte, the first lowest, in the order of memory; and back, as that type in that layout.
torch::Tensor packBits(const torch::Tensor &spikes);
torch::Tensor unpackBits(const torch::Tensor &packed, torch::IntArrayRef sizes, torch::MemoryFormat format, const torch::TensorOptions &options);

} // namespace lasnn::distill
