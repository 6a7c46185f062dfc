// Runs a program on the CPU, with the very kernels that a GPU runs.
#pragma once

#include "backends/cuda/program.h"

namespace lasnn::cuda {

/// One launch for p.batch samples. Weights are aligned to 16 bytes, as a device's memory is.
void runKernelOnHost(const Launch &launch, const Pointers &p);

struct HostResult {
  std::vector<int32_t> outputs;              ///< [batch][output_count]
  std::vector<std::vector<uint8_t>> buffers; ///< as they lie in device memory; unwritten ones empty
  std::vector<uint64_t> spikes, clips;       ///< of each launch, over the batch; 0 for those that have no neurons
};

/// samples: batch times sample_bytes.
HostResult runOnHost(const Program &program, const std::vector<uint8_t> &samples, uint32_t batch);

/// The same a piece at a time: every run() goes on from the membranes, delays and read-outs of the one before. A program of one time-step then streams.
class HostStream {
public:
  HostStream(const Program &program, uint32_t batch) : program_(program), batch_(batch), state_(program.launches.size()), held_(program.delays.size()) {}
  const HostResult &run(const std::vector<uint8_t> &samples);

private:
  const Program &program_;
  uint32_t batch_;
  std::vector<std::vector<int32_t>> state_; // of each launch with neurons
  std::vector<std::vector<uint8_t>> held_;  // of each delay
  HostResult result_;
  bool first_ = true;
};

} // namespace lasnn::cuda
