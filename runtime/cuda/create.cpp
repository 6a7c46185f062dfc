// The C API: create, destroy, whether there is a GPU.
#include "cuda/session.h"

#include <cstdlib>
#include <cstring>

namespace lasnn::cuda {
namespace {

class Creator {
public:
  Creator(lasnn_cuda_session &s, ErrorText &error) : s_(s), driver_(s.device->driver), error_(error) {}

  lasnn_status create() {
    const Program &p = *s_.device->program;
    const Current current(*s_.device);
    if (current.result != 0) return refuse("entering the context", current.result);
    lasnn_status status = checkNeeds(p, s_.needs, error_);
    if (status != LASNN_OK) return status;
    s_.plan = planMemory(p, s_.needs);
    status = allocate();
    if (status != LASNN_OK) return status;
    int result = driver_.streamCreate(&s_.stream, kStreamNonBlocking);
    if (result != 0) return s_.stream = nullptr, refuse("making a stream", result);
    for (Slot &slot : s_.slots) {
      result = driver_.eventCreate(&slot.done, kEventWithoutTiming);
      if (result != 0) return slot.done = nullptr, refuse("making an event", result);
      status = pin(slot.input, uint64_t(s_.needs.max_batch) * p.inputBytes());
      if (status == LASNN_OK) status = pin(slot.output, uint64_t(s_.needs.max_batch) * p.output_count * sizeof(int32_t));
      if (status != LASNN_OK) return status;
    }
    if (s_.needs.keep_spikes && !takeSpikes(p)) {
      error_.set("no host memory for the spikes of a layer");
      return LASNN_OUT_OF_MEMORY;
    }
    if (!s_.needs.counted) return LASNN_OK;
    result = driver_.fill(s_.memory + s_.plan.counters, 0, s_.plan.bytes - s_.plan.counters, s_.stream);
    if (result == 0) result = driver_.streamWait(s_.stream);
    return result == 0 ? LASNN_OK : refuse("clearing counters", result);
  }

private:
  lasnn_status refuse(const char *doing, int result) {
    error_.set("%s: %s", doing, ResultText(driver_, result).text);
    return statusOf(result);
  }

  lasnn_status allocate() {
    int result = s_.plan.bytes > SIZE_MAX / 2 ? int(resultOutOfMemory) : driver_.memoryAlloc(&s_.memory, s_.plan.bytes);
    if (result == 0) return LASNN_OK;
    s_.memory = 0;
    if (result != resultOutOfMemory) return refuse("allocating device memory", result);
    size_t free_bytes = 0, total = 0;
    const int asked = driver_.memoryInfo(&free_bytes, &total);
    if (asked != 0) return refuse("asking for free device memory", asked);
    constexpr uint64_t page = 2 << 20; // the driver's, which an allocation is rounded up to
    const uint32_t fits = batchThatFits(*s_.device->program, s_.needs, free_bytes / page * page);
    char advice[96] = "not even one sample fits: use a GPU with more memory, or free some";
    if (fits > 0) snprintf(advice, sizeof advice, "max_batch = %u would fit", fits);
    error_.set("max_batch = %u needs %llu bytes of device memory, %zu of %zu are free; %s", s_.needs.max_batch, (unsigned long long)s_.plan.bytes,
               free_bytes, total, advice);
    return LASNN_OUT_OF_MEMORY;
  }

  template <class T> lasnn_status pin(T *&at, uint64_t bytes) {
    void *memory = nullptr;
    const int result = driver_.pinnedAlloc(&memory, bytes, 0);
    if (result != 0) {
      error_.set("%llu bytes of pinned host memory, one of %u blocks: %s; a smaller max_batch needs less", (unsigned long long)bytes, 2 * kSlots,
                 ResultText(driver_, result).text);
      return statusOf(result);
    }
    at = static_cast<T *>(memory);
    return LASNN_OK;
  }

  bool takeSpikes(const Program &p) {
    uint64_t most = 1;
    for (uint32_t i = 0; i < p.layer_count; ++i) {
      const Layer &l = p.layers[i];
      const uint64_t bytes = uint64_t(l.height) * l.width * ((l.channels + 31) / 32) * (l.counts ? 32 : 4);
      most = bytes > most ? bytes : most;
    }
    s_.spikes = static_cast<uint8_t *>(malloc(most));
    return s_.spikes != nullptr;
  }

  lasnn_cuda_session &s_;
  const Driver &driver_;
  ErrorText &error_;
};

lasnn_status deviceFor(const format::Model &model, uint64_t content_hash, const lasnn_cuda_options &options, Device *&device, ErrorText &error) {
  const bool streaming = options.streaming != 0;
  const lasnn_cuda_session *other = options.share;
  if (other == nullptr) return openDevice(model, content_hash, options.driver, options.device, streaming, device, error);
  if (other->lost) {
    error.set("options.share: %.200s", other->lost_error);
    return LASNN_DEVICE_LOST;
  }
  if (other->device->program->content_hash != content_hash || other->device->ordinal != options.device) {
    error.set("options.share is a session of %s", other->device->ordinal != options.device ? "another device" : "another model");
    return LASNN_INVALID_ARGUMENT;
  }
  const lasnn_status status = shareDevice(*other->device, model, streaming, error);
  if (status == LASNN_OK) device = other->device;
  return status;
}

lasnn_status createSession(const void *bytes, size_t size, const lasnn_cuda_options *given, lasnn_cuda_session **session, ErrorText &error) {
  lasnn_cuda_options options;
  lasnn_status status = checkOptions(given, options, error);
  if (status != LASNN_OK) return status;
  const format::Model *model;
  uint64_t content_hash;
  status = format::verifyCudaModel(bytes, size, model, content_hash, error);
  if (status != LASNN_OK) return status;
  if (options.streaming && model->cuda()->step() == nullptr) {
    error.set("the file has no kernels for single steps, so it cannot stream: recompile it");
    return LASNN_UNSUPPORTED;
  }
  auto *s = static_cast<lasnn_cuda_session *>(calloc(1, sizeof(lasnn_cuda_session)));
  if (s == nullptr) {
    error.set("%zu bytes of host memory needed", sizeof(lasnn_cuda_session));
    return LASNN_OUT_OF_MEMORY;
  }
  status = deviceFor(*model, content_hash, options, s->device, error);
  if (status == LASNN_OK) {
    s->needs = needsOf(options);
    status = Creator(*s, error).create();
  }
  if (status == LASNN_OK)
    *session = s;
  else
    lasnn_cuda_destroy(s);
  return status;
}

} // namespace
} // namespace lasnn::cuda

using namespace lasnn::cuda;

lasnn_status lasnn_cuda_create(const void *model, size_t model_size, const lasnn_cuda_options *options, lasnn_cuda_session **session, char *error,
                               size_t error_size) {
  ErrorText text(error, error_size);
  if (session == nullptr) {
    text.set("session is null");
    return LASNN_INVALID_ARGUMENT;
  }
  return createSession(model, model_size, options, session, text);
}

void lasnn_cuda_destroy(lasnn_cuda_session *s) {
  if (s == nullptr) return;
  if (s->device != nullptr) {
    // Results do not matter: after a lost device every call fails at once, and the driver takes everything back with the context.
    const Driver &driver = s->device->driver;
    {
      const Current current(*s->device);
      if (s->stream != nullptr) driver.streamWait(s->stream);
      for (const Graph &graph : s->graphs)
        if (graph.executable != nullptr) driver.executableDestroy(graph.executable);
      for (const Slot &slot : s->slots) {
        if (slot.done != nullptr) driver.eventDestroy(slot.done);
        if (slot.input != nullptr) driver.pinnedFree(slot.input);
        if (slot.output != nullptr) driver.pinnedFree(slot.output);
      }
      if (s->stream != nullptr) driver.streamDestroy(s->stream);
      if (s->memory != 0) driver.memoryFree(s->memory);
    }
    releaseDevice(s->device);
  }
  free(s->spikes);
  free(s);
}

lasnn_status lasnn_cuda_available(const char *path, int *device_count, char *error, size_t error_size) {
  ErrorText text(error, error_size);
  if (device_count != nullptr) *device_count = 0;
  Driver driver;
  const lasnn_status status = loadDriver(path, driver, text);
  if (status != LASNN_OK) return status;
  int count = 0;
  const int result = driver.deviceCount(&count);
  if (result != 0 || count == 0) {
    text.set("the driver sees no GPU: %s", result == 0 ? "it counts 0" : ResultText(driver, result).text);
    return LASNN_NO_DEVICE;
  }
  if (device_count != nullptr) *device_count = count;
  return LASNN_OK;
}
