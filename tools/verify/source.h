// The source model run by somebody else: a Python with onnxruntime (or onnx's reference evaluator), beside this process.
#pragma once

#include "frontend/onnx/import.h"
#include "tools/verify/trace.h"

namespace lasnn::tools::verify {

/// `python`: the interpreter to start, by name or path. `options`: what was said on the command line about the file; it overrides the
/// file's metadata there as it does here. The error says why this Python cannot run this model.
llvm::Expected<std::unique_ptr<Executor>> startSource(const std::string &python, llvm::StringRef model,
                                                      const onnx_import::ImportOptions &options);

} // namespace lasnn::tools::verify
