// A plan as `.lasnn` bytes for the GPU that lasnn_cuda_create would take: device code through NVRTC, or, where the driver is the emulated one of the
// runtime's tests (LASNN_CUDA_DRIVER), in that driver's own form. For tests and benchmarks; no MLIR.
#pragma once

#include "backends/cuda/program.h"

#include <optional>
#include <string>
#include <vector>

namespace lasnn::bench {

struct Gpu {
  std::string name, architecture; ///< "sm_90a": what code is compiled for
  std::string driver;             ///< "13.0": the newest CUDA that the driver knows
  bool emulated = false;
};

/// Device 0, or nothing with `why`.
std::optional<Gpu> findGpu(std::string &why);

/// The program of all steps at once.
cuda::Program programOf(const plan::Network &plan, cuda::Choice choice);

/// Programs, code for `gpu`, file. `stream`: with the program of one step too. Empty with `error` set.
std::vector<uint8_t> compileFor(const Gpu &gpu, const plan::Network &plan, cuda::Choice choice, bool stream, std::string &error);

} // namespace lasnn::bench
