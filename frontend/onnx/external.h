// Tensors whose data lies in a file beside the model.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace onnx {
class TensorProto;
}

namespace lasnn::onnx_import {

/// All external data of one model may take this much: names of one file may stand in many tensors.
constexpr uint64_t kMaxExternalBytes = uint64_t(4) << 30;

/// Reads the data of `tensor`, which is in a file, into it as raw_data; `total` counts what the model took so far. On
/// failure returns false and says in `problem` what is wrong, in `fix` (may stay empty) what to do.
bool readExternal(onnx::TensorProto &tensor, llvm::StringRef modelFile, uint64_t &total, std::string &problem, std::string &fix);

} // namespace lasnn::onnx_import
