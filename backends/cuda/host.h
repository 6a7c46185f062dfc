// Runs a program on the CPU, with the very kernels that a GPU runs.
#pragma once

#include "backends/cuda/program.h"

namespace lasnn::cuda {

struct HostResult {
  std::vector<int32_t> outputs;               ///< [batch][output_count]
  std::vector<std::vector<uint8_t>> buffers;  ///< as they lie in device memory; unwritten ones empty
  std::vector<uint64_t> spikes, clips;        ///< of each launch, over the batch; 0 for those that have no neurons
};

/// samples: batch times sample_bytes.
HostResult runOnHost(const Program &program, const std::vector<uint8_t> &samples, uint32_t batch);

} // namespace lasnn::cuda
