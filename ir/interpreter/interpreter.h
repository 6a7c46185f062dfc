// The interpreter: what a network computes, written straight from ir/spec.md. Slow and plain on purpose; every
// backend must equal it to the bit in integer form.
#pragma once

#include "ir/Snn.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <vector>

namespace lasnn::snn {

/// A value of the network at one step. Float form uses `f`, integer form (counts, analog input, currents) uses `i`.
struct Tensor {
  llvm::SmallVector<int64_t, 3> shape; ///< [C,H,W] or [N]
  bool isFloat = false;
  std::vector<float> f;
  std::vector<int32_t> i;
};

/// What a neuron did, over all steps and samples since the last clearStats().
struct NeuronStats {
  mlir::Operation *op = nullptr;
  std::string name;      ///< of the layer when fused, else of the neuron
  int64_t neurons = 0;   ///< elements of the tensor
  uint64_t steps = 0, spikes = 0, clips = 0;
  uint64_t synops = 0;   ///< weights that met a spike (analog input not counted), integer form only
  double minV = 0, maxV = 0; ///< membrane after N3, before the clamp
  std::vector<double> maxAbsV; ///< the same per channel: max |v|
  double minI = 0, maxI = 0; ///< current (N1)
};

class Interpreter {
public:
  /// Prepare a verified network; fails on a form that cannot run. `network` must outlive the interpreter, unchanged.
  static llvm::Expected<std::unique_ptr<Interpreter>> create(NetworkOp network);
  ~Interpreter();

  int64_t timesteps() const;
  bool isInteger() const;
  Encoding encoding() const;
  llvm::ArrayRef<int64_t> inputShape() const;
  /// Bytes (or floats) of one sample: C*H*W, times T for events.
  size_t inputSize() const;

  /// Run one sample from reset state through T steps.
  llvm::Error run(llvm::ArrayRef<uint8_t> sample);
  llvm::Error run(llvm::ArrayRef<float> sample); ///< networks with a float input

  /// State kept from step to step: reset(), then step() with one frame (or the image) each time.
  void reset();
  llvm::Error step(llvm::ArrayRef<uint8_t> frame);
  llvm::Error step(llvm::ArrayRef<float> frame);

  /// All outputs in order, as they stand after the last step; in integer form `i` is filled and `outputScale` per output.
  Tensor output() const;
  float outputScale() const;

  /// One entry a neuron, in order of execution.
  llvm::ArrayRef<NeuronStats> stats() const;
  void clearStats();

  /// Called after every operation at every step (fused layers included: the neuron inside is reported).
  using Observer = std::function<void(mlir::Operation *, int64_t step, const Tensor &result)>;
  void setObserver(Observer observer);

  /// Keep every membrane as it stands between N4 and N5, before it is compared: what tools measure distances to thresholds on.
  void recordMembranes(bool on);
  /// Of a neuron (by its index in stats()), as of the last step that was evaluated; empty unless recorded.
  llvm::ArrayRef<float> membranes(size_t neuron) const;

private:
  struct Impl;
  explicit Interpreter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace lasnn::snn
