// Random float networks as importers write them: convolutions, batch norms, pools, residual adds, all kinds of neurons.
#pragma once

#include "ir/Snn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>

namespace lasnn::test {

struct NetworkOptions {
  bool events = false;
  /// All numbers are small multiples of powers of two, so that float sums are exact in any order.
  bool dyadic = true;
  /// Weights of every channel have 127/64 as their largest magnitude: 8 bits hold them exactly. Needs dyadic; leaves out
  /// leak, batch norms and pools of currents, which round.
  bool exactInt8 = false;
  bool recurrent = false; ///< neurons hear themselves, or what was pooled of them, or events, a step or two late
  bool thresholdsAsStates = true; ///< v_threshold may equal a membrane; else it lies between the values a membrane can take
};

class RandomNetwork {
public:
  RandomNetwork(mlir::MLIRContext &context, unsigned seed, NetworkOptions options);
  mlir::ModuleOp module() { return *owner; }
  snn::NetworkOp network() { return *owner->getOps<snn::NetworkOp>().begin(); }
  /// A sample of the input's size: pixels 0 or 255 when dyadic, any byte else; counts for events.
  std::vector<uint8_t> sample(bool saturated = false);

private:
  struct Builder;
  mlir::OwningOpRef<mlir::ModuleOp> owner;
  std::mt19937 random;
  NetworkOptions options;
  size_t inputSize = 0;
  int maxCount = 1;
};

} // namespace lasnn::test
