// How far the values of an integer network can go: intervals per channel, from the weights and the bounds of the inputs
// (spec.md, "The contract"). Quantize asks it which widths are safe, VerifyContract proves K1..K5 with it.
#pragma once

#include "passes/Support.h"

namespace lasnn {

struct Range {
  int64_t lo = 0, hi = 0;
  bool fits16() const { return lo >= INT16_MIN && hi <= INT16_MAX; }
};

/// A current of one channel: its value, and every partial sum in any order.
struct CurrentRange {
  Range value, partial;
  bool comparedFits16 = true; ///< every current that a max_pool on the way compared fits 16 bits (K5)
};

class Bounds {
public:
  /// The network is in integer form, fused and verified. Counts above 255 are noted in `overflows` and go on as 255.
  explicit Bounds(snn::NetworkOp network);

  /// Per channel, the current of a layer's neuron or read-out.
  llvm::ArrayRef<CurrentRange> ofLayer(snn::LayerOp layer) const { return layers.find(layer.getOperation())->second; }

  /// K3: a spike count that may not fit.
  struct Overflow {
    mlir::Operation *op;
    int64_t channel, count;
  };
  llvm::SmallVector<Overflow> overflows;

private:
  llvm::SmallVector<Range> signalOf(mlir::Operation *op);
  llvm::SmallVector<CurrentRange> currentOf(mlir::Operation *op);
  /// Found when asked for: a delay stands before its operand.
  llvm::SmallVector<Range> lookup(mlir::Value value);
  void capCounts(mlir::Operation *op, llvm::SmallVector<Range> &ranges);

  llvm::DenseMap<mlir::Value, llvm::SmallVector<Range>> signals;         ///< per channel
  llvm::DenseMap<mlir::Value, llvm::SmallVector<CurrentRange>> currents; ///< inside layers
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<CurrentRange>> layers;
};

} // namespace lasnn
