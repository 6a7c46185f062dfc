// A session: its memory on the GPU, its stream, and what has been submitted.
#pragma once

#include "cuda/device.h"
#include "cuda/memory.h"

namespace lasnn::cuda {

constexpr uint32_t kGraphs = 8; // kept a session

enum class GraphKind : uint32_t { Run, FirstStep, NextStep };

/// A recorded forward of one batch size, with its copies.
struct Graph {
  void *executable; ///< null: a free place
  GraphKind kind;
  uint32_t batch, slot;
  uint64_t last_use;
};

/// One run in flight. Pinned memory lets the GPU copy while the host prepares the next.
struct Slot {
  uint8_t *input;
  int32_t *output;
  void *done;         ///< event
  int32_t *target;    ///< the caller's; null: nothing in flight
  size_t target_count;
};

} // namespace lasnn::cuda

struct lasnn_cuda_session {
  lasnn::cuda::Device *device;
  lasnn::cuda::Needs needs;
  lasnn::cuda::MemoryPlan plan;
  lasnn::cuda::DevicePointer memory;
  void *stream;
  lasnn::cuda::Slot slots[lasnn::cuda::kSlots];
  uint32_t next_slot;
  lasnn::cuda::Graph graphs[lasnn::cuda::kGraphs];
  uint64_t uses;
  uint8_t *spikes;              // a layer of one sample and step, for get_spikes
  uint64_t counts[2];           // of a layer, for get_layer_stats: here, since a copy that fails may still be under way
  uint32_t stored_batch;        // of the last run or step; 0: there was none
  bool stored_step;             // it was a step
  uint32_t stream_batch;        // of the steps since the last reset; 0: none yet
  uint64_t steps;               // samples times steps, since the counters were cleared
  bool lost;
  char error[512], lost_error[512];
};

namespace lasnn::cuda {

template <class... Args> lasnn_status refuse(lasnn_cuda_session *s, const char *format, Args... args) {
  ErrorText(s->error, sizeof s->error).set(format, args...);
  return LASNN_INVALID_ARGUMENT;
}

/// What a failing driver call during use means: a lost device, since what the GPU has done and what is still to come is not known any more. Unless nothing
/// had been given to it yet: short memory then leaves the session as it was.
lasnn_status failed(lasnn_cuda_session &s, const char *doing, int result, bool before_work = false);
/// LASNN_DEVICE_LOST with its first text again, once that has happened.
lasnn_status checkAlive(lasnn_cuda_session &s);
/// Waits for everything submitted and hands out its outputs.
lasnn_status drain(lasnn_cuda_session &s);

/// Where one pass over a sequence reads and writes, as addresses on the device.
struct Pass {
  uint64_t arena, sample, output;
  bool load_state, with_state;
  DevicePointer counters; ///< 0: not counted
  bool scratch_counters;  ///< all layers count in one place, which nobody reads
};
int enqueueLaunch(const lasnn_cuda_session &s, const Sequence &sequence, const Launch &launch, const Pass &pass, uint32_t batch);
/// The launches of a whole run from `slot`'s sample to its output, without copies to and from the host.
int enqueueRun(const lasnn_cuda_session &s, uint32_t slot, uint32_t batch, bool scratch_counters);
/// Records what `body` enqueues as an executable graph. Returns the driver's result.
template <class Body> int record(const lasnn_cuda_session &s, const Body &body, void *&executable) {
  const Driver &driver = s.device->driver;
  executable = nullptr;
  int result = driver.captureBegin(s.stream, kCaptureThread);
  if (result != 0) return result;
  result = body();
  void *graph = nullptr;
  const int ended = driver.captureEnd(s.stream, &graph); // also after a failure: the stream must leave its capture
  if (result == 0) result = ended;
  if (result == 0) result = driver.graphInstantiate(&executable, graph, 0);
  if (result != 0) executable = nullptr;
  if (ended == 0 && graph != nullptr) driver.graphDestroy(graph);
  return result;
}

} // namespace lasnn::cuda
