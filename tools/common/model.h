// A network from a file in any form that the tools read: .onnx and .nir (float), .mlir text or bytecode, .lasnn (integer).
#pragma once

#include "format/reader.h"
#include "frontend/nir/import.h"
#include "frontend/onnx/import.h"
#include "ir/Snn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <string>

namespace lasnn::tools {

/// Bytes with the alignment that the runtime asks of a model in memory.
struct ModelBytes {
  std::unique_ptr<uint8_t[], void (*)(void *)> data{nullptr, free};
  size_t size = 0;
  llvm::StringRef text() const { return {reinterpret_cast<const char *>(data.get()), size}; }
};

struct Model {
  enum class Kind { Onnx, Nir, Mlir, Lasnn };
  Kind kind = Kind::Onnx;
  std::string path, sha256;
  ModelBytes bytes;
  format::FileContents contents; ///< of a .lasnn; points into `bytes`
  mlir::OwningOpRef<mlir::ModuleOp> module;
  snn::NetworkOp network; ///< inside `module`
};

/// A context that knows the dialect and runs on this thread alone: tools are short-lived and start in milliseconds.
std::unique_ptr<mlir::MLIRContext> makeContext();

/// A copy aligned as the runtime asks.
ModelBytes alignedCopy(llvm::StringRef text);
/// Read "-" or a file whole.
llvm::Expected<ModelBytes> readFile(const std::string &path);

/// What the caller knows better than the file, and what a NIR file leaves open.
struct LoadOptions : onnx_import::ImportOptions {
  LoadOptions() = default;
  LoadOptions(const onnx_import::ImportOptions &options) : onnx_import::ImportOptions(options) {}
  nir::Conventions nir;
};

/// Load a model. The error text is whole: it names the file, or says that the problems were printed above.
llvm::Expected<Model> loadModel(mlir::MLIRContext &context, const std::string &path, const LoadOptions &options);
llvm::Expected<Model> loadModel(mlir::MLIRContext &context, const std::string &path, ModelBytes bytes, const LoadOptions &options);

} // namespace lasnn::tools
