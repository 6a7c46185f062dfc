// One NIR node as its handler sees it: fields that are checked as they are read, inputs, results.
#pragma once

#include "frontend/nir/convention.h"

namespace lasnn::nir {

struct Importer {
  Problems &problems;
  const Convention &convention;
  mlir::OpBuilder &b;
  int neurons = 0;
};

/// A leaky or plain integrator that an Output reads: no spikes, so that it becomes part of the read-out.
struct Integrator {
  bool sums = false; ///< I: the output is the sum over the steps
};

/// The result of a node for its summed input; null when it failed, was told, or its input failed. With a null input everything that
/// does not depend on it is checked all the same.
mlir::Value convertNode(Importer &importer, const Node &node, mlir::Value input, Integrator *integrator);

/// True for spike counts (D2): results of neurons and delays, events, and what only moves them.
bool isSpikes(mlir::Value value);
mlir::Value createLinear(mlir::OpBuilder &b, mlir::Location loc, mlir::Value input, llvm::ArrayRef<float> weight, int64_t outputs,
                         llvm::ArrayRef<float> bias);
std::string shapeText(llvm::ArrayRef<int64_t> shape);
/// The dialect's axes for NIR's: [N], [C,L] as [C,1,L], [C,H,W]; empty when there are none.
llvm::SmallVector<int64_t, 3> dialectShape(llvm::ArrayRef<int64_t> shape);

} // namespace lasnn::nir
