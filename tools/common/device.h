// One way to execute a network: the interpreter, or the x86 runtime with one ISA. Tools see them alike.
#pragma once

#include "ir/Snn.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace lasnn::tools {

struct LayerStats {
  std::string name;
  uint64_t neurons = 0, steps = 0, spikes = 0, synops = 0, clips = 0;
  double rate() const { return neurons && steps ? double(spikes) / (double(neurons) * steps) : 0; }
  void operator+=(const LayerStats &other) {
    steps += other.steps, spikes += other.spikes, synops += other.synops, clips += other.clips;
  }
};

struct Output {
  std::vector<int32_t> values; ///< integer networks
  std::vector<float> logits;   ///< values * scale, or the float network's own
  size_t top() const;          ///< index of the largest value, the first among equals
};

class Device {
public:
  virtual ~Device() = default;
  virtual std::string name() const = 0; ///< "interp", "x86"
  virtual std::string isa() const = 0;  ///< "" for the interpreter
  virtual bool isInteger() const = 0;
  virtual size_t inputSize() const = 0;
  virtual llvm::Error run(const uint8_t *sample, Output &output) = 0;
  /// uint8 spike counts [C,H,W] of every layer and step of the last run, layer by layer in the order of stats().
  virtual std::vector<std::vector<uint8_t>> spikes() = 0;
  virtual void recordSpikes(bool) {}
  virtual std::vector<LayerStats> stats() const = 0;
  virtual void clearStats() = 0;
};

llvm::Expected<std::unique_ptr<Device>> makeInterpreter(snn::NetworkOp network);
/// `model`, 64-byte aligned, must outlive the device. isa: auto, scalar, avx2, avx512.
llvm::Expected<std::unique_ptr<Device>> makeX86(const uint8_t *model, size_t size, const std::string &isa);
/// The ISA names that this CPU runs.
std::vector<std::string> availableIsas();

} // namespace lasnn::tools
