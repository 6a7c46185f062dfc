#include "tests/runtime/random_plan.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

namespace lasnn::test {

using namespace plan;

namespace {

class Maker {
public:
  explicit Maker(uint64_t seed) : random_(seed * 0x9E3779B97F4A7C15u + 1) {}

  Network make() {
    plan_.name = "random";
    plan_.timesteps = chance(0.05) ? pick(17, 40) : pick(1, 8);
    plan_.encoding = chance(0.5) ? Encoding::Direct : Encoding::Events;
    plan_.output_scale = 0.25f;
    const bool direct = plan_.encoding == Encoding::Direct;
    const uint32_t width = chance(0.06) ? pick(14, 32) : pick(1, 10); // wide: list entries of 32 bits
    addBuffer(direct ? pick(1, 5) : channels(), pick(1, 10), width, direct ? 255 : chance(0.3) ? pick(2, 4) : 1);
    if (direct)
      for (uint32_t i = 0; i < plan_.buffers[0].channels * 256; ++i)
        plan_.encode_table.push_back(int8_t(pick(0, 255) - 128));
    const uint32_t layers = pick(1, 5);
    for (uint32_t i = 0; i < layers; ++i)
      addLayer();
    const uint32_t readouts = chance(0.1) ? 2 : 1;
    for (uint32_t i = 0; i < readouts; ++i)
      addReadout();
    return plan_;
  }

  Network makeRecurrent() {
    make();
    const uint32_t delays = pick(1, 4);
    for (uint32_t i = 0; i < delays; ++i)
      addDelay();
    return plan_;
  }

private:
  uint32_t pick(uint32_t low, uint32_t high) { return low + uint32_t(random_() % (high - low + 1)); }
  int32_t pickSigned(int32_t low, int32_t high) { return int32_t(low + int64_t(random_() % uint64_t(int64_t(high) - low + 1))); }
  bool chance(double p) { return std::uniform_real_distribution<double>()(random_) < p; }
  uint32_t channels() {
    static const uint32_t kSome[] = {1, 2, 3, 10, 31, 32, 33, 48, 64, 65, 96, 100, 128, 130, 160};
    return kSome[pick(0, 14)];
  }

  uint32_t addBuffer(uint32_t c, uint32_t h, uint32_t w, uint32_t max_count) {
    plan_.buffers.push_back({"b" + std::to_string(plan_.buffers.size()), c, h, w, max_count});
    return uint32_t(plan_.buffers.size()) - 1;
  }
  bool analog(uint32_t buffer) const { return buffer == 0 && plan_.encoding == Encoding::Direct; }
  /// A written buffer that holds spikes, or UINT32_MAX.
  uint32_t spikeBuffer() {
    const uint32_t first = analog(0) ? 1 : 0;
    return first < plan_.buffers.size() ? pick(first, uint32_t(plan_.buffers.size()) - 1) : UINT32_MAX;
  }

  void addLayer() {
    const uint32_t from = spikeBuffer();
    if (from != UINT32_MAX && chance(0.2)) return addPool(from);
    if (from != UINT32_MAX && chance(0.2)) return addAdd(from);
    Layer layer;
    layer.kind = LayerKind::Spiking;
    makeCurrent(layer);
    makeNeuron(layer);
    const uint32_t slack = chance(0.1) ? 1 : 0; // a buffer may declare more than the layer can fire
    layer.output = addBuffer(layer.out_channels, layer.out_height, layer.out_width, layer.neuron.s_max + slack);
    finish(layer);
  }

  void finish(Layer &layer) {
    layer.name = "l" + std::to_string(plan_.layers.size());
    plan_.layers.push_back(layer);
  }

  /// A shape that buffer `in` can reach through some kernel.
  Synapse makeSynapse(uint32_t input, uint32_t &out_h, uint32_t &out_w, bool fixed_shape) {
    const Buffer &in = plan_.buffers[input];
    Synapse s;
    s.input = input;
    s.name = "s";
    if (!fixed_shape && chance(0.2)) { // linear on [C][H][W]
      s.kernel_h = in.height;
      s.kernel_w = in.width;
      out_h = out_w = 1;
      return s;
    }
    s.kernel_h = chance(0.3) ? 1 : pick(1, 4);
    s.kernel_w = chance(0.5) ? s.kernel_h : pick(1, 4);
    s.stride_h = chance(0.7) ? 1 : pick(1, 3);
    s.stride_w = chance(0.7) ? s.stride_h : pick(1, 3);
    if (chance(0.2)) s.dilation_h = pick(1, 3), s.dilation_w = pick(1, 3);
    s.pad_top = pickSigned(0, int32_t((s.kernel_h - 1) * s.dilation_h));
    s.pad_left = pickSigned(chance(0.1) ? -2 : 0, int32_t((s.kernel_w - 1) * s.dilation_w) + (chance(0.1) ? 3 : 0));
    if (!fixed_shape) { // bottom and right padding follow; sometimes more than the input asks for
      out_h = std::max(1u, (in.height + s.stride_h - 1) / s.stride_h + pick(0, 1));
      out_w = std::max(1u, (in.width + s.stride_w - 1) / s.stride_w + pick(0, 1));
    }
    return s;
  }

  /// Groups and weights.
  void fillSynapse(const Layer &layer, Synapse &s) {
    const uint32_t c = plan_.buffers[s.input].channels;
    for (uint32_t g : {c, 2u, 3u, 5u})
      if (chance(0.3) && c % g == 0 && layer.out_channels % g == 0) s.groups = g;
    static const int32_t kWidths[] = {127, 63, 31, 15, 7, 3, 1}; // of 8 to 2 bits
    if (chance(0.4)) limit_ = kWidths[pick(0, 6)];               // else like the synapse before: narrow ones meet in a layer
    const int32_t limit = limit_;
    const bool extreme = chance(0.1);
    s.weight.resize(size_t(layer.out_channels) * (c / s.groups) * s.kernel_h * s.kernel_w);
    for (int8_t &w : s.weight)
      w = int8_t(extreme ? chance(0.5) ? limit : -limit - 1 : pickSigned(chance(0.01) ? -limit - 1 : -limit, limit));
  }

  void makeCurrent(Layer &layer) {
    const uint32_t synapses = chance(0.25) ? pick(2, 3) : 1;
    layer.out_channels = channels();
    for (uint32_t i = 0; i < synapses; ++i) {
      // Lean to the newest buffer, so that networks get deep.
      const auto newest = uint32_t(plan_.buffers.size()) - 1;
      const uint32_t input = chance(0.7) ? newest : pick(0, newest);
      layer.synapses.push_back(makeSynapse(input, layer.out_height, layer.out_width, i > 0));
      Synapse &s = layer.synapses.back();
      const uint32_t c = plan_.buffers[input].channels;
      if (chance(0.15) && i == 0 && synapses == 1 && c <= 130) layer.out_channels = c * pick(1, 2); // depthwise becomes possible
      fillSynapse(layer, s);
    }
    for (uint32_t k = 0; k < layer.out_channels; ++k)
      layer.bias.push_back(chance(0.5) ? 0 : pickSigned(-60, 60));
    layer.current_fits_int16 = fits16(layer);
    if (chance(0.2)) poolCurrents(layer);
  }

  /// A maximum over windows of what makeCurrent has made.
  void poolCurrents(Layer &layer) {
    layer.current_height = layer.out_height;
    layer.current_width = layer.out_width;
    layer.pool = PoolKind::Max;
    const auto axis = [&](uint32_t in, uint32_t &kernel, uint32_t &stride, int32_t &pad) {
      kernel = pick(1, std::min(4u, in));
      stride = chance(0.6) ? kernel : pick(1, 3);
      pad = chance(0.4) ? int32_t(pick(0, kernel - 1)) : 0;
      const uint32_t after = chance(0.4) ? pick(0, kernel - 1) : 0;
      return (in + uint32_t(pad) + after - kernel) / stride + 1;
    };
    layer.out_height = axis(layer.current_height, layer.kernel_h, layer.stride_h, layer.pad_top);
    layer.out_width = axis(layer.current_width, layer.kernel_w, layer.stride_w, layer.pad_left);
  }

  /// The proof that verify-contract would give: the bound of every |I|.
  bool fits16(const Layer &layer) const {
    for (uint32_t k = 0; k < layer.out_channels; ++k) {
      int64_t bound = std::abs(int64_t(layer.bias[k]));
      for (const Synapse &s : layer.synapses) {
        const size_t per = s.weight.size() / layer.out_channels;
        const int64_t most = analog(s.input) ? 128 : plan_.buffers[s.input].max_count;
        for (size_t i = 0; i < per; ++i)
          bound += std::abs(int64_t(s.weight[k * per + i])) * most;
      }
      if (bound > 32767) return false;
    }
    return true;
  }

  /// Some buffer of spikes, wherever it is written, comes back a step later into a layer, wherever that stands.
  void addDelay() {
    const uint32_t from = spikeBuffer();
    if (from == UINT32_MAX) return;
    const Buffer b = plan_.buffers[from];
    uint32_t late = addBuffer(b.channels, b.height, b.width, b.max_count);
    plan_.delays.push_back({from, late});
    if (chance(0.25)) { // pooled or added before any other layer runs
      std::vector<Layer> layers;
      layers.swap(plan_.layers);
      if (chance(0.5)) addPool(late);
      else if (2 * b.max_count <= 40) addSum({late, late});
      if (!plan_.layers.empty()) late = plan_.layers[0].output;
      plan_.layers.insert(plan_.layers.end(), layers.begin(), layers.end());
    }
    std::vector<Layer *> readers;
    for (Layer &layer : plan_.layers)
      if (layer.kind == LayerKind::Spiking || layer.kind == LayerKind::Readout) readers.push_back(&layer);
    Layer &layer = *readers[pick(0, uint32_t(readers.size()) - 1)];
    layer.synapses.push_back(makeSynapse(late, layer.out_height, layer.out_width, true));
    fillSynapse(layer, layer.synapses.back());
    layer.current_fits_int16 = fits16(layer);
  }

  void addSum(const std::vector<uint32_t> &inputs) {
    const Buffer in = plan_.buffers[inputs[0]];
    Layer layer;
    layer.kind = LayerKind::Add;
    layer.inputs = inputs;
    layer.out_channels = in.channels, layer.out_height = in.height, layer.out_width = in.width;
    layer.output = addBuffer(in.channels, in.height, in.width, uint32_t(inputs.size()) * in.max_count);
    finish(layer);
  }

  void makeNeuron(Layer &layer) {
    Neuron &n = layer.neuron;
    n.decay = chance(0.3) ? 0 : chance(0.1) ? 4096 : chance(0.1) ? 1 : pick(1, 4095);
    n.reset = Reset(pick(0, 3));
    n.state_bits = chance(0.6) ? 16 : chance(0.8) ? 24 : 32;
    n.has_v_min = chance(0.3);
    n.v_min = chance(0.3) ? 0 : pickSigned(-300, 0);
    if (chance(0.1)) n.v_min = -40000;
    if (n.reset == Reset::Subtract && chance(0.25)) n.s_max = pick(2, 5);
    const double rate = chance(0.1) ? 0 : chance(0.1) ? 1 : std::uniform_real_distribution<double>()(random_);
    const int64_t high = (int64_t(1) << (n.state_bits - 1)) - 1, low = n.has_v_min ? std::max<int64_t>(-high - 1, n.v_min) : -high - 1;
    const bool extreme = chance(0.1);
    for (uint32_t k = 0; k < layer.out_channels; ++k) {
      const double spread = 40 * std::sqrt(double(layer.synapses[0].weight.size()) / layer.out_channels);
      n.v_threshold.push_back(extreme && chance(0.3) ? pickSigned(-40000, 40000) : int32_t((1 - 2 * rate) * spread) + pickSigned(-20, 20));
      if (extreme && chance(0.02)) n.v_threshold.back() = chance(0.5) ? INT32_MAX : INT32_MIN;
      int32_t rho = pickSigned(n.s_max > 1 ? 1 : 0, std::max(2, int32_t(spread)));
      if (extreme && chance(0.1)) rho = chance(0.5) ? pickSigned(30000, 70000) : INT32_MAX;
      n.rho.push_back(rho);
      n.v_reset.push_back(int32_t(std::clamp<int64_t>(pickSigned(-500, 500), low, high)));
    }
    if (n.reset != Reset::Subtract && chance(0.5)) n.rho.clear();
    if (n.reset != Reset::Value && chance(0.5)) n.v_reset.clear();
  }

  void addPool(uint32_t from) {
    Layer layer;
    layer.kind = LayerKind::Pool;
    layer.inputs = {from};
    layer.pool = chance(0.5) ? PoolKind::Max : PoolKind::Sum;
    layer.kernel_h = pick(1, 3);
    layer.kernel_w = pick(1, 3);
    layer.stride_h = pick(1, 2);
    layer.stride_w = pick(1, 2);
    layer.pad_top = pickSigned(0, int32_t(layer.kernel_h) - 1);
    layer.pad_left = pickSigned(0, int32_t(layer.kernel_w) - 1);
    const Buffer in = plan_.buffers[from];
    layer.out_channels = in.channels;
    layer.out_height = (in.height + layer.stride_h - 1) / layer.stride_h;
    layer.out_width = (in.width + layer.stride_w - 1) / layer.stride_w;
    const uint32_t count = layer.pool == PoolKind::Max ? in.max_count : in.max_count * layer.kernel_h * layer.kernel_w;
    if (count > 60) return; // keep event lists of later layers small
    layer.output = addBuffer(in.channels, layer.out_height, layer.out_width, count);
    finish(layer);
  }

  void addAdd(uint32_t from) {
    Layer layer;
    layer.kind = LayerKind::Add;
    layer.inputs = {from};
    const Buffer in = plan_.buffers[from];
    uint32_t count = in.max_count;
    for (uint32_t i = analog(0) ? 1 : 0; i < plan_.buffers.size(); ++i) {
      const Buffer &b = plan_.buffers[i];
      if (b.channels != in.channels || b.height != in.height || b.width != in.width || count + b.max_count > 40) continue;
      layer.inputs.push_back(i);
      count += b.max_count;
    }
    layer.out_channels = in.channels;
    layer.out_height = in.height;
    layer.out_width = in.width;
    layer.output = addBuffer(in.channels, in.height, in.width, count);
    finish(layer);
  }

  void addReadout() {
    Layer layer;
    layer.kind = LayerKind::Readout;
    makeCurrent(layer);
    layer.readout = chance(0.5) ? Readout::Sum : Readout::Last;
    layer.output = plan_.output_count;
    plan_.output_count += layer.out_channels * layer.out_height * layer.out_width;
    finish(layer);
  }

  std::mt19937_64 random_;
  int32_t limit_ = 127; // of weights
  Network plan_;
};

} // namespace

Network randomPlan(uint64_t seed) { return Maker(seed).make(); }
Network randomRecurrentPlan(uint64_t seed) { return Maker(seed).makeRecurrent(); }

std::vector<uint8_t> randomInput(const Network &plan, uint64_t seed) {
  std::mt19937_64 random(seed + 77);
  const Buffer &in = plan.buffers[0];
  const bool direct = plan.encoding == Encoding::Direct;
  std::vector<uint8_t> input(size_t(in.channels) * in.height * in.width * (direct ? 1 : plan.timesteps));
  const uint32_t rates[] = {0, 2, 10, 30, 100};
  const uint32_t rate = rates[random() % 5];
  for (uint8_t &value : input)
    value = direct ? uint8_t(random()) : random() % 100 < rate ? uint8_t(1 + random() % in.max_count) : 0;
  return input;
}

} // namespace lasnn::test
