// From a verified model to a network in its arena: first where everything lies, then what it holds.
#include "core/network.h"

#include <cstring>

namespace lasnn::runtime {
namespace {

using format::isAnalog;
using format::kBlockChannels;
using format::laneOf;

constexpr size_t kListBudget = 1u << 20; // bytes of event lists at once: about the L2 of a core (measured, docs/runtime.md)
constexpr int32_t kHugeAmount = 1 << 25; // a reset amount beyond any state of 24 bits

bool isCurrent(const format::Layer &l) {
  return l.kind() == format::LayerKind::Spiking || l.kind() == format::LayerKind::Readout;
}

uint32_t delayCount(const format::Plan &plan) { return plan.delays() ? plan.delays()->size() : 0; }

uint32_t chunkSteps(const format::Plan &plan) {
  if (delayCount(plan) > 0) return 1;
  return plan.timesteps() < kChunkSteps ? plan.timesteps() : kChunkSteps;
}

/// The 16-bit kernels hold when currents fit, states have 16 bits and each threshold and amount has a 16-bit equal.
/// A threshold above 32767 behaves as 32767: no 16-bit v exceeds either. One below -32768 always fires and has no equal.
bool fits16(const format::Layer &layer, uint32_t out_max_count) {
  const format::Neuron *n = layer.neuron();
  if (layer.kind() != format::LayerKind::Spiking || !layer.current_fits_int16() || n->state_bits() != 16 || n->s_max() != 1 ||
      out_max_count != 1)
    return false;
  for (int32_t theta : *n->v_threshold())
    if (theta < -32768) return false;
  for (uint32_t i = 0; n->reset() == format::Reset::Subtract && i < n->rho()->size(); ++i)
    if (n->rho()->Get(i) > 32767) return false;
  return true;
}

class Layout {
public:
  Layout(const format::Plan &plan, Arena &arena) : plan_(plan), arena_(arena), chunk_(chunkSteps(plan)) {}

  lasnn_network *place() {
    lasnn_network net = {};
    auto *placed = arena_.take<lasnn_network>(1);
    net.plan = &plan_;
    net.timesteps = plan_.timesteps();
    net.layer_count = plan_.layers()->size();
    net.delay_count = delayCount(plan_);
    net.chunk_steps = chunk_;
    net.buffers = arena_.take<BufferState>(plan_.buffers()->size());
    net.layers = arena_.take<LayerState>(net.layer_count);
    net.delays = arena_.take<DelayState>(net.delay_count);
    net.spiking = arena_.take<uint32_t>(net.layer_count);
    net.readout = arena_.take<int32_t>(plan_.output_count());
    for (uint32_t i = 0; i < plan_.buffers()->size(); ++i)
      put(net.buffers, i, buffer(i));
    for (uint32_t i = 0; i < net.layer_count; ++i) {
      const format::Layer &source = *plan_.layers()->Get(i);
      put(net.layers, i, isCurrent(source) ? currentLayer(source) : plainLayer(source));
      if (source.kind() == format::LayerKind::Spiking) put(net.spiking, net.spiking_count++, i);
    }
    for (uint32_t i = 0; i < net.delay_count; ++i)
      put(net.delays, i, delay(*plan_.delays()->Get(i)));
    if (placed == nullptr || !arena_.complete()) return nullptr;
    memcpy(static_cast<void *>(placed), &net, sizeof net);
    return placed;
  }

private:
  template <class T> void put(T *array, uint32_t i, const T &value) {
    if (array) array[i] = value;
  }

  BufferState buffer(uint32_t i) {
    const format::Buffer &b = *plan_.buffers()->Get(i);
    BufferState state = {nullptr, b.channels(), b.height(), b.width(), b.max_count()};
    if (i == 0 && plan_.encoding() == format::Encoding::Direct) return state;
    state.data = arena_.take<uint8_t>(uint64_t(b.height()) * b.width() * plan_.timesteps() * stepBytes(b.channels(), b.max_count()));
    return state;
  }

  DelayState delay(const format::Delay &source) {
    const format::Buffer &b = *plan_.buffers()->Get(source.from());
    DelayState state = {source.from(), source.to(), nullptr, uint64_t(b.height()) * b.width() * stepBytes(b.channels(), b.max_count())};
    state.held = arena_.take<uint8_t>(state.bytes);
    return state;
  }

  LayerState plainLayer(const format::Layer &source) {
    LayerState layer = {};
    layer.source = &source;
    layer.inputs = arena_.take<Spikes>(source.inputs()->size());
    return layer;
  }

  LayerState currentLayer(const format::Layer &source) {
    LayerState layer = {};
    layer.source = &source;
    layer.blocks = format::blockCount(source.out_channels());
    layer.synapse_count = source.synapses()->size();
    const bool pools = format::poolsCurrents(source);
    layer.synapses = arena_.take<SynapseState>(layer.synapse_count);
    placeLists(layer);
    uint64_t windows = 0;
    for (uint32_t i = 0; i < layer.synapse_count; ++i) {
      const SynapseState synapse = placeSynapse(layer, *source.synapses()->Get(i));
      put(layer.synapses, i, synapse);
      windows += synapse.shape.dilation_w == 1 ? 1 : synapse.shape.kernel_w;
      ++(synapse.analog ? layer.analog_synapses : layer.spike_synapses);
      layer.nibbles = layer.nibbles || (!synapse.analog && format::packsNibbles(synapse.shape.weight_bits));
    }
    layer.narrow = fits16(source, plan_.buffers()->Get(source.output() < plan_.buffers()->size() ? source.output() : 0)->max_count()) &&
                   !(pools && layer.spike_synapses > 0); // those currents leave gather, which it does in 32 bits
    layer.sources = arena_.take<GatherSource>(layer.synapse_count);
    layer.windows = arena_.take<GatherWindow>(windows);

    const uint64_t lanes = uint64_t(layer.blocks) * kBlockChannels, pixels = uint64_t(source.out_height()) * source.out_width();
    const size_t element = layer.narrow ? 2 : 4;
    layer.start = arena_.take<int32_t>(lanes);
    layer.current_stride = layer.analog_synapses > 0 ? lanes : 0;
    const uint64_t currents = uint64_t(format::currentHeight(source)) * format::currentWidth(source);
    layer.current = arena_.take<uint8_t>(element * lanes * (layer.analog_synapses > 0 ? currents : 1));
    if (pools && layer.spike_synapses > 0) layer.sums = arena_.take<int32_t>(lanes * currents);
    if (pools) layer.pooled = arena_.take<uint8_t>(element * lanes * pixels);
    if (source.kind() == format::LayerKind::Spiking) {
      layer.theta = arena_.take<uint8_t>(element * lanes);
      layer.amount = arena_.take<uint8_t>(element * lanes);
      layer.state_bytes = element * lanes * pixels;
      layer.state = arena_.take<uint8_t>(layer.state_bytes);
    }
    return layer;
  }

  static uint64_t listCapacity(const format::SynapseShape &shape, uint32_t max_count) {
    const uint64_t column = (format::maxColumnRows(shape) - 1) * max_count;
    return (shape.in_width * ((column + kListPad - 1) / kListPad * kListPad) + kListSlack + 31) / 32 * 32;
  }

  /// Entry width and rows at once, from the sizes of all lists of the layer.
  void placeLists(LayerState &layer) {
    uint64_t entries = 0;
    for (const format::Synapse *s : *layer.source->synapses()) {
      if (isAnalog(plan_, *s)) continue;
      const format::SynapseShape shape = format::synapseShape(plan_, *layer.source, *s);
      layer.wide_entries = layer.wide_entries || format::maxColumnRows(shape) * shape.in_width > 65536 / 8;
      entries += listCapacity(shape, plan_.buffers()->Get(s->input())->max_count()) * chunk_;
    }
    const uint64_t bytes = entries * (layer.wide_entries ? 4 : 2);
    const uint32_t height = format::currentHeight(*layer.source);
    const uint64_t rows = bytes == 0 ? height : kListBudget / bytes;
    layer.rows_at_once = uint32_t(rows < 1 ? 1 : rows > height ? height : rows);
  }

  SynapseState placeSynapse(const LayerState &layer, const format::Synapse &source) {
    SynapseState s = {};
    s.shape = format::synapseShape(plan_, *layer.source, source);
    s.weight = source.weight()->data();
    s.input = source.input();
    s.bias = 1u << (source.weight_bits() - 1);
    s.analog = isAnalog(plan_, source);
    if (s.analog) {
      s.padded_height = uint32_t(format::paddedHeight(s.shape));
      s.padded_width = uint32_t(format::paddedWidth(s.shape));
      s.image = arena_.take<int16_t>(imageElements(s));
      return s;
    }
    s.capacity = size_t(listCapacity(s.shape, plan_.buffers()->Get(s.input)->max_count()));
    const uint64_t lists = uint64_t(layer.rows_at_once) * chunk_;
    s.events = arena_.take<uint8_t>(lists * s.capacity * (layer.wide_entries ? 4 : 2));
    s.starts = arena_.take<uint32_t>(lists * (s.shape.in_width + 1));
    s.row_uses = arena_.take<uint32_t>(s.shape.in_height);
    s.column_uses = arena_.take<uint32_t>(s.shape.in_width);
    return s;
  }

public:
  /// The padded image and one element that an odd run's last pair reads.
  static uint64_t imageElements(const SynapseState &s) {
    return uint64_t(s.padded_height) * s.padded_width * s.shape.in_channels + 1;
  }

private:
  const format::Plan &plan_;
  Arena &arena_;
  uint32_t chunk_;
};

/// [K] -> lane order, with `rest` for the lanes beyond K.
template <class T, class F> void fillLanes(void *to, uint32_t channels, T rest, F value) {
  auto *lanes = static_cast<T *>(to);
  for (uint32_t block = 0; block < format::blockCount(channels); ++block)
    for (uint32_t k = 0; k < kBlockChannels; ++k) {
      const uint32_t channel = block * kBlockChannels + k;
      lanes[block * kBlockChannels + laneOf(k)] = channel < channels ? T(value(channel)) : rest;
    }
}

template <class T> void fillNeuron(const LayerState &layer) {
  const format::Neuron &n = *layer.source->neuron();
  const uint32_t channels = layer.source->out_channels();
  const int32_t top = sizeof(T) == 2 ? 32767 : INT32_MAX;
  fillLanes<T>(layer.theta, channels, T(top), [&](uint32_t k) {
    const int32_t theta = n.v_threshold()->Get(k);
    return theta < top ? theta : top;
  });
  // stepNeuronsWide<int32_t> subtracts in 32 bits: an amount beyond every state clamps to the same value.
  const bool small = sizeof(T) == 4 && n.state_bits() <= 24 && n.s_max() == 1;
  fillLanes<T>(layer.amount, channels, T(0), [&](uint32_t k) {
    if (n.reset() == format::Reset::Value) return n.v_reset()->Get(k);
    if (n.reset() != format::Reset::Subtract) return 0;
    return small && n.rho()->Get(k) > kHugeAmount ? kHugeAmount : n.rho()->Get(k);
  });
}

/// uses[i]: pairs (output o, tap k) with o*stride - pad + k*dilation = i.
void countUses(uint32_t *uses, uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t dilation, int32_t pad) {
  memset(uses, 0, sizeof(uint32_t) * in);
  for (uint32_t o = 0; o < out; ++o)
    for (uint32_t k = 0; k < kernel; ++k) {
      const int64_t i = int64_t(o) * stride - pad + int64_t(k) * dilation;
      if (i >= 0 && i < int64_t(in)) ++uses[i];
    }
}

void fillLayer(LayerState &layer) {
  const format::Layer &source = *layer.source;
  layer.stats.tensor = {format::nameOf(source.name()), source.out_channels(), source.out_height(), source.out_width()};
  layer.stats.neurons = uint64_t(source.out_channels()) * source.out_height() * source.out_width();
  if (!isCurrent(source)) return;
  for (uint32_t i = 0; i < layer.synapse_count; ++i) {
    SynapseState &s = layer.synapses[i];
    if (s.analog) {
      memset(s.image, 0, sizeof(int16_t) * Layout::imageElements(s));
      continue;
    }
    countUses(s.row_uses, s.shape.in_height, s.shape.out_height, s.shape.kernel_h, s.shape.stride_h, s.shape.dilation_h, s.shape.pad_top);
    countUses(s.column_uses, s.shape.in_width, s.shape.out_width, s.shape.kernel_w, s.shape.stride_w, s.shape.dilation_w, s.shape.pad_left);
  }
  const auto bias = [&](uint32_t k) { return source.bias()->Get(k); };
  fillLanes<int32_t>(layer.start, source.out_channels(), 0, bias);
  // The kernels write the lanes that have a channel; the others stay 0.
  if (layer.current_stride > 0)
    memset(layer.current, 0, (layer.narrow ? 2 : 4) * layer.current_stride * format::currentHeight(source) * format::currentWidth(source));
  if (layer.current_stride == 0 && layer.narrow) fillLanes<int16_t>(layer.current, source.out_channels(), 0, bias);
  if (layer.current_stride == 0 && !layer.narrow) fillLanes<int32_t>(layer.current, source.out_channels(), 0, bias);
  if (source.kind() != format::LayerKind::Spiking) return;
  layer.narrow ? fillNeuron<int16_t>(layer) : fillNeuron<int32_t>(layer);
  memset(layer.state, 0, layer.state_bytes);
}

} // namespace

lasnn_network *layoutNetwork(const format::Model &model, Arena &arena) {
  return Layout(*model.x86(), arena).place();
}

void fillNetwork(lasnn_network &net) {
  for (uint32_t i = 0; i < net.layer_count; ++i)
    fillLayer(net.layers[i]);
  for (uint32_t i = 0; i < net.delay_count; ++i)
    memset(net.delays[i].held, 0, net.delays[i].bytes);
  memset(net.readout, 0, sizeof(int32_t) * net.plan->output_count());
}

} // namespace lasnn::runtime
