// One way to execute a network: the interpreter, the x86 runtime with one ISA, or a GPU. Tools see them alike.
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
  virtual std::string name() const = 0; ///< "interp", "x86", "cuda"
  virtual std::string isa() const = 0;  ///< "" for the interpreter; of a GPU the code that it runs, "sm_90a"
  virtual bool isInteger() const = 0;
  virtual size_t inputSize() const = 0;
  virtual llvm::Error run(const uint8_t *sample, Output &output) = 0;
  /// How many samples it takes at a time.
  virtual size_t batch() const { return 1; }
  /// Run `count` samples, at most batch(), that lie one behind the other.
  virtual llvm::Error runBatch(const uint8_t *samples, size_t count, std::vector<Output> &outputs);
  /// uint8 spike counts [C,H,W] of every layer and step of the last run (of a batch: its first sample), layer by layer in the order of stats().
  virtual std::vector<std::vector<uint8_t>> spikes() = 0;
  virtual void recordSpikes(bool) {}
  virtual std::vector<LayerStats> stats() const = 0;
  virtual void clearStats() = 0;
};

llvm::Expected<std::unique_ptr<Device>> makeInterpreter(snn::NetworkOp network);
/// `model`, 64-byte aligned, must outlive the device. isa: auto, scalar, avx2, avx512.
llvm::Expected<std::unique_ptr<Device>> makeX86(const uint8_t *model, size_t size, const std::string &isa);
/// `model`, 64-byte aligned. spikes: they can be read after a run, at the cost of device memory. beside: a device of the same model whose
/// weights are used, or null.
llvm::Expected<std::unique_ptr<Device>> makeCuda(const uint8_t *model, size_t size, size_t batch, bool spikes, const Device *beside = nullptr);
/// "" where a GPU can be used, else why not.
std::string whyNoCuda();
/// The ISA names that this CPU runs.
std::vector<std::string> availableIsas();

} // namespace lasnn::tools
