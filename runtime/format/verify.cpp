#include "format/verify.h"

#include "format/header.h"

namespace lasnn::format {
namespace {

// Limits of the format. They keep every product below within 64 bits and every list entry within 32.
constexpr uint32_t kMaxChannels = 1u << 16, kMaxExtent = 1u << 14, kMaxSteps = 1u << 16, kMaxItems = 1u << 16;
constexpr uint64_t kMaxElements = 1u << 28, kMaxOutputs = 1u << 24, kMaxTaps = 1u << 26, kMaxListEvents = 1u << 28;
constexpr int32_t kMaxPad = 1 << 15, kMaxBias = 1 << 30;
constexpr uint32_t kMaxReadouts = 64;

template <class T> uint32_t sizeOf(const flatbuffers::Vector<T> *v) { return v ? v->size() : 0; }

bool inRange(uint64_t value, uint64_t low, uint64_t high) { return low <= value && value <= high; }

class PlanVerifier {
public:
  PlanVerifier(const Plan &plan, runtime::ErrorText &error) : plan_(plan), error_(error) {}

  bool verify() {
    if (!inRange(plan_.timesteps(), 1, kMaxSteps)) return fail("timesteps = %u, allowed 1..%u", plan_.timesteps(), kMaxSteps);
    if (plan_.encoding() > Encoding::Events) return fail("encoding %u is unknown", unsigned(plan_.encoding()));
    if (!inRange(sizeOf(plan_.buffers()), 1, kMaxItems) || !inRange(sizeOf(plan_.layers()), 1, kMaxItems))
      return fail("%u buffers and %u layers, allowed 1..%u", sizeOf(plan_.buffers()), sizeOf(plan_.layers()), kMaxItems);
    if (!inRange(plan_.output_count(), 1, kMaxOutputs)) return fail("output_count = %u", plan_.output_count());
    if (!(plan_.output_scale() - plan_.output_scale() == 0)) return fail("output_scale is not finite");
    for (uint32_t i = 0; i < plan_.buffers()->size(); ++i)
      if (!verifyBuffer(i)) return false;
    const uint64_t table = plan_.encoding() == Encoding::Direct ? uint64_t(buffer(0).channels()) * 256 : 0;
    if (sizeOf(plan_.encode_table()) != table)
      return fail("encode_table has %u entries, %llu needed", sizeOf(plan_.encode_table()), (unsigned long long)table);
    for (uint32_t i = 0; i < plan_.layers()->size(); ++i)
      if (!verifyLayer(i)) return false;
    if (sizeOf(plan_.delays()) > kMaxItems) return fail("%u delays, allowed up to %u", sizeOf(plan_.delays()), kMaxItems);
    for (uint32_t i = 0; i < sizeOf(plan_.delays()); ++i)
      if (!verifyDelay(i)) return false;
    return verifyReadouts() && verifyWriters();
  }

private:
  const Buffer &buffer(uint32_t i) const { return *plan_.buffers()->Get(i); }
  template <class... Args> bool fail(const char *format, Args... args) {
    error_.set(format, args...);
    return false;
  }
  /// A failure inside a layer: the text starts with the layer's name.
  template <class... Args> bool failIn(const Layer &layer, const char *format, Args... args) {
    char text[160];
    runtime::ErrorText(text, sizeof text).set(format, args...);
    error_.set("layer '%.40s': %s", nameOf(layer.name()), text);
    return false;
  }

  static bool isShape(uint32_t channels, uint32_t height, uint32_t width) {
    return inRange(channels, 1, kMaxChannels) && inRange(height, 1, kMaxExtent) && inRange(width, 1, kMaxExtent) &&
           uint64_t(channels) * height * width <= kMaxElements;
  }

  bool verifyBuffer(uint32_t i) {
    const Buffer &b = buffer(i);
    if (!isShape(b.channels(), b.height(), b.width()))
      return fail("buffer %u: shape [%u][%u][%u] is beyond the format's limits", i, b.channels(), b.height(), b.width());
    const bool analog = i == 0 && plan_.encoding() == Encoding::Direct;
    if (!analog && !inRange(b.max_count(), 1, 255)) return fail("buffer %u: max_count = %u, allowed 1..255", i, b.max_count());
    return true;
  }

  bool verifyLayer(uint32_t i) {
    const Layer &layer = *plan_.layers()->Get(i);
    switch (layer.kind()) {
    case LayerKind::Spiking:
      return verifyCurrent(layer) && verifyNeuron(layer) && verifyOutput(layer, layer.neuron()->s_max());
    case LayerKind::Readout:
      if (layer.readout() > Readout::Last) return failIn(layer, "readout kind %u is unknown", unsigned(layer.readout()));
      return verifyCurrent(layer);
    case LayerKind::Pool: return verifyPool(layer);
    case LayerKind::Add: return verifyAdd(layer);
    }
    return failIn(layer, "kind %u is unknown", unsigned(layer.kind()));
  }

  bool verifyCurrent(const Layer &layer) {
    const uint32_t k = layer.out_channels();
    if (!isShape(k, layer.out_height(), layer.out_width()))
      return failIn(layer, "output shape [%u][%u][%u] is beyond the format's limits", k, layer.out_height(), layer.out_width());
    if ((layer.current_height() > 0 || layer.current_width() > 0) && !verifyCurrentPool(layer)) return false;
    if (sizeOf(layer.bias()) != k) return failIn(layer, "%u bias values for %u channels", sizeOf(layer.bias()), k);
    for (int32_t b : *layer.bias())
      if (b > kMaxBias || b < -kMaxBias) return failIn(layer, "bias %d is beyond 2^30", b);
    if (!inRange(sizeOf(layer.synapses()), 1, 1024)) return failIn(layer, "%u synapses, allowed 1..1024", sizeOf(layer.synapses()));
    for (const Synapse *s : *layer.synapses())
      if (!verifySynapse(layer, *s)) return false;
    return true;
  }

  bool verifySynapse(const Layer &layer, const Synapse &s) {
    if (s.input() >= plan_.buffers()->size()) return failIn(layer, "synapse reads buffer %u of %u", s.input(), plan_.buffers()->size());
    if (!inRange(s.kernel_h(), 1, kMaxExtent) || !inRange(s.kernel_w(), 1, kMaxExtent) || !inRange(s.stride_h(), 1, kMaxExtent) ||
        !inRange(s.stride_w(), 1, kMaxExtent) || !inRange(s.dilation_h(), 1, kMaxExtent) || !inRange(s.dilation_w(), 1, kMaxExtent))
      return failIn(layer, "kernel, stride or dilation is not in 1..%u", kMaxExtent);
    if (s.pad_top() < -kMaxPad || s.pad_top() > kMaxPad || s.pad_left() < -kMaxPad || s.pad_left() > kMaxPad)
      return failIn(layer, "padding %d, %d is beyond %d", s.pad_top(), s.pad_left(), kMaxPad);
    const uint32_t c = buffer(s.input()).channels();
    if (s.groups() == 0 || c % s.groups() != 0 || layer.out_channels() % s.groups() != 0)
      return failIn(layer, "%u groups do not divide %u -> %u channels", s.groups(), c, layer.out_channels());
    if (!isRowWidth(s.weight_bits())) return failIn(layer, "weight_bits = %u, allowed 8, 7, 6, 4, 3, 2", s.weight_bits());
    if (uint64_t(s.kernel_h()) * s.kernel_w() > kMaxTaps || uint64_t(s.kernel_h()) * s.kernel_w() * c > kMaxTaps)
      return failIn(layer, "a kernel of %ux%u on %u channels is beyond the format's limits", s.kernel_h(), s.kernel_w(), c);
    const SynapseShape shape = synapseShape(plan_, layer, s);
    if (paddedHeight(shape) > 4 * kMaxExtent || paddedWidth(shape) > 4 * kMaxExtent ||
        paddedHeight(shape) * paddedWidth(shape) * c > 4 * kMaxElements)
      return failIn(layer, "the padded input is beyond the format's limits");
    const bool analog = isAnalog(plan_, s);
    for (const Synapse *other : *layer.synapses()) // one kernel sums all of a layer's rows
      if (!analog && !isAnalog(plan_, *other) && packsNibbles(other->weight_bits()) != packsNibbles(s.weight_bits()))
        return failIn(layer, "synapses of %u and %u bits in one layer, whose rows differ in kind", s.weight_bits(), other->weight_bits());
    if (!analog && (uint64_t(s.kernel_h()) * c + 1) * shape.in_width * buffer(s.input()).max_count() > kMaxListEvents)
      return failIn(layer, "event lists are beyond the format's limits");
    const uint64_t bytes = analog ? analogBytes(shape) : packedBytes(shape);
    if (sizeOf(s.weight()) != bytes)
      return failIn(layer, "%u bytes of weights, %llu needed", sizeOf(s.weight()), (unsigned long long)bytes);
    if (reinterpret_cast<uintptr_t>(s.weight()->data()) % 64 != 0) return failIn(layer, "weights are not 64-byte aligned");
    return true;
  }

  bool verifyNeuron(const Layer &layer) {
    if (layer.neuron() == nullptr) return failIn(layer, "a spiking layer without a neuron");
    const Neuron &n = *layer.neuron();
    if (n.decay() > 4096) return failIn(layer, "decay = %u, allowed 0..4096", n.decay());
    if (n.reset() > Reset::Value) return failIn(layer, "reset %u is unknown", unsigned(n.reset()));
    if (n.state_bits() != 16 && n.state_bits() != 24 && n.state_bits() != 32)
      return failIn(layer, "state_bits = %u, allowed 16, 24, 32", n.state_bits());
    if (n.has_v_min() && n.v_min() > 0) return failIn(layer, "v_min = %d, allowed 0 and below", n.v_min());
    const bool subtract = n.reset() == Reset::Subtract, value = n.reset() == Reset::Value;
    if (!inRange(n.s_max(), 1, subtract ? 255 : 1)) return failIn(layer, "s_max = %u, above 1 needs reset by subtraction", n.s_max());
    const uint32_t k = layer.out_channels();
    if (sizeOf(n.v_threshold()) != k || sizeOf(n.rho()) != (subtract ? k : 0) || sizeOf(n.v_reset()) != (value ? k : 0))
      return failIn(layer, "%u thresholds, %u reset amounts, %u reset values for %u channels", sizeOf(n.v_threshold()),
                    sizeOf(n.rho()), sizeOf(n.v_reset()), k);
    const int64_t high = (int64_t(1) << (n.state_bits() - 1)) - 1;
    const int64_t low = n.has_v_min() && n.v_min() > -high - 1 ? n.v_min() : -high - 1;
    for (uint32_t i = 0; i < sizeOf(n.rho()); ++i)
      if (n.rho()->Get(i) < (n.s_max() > 1 ? 1 : 0)) return failIn(layer, "reset amount %d of channel %u", n.rho()->Get(i), i);
    for (uint32_t i = 0; i < sizeOf(n.v_reset()); ++i)
      if (n.v_reset()->Get(i) < low || n.v_reset()->Get(i) > high)
        return failIn(layer, "reset value %d of channel %u is outside the state's range", n.v_reset()->Get(i), i);
    return true;
  }

  /// The written buffer holds the layer's shape and the largest count it can produce.
  bool verifyOutput(const Layer &layer, uint64_t count) {
    if (layer.output() == 0 || layer.output() >= plan_.buffers()->size()) return failIn(layer, "writes buffer %u", layer.output());
    const Buffer &out = buffer(layer.output());
    if (out.channels() != layer.out_channels() || out.height() != layer.out_height() || out.width() != layer.out_width())
      return failIn(layer, "output [%u][%u][%u] does not fit its buffer [%u][%u][%u]", layer.out_channels(), layer.out_height(),
                    layer.out_width(), out.channels(), out.height(), out.width());
    if (count > out.max_count())
      return failIn(layer, "counts up to %llu in a buffer of at most %u", (unsigned long long)count, out.max_count());
    return true;
  }

  bool isCounts(uint32_t index) const {
    return index < plan_.buffers()->size() && !(index == 0 && plan_.encoding() == Encoding::Direct);
  }

  bool verifyWindow(const Layer &layer) {
    if (!inRange(layer.kernel_h(), 1, kMaxExtent) || !inRange(layer.kernel_w(), 1, kMaxExtent) ||
        !inRange(layer.stride_h(), 1, kMaxExtent) || !inRange(layer.stride_w(), 1, kMaxExtent))
      return failIn(layer, "kernel or stride is not in 1..%u", kMaxExtent);
    if (layer.pad_top() < -kMaxPad || layer.pad_top() > kMaxPad || layer.pad_left() < -kMaxPad || layer.pad_left() > kMaxPad)
      return failIn(layer, "padding %d, %d is beyond %d", layer.pad_top(), layer.pad_left(), kMaxPad);
    return true;
  }

  /// Every window of a maximum over currents holds at least one of them.
  bool verifyCurrentPool(const Layer &layer) {
    if (layer.pool() != PoolKind::Max) return failIn(layer, "currents are pooled by maximum only");
    if (!isShape(layer.out_channels(), layer.current_height(), layer.current_width()))
      return failIn(layer, "currents [%u][%u][%u] are beyond the format's limits", layer.out_channels(), layer.current_height(), layer.current_width());
    if (!verifyWindow(layer)) return false;
    const auto inside = [](uint32_t out, uint32_t stride, int32_t pad, uint32_t kernel, uint32_t in) {
      return pad >= 0 && uint32_t(pad) < kernel && int64_t(out - 1) * stride - pad < int64_t(in);
    };
    if (!inside(layer.out_height(), layer.stride_h(), layer.pad_top(), layer.kernel_h(), layer.current_height()) ||
        !inside(layer.out_width(), layer.stride_w(), layer.pad_left(), layer.kernel_w(), layer.current_width()))
      return failIn(layer, "a window of currents lies in the padding");
    return true;
  }

  bool verifyPool(const Layer &layer) {
    if (sizeOf(layer.inputs()) != 1 || !isCounts(layer.inputs()->Get(0))) return failIn(layer, "a pool reads one buffer of spikes");
    if (layer.pool() > PoolKind::Max) return failIn(layer, "pool kind %u is unknown", unsigned(layer.pool()));
    if (!verifyWindow(layer)) return false;
    const Buffer &in = buffer(layer.inputs()->Get(0));
    if (in.channels() != layer.out_channels()) return failIn(layer, "a pool keeps the channels, %u -> %u", in.channels(), layer.out_channels());
    const uint64_t h = layer.kernel_h() < in.height() ? layer.kernel_h() : in.height();
    const uint64_t w = layer.kernel_w() < in.width() ? layer.kernel_w() : in.width();
    return verifyOutput(layer, layer.pool() == PoolKind::Sum ? h * w * in.max_count() : in.max_count());
  }

  bool verifyAdd(const Layer &layer) {
    if (!inRange(sizeOf(layer.inputs()), 1, 255)) return failIn(layer, "adds %u buffers", sizeOf(layer.inputs()));
    uint64_t count = 0;
    for (uint32_t index : *layer.inputs()) {
      if (!isCounts(index)) return failIn(layer, "adds buffer %u, which holds no spikes", index);
      const Buffer &in = buffer(index);
      if (in.channels() != layer.out_channels() || in.height() != layer.out_height() || in.width() != layer.out_width())
        return failIn(layer, "adds buffers of different shape");
      count += in.max_count();
    }
    return verifyOutput(layer, count);
  }

  bool verifyDelay(uint32_t i) {
    const uint32_t from = plan_.delays()->Get(i)->from(), to = plan_.delays()->Get(i)->to();
    if (!isCounts(from) || to == 0 || to >= plan_.buffers()->size()) return fail("delay %u goes from buffer %u to %u", i, from, to);
    const Buffer &a = buffer(from), &b = buffer(to);
    if (a.channels() != b.channels() || a.height() != b.height() || a.width() != b.width() || a.max_count() != b.max_count())
      return fail("delay %u: buffers %u and %u differ in shape or count", i, from, to);
    return true;
  }

  /// The read-outs tile the output vector: together its size, and no two overlap.
  bool verifyReadouts() {
    const Layer *seen[kMaxReadouts];
    uint32_t count = 0;
    uint64_t total = 0;
    for (const Layer *layer : *plan_.layers()) {
      if (layer->kind() != LayerKind::Readout) continue;
      const uint64_t size = elements(*layer);
      if (count == kMaxReadouts || layer->output() + size > plan_.output_count())
        return failIn(*layer, "values %u.. do not fit the %u outputs", layer->output(), plan_.output_count());
      for (uint32_t i = 0; i < count; ++i)
        if (layer->output() < seen[i]->output() + elements(*seen[i]) && seen[i]->output() < layer->output() + size)
          return failIn(*layer, "writes the same outputs as another layer");
      seen[count++] = layer;
      total += size;
    }
    if (total != plan_.output_count()) return fail("read-outs give %llu of %u outputs", (unsigned long long)total, plan_.output_count());
    return true;
  }
  static uint64_t elements(const Layer &l) { return uint64_t(l.out_channels()) * l.out_height() * l.out_width(); }

  /// Every buffer but the input is written exactly once, by a layer or a delay, and before it is read. A bit a buffer, on the stack.
  bool verifyWriters() {
    uint64_t written[kMaxItems / 64 + 1] = {1};
    const auto test = [&](uint32_t i) { return (written[i / 64] >> (i % 64)) & 1; };
    for (uint32_t i = 0; i < sizeOf(plan_.delays()); ++i) { // before a step's layers
      const uint32_t to = plan_.delays()->Get(i)->to();
      if (test(to)) return fail("delay %u writes buffer %u a second time", i, to);
      written[to / 64] |= uint64_t(1) << (to % 64);
    }
    for (const Layer *layer : *plan_.layers()) {
      for (uint32_t i = 0; i < sizeOf(layer->synapses()); ++i)
        if (hasCurrent(*layer) && !test(layer->synapses()->Get(i)->input())) return failIn(*layer, "reads a buffer before it is written");
      for (uint32_t i = 0; i < sizeOf(layer->inputs()); ++i)
        if (!hasCurrent(*layer) && !test(layer->inputs()->Get(i))) return failIn(*layer, "reads a buffer before it is written");
      if (layer->kind() == LayerKind::Readout) continue;
      if (test(layer->output())) return failIn(*layer, "writes buffer %u a second time", layer->output());
      written[layer->output() / 64] |= uint64_t(1) << (layer->output() % 64);
    }
    for (uint32_t i = 0; i < plan_.buffers()->size(); ++i)
      if (!test(i)) return fail("buffer %u is never written", i);
    return true;
  }
  static bool hasCurrent(const Layer &l) { return l.kind() == LayerKind::Spiking || l.kind() == LayerKind::Readout; }

  const Plan &plan_;
  runtime::ErrorText &error_;
};

} // namespace

SynapseShape synapseShape(const Plan &plan, const Layer &layer, const Synapse &s) {
  const Buffer &in = *plan.buffers()->Get(s.input());
  return {in.channels(), in.height(),  in.width(),     layer.out_channels(), currentHeight(layer), currentWidth(layer), s.kernel_h(), s.kernel_w(),
          s.stride_h(),  s.stride_w(), s.dilation_h(), s.dilation_w(),       s.pad_top(),          s.pad_left(),        s.groups(),     s.weight_bits()};
}

bool verifyPlan(const Plan &plan, runtime::ErrorText &error) { return PlanVerifier(plan, error).verify(); }

lasnn_status verifyFile(const void *model, size_t model_size, const Model *&out, uint64_t &content_hash, runtime::ErrorText &error) {
  if (model == nullptr || reinterpret_cast<uintptr_t>(model) % 64 != 0) {
    error.set("the model's bytes must be 64-byte aligned");
    return LASNN_INVALID_ARGUMENT;
  }
  Header header;
  const char *fault = nullptr;
  switch (checkHeader(model, model_size, header)) {
  case HeaderFault::None: break;
  case HeaderFault::TooShort: fault = "shorter than a header of 64 bytes"; break;
  case HeaderFault::Magic: fault = "no .lasnn file: the first bytes are wrong"; break;
  case HeaderFault::Version:
    error.set("format version %u, this runtime reads %u to %u: recompile the model or update the runtime", header.version, kOldestFormatVersion, kFormatVersion);
    return LASNN_UNSUPPORTED;
  case HeaderFault::Size: fault = "the header's size does not match the file: truncated?"; break;
  case HeaderFault::Reserved: fault = "reserved header bytes are not zero"; break;
  case HeaderFault::Hash: fault = "the content does not match its hash: damaged?"; break;
  }
  if (fault) {
    error.set("%s", fault);
    return LASNN_BAD_MODEL;
  }
  const auto *payload = static_cast<const uint8_t *>(model) + kHeaderSize;
  flatbuffers::Verifier verifier(payload, model_size - kHeaderSize, 16, 1u << 20);
  if (model_size - kHeaderSize < 16 || model_size > FLATBUFFERS_MAX_BUFFER_SIZE || !VerifyModelBuffer(verifier)) {
    error.set("the content is no valid FlatBuffer of this schema");
    return LASNN_BAD_MODEL;
  }
  out = GetModel(payload);
  content_hash = header.content_hash;
  return LASNN_OK;
}

lasnn_status verifyModel(const void *model, size_t model_size, const Model *&out, uint64_t &content_hash, runtime::ErrorText &error) {
  const lasnn_status status = verifyFile(model, model_size, out, content_hash, error);
  if (status != LASNN_OK) return status;
  if (out->x86() == nullptr) {
    error.set("the file holds no x86 plan: compile it with --target=x86");
    return LASNN_BAD_MODEL;
  }
  return verifyPlan(*out->x86(), error) ? LASNN_OK : LASNN_BAD_MODEL;
}

} // namespace lasnn::format
