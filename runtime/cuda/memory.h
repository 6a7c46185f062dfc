// Where a session's numbers lie in its one block of device memory. Needs no driver.
#pragma once

#include "cuda/program.h"
#include "lasnn/cuda.h"

namespace lasnn::cuda {

constexpr uint32_t kSlots = 2;          // runs in flight
constexpr uint32_t kMostBatch = 1u << 20;

struct Needs {
  uint32_t max_batch;
  bool streaming, keep_spikes, counted;
};

/// Offsets in bytes. Buffer i of a batch of n begins at arena + n * its own offset; what has a place a sample is laid out for max_batch.
struct MemoryPlan {
  uint64_t arena, state, samples[kSlots], outputs[kSlots], counters;
  uint64_t bytes;
  bool has_state;
};

/// Saturates at UINT64_MAX bytes.
MemoryPlan planMemory(const Program &program, const Needs &needs);
/// The largest batch whose plan takes at most `bytes`; 0: none.
uint32_t batchThatFits(const Program &program, Needs needs, uint64_t bytes);

lasnn_status checkOptions(const lasnn_cuda_options *given, lasnn_cuda_options &options, ErrorText &error);
/// That the program can stream where it is to, and that no launch of max_batch samples passes what a grid and 32-bit thread numbers hold.
lasnn_status checkNeeds(const Program &program, const Needs &needs, ErrorText &error);
Needs needsOf(const lasnn_cuda_options &options);

} // namespace lasnn::cuda
