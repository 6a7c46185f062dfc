// What the verifiers share: messages that give the rule, the actual and the allowed value (spec.md), and checks of
// attributes that several operations have.
#pragma once

#include "ir/Snn.h"
#include "llvm/Support/FormatVariadic.h"

namespace lasnn::snn {

/// "'snn.conv2d' op rule C4: result height is 5, expected 6".
inline mlir::InFlightDiagnostic broken(mlir::Operation *op, llvm::StringRef rule) {
  return op->emitOpError() << "rule " << rule << ": ";
}

std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// [C], or [C] and [1] where `scalarToo`; element type as given; float values finite (T3).
mlir::LogicalResult verifyChannelAttr(mlir::Operation *op, llvm::StringRef rule, llvm::StringRef name,
                                      mlir::ElementsAttr attr, int64_t channels, mlir::Type element, bool scalarToo);
mlir::LogicalResult verifyFinite(mlir::Operation *op, llvm::StringRef name, mlir::ElementsAttr attr);
/// T2 on every operand and result.
mlir::LogicalResult verifyShapes(mlir::Operation *op);

/// The form of a value by its element type (T1).
inline bool isFloat(mlir::Value value) { return tensorType(value).getElementType().isF32(); }

} // namespace lasnn::snn
