// What one executor did with one sample: every spike of every step, membranes where they can be seen, the outputs.
#pragma once

#include "ir/Snn.h"
#include "tools/common/device.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lasnn::tools::verify {

struct LayerTrace {
  std::string name;
  size_t neurons = 0;
  std::vector<uint8_t> spikes; ///< [T][neurons]
  /// [T][neurons]: the membrane that is compared with the threshold (N5); NaN where it cannot be seen; empty: nowhere.
  std::vector<float> membranes;
  std::vector<float> thresholds; ///< one a channel, in the unit of `membranes`; empty with them
  float largest = 0;             ///< magnitude of a current or membrane: what rounding is measured by

  float threshold(size_t neuron) const { return thresholds[neuron / (neurons / thresholds.size())]; }
};

struct Trace {
  std::vector<LayerTrace> layers; ///< in order of execution
  Output output;
};

/// One way to run the network. `trace` is filled anew at every run; its layers stay the same ones.
class Executor {
public:
  virtual ~Executor() = default;
  virtual std::string name() const = 0; ///< "onnxruntime 1.32.0", "x86 avx2"
  virtual size_t inputSize() const = 0;
  virtual size_t timesteps() const = 0;
  virtual llvm::Error run(const uint8_t *sample, Trace &trace) = 0;
};

/// The interpreter on a network of either form, with membranes.
llvm::Expected<std::unique_ptr<Executor>> makeInterpreted(snn::NetworkOp network, const std::string &name);
/// A device on an artefact: spikes and outputs alone.
std::unique_ptr<Executor> makeOnDevice(std::unique_ptr<Device> device, size_t timesteps);

} // namespace lasnn::tools::verify
