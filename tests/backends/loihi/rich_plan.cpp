#include "tests/backends/loihi/rich_plan.h"

#include <algorithm>
#include <random>

namespace lasnn::test {

using namespace plan;

namespace {

class Generator {
public:
  Generator(uint64_t seed, const RichOptions &options) : engine_(seed * 2654435761 + 97), options_(options) {}

  Network make() {
    net_.name = "rich";
    net_.timesteps = uint32_t(pick(1, 6));
    net_.encoding = chance(50) ? Encoding::Direct : Encoding::Events;
    const bool direct = net_.encoding == Encoding::Direct;
    net_.buffers.push_back(
        {"input", uint32_t(pick(1, 3)), uint32_t(pick(1, 6)), uint32_t(pick(1, 6)), uint32_t(direct || chance(70) ? 1 : pick(2, 3))});
    for (uint32_t i = 0; direct && i < net_.buffers[0].channels * 256; ++i)
      net_.encode_table.push_back(int8_t(pick(-127, 127)));
    for (int i = pick(1, 5); i > 0; --i) {
      if (net_.layers.empty() || chance(75))
        addSpiking();
      else if (chance(60))
        addPool();
      else if (const uint32_t a = anySpikes(); net_.buffers[a].max_count < 32)
        addSum(net_.layers.size(), a, UINT32_MAX);
    }
    addReadout();
    if (options_.feedback)
      for (int i = pick(1, 2); i > 0; --i)
        addDelay();
    for (size_t i = 0; i < net_.layers.size(); ++i)
      if (net_.layers[i].name.empty()) net_.layers[i].name = "layer" + std::to_string(i);
    return std::move(net_);
  }

private:
  int pick(int low, int high) { return low + int(engine_() % uint64_t(high - low + 1)); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  bool analog(uint32_t buffer) const { return buffer == 0 && net_.encoding == Encoding::Direct; }
  uint32_t newest() const { return uint32_t(net_.buffers.size()) - 1; }
  uint32_t anySpikes() { return uint32_t(pick(analog(0), int(newest()))); }
  uint32_t addBuffer(uint32_t c, uint32_t h, uint32_t w, uint32_t most) {
    net_.buffers.push_back({"b" + std::to_string(net_.buffers.size()), c, h, w, most});
    return newest();
  }

  int8_t weight() {
    const int most = (1 << (options_.weight_bits - 1)) - 1;
    const int now = std::min(most, widest_);
    return int8_t(chance(20) ? 0 : pick(-now, now));
  }

  /// Where the layer has its shape already, the window's place in it is any: padding fills up.
  void addSynapse(Layer &layer, uint32_t input, bool shaped) {
    const Buffer &in = net_.buffers[input];
    Synapse s;
    s.name = "s" + std::to_string(layer.synapses.size()), s.input = input;
    widest_ = chance(20) ? 127 : chance(50) ? 15 : 3;
    if (!shaped && chance(30)) { // linear
      s.kernel_h = in.height, s.kernel_w = in.width;
      layer.out_height = layer.out_width = 1;
    } else {
      s.kernel_h = std::min(in.height, uint32_t(pick(1, 3))), s.kernel_w = std::min(in.width, uint32_t(pick(1, 3)));
      s.stride_h = uint32_t(pick(1, 2)), s.stride_w = uint32_t(pick(1, 2));
      if (chance(15)) s.dilation_h = s.dilation_w = 2;
      s.pad_top = pick(0, int(s.kernel_h) - 1), s.pad_left = pick(0, int(s.kernel_w) - 1);
      if (!shaped) layer.out_height = (in.height + s.stride_h - 1) / s.stride_h, layer.out_width = (in.width + s.stride_w - 1) / s.stride_w;
      for (uint32_t g : {in.channels, 2u})
        if (g > 1 && in.channels % g == 0 && layer.out_channels % g == 0 && chance(40)) s.groups = g;
    }
    s.weight.resize(size_t(layer.out_channels) * in.channels / s.groups * s.kernel_h * s.kernel_w);
    int zeros = 0; // below every weight, as where a threshold's step is finer than the weights
    while (options_.weight_bits + zeros < 8 && chance(50)) ++zeros;
    for (int8_t &w : s.weight)
      w = int8_t(weight() * (1 << zeros));
    layer.synapses.push_back(std::move(s));
  }

  void addCurrents(Layer &layer) {
    layer.out_channels = uint32_t(chance(80) ? pick(1, 8) : pick(9, 24));
    const uint32_t first = chance(75) && (newest() > 0 || !analog(0)) ? newest() : uint32_t(pick(0, int(newest())));
    addSynapse(layer, first, false);
    for (int more = chance(30) ? pick(1, 2) : 0; more > 0; --more)
      addSynapse(layer, uint32_t(pick(0, int(newest()))), true);
    const int spread = chance(30) ? 0 : chance(15) ? 6000 : 40;
    for (uint32_t k = 0; k < layer.out_channels; ++k)
      layer.bias.push_back(pick(-spread, spread));
  }

  void addSpiking() {
    Layer layer;
    addCurrents(layer);
    Neuron &n = layer.neuron;
    n.state_bits = 24;
    n.decay = chance(40) ? 0 : chance(20) ? 4096 : uint32_t(pick(1, 4095));
    const bool leaks = n.decay > 0 && n.decay < 4096;
    const int kind = pick(0, 99);
    n.reset = kind < 40 ? Reset::Zero : kind < 80 ? Reset::Subtract : kind < 90 ? Reset::None : leaks ? Reset::Zero : Reset::Value;
    n.s_max = options_.graded && n.reset == Reset::Subtract && chance(60) ? uint32_t(pick(2, 5)) : 1;
    for (uint32_t k = 0; k < layer.out_channels; ++k) {
      n.v_threshold.push_back(leaks ? pick(0, 3) * 64 : pick(0, 90));
      n.rho.push_back(n.reset != Reset::Subtract ? 0 : chance(70) ? std::max(1, n.v_threshold.back()) : pick(1, 100));
      n.v_reset.push_back(n.reset == Reset::Value ? pick(-50, 0) : 0);
    }
    if (n.reset != Reset::Value && chance(15)) { // what the chip has: v >= 0
      n.has_v_min = true;
      for (uint32_t k = 0; k < layer.out_channels; ++k)
        n.rho[k] = std::min(n.rho[k], n.v_threshold[k] + 1);
    }
    layer.output = addBuffer(layer.out_channels, layer.out_height, layer.out_width, n.s_max);
    net_.layers.push_back(std::move(layer));
  }

  void addReadout() {
    Layer layer;
    layer.kind = LayerKind::Readout;
    layer.name = "out";
    addCurrents(layer);
    layer.readout = chance(75) ? Readout::Sum : Readout::Last;
    net_.output_count = layer.out_channels * layer.out_height * layer.out_width;
    net_.layers.push_back(std::move(layer));
  }

  void addPool() {
    Layer layer;
    const uint32_t input = anySpikes();
    const Buffer in = net_.buffers[input];
    if (in.max_count > 12) return; // counts stay below 256 (K3)
    layer.kind = LayerKind::Pool;
    layer.pool = in.max_count == 1 && chance(50) ? PoolKind::Max : PoolKind::Sum;
    layer.inputs = {input};
    layer.kernel_h = uint32_t(pick(1, std::min(3, int(in.height)))), layer.kernel_w = uint32_t(pick(1, std::min(3, int(in.width))));
    layer.stride_h = uint32_t(pick(1, 2)), layer.stride_w = uint32_t(pick(1, 2));
    layer.pad_top = pick(0, int(layer.kernel_h) - 1), layer.pad_left = pick(0, int(layer.kernel_w) - 1);
    layer.out_channels = in.channels;
    layer.out_height = (in.height + uint32_t(layer.pad_top) - layer.kernel_h) / layer.stride_h + 1;
    layer.out_width = (in.width + uint32_t(layer.pad_left) - layer.kernel_w) / layer.stride_w + 1;
    layer.output = addBuffer(in.channels, layer.out_height, layer.out_width,
                             layer.pool == PoolKind::Max ? in.max_count : in.max_count * layer.kernel_h * layer.kernel_w);
    net_.layers.push_back(std::move(layer));
  }

  /// Of `a` and one of its shape (at worst itself), as layer number `at`.
  uint32_t addSum(size_t at, uint32_t a, uint32_t b) {
    const Buffer x = net_.buffers[a];
    for (uint32_t other = 0; b == UINT32_MAX && other < newest(); ++other)
      if (const Buffer &y = net_.buffers[other];
          !analog(other) && other != a && y.max_count < 128 && y.channels == x.channels && y.height == x.height && y.width == x.width)
        b = other;
    if (b == UINT32_MAX) b = a;
    Layer layer;
    layer.kind = LayerKind::Add;
    layer.inputs = {a, b};
    layer.out_channels = x.channels, layer.out_height = x.height, layer.out_width = x.width;
    layer.output = addBuffer(x.channels, x.height, x.width, x.max_count + net_.buffers[b].max_count);
    net_.layers.insert(net_.layers.begin() + std::ptrdiff_t(at), layer);
    return layer.output;
  }

  uint32_t late(uint32_t from) {
    const Buffer in = net_.buffers[from];
    const uint32_t to = addBuffer(in.channels, in.height, in.width, in.max_count);
    net_.delays.push_back({from, to});
    return to;
  }

  /// A layer hears itself, a later one (by as many steps as the loop takes, or fewer), or something ahead of time.
  void addDelay() {
    std::vector<size_t> readers;
    for (size_t l = 0; l < net_.layers.size(); ++l)
      if (!net_.layers[l].synapses.empty()) readers.push_back(l);
    size_t reader = readers[size_t(pick(0, int(readers.size()) - 1))];
    uint32_t from = anySpikes();
    if (from == 0 && analog(0)) return;
    if (net_.layers[reader].kind == LayerKind::Spiking && chance(50)) from = net_.layers[reader].output; // itself
    uint32_t buffer = late(from);
    for (int more = chance(50) ? pick(1, 4) : 0; more > 0; --more)
      buffer = late(buffer);
    if (chance(15) && net_.buffers[buffer].max_count < 128) { // of what is late, before anything else
      buffer = addSum(0, buffer, buffer);
      ++reader;
    }
    addSynapse(net_.layers[reader], buffer, true);
  }

  std::mt19937_64 engine_;
  const RichOptions &options_;
  Network net_;
  int widest_ = 127;
};

} // namespace

Network richPlan(uint64_t seed, const RichOptions &options) { return Generator(seed, options).make(); }

} // namespace lasnn::test
