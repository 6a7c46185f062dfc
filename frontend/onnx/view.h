// How an ONNX value lies in a tensor of the dialect: transposes, reshapes and axes of size 1 move no data, they are a view.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace lasnn::onnx_import {

/// The ONNX value's axes without the batch, and where its elements lie in the tensor: row-major over `dims`, they are at the
/// sums of index * stride over `atoms`, which is the same count of elements, cut into pieces of one stride each.
struct View {
  struct Atom {
    int64_t size, stride;
    bool operator==(const Atom &other) const { return size == other.size && stride == other.stride; }
  };
  llvm::SmallVector<int64_t, 4> dims;
  llvm::SmallVector<Atom, 4> atoms; ///< sizes above 1, neighbours merged

  /// All of a tensor, in its own order.
  static View of(llvm::ArrayRef<int64_t> shape);
  bool rowMajor() const { return atoms.empty() || (atoms.size() == 1 && atoms[0].stride == 1); }
  bool operator==(const View &other) const { return dims == other.dims && atoms == other.atoms; }
  /// The same elements in the same order under other sizes; their product has to be the same.
  View reshaped(llvm::ArrayRef<int64_t> to) const;
  /// Axis k of the result is axis `order[k]` of this; nullopt when sizes cut through one another.
  std::optional<View> transposed(llvm::ArrayRef<int64_t> order) const;
  /// Flat index of every ONNX element in the tensor.
  std::vector<int64_t> order() const;
};

} // namespace lasnn::onnx_import
