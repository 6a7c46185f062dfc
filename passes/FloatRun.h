// A network in float form, run fast: what calibration, conversion and accuracy tables ask of hundreds of samples and steps. It computes
// what the interpreter computes but for the order of float sums, so that two membranes may differ in their last bits; the interpreter stays
// the meaning.
#pragma once

#include "ir/Snn.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <vector>

namespace lasnn {

/// A value at one step, the channels of a pixel side by side: x[(y*w + x)*c + channel]. A vector is one pixel.
struct Pixels {
  int64_t c = 1, h = 1, w = 1;
  std::vector<float> x;
  int64_t positions() const { return h * w; }
};

class FloatProgram;

/// One runner of a program; each thread has its own.
class FloatRun {
public:
  /// Called behind every operation that computes something, at every step. Constants (what depends on a still image alone) are seen at step
  /// 0.
  using Observer = std::function<void(mlir::Operation *, int64_t step, const Pixels &result)>;

  explicit FloatRun(std::shared_ptr<const FloatProgram> program);
  ~FloatRun();
  /// `steps` steps from reset state, whatever T the network has. The sample must have inputSize() bytes.
  /// `until`: stop each step behind this operation; null: the whole network.
  void run(llvm::ArrayRef<uint8_t> sample, int64_t steps, const Observer &observe = {}, mlir::Operation *until = nullptr);
  /// The operand of the first output as it stands.
  llvm::ArrayRef<float> output() const;
  /// A value as it stands after the last step.
  const Pixels &value(mlir::Value value) const;

private:
  struct State;
  std::shared_ptr<const FloatProgram> program;
  std::unique_ptr<State> state;
};

/// Fails on integer form and on a float input. The network may change afterwards: the program keeps copies.
llvm::Expected<std::shared_ptr<const FloatProgram>> makeFloatProgram(snn::NetworkOp network);
/// Bytes of one sample: C*H*W, times T for events.
size_t inputSize(const FloatProgram &program);

/// body(sample index, part) on all cores. The samples are cut into `kParts` parts by index; a part runs in order on one thread, so that
/// what is summed up by part, and then over the parts, does not depend on the number of threads.
inline constexpr size_t kParts = 8;
void forEachSample(size_t count, const std::function<void(size_t first, size_t last, size_t part)> &body);

} // namespace lasnn
