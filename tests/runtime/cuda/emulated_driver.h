// The emulated CUDA driver: a shared library with the functions of libcuda that the runtime uses. Device memory is host memory, kernels run on the
// CPU. What a stream is given waits until someone synchronises with it, so that a missing wait shows.
//
// A test sets it up through configure(), found by dlsym in the opened library; another process through the environment: LASNN_EMULATED_DRIVER (12040),
// LASNN_EMULATED_DEVICES (1), LASNN_EMULATED_CAPABILITY (90), LASNN_EMULATED_MEMORY (bytes).
#pragma once

#include <cstdint>

extern "C" {

struct EmulatedSetup {
  int driver_version = 12040, devices = 1, capability = 90;
  uint64_t memory_bytes = uint64_t(1) << 30;
  int init_result = 0;
  uint64_t fail_call = 0; ///< the call with this number, from 1 on since configure, fails with fail_result; 0: none
  int fail_result = 0;
  const char *fail_function = nullptr; ///< or every call of this symbol does
  const char *jit_log = nullptr;       ///< what compiling PTX leaves in its log, failing
  int inert = 0;          ///< any code loads and has every kernel; kernels are not run, their pointers must be device memory
};

/// Things that exist, and calls since configure.
struct EmulatedState {
  uint64_t calls;
  uint64_t allocations, allocated_bytes, pinned, streams, events, graphs, executables, modules, contexts, current;
  uint64_t kernels; ///< that ran since configure
  char failed[48];  ///< the function that failed last as the setup asked for
};

void lasnn_emulated_configure(const EmulatedSetup *setup);
void lasnn_emulated_state(EmulatedState *state);
}
