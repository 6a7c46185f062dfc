// Reads .safetensors: an 8-byte length, a JSON table, raw little-endian tensors (huggingface.co/docs/safetensors).
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>

namespace lasnn::distill {

struct Safetensors {
  std::map<std::string, torch::Tensor> tensors; // converted to float32
  std::map<std::string, std::string> metadata;  // the file's __metadata__
};

/// Throws std::runtime_error: which file, which tensor, what is wrong. F64, F32, F16, BF16 and I64 are read.
Safetensors readSafetensors(const std::string &path);

} // namespace lasnn::distill
