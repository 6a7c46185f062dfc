// The ONNX importer: a file's bytes to a module that holds one snn.network in float form. docs/onnx.md says what it takes.
#pragma once

#include "ir/Snn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>
#include <vector>

namespace lasnn::onnx_import {

/// What the caller knows better than the file: each one set here overrides the file's metadata.
struct ImportOptions {
  std::optional<int64_t> timesteps;
  std::optional<std::vector<float>> mean, std; ///< one entry, or one a channel
  std::optional<snn::ReadoutMode> readout;
  std::optional<snn::Encoding> encoding;
  std::string networkName; ///< empty: the file's name
};

/// Reads an ONNX file (bytes) into a module holding one snn.network in float form. Every problem found is emitted as a
/// diagnostic naming the ONNX node (NameLoc), all of them in one run, and failure returned. Bytes are not trusted.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> importOnnx(mlir::MLIRContext &context, llvm::StringRef bytes,
                                                              llvm::StringRef fileName, const ImportOptions &options = {});

/// One line of the table of supported operators, in the order of docs/onnx.md.
struct SupportedOp {
  llvm::StringRef name;
  int64_t firstOpset, lastOpset;
  llvm::StringRef becomes; ///< in the dialect
  llvm::StringRef limits;
};
std::vector<SupportedOp> supportedOps();

} // namespace lasnn::onnx_import
