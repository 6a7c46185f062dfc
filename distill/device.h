// Where a network is trained: a name from the command line to a device that is there.
#pragma once

#include <torch/torch.h>

#include <string>

namespace lasnn::distill {

/// "cpu", "cuda" (the first GPU; of several processes on one machine, each its own by LOCAL_RANK) or "cuda:N".
/// Throws std::invalid_argument for another name, std::runtime_error for a device that is not there.
torch::Device deviceFromName(const std::string &name);

/// Whether `e` says that memory ran out, on either device.
bool isOutOfMemory(const std::exception &e);

/// Gives back what the GPU's allocator holds in reserve.
void releaseMemory(const torch::Device &);

} // namespace lasnn::distill
