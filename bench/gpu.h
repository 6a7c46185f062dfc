// A plan as `.lasnn` bytes for the GPU that lasnn_cuda_create would take: device code through NVRTC, or, where the driver is the emulated one of the
// runtime's tests (LASNN_CUDA_DRIVER), in that driver's own form. For tests and benchmarks; no MLIR.
#pragma once

#include "backends/cuda/compile.h"

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

/// What a form's name stands for: "auto" is the cost model's choice, anything else a kernel for every layer that it can compute ("split", "split:2").
cuda::Options optionsFor(const Gpu &gpu, const std::string &form, uint32_t batch, double rate);

/// Programs, code for `gpu`, file. No bytes with `error` set where something fails.
cuda::Compiled compileFor(const Gpu &gpu, const plan::Network &plan, const cuda::Options &options, std::string &error);

} // namespace lasnn::bench
