// The C API: runs, steps, reset. A forward is recorded once for its batch size and replayed after that.
#include "cuda/session.h"

#include <cstring>

namespace lasnn::cuda {
namespace {

/// Zeroes in what layers that feed back read at the first step.
int clearDelays(const lasnn_cuda_session &s, const Sequence &sequence, uint64_t arena, uint32_t batch) {
  int result = 0;
  for (uint32_t i = 0; i < sequence.delay_count && result == 0; ++i) {
    const Buffer &to = sequence.buffers[sequence.delays[i].to];
    result = s.device->driver.fill(arena + batch * (s.needs.keep_spikes ? to.kept_offset : to.offset), 0, batch * to.bytes, s.stream);
  }
  return result;
}

/// From the buffers of one step to those of the next, which are the same unless every step's are kept.
int passOn(const lasnn_cuda_session &s, const Sequence &sequence, uint64_t from_arena, uint64_t to_arena, uint32_t batch) {
  const auto offset = [&](const Buffer &b) { return batch * (s.needs.keep_spikes ? b.kept_offset : b.offset); };
  int result = 0;
  for (uint32_t i = 0; i < sequence.delay_count && result == 0; ++i) {
    const Buffer &from = sequence.buffers[sequence.delays[i].from], &to = sequence.buffers[sequence.delays[i].to];
    result = s.device->driver.copyWithin(to_arena + offset(to), from_arena + offset(from), batch * from.bytes, s.stream);
  }
  return result;
}

int enqueuePass(const lasnn_cuda_session &s, const Sequence &sequence, const Pass &pass, uint32_t batch) {
  int result = 0;
  for (uint32_t i = 0; i < sequence.launch_count && result == 0; ++i)
    result = enqueueLaunch(s, sequence, sequence.launches[i], pass, batch);
  return result;
}

int enqueueStep(const lasnn_cuda_session &s, bool first, uint32_t batch) {
  const Sequence &step = s.device->program->step;
  const uint64_t arena = s.memory + s.plan.arena;
  int result = first ? clearDelays(s, step, arena, batch) : 0;
  const Pass pass = {arena, s.memory + s.plan.samples[0], s.memory + s.plan.outputs[0], !first, true, s.needs.counted ? s.memory + s.plan.counters : 0, false};
  if (result == 0) result = enqueuePass(s, step, pass, batch);
  return result == 0 ? passOn(s, step, arena, arena, batch) : result;
}

int enqueueForward(const lasnn_cuda_session &s, GraphKind kind, uint32_t slot, uint32_t batch) {
  const Driver &driver = s.device->driver;
  const Program &p = *s.device->program;
  const uint64_t input = batch * (kind == GraphKind::Run ? p.inputBytes() : p.frameBytes()), output = uint64_t(batch) * p.output_count * sizeof(int32_t);
  int result = driver.copyIn(s.memory + s.plan.samples[slot], s.slots[slot].input, input, s.stream);
  if (result == 0) result = kind == GraphKind::Run ? enqueueRun(s, slot, batch, false) : enqueueStep(s, kind == GraphKind::FirstStep, batch);
  return result == 0 ? driver.copyOut(s.slots[slot].output, s.memory + s.plan.outputs[slot], output, s.stream) : result;
}

/// The graph of a forward: a kept one, or recorded in the place of the one that was used longest ago.
int graphFor(lasnn_cuda_session &s, GraphKind kind, uint32_t slot, uint32_t batch, void *&executable) {
  Graph *place = &s.graphs[0];
  for (Graph &graph : s.graphs) {
    if (graph.executable != nullptr && graph.kind == kind && graph.batch == batch && graph.slot == slot) {
      graph.last_use = ++s.uses;
      executable = graph.executable;
      return 0;
    }
    if (graph.executable == nullptr ? place->executable != nullptr : place->executable != nullptr && graph.last_use < place->last_use) place = &graph;
  }
  const int result = record(s, [&] { return enqueueForward(s, kind, slot, batch); }, executable);
  if (result != 0) return result;
  if (place->executable != nullptr) s.device->driver.executableDestroy(place->executable); // one in flight is freed when it has ended
  *place = {executable, kind, batch, slot, ++s.uses};
  return 0;
}

/// Waits for one run and hands out its output.
lasnn_status collect(lasnn_cuda_session &s, Slot &slot) {
  if (slot.target == nullptr) return LASNN_OK;
  int32_t *target = slot.target;
  slot.target = nullptr;
  const int result = s.device->driver.eventWait(slot.done);
  if (result != 0) return failed(s, "waiting for a run", result);
  memcpy(target, slot.output, slot.target_count * sizeof(int32_t));
  return LASNN_OK;
}

/// Puts the input into pinned memory, in the order [T][batch][C][H][W] where the network goes step by step. False, with the error set: a count is too large.
bool stage(lasnn_cuda_session &s, const uint8_t *input, uint32_t batch, uint32_t frames, uint8_t *to) {
  const Program &p = *s.device->program;
  const uint64_t frame = p.frameBytes();
  const bool by_step = frames > 1 && !p.whole.there();
  for (uint32_t n = 0; n < batch; ++n)
    for (uint32_t t = 0; t < frames; ++t) {
      const uint8_t *from = input + (uint64_t(n) * frames + t) * frame;
      memcpy(to + (by_step ? uint64_t(t) * batch + n : uint64_t(n) * frames + t) * frame, from, frame);
      if (p.input_max == 255) continue;
      uint8_t largest = 0;
      for (uint64_t i = 0; i < frame; ++i)
        largest = from[i] > largest ? from[i] : largest;
      if (largest <= p.input_max) continue;
      refuse(&s, "sample %u, step %u holds the count %u, at most %u", n, t, largest, p.input_max);
      return false;
    }
  return true;
}

lasnn_status checkCall(lasnn_cuda_session &s, const uint8_t *input, size_t input_size, uint32_t batch, const int32_t *output, size_t output_count,
                       uint64_t sample_bytes) {
  const lasnn_status status = checkAlive(s);
  if (status != LASNN_OK) return status;
  const Program &p = *s.device->program;
  if (input == nullptr || output == nullptr) return refuse(&s, "input or output is null");
  if (batch == 0 || batch > s.needs.max_batch) return refuse(&s, "a batch of %u samples, allowed 1..%u (options.max_batch)", batch, s.needs.max_batch);
  if (input_size != batch * sample_bytes)
    return refuse(&s, "input has %zu bytes, %llu needed for %u samples", input_size, (unsigned long long)(batch * sample_bytes), batch);
  const uint64_t values = uint64_t(batch) * p.output_count;
  if (output_count != values) return refuse(&s, "output has %zu values, %llu needed for %u samples", output_count, (unsigned long long)values, batch);
  return LASNN_OK;
}

/// Stages the input, then launches the graph; the output is to be collected. The context is current.
lasnn_status begin(lasnn_cuda_session &s, GraphKind kind, uint32_t index, const uint8_t *input, uint32_t batch, int32_t *output, size_t output_count) {
  const Program &p = *s.device->program;
  Slot &slot = s.slots[index];
  const uint32_t frames = kind == GraphKind::Run && !p.direct ? p.timesteps : 1;
  if (!stage(s, input, batch, frames, slot.input)) return LASNN_INVALID_ARGUMENT;
  void *executable = nullptr;
  int result = graphFor(s, kind, index, batch, executable);
  if (result != 0) return failed(s, "recording a forward", result, true);
  result = s.device->driver.graphLaunch(executable, s.stream);
  if (result != 0) return failed(s, "launching a forward", result);
  result = s.device->driver.eventRecord(slot.done, s.stream);
  if (result != 0) return failed(s, "recording an event", result);
  slot.target = output, slot.target_count = output_count;
  s.stored_batch = batch, s.stored_step = kind != GraphKind::Run;
  s.steps += uint64_t(batch) * (kind == GraphKind::Run ? p.timesteps : 1);
  return LASNN_OK;
}

} // namespace

int enqueueLaunch(const lasnn_cuda_session &s, const Sequence &sequence, const Launch &launch, const Pass &pass, uint32_t batch) {
  const Program &p = *s.device->program;
  const auto address = [](uint64_t at) { return reinterpret_cast<void *>(uintptr_t(at)); };
  const auto constant = [&](const Constant &c) { return c.bytes > 0 ? address(s.device->constants + c.offset) : nullptr; };
  const auto buffer = [&](uint32_t i) {
    const Buffer &b = sequence.buffers[i];
    return address(pass.arena + batch * (s.needs.keep_spikes ? b.kept_offset : b.offset));
  };
  Pointers pointers = {};
  if (launch.reads_sample) pointers.input[0] = address(pass.sample);
  for (uint32_t i = 0; i < launch.input_count; ++i)
    pointers.input[i] = buffer(launch.inputs[i]);
  for (uint32_t i = 0; i < launch.weight_count; ++i)
    pointers.weight[i] = constant(launch.weights[i]);
  pointers.bias = static_cast<int32_t *>(constant(launch.bias)), pointers.theta = static_cast<int32_t *>(constant(launch.threshold));
  pointers.amount = static_cast<int32_t *>(constant(launch.amount)), pointers.table = static_cast<int8_t *>(constant(p.table));
  pointers.out = launch.readout ? address(pass.output) : buffer(launch.output);
  if (launch.layer >= 0 && pass.with_state)
    pointers.state = static_cast<int32_t *>(address(s.memory + s.plan.state + s.needs.max_batch * p.layers[launch.layer].state_offset));
  if (launch.layer >= 0 && pass.counters != 0)
    pointers.counts = static_cast<uint64_t *>(address(pass.counters + (pass.scratch_counters ? p.layer_count : uint32_t(launch.layer)) * 2 * sizeof(uint64_t)));
  pointers.load_state = pass.load_state, pointers.batch = batch;
  void *parameters[] = {&pointers};
  return s.device->driver.launch(launch.function, unsigned(launch.blocks(batch)), 1, 1, launch.threads, 1, 1, launch.shared_bytes, s.stream, parameters, nullptr);
}

int enqueueRun(const lasnn_cuda_session &s, uint32_t slot, uint32_t batch, bool scratch_counters) {
  const Program &p = *s.device->program;
  const Sequence &sequence = p.running();
  const uint32_t passes = p.passes();
  const uint64_t arena_stride = s.needs.keep_spikes ? batch * sequence.kept_bytes : 0, sample_stride = p.direct || passes == 1 ? 0 : batch * p.frameBytes();
  Pass pass = {s.memory + s.plan.arena, s.memory + s.plan.samples[slot], s.memory + s.plan.outputs[slot], false, passes > 1,
               s.needs.counted ? s.memory + s.plan.counters : 0, scratch_counters};
  int result = clearDelays(s, sequence, pass.arena, batch);
  for (uint32_t t = 0; t < passes && result == 0; ++t) {
    pass.load_state = t > 0;
    result = enqueuePass(s, sequence, pass, batch);
    if (result == 0 && t + 1 < passes) result = passOn(s, sequence, pass.arena, pass.arena + arena_stride, batch);
    pass.arena += arena_stride, pass.sample += sample_stride;
  }
  return result;
}

lasnn_status failed(lasnn_cuda_session &s, const char *doing, int result, bool before_work) {
  ErrorText(s.error, sizeof s.error).set("%s: %s", doing, ResultText(s.device->driver, result).text);
  if (before_work && result == resultOutOfMemory) return LASNN_OUT_OF_MEMORY;
  s.lost = true;
  memcpy(s.lost_error, s.error, sizeof s.error);
  for (Slot &slot : s.slots)
    slot.target = nullptr;
  return LASNN_DEVICE_LOST;
}

lasnn_status checkAlive(lasnn_cuda_session &s) {
  if (!s.lost) return LASNN_OK;
  memcpy(s.error, s.lost_error, sizeof s.error);
  return LASNN_DEVICE_LOST;
}

lasnn_status drain(lasnn_cuda_session &s) {
  lasnn_status status = LASNN_OK;
  for (uint32_t i = 0; i < kSlots && status == LASNN_OK; ++i)
    status = collect(s, s.slots[(s.next_slot + i) % kSlots]); // the older one first
  return status;
}

} // namespace lasnn::cuda

using namespace lasnn::cuda;

lasnn_status lasnn_cuda_submit(lasnn_cuda_session *s, const uint8_t *input, size_t input_size, uint32_t batch, int32_t *output, size_t output_count) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  lasnn_status status = checkCall(*s, input, input_size, batch, output, output_count, s->device->program->inputBytes());
  if (status != LASNN_OK) return status;
  const Current current(*s->device);
  if (current.result != 0) return failed(*s, "entering the context", current.result);
  status = collect(*s, s->slots[s->next_slot]);
  if (status != LASNN_OK) return status;
  status = begin(*s, GraphKind::Run, s->next_slot, input, batch, output, output_count);
  if (status != LASNN_OK) return status;
  s->stream_batch = 0; // a run leaves reset state
  s->next_slot = (s->next_slot + 1) % kSlots;
  return LASNN_OK;
}

lasnn_status lasnn_cuda_wait(lasnn_cuda_session *s) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  const lasnn_status status = checkAlive(*s);
  if (status != LASNN_OK) return status;
  const Current current(*s->device);
  return current.result == 0 ? drain(*s) : failed(*s, "entering the context", current.result);
}

lasnn_status lasnn_cuda_run(lasnn_cuda_session *s, const uint8_t *input, size_t input_size, uint32_t batch, int32_t *output, size_t output_count) {
  lasnn_status status = lasnn_cuda_wait(s);
  if (status != LASNN_OK) return status;
  s->next_slot = 0; // nothing is in flight: one graph a batch size is enough
  status = lasnn_cuda_submit(s, input, input_size, batch, output, output_count);
  return status == LASNN_OK ? lasnn_cuda_wait(s) : status;
}

lasnn_status lasnn_cuda_step(lasnn_cuda_session *s, const uint8_t *input, size_t input_size, uint32_t batch, int32_t *output, size_t output_count) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  lasnn_status status = checkCall(*s, input, input_size, batch, output, output_count, s->device->program->frameBytes());
  if (status != LASNN_OK) return status;
  if (!s->needs.streaming) return refuse(s, "the session does not stream: create it with options.streaming");
  if (s->stream_batch != 0 && batch != s->stream_batch)
    return refuse(s, "a step of %u samples, the ones since the last reset had %u", batch, s->stream_batch);
  const Current current(*s->device);
  if (current.result != 0) return failed(*s, "entering the context", current.result);
  status = drain(*s);
  if (status != LASNN_OK) return status;
  status = begin(*s, s->stream_batch == 0 ? GraphKind::FirstStep : GraphKind::NextStep, 0, input, batch, output, output_count);
  if (status != LASNN_OK) return status;
  s->stream_batch = batch;
  return collect(*s, s->slots[0]);
}

lasnn_status lasnn_cuda_reset(lasnn_cuda_session *s) {
  if (s == nullptr) return LASNN_INVALID_ARGUMENT;
  const lasnn_status status = checkAlive(*s);
  if (status == LASNN_OK) s->stream_batch = 0; // the next step does not load what it finds
  return status;
}
