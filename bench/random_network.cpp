#include "bench/random_network.h"

#include <algorithm>
#include <random>

namespace lasnn::bench {
namespace {

class Builder {
public:
  Builder(uint32_t timesteps, uint32_t seed) : random_(seed) { plan_.timesteps = timesteps; }

  uint32_t input(plan::Encoding encoding, uint32_t channels, uint32_t size) {
    plan_.encoding = encoding;
    if (encoding == plan::Encoding::Direct)
      for (uint32_t i = 0; i < channels * 256; ++i)
        plan_.encode_table.push_back(int8_t(int(i % 256) - 128));
    return buffer("input", channels, size, 1);
  }

  plan::Synapse convolution(uint32_t from, uint32_t out_channels, uint32_t kernel, uint32_t stride) {
    plan::Synapse s;
    s.input = from;
    s.kernel_h = s.kernel_w = kernel, s.stride_h = s.stride_w = stride;
    s.pad_top = s.pad_left = int32_t(kernel / 2);
    std::normal_distribution<float> weight(0, 42);
    s.weight.resize(size_t(out_channels) * plan_.buffers[from].channels * kernel * kernel);
    for (int8_t &w : s.weight)
      w = int8_t(std::clamp(int(weight(random_)), -127, 127));
    return s;
  }

  plan::Synapse identity(uint32_t from) {
    plan::Synapse s;
    const uint32_t channels = plan_.buffers[from].channels;
    s.input = from;
    s.weight.assign(size_t(channels) * channels, 0);
    for (uint32_t c = 0; c < channels; ++c)
      s.weight[size_t(c) * channels + c] = 64;
    return s;
  }

  uint32_t neurons(const std::string &name, std::vector<plan::Synapse> synapses, uint32_t out_channels, uint32_t size) {
    plan::Layer layer;
    layer.name = name;
    layer.output = buffer(name, out_channels, size, 1);
    layer.out_channels = out_channels;
    layer.out_height = layer.out_width = size;
    layer.synapses = std::move(synapses);
    layer.bias.assign(out_channels, 0);
    layer.neuron.decay = 2048; // v halves at every step
    layer.neuron.state_bits = 24;
    layer.neuron.v_threshold.assign(out_channels, 1000);
    plan_.layers.push_back(std::move(layer));
    return plan_.layers.back().output;
  }

  uint32_t sumOfAll(uint32_t from) {
    const plan::Buffer in = plan_.buffers[from];
    plan::Layer layer;
    layer.kind = plan::LayerKind::Pool;
    layer.name = "pool";
    layer.inputs = {from};
    layer.kernel_h = layer.stride_h = in.height;
    layer.kernel_w = layer.stride_w = in.width;
    layer.out_channels = in.channels;
    layer.output = buffer("pool", in.channels, 1, in.height * in.width);
    plan_.layers.push_back(layer);
    return layer.output;
  }

  void readOut(uint32_t from, uint32_t count) {
    plan::Layer layer;
    layer.kind = plan::LayerKind::Readout;
    layer.name = "readout";
    layer.out_channels = count;
    layer.bias.assign(count, 0);
    layer.synapses = {convolution(from, count, 1, 1)};
    plan_.layers.push_back(std::move(layer));
    plan_.output_count = count;
  }

  plan::Network plan_;

private:
  uint32_t buffer(const std::string &name, uint32_t channels, uint32_t size, uint32_t max_count) {
    plan_.buffers.push_back({name, channels, size, size, max_count});
    return uint32_t(plan_.buffers.size()) - 1;
  }

  std::mt19937 random_;
};

/// Spike counts (or the analog image) of all steps: [T][C][H][W].
using Values = std::vector<int32_t>;

bool analog(const plan::Network &net, uint32_t buffer) { return buffer == 0 && net.encoding == plan::Encoding::Direct; }

/// Adds a synapse's currents to [T][H][W][K], from the inputs that are not 0.
void addCurrents(const plan::Network &net, const plan::Layer &layer, const plan::Synapse &s, const Values &values, std::vector<int32_t> &current) {
  const plan::Buffer &in = net.buffers[s.input];
  const uint32_t K = layer.out_channels, taps = s.kernel_h * s.kernel_w, pixels = in.height * in.width;
  std::vector<int32_t> rows(size_t(in.channels) * taps * K); // [C][tap][K]
  for (uint32_t k = 0; k < K; ++k)
    for (uint32_t i = 0; i < in.channels * taps; ++i)
      rows[size_t(i) * K + k] = s.weight[size_t(k) * in.channels * taps + i];
  for (size_t at = 0; at < values.size(); ++at) {
    if (values[at] == 0)
      continue;
    const uint32_t pixel = uint32_t(at % pixels), c = uint32_t(at / pixels % in.channels);
    const size_t t = at / pixels / in.channels;
    for (uint32_t tap = 0; tap < taps; ++tap) {
      const int32_t y = int32_t(pixel / in.width) + s.pad_top - int32_t(tap / s.kernel_w), x = int32_t(pixel % in.width) + s.pad_left - int32_t(tap % s.kernel_w);
      if (y < 0 || x < 0 || y % int32_t(s.stride_h) || x % int32_t(s.stride_w))
        continue;
      const uint32_t oy = uint32_t(y) / s.stride_h, ox = uint32_t(x) / s.stride_w;
      if (oy >= layer.out_height || ox >= layer.out_width)
        continue;
      const int32_t *row = &rows[(size_t(c) * taps + tap) * K];
      int32_t *to = &current[((t * layer.out_height + oy) * layer.out_width + ox) * K];
      for (uint32_t k = 0; k < K; ++k)
        to[k] += row[k] * values[at];
    }
  }
}

/// Spikes of currents [T][H][W][K] as [T][K][H][W]; reset to zero.
Values spikesOf(const plan::Network &net, const plan::Layer &layer, const std::vector<int32_t> &current, int32_t theta, double &rate) {
  const size_t T = net.timesteps, K = layer.out_channels, pixels = size_t(layer.out_height) * layer.out_width, count = K * pixels;
  Values spikes(T * count);
  size_t fired = 0;
  for (size_t i = 0; i < count; ++i) {
    int64_t v = 0;
    for (size_t t = 0; t < T; ++t) {
      v = (v < 0 ? -1 : 1) * ((std::abs(v) * (4096 - layer.neuron.decay)) >> 12) + current[t * count + i];
      const bool s = v > theta;
      v = s ? 0 : v;
      spikes[t * count + i % K * pixels + i / K] = s;
      fired += s;
    }
  }
  rate = double(fired) / double(T * count);
  return spikes;
}

Values poolOf(const plan::Network &net, const plan::Layer &layer, const Values &in) {
  const size_t pixels = in.size() / net.timesteps / layer.out_channels;
  Values out(size_t(net.timesteps) * layer.out_channels, 0);
  for (size_t i = 0; i < in.size(); ++i)
    out[i / pixels] += in[i];
  return out;
}

} // namespace

plan::Network resnet18(const ResNet18 &shape, uint32_t timesteps, uint32_t seed) {
  Builder b(timesteps, seed);
  uint32_t size = shape.size, width = shape.width;
  uint32_t at = b.input(plan::Encoding::Direct, 3, size);
  b.plan_.name = "resnet18";
  size = (size + shape.stem_stride - 1) / shape.stem_stride;
  at = b.neurons("conv1", {b.convolution(at, width, 3, shape.stem_stride)}, width, size);
  for (uint32_t stage = 0; stage < 4; ++stage, width *= 2)
    for (uint32_t block = 0; block < 2; ++block) {
      const bool down = stage > 0 && block == 0;
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      size = down ? (size + 1) / 2 : size;
      const uint32_t middle = b.neurons(name + ".conv1", {b.convolution(at, width, 3, down ? 2 : 1)}, width, size);
      at = b.neurons(name + ".conv2", {b.convolution(middle, width, 3, 1), down ? b.convolution(at, width, 1, 2) : b.identity(at)}, width, size);
    }
  b.readOut(b.sumOfAll(at), shape.classes);
  return b.plan_;
}

plan::Network oneLayer(uint32_t channels, uint32_t size, uint32_t out_channels, uint32_t stride, uint32_t timesteps, uint32_t seed) {
  Builder b(timesteps, seed);
  b.plan_.name = "layer";
  const uint32_t in = b.input(plan::Encoding::Events, channels, size);
  const uint32_t out = b.neurons("conv", {b.convolution(in, out_channels, 3, stride)}, out_channels, (size + stride - 1) / stride);
  b.readOut(out, 1);
  return b.plan_;
}

std::vector<uint8_t> randomSamples(const plan::Network &network, uint32_t count, double rate, uint32_t seed) {
  std::mt19937 random(seed);
  const plan::Buffer &in = network.buffers[0];
  const bool direct = network.encoding == plan::Encoding::Direct;
  std::vector<uint8_t> samples(size_t(count) * in.channels * in.height * in.width * (direct ? 1 : network.timesteps));
  for (uint8_t &value : samples)
    value = direct ? uint8_t(random()) : random() < rate * 4294967296.0;
  return samples;
}

std::vector<double> calibrate(plan::Network &net, double rate, uint32_t seed) {
  const std::vector<uint8_t> sample = randomSamples(net, 1, rate, seed);
  const size_t pixels = size_t(net.buffers[0].height) * net.buffers[0].width;
  std::vector<Values> values(net.buffers.size());
  for (uint32_t t = 0; t < net.timesteps && analog(net, 0); ++t)
    for (size_t i = 0; i < sample.size(); ++i)
      values[0].push_back(net.encode_table[i / pixels * 256 + sample[i]]);
  if (!analog(net, 0))
    values[0].assign(sample.begin(), sample.end());
  std::vector<double> rates;
  for (plan::Layer &layer : net.layers) {
    if (layer.kind == plan::LayerKind::Pool)
      values[layer.output] = poolOf(net, layer, values[layer.inputs[0]]);
    if (layer.kind != plan::LayerKind::Spiking)
      continue;
    std::vector<int32_t> current(size_t(net.timesteps) * layer.out_height * layer.out_width * layer.out_channels, 0);
    for (const plan::Synapse &s : layer.synapses)
      addCurrents(net, layer, s, values[s.input], current);
    int32_t low = 0, high = 1 << 22; // spikes grow rarer as the threshold rises
    double reached = 0;
    while (high - low > 1) {
      const int32_t middle = low + (high - low) / 2;
      spikesOf(net, layer, current, middle, reached);
      (reached > rate ? low : high) = middle;
    }
    layer.neuron.v_threshold.assign(layer.out_channels, high);
    values[layer.output] = spikesOf(net, layer, current, high, reached);
    rates.push_back(reached);
  }
  return rates;
}

double denseMacs(const plan::Network &network, const plan::Layer &layer) {
  double macs = 0;
  for (const plan::Synapse &s : layer.synapses)
    macs += double(layer.out_height) * layer.out_width * double(s.weight.size()) * (analog(network, s.input) ? 1 : network.timesteps);
  return macs;
}

} // namespace lasnn::bench
