// The C API: looking at a session: facts, counts, spikes, times.
#include "cuda/session.h"

#include <cstdlib>
#include <cstring>

namespace lasnn::cuda {
namespace {

constexpr uint32_t kMostRepeats = 1000;

float median(float *values, uint32_t count) {
  for (uint32_t i = 1; i < count; ++i)
    for (uint32_t j = i; j > 0 && values[j] < values[j - 1]; --j) {
      const float v = values[j];
      values[j] = values[j - 1], values[j - 1] = v;
    }
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/// Times on the device, between events of the session's stream.
class Timer {
public:
  Timer(lasnn_cuda_session &s, uint32_t batch, uint32_t repeats)
      : s_(s), driver_(s.device->driver), sequence_(s.device->program->running()), batch_(batch), repeats_(repeats) {}
  ~Timer() {
    for (uint32_t i = 0; events_ != nullptr && i <= sequence_.launch_count; ++i)
      if (events_[i] != nullptr) driver_.eventDestroy(events_[i]);
    if (graph_ != nullptr) driver_.executableDestroy(graph_);
    free(events_);
    free(times_);
  }
  Timer(const Timer &) = delete;
  Timer &operator=(const Timer &) = delete;

  int prepare() {
    events_ = static_cast<void **>(calloc(size_t(sequence_.launch_count) + 1, sizeof(void *)));
    times_ = static_cast<float *>(malloc(sizeof(float) * repeats_ * sequence_.launch_count));
    if (events_ == nullptr || times_ == nullptr) return resultOutOfMemory;
    int result = record(s_, [&] { return enqueueRun(s_, 0, batch_, true); }, graph_);
    for (uint32_t i = 0; i <= sequence_.launch_count && result == 0; ++i)
      result = driver_.eventCreate(&events_[i], 0);
    return result;
  }

  int run() { return driver_.graphLaunch(graph_, s_.stream); }

  int graph(float &us) {
    for (uint32_t i = 0; i < repeats_; ++i) {
      int result = mark(0);
      if (result == 0) result = run();
      if (result == 0) result = mark(1);
      if (result == 0) result = driver_.eventWait(events_[1]);
      if (result == 0) result = driver_.eventElapsed(&times_[i], events_[0], events_[1]);
      if (result != 0) return result;
    }
    us = median(times_, repeats_) * 1000;
    return 0;
  }

  /// Each launch between two events, in the order of a run, so that it reads what the launches before it have written. Whole runs go first: they keep
  /// the GPU busy while the host enqueues what is measured, so that short kernels do not wait for it.
  int launches(float *us) {
    constexpr uint32_t runs_before = 3;
    const uint32_t count = sequence_.launch_count;
    const Pass pass = {s_.memory + s_.plan.arena, s_.memory + s_.plan.samples[0], s_.memory + s_.plan.outputs[0], false, s_.device->program->passes() > 1,
                       s_.needs.counted ? s_.memory + s_.plan.counters : 0, true};
    for (uint32_t r = 0; r < repeats_; ++r) {
      int result = 0;
      for (uint32_t i = 0; i < runs_before && result == 0; ++i)
        result = run();
      if (result == 0) result = mark(0);
      for (uint32_t i = 0; i < count && result == 0; ++i) {
        result = enqueueLaunch(s_, sequence_, sequence_.launches[i], pass, batch_);
        if (result == 0) result = mark(i + 1);
      }
      if (result == 0) result = driver_.eventWait(events_[count]);
      for (uint32_t i = 0; i < count && result == 0; ++i)
        result = driver_.eventElapsed(&times_[i * repeats_ + r], events_[i], events_[i + 1]);
      if (result != 0) return result;
    }
    for (uint32_t i = 0; i < count; ++i)
      us[i] = median(times_ + i * repeats_, repeats_) * 1000;
    return 0;
  }

private:
  int mark(uint32_t event) { return driver_.eventRecord(events_[event], s_.stream); }

  lasnn_cuda_session &s_;
  const Driver &driver_;
  const Sequence &sequence_;
  uint32_t batch_, repeats_;
  void *graph_ = nullptr, **events_ = nullptr;
  float *times_ = nullptr; // [launch][repeat]
};

/// [pixel][word of channels] to [C][H][W].
void unpack(const Layer &l, const uint8_t *from, uint8_t *to) {
  const size_t pixels = size_t(l.height) * l.width, words = (l.channels + 31) / 32;
  for (uint32_t c = 0; c < l.channels; ++c)
    for (size_t i = 0; i < pixels; ++i)
      to[c * pixels + i] = l.counts ? from[i * words * 32 + c] : uint8_t(from[i * words * 4 + c / 8] >> (c % 8) & 1); // little endian: GPUs', and ours
}

lasnn_status enter(lasnn_cuda_session &s, const Current &current) {
  return current.result == 0 ? drain(s) : failed(s, "entering the context", current.result);
}

} // namespace
} // namespace lasnn::cuda

using namespace lasnn::cuda;

lasnn_status lasnn_cuda_get_info(const lasnn_cuda_session *s, lasnn_cuda_info *info) {
  if (s == nullptr || info == nullptr) return LASNN_INVALID_ARGUMENT;
  const Device &d = *s->device;
  const Program &p = *d.program;
  *info = {};
  lasnn_network_info &n = info->network;
  n.timesteps = p.timesteps;
  n.encoding = p.direct ? LASNN_DIRECT : LASNN_EVENTS;
  n.input = {p.input_name, p.channels, p.height, p.width};
  n.input_size = p.inputBytes(), n.step_input_size = p.frameBytes(), n.input_max = p.input_max;
  n.output_count = p.output_count, n.layer_count = p.layer_count;
  n.content_hash = p.content_hash, n.output_scale = p.output_scale;
  memcpy(info->device_name, d.name, sizeof d.name);
  memcpy(info->code, d.code, sizeof d.code);
  info->compute_major = d.major, info->compute_minor = d.minor, info->driver_version = d.driver.version;
  info->max_batch = s->needs.max_batch;
  info->constant_bytes = p.constant_bytes, info->session_bytes = s->plan.bytes;
  info->launch_count = p.running().launch_count;
  return LASNN_OK;
}

lasnn_status lasnn_cuda_get_layer_stats(lasnn_cuda_session *s, uint32_t layer, lasnn_layer_stats *stats) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  lasnn_status status = checkAlive(*s);
  if (status != LASNN_OK) return status;
  const Program &p = *s->device->program;
  if (stats == nullptr || layer >= p.layer_count) return refuse(s, "layer %u of %u, or stats is null", layer, p.layer_count);
  if (!s->needs.counted) return refuse(s, "the session does not count: it was created with options.no_stats");
  const Current current(*s->device);
  status = enter(*s, current);
  if (status != LASNN_OK) return status;
  const Driver &driver = s->device->driver;
  int result = driver.copyOut(s->counts, s->memory + s->plan.counters + layer * sizeof s->counts, sizeof s->counts, s->stream);
  if (result == 0) result = driver.streamWait(s->stream);
  if (result != 0) return failed(*s, "reading counters", result);
  const Layer &l = p.layers[layer];
  *stats = {{l.name, l.channels, l.height, l.width}, l.neurons, s->steps, s->counts[0], 0, s->counts[1]};
  return LASNN_OK;
}

lasnn_status lasnn_cuda_stats_clear(lasnn_cuda_session *s) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  lasnn_status status = checkAlive(*s);
  if (status != LASNN_OK) return status;
  const Current current(*s->device);
  status = enter(*s, current);
  if (status != LASNN_OK) return status;
  const int result = s->needs.counted ? s->device->driver.fill(s->memory + s->plan.counters, 0, s->plan.bytes - s->plan.counters, s->stream) : 0;
  if (result != 0) return failed(*s, "clearing counters", result);
  s->steps = 0;
  return LASNN_OK;
}

lasnn_status lasnn_cuda_get_spikes(lasnn_cuda_session *s, uint32_t sample, uint32_t layer, uint32_t step, uint8_t *spikes, size_t size) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  lasnn_status status = checkAlive(*s);
  if (status != LASNN_OK) return status;
  const Program &p = *s->device->program;
  if (!s->needs.keep_spikes) return refuse(s, "the session keeps no spikes: create it with options.keep_spikes");
  const uint32_t steps = s->stored_step ? 1 : p.timesteps;
  if (spikes == nullptr || layer >= p.layer_count || sample >= s->stored_batch || step >= steps)
    return refuse(s, "layer %u of %u, sample %u of %u, step %u of %u, or spikes is null", layer, p.layer_count, sample, s->stored_batch, step, steps);
  const Layer &l = p.layers[layer];
  if (size != l.neurons) return refuse(s, "spikes have %zu bytes, %llu needed", size, (unsigned long long)l.neurons);
  const Current current(*s->device);
  status = enter(*s, current);
  if (status != LASNN_OK) return status;
  const bool at_once = !s->stored_step && p.whole.there();
  const Sequence &sequence = at_once ? p.whole : p.step;
  const Buffer &b = sequence.buffers[l.buffer];
  const uint64_t step_bytes = at_once ? b.bytes / p.timesteps : b.bytes;
  uint64_t at = s->memory + s->plan.arena + s->stored_batch * b.kept_offset + sample * b.bytes;
  at += at_once ? step * step_bytes : step * (s->stored_batch * sequence.kept_bytes);
  const Driver &driver = s->device->driver;
  int result = driver.copyOut(s->spikes, at, step_bytes, s->stream);
  if (result == 0) result = driver.streamWait(s->stream);
  if (result != 0) return failed(*s, "reading spikes", result);
  unpack(l, s->spikes, spikes);
  return LASNN_OK;
}

lasnn_status lasnn_cuda_time(lasnn_cuda_session *s, uint32_t batch, uint32_t repeats, float *launch_us, float *graph_us) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  lasnn_status status = checkAlive(*s);
  if (status != LASNN_OK) return status;
  if (batch == 0 || batch > s->needs.max_batch) return refuse(s, "a batch of %u samples, allowed 1..%u (options.max_batch)", batch, s->needs.max_batch);
  if (repeats == 0 || repeats > kMostRepeats) return refuse(s, "%u repeats, allowed 1..%u", repeats, kMostRepeats);
  const Current current(*s->device);
  status = enter(*s, current);
  if (status != LASNN_OK) return status;
  s->stored_batch = s->stream_batch = 0; // buffers and membranes are written over
  Timer timer(*s, batch, repeats);
  int result = timer.prepare();
  if (result != 0) return failed(*s, "preparing to time", result, true);
  result = timer.run();
  if (result == 0 && graph_us != nullptr) result = timer.graph(*graph_us);
  if (result == 0 && launch_us != nullptr) result = timer.launches(launch_us);
  if (result == 0) result = s->device->driver.streamWait(s->stream);
  return result == 0 ? LASNN_OK : failed(*s, "timing", result);
}

const char *lasnn_cuda_launch_name(const lasnn_cuda_session *s, uint32_t launch) {
  if (s == nullptr || launch >= s->device->program->running().launch_count) return "";
  return s->device->program->running().launches[launch].label;
}

const char *lasnn_cuda_get_error(const lasnn_cuda_session *s) { return s ? s->error : ""; }
