// The plain executor of an plan::Network: ir/spec.md N1..N7 written as loops over single neurons. What the runtime must equal.
#pragma once

#include "backends/plan/plan.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lasnn::test {

struct ReferenceLayer {
  std::vector<std::vector<uint8_t>> spikes; ///< [T] of [C][H][W]
  uint64_t fired = 0, clips = 0, synops = 0;
};

struct ReferenceResult {
  std::vector<std::vector<int32_t>> outputs; ///< [T]: the read-out after each step
  std::vector<ReferenceLayer> layers;        ///< spiking layers, in order
};

class Reference {
public:
  explicit Reference(const plan::Network &plan) : plan_(plan) {}

  ReferenceResult run(const std::vector<uint8_t> &input) {
    ReferenceResult result;
    const uint32_t layer_count = uint32_t(plan_.layers.size());
    std::vector<std::vector<int64_t>> v(layer_count);
    result.layers.resize(size_t(std::count_if(plan_.layers.begin(), plan_.layers.end(), [](const plan::Layer &l) { return l.kind == plan::LayerKind::Spiking; })));
    std::vector<int32_t> output(plan_.output_count, 0);
    std::vector<Values> held; // by delay
    for (const plan::Delay &d : plan_.delays)
      held.emplace_back(size_t(plan_.buffers[d.to].channels) * plan_.buffers[d.to].height * plan_.buffers[d.to].width, 0);
    for (uint32_t t = 0; t < plan_.timesteps; ++t) {
      values_.assign(plan_.buffers.size(), {});
      values_[0] = inputValues(input, t);
      for (size_t i = 0; i < held.size(); ++i) // D1
        values_[plan_.delays[i].to] = held[i];
      uint32_t spiking = 0;
      for (uint32_t i = 0; i < layer_count; ++i) {
        const plan::Layer &layer = plan_.layers[i];
        switch (layer.kind) {
        case plan::LayerKind::Spiking: values_[layer.output] = spike(layer, v[i], result.layers[spiking++]); break;
        case plan::LayerKind::Readout: readOut(layer, output); break;
        case plan::LayerKind::Pool: values_[layer.output] = pool(layer); break;
        case plan::LayerKind::Add: values_[layer.output] = addBuffers(layer); break;
        }
      }
      for (size_t i = 0; i < held.size(); ++i)
        held[i] = values_[plan_.delays[i].from];
      result.outputs.push_back(output);
    }
    return result;
  }

private:
  using Values = std::vector<int32_t>; // [C][H][W]

  Values inputValues(const std::vector<uint8_t> &input, uint32_t t) const {
    const plan::Buffer &b = plan_.buffers[0];
    const size_t pixels = size_t(b.height) * b.width, size = b.channels * pixels;
    Values values(size);
    for (size_t i = 0; i < size; ++i)
      values[i] = plan_.encoding == plan::Encoding::Direct ? plan_.encode_table[i / pixels * 256 + input[i]] : input[t * size + i];
    return values;
  }

  /// N1 for every output neuron, [K][H][W].
  std::vector<int64_t> currents(const plan::Layer &layer, uint64_t *synops) const {
    const uint32_t height = layer.poolsCurrents() ? layer.current_height : layer.out_height, width = layer.poolsCurrents() ? layer.current_width : layer.out_width;
    const size_t pixels = size_t(height) * width;
    std::vector<int64_t> current(layer.out_channels * pixels);
    for (uint32_t k = 0; k < layer.out_channels; ++k)
      for (uint32_t y = 0; y < height; ++y)
        for (uint32_t x = 0; x < width; ++x) {
          int64_t sum = layer.bias[k];
          for (const plan::Synapse &s : layer.synapses)
            sum += synapse(layer, s, k, y, x, synops);
          current[k * pixels + size_t(y) * width + x] = sum;
        }
    return layer.poolsCurrents() ? window(layer, current, height, width, false) : current;
  }

  int64_t synapse(const plan::Layer &layer, const plan::Synapse &s, uint32_t k, uint32_t y, uint32_t x, uint64_t *synops) const {
    const plan::Buffer &in = plan_.buffers[s.input];
    const uint32_t in_group = in.channels / s.groups, group = k / (layer.out_channels / s.groups);
    const bool analog = plan_.encoding == plan::Encoding::Direct && s.input == 0;
    int64_t sum = 0;
    for (uint32_t ky = 0; ky < s.kernel_h; ++ky)
      for (uint32_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t iy = int64_t(y) * s.stride_h - s.pad_top + int64_t(ky) * s.dilation_h;
        const int64_t ix = int64_t(x) * s.stride_w - s.pad_left + int64_t(kx) * s.dilation_w;
        if (iy < 0 || ix < 0 || iy >= in.height || ix >= in.width) continue;
        for (uint32_t c = 0; c < in_group; ++c) {
          const int32_t value = values_[s.input][((size_t(group) * in_group + c) * in.height + size_t(iy)) * in.width + size_t(ix)];
          sum += int64_t(s.weight[((size_t(k) * in_group + c) * s.kernel_h + ky) * s.kernel_w + kx]) * value;
          if (synops && !analog) *synops += uint64_t(value);
        }
      }
    return sum;
  }

  static int64_t clampCounted(int64_t v, int64_t low, int64_t high, uint64_t &clips) {
    const int64_t clamped = std::min(std::max(v, low), high);
    clips += clamped != v;
    return clamped;
  }

  Values spike(const plan::Layer &layer, std::vector<int64_t> &state, ReferenceLayer &out) const {
    const plan::Neuron &n = layer.neuron;
    const std::vector<int64_t> current = currents(layer, &out.synops);
    const size_t pixels = size_t(layer.out_height) * layer.out_width;
    const int64_t high = (int64_t(1) << (n.state_bits - 1)) - 1, low = n.has_v_min ? std::max<int64_t>(-high - 1, n.v_min) : -high - 1;
    state.resize(current.size(), 0);
    Values spikes(current.size());
    for (size_t i = 0; i < current.size(); ++i) {
      const size_t k = i / pixels;
      int64_t v = state[i];
      if (n.decay > 0) v = v < 0 ? -((-v * (4096 - n.decay)) >> 12) : (v * (4096 - n.decay)) >> 12; // N2
      v = clampCounted(v + current[i], low, high, out.clips);                                         // N3, N4
      int32_t s = 0;                                                                                  // N5
      for (uint32_t each = 0; each < n.s_max; ++each)
        s += v > n.v_threshold[k] + (each > 0 ? int64_t(each) * n.rho[k] : 0);
      if (n.reset == plan::Reset::Zero && s > 0) v = 0; // N6
      if (n.reset == plan::Reset::Value && s > 0) v = n.v_reset[k];
      if (n.reset == plan::Reset::Subtract) v = clampCounted(v - int64_t(s) * n.rho[k], low, high, out.clips); // N6, N7
      state[i] = v;
      spikes[i] = s;
      out.fired += uint64_t(s);
    }
    out.spikes.emplace_back(spikes.begin(), spikes.end());
    return spikes;
  }

  void readOut(const plan::Layer &layer, std::vector<int32_t> &output) const {
    const std::vector<int64_t> current = currents(layer, nullptr);
    for (size_t i = 0; i < current.size(); ++i) {
      int32_t &out = output[layer.output + i];
      const int64_t sum = layer.readout == plan::Readout::Last ? current[i] : out + current[i];
      out = int32_t(std::min<int64_t>(std::max<int64_t>(sum, INT32_MIN), INT32_MAX));
    }
  }

  Values pool(const plan::Layer &layer) const {
    const plan::Buffer &in = plan_.buffers[layer.inputs[0]];
    return window(layer, values_[layer.inputs[0]], in.height, in.width, layer.pool == plan::PoolKind::Sum);
  }

  /// P1, P2: each window of [K][height][width] summed, or its largest value.
  template <class T> static std::vector<T> window(const plan::Layer &layer, const std::vector<T> &in, uint32_t height, uint32_t width, bool sum) {
    std::vector<T> values;
    for (uint32_t c = 0; c < layer.out_channels; ++c)
      for (uint32_t y = 0; y < layer.out_height; ++y)
        for (uint32_t x = 0; x < layer.out_width; ++x) {
          T value = 0;
          bool first = true;
          for (uint32_t ky = 0; ky < layer.kernel_h; ++ky)
            for (uint32_t kx = 0; kx < layer.kernel_w; ++kx) {
              const int64_t iy = int64_t(y) * layer.stride_h - layer.pad_top + ky, ix = int64_t(x) * layer.stride_w - layer.pad_left + kx;
              if (iy < 0 || ix < 0 || iy >= height || ix >= width) continue;
              const T element = in[(size_t(c) * height + size_t(iy)) * width + size_t(ix)];
              value = sum ? value + element : first ? element : std::max(value, element);
              first = false;
            }
          values.push_back(value);
        }
    return values;
  }

  Values addBuffers(const plan::Layer &layer) const {
    Values sum = values_[layer.inputs[0]];
    for (size_t i = 1; i < layer.inputs.size(); ++i)
      for (size_t j = 0; j < sum.size(); ++j)
        sum[j] += values_[layer.inputs[i]][j];
    return sum;
  }

  const plan::Network &plan_;
  std::vector<Values> values_; // of the current step, by buffer
};

} // namespace lasnn::test
