// Constant tensors of a file: initializers, `Constant` nodes, and what is computed from them at import.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>
#include <vector>

namespace onnx {
class TensorProto;
}

namespace lasnn::onnx_import {

/// Stands for the batch size in a computed shape (`Shape` of an activation gives it).
constexpr int64_t kBatch = INT64_MIN;
/// No tensor of a network may be larger: 2^28 elements, 1 GiB of f32.
constexpr int64_t kMaxElements = int64_t(1) << 28;
/// One value is spread over the channels (a bias, a mean) up to this many: a short file may not ask for much memory.
constexpr int64_t kMaxChannels = int64_t(1) << 20;

struct Constant {
  llvm::SmallVector<int64_t, 4> dims;
  bool isFloat = true;
  std::vector<float> f;   ///< isFloat; every value finite
  std::vector<int64_t> i; ///< otherwise; may hold kBatch
  int32_t elementType = 0; ///< as the file numbers it; 0 for what is computed here
  size_t size() const { return isFloat ? f.size() : i.size(); }
};
using ConstantRef = std::shared_ptr<const Constant>;

/// Product of the dimensions; -1 when one is negative or the product is above kMaxElements.
int64_t elementCount(llvm::ArrayRef<int64_t> dims);

/// Reads a tensor; on failure returns null and says in `problem` what is wrong, in `fix` (may stay empty) what to do.
ConstantRef decodeTensor(const onnx::TensorProto &tensor, std::string &problem, std::string &fix);

/// A constant that varies along the channel axis only, as 1 or C values; empty when it varies elsewhere or does not fit.
/// Axes align from the right, as ONNX broadcasts them; `shape` is an activation's, [C,H,W] or [F].
std::vector<float> channelVector(const Constant &constant, llvm::ArrayRef<int64_t> shape);

mlir::DenseElementsAttr toAttr(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);

std::string shapeText(llvm::ArrayRef<int64_t> shape);

} // namespace lasnn::onnx_import
