// What every kernel is given: one argument, this struct, by value. The runtime fills it in, device code (backends/cuda/kernels) and its emulation read
// it; the file also goes through NVRTC, which has no headers of its own, so it includes nothing there.
#pragma once

#ifndef __CUDACC_RTC__
#include <cstdint>
#endif

namespace lasnn::cuda {

constexpr uint32_t maxInputs = 8;
constexpr uint32_t warpsPerBlock = 4, threadsPerBlock = 32 * warpsPerBlock;

/// Where the numbers of a launch lie, in device memory.
struct Pointers {
  const void *input[maxInputs];
  const void *weight[maxInputs];
  const int32_t *bias, *theta, *amount; ///< [K]; amount: rho or v_reset
  void *out;
  int32_t *state;      ///< [n][pixel][K]; null: v starts at 0 and is forgotten
  uint64_t *counts;    ///< spikes, clips; null: not counted
  const int8_t *table; ///< E2
  uint32_t load_state; ///< go on with `state`, and a read-out with what `out` holds
  uint32_t batch;
};

} // namespace lasnn::cuda
