#include "cuda/memory.h"

#include <cstdlib>
#include <cstring>

namespace lasnn::cuda {
namespace {

uint64_t times(uint64_t a, uint64_t b) {
  uint64_t product;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

class Bump {
public:
  uint64_t take(uint64_t bytes) {
    const uint64_t at = used_;
    if (bytes > UINT64_MAX - kAlign || __builtin_add_overflow(used_, aligned(bytes), &used_)) used_ = UINT64_MAX;
    return at;
  }
  uint64_t used() const { return used_; }

private:
  uint64_t used_ = 0;
};

uint64_t arenaBytes(const Program &p, const Needs &needs) {
  const Sequence &running = p.running();
  const uint64_t run = needs.keep_spikes ? times(running.kept_bytes, p.passes()) : running.arena_bytes;
  const uint64_t step = !needs.streaming ? 0 : needs.keep_spikes ? p.step.kept_bytes : p.step.arena_bytes;
  return run > step ? run : step;
}

/// The largest batch whose grids hold. Kernels number threads in 32 bits.
uint32_t largestBatch(const Sequence &s, const Launch *&limit) {
  uint32_t most = kMostBatch;
  for (uint32_t i = 0; i < s.launch_count; ++i) {
    const Launch &l = s.launches[i];
    const auto holds = [&](uint32_t batch) { return l.blocks(batch) <= INT32_MAX && l.blocks(batch) * l.threads <= UINT32_MAX; };
    if (holds(most)) continue;
    limit = &l;
    uint32_t low = 1, high = most; // holds(1): the verifier's
    while (high - low > 1) {
      const uint32_t middle = low + (high - low) / 2;
      (holds(middle) ? low : high) = middle;
    }
    most = low;
  }
  return most;
}

} // namespace

MemoryPlan planMemory(const Program &p, const Needs &needs) {
  MemoryPlan plan = {};
  const uint64_t n = needs.max_batch;
  Bump bump;
  plan.arena = bump.take(times(n, arenaBytes(p, needs)));
  plan.has_state = needs.streaming || p.passes() > 1;
  plan.state = bump.take(plan.has_state ? times(n, p.state_bytes) : 0);
  for (uint32_t i = 0; i < kSlots; ++i) {
    plan.samples[i] = bump.take(times(n, p.inputBytes()));
    plan.outputs[i] = bump.take(times(n, uint64_t(p.output_count) * sizeof(int32_t)));
  }
  plan.counters = bump.take(needs.counted ? (uint64_t(p.layer_count) + 1) * 2 * sizeof(uint64_t) : 0); // the last ones are time's
  plan.bytes = bump.used();
  return plan;
}

uint32_t batchThatFits(const Program &program, Needs needs, uint64_t bytes) {
  uint32_t low = 0, high = needs.max_batch + 1;
  while (high - low > 1) {
    needs.max_batch = low + (high - low) / 2;
    (planMemory(program, needs).bytes <= bytes ? low : high) = needs.max_batch;
  }
  return low;
}

lasnn_status checkOptions(const lasnn_cuda_options *given, lasnn_cuda_options &options, ErrorText &error) {
  options = {};
  options.size = sizeof options;
  if (given) options = *given;
  if (options.size != sizeof options) {
    error.set("options.size is %zu, must be sizeof(lasnn_cuda_options) = %zu", options.size, sizeof options);
    return LASNN_INVALID_ARGUMENT;
  }
  if (options.max_batch == 0) options.max_batch = 1;
  if (options.max_batch > kMostBatch) {
    error.set("options.max_batch is %u, at most %u", options.max_batch, kMostBatch);
    return LASNN_INVALID_ARGUMENT;
  }
  return LASNN_OK;
}

Needs needsOf(const lasnn_cuda_options &options) {
  return {options.max_batch, options.streaming != 0, options.keep_spikes != 0, options.no_stats == 0};
}

lasnn_status checkNeeds(const Program &program, const Needs &needs, ErrorText &error) {
  if (needs.streaming && !program.step.there()) {
    error.set("the file has no kernels for single steps, so it cannot stream: recompile it");
    return LASNN_UNSUPPORTED;
  }
  const Launch *limit = nullptr;
  uint32_t most = largestBatch(program.running(), limit);
  if (needs.streaming && &program.running() != &program.step) {
    const Launch *other = nullptr;
    const uint32_t step = largestBatch(program.step, other);
    if (step < most) most = step, limit = other;
  }
  if (needs.max_batch > most) {
    error.set("options.max_batch is %u, at most %u: the grid of '%.60s' holds no more", needs.max_batch, most, limit->name);
    return LASNN_INVALID_ARGUMENT;
  }
  return LASNN_OK;
}

} // namespace lasnn::cuda

using namespace lasnn::cuda;
namespace format = lasnn::format;

lasnn_status lasnn_cuda_memory(const void *model, size_t model_size, const lasnn_cuda_options *given, uint64_t *bytes, char *error, size_t error_size) {
  ErrorText text(error, error_size);
  if (bytes == nullptr) {
    text.set("bytes is null");
    return LASNN_INVALID_ARGUMENT;
  }
  lasnn_cuda_options options;
  lasnn_status status = checkOptions(given, options, text);
  if (status != LASNN_OK) return status;
  const format::Model *checked;
  uint64_t content_hash;
  status = format::verifyCudaModel(model, model_size, checked, content_hash, text);
  if (status != LASNN_OK) return status;
  Program *program = makeProgram(*checked->cuda(), content_hash, text);
  if (program == nullptr) return LASNN_OUT_OF_MEMORY;
  const Needs needs = needsOf(options);
  status = checkNeeds(*program, needs, text);
  if (status == LASNN_OK) {
    const uint64_t session = planMemory(*program, needs).bytes;
    *bytes = session > UINT64_MAX - program->constant_bytes ? UINT64_MAX : session + program->constant_bytes;
  }
  free(program);
  return status;
}
