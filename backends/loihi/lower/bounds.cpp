#include "backends/loihi/lower/bounds.h"

#include <algorithm>
#include <set>

namespace lasnn::loihi {

namespace {

Range tableRange(const Model &model, uint32_t channel) {
  const auto first = model.encode_table.begin() + channel * 256;
  const auto [low, high] = std::minmax_element(first, first + 256);
  return {std::min<int64_t>(*low, 0), std::max<int64_t>(*high, 0)}; // padding is 0
}

void addHost(const Population &population, const Model &model, Bounds &bounds) {
  for (const HostSynapse &host : population.host) {
    const plan::Synapse &s = host.synapse;
    const uint32_t in_group = model.input.channels / s.groups, out_group = population.channels / s.groups, taps = s.kernel_h * s.kernel_w;
    for (uint32_t k = 0; k < population.channels; ++k)
      for (uint32_t c = 0; c < in_group; ++c) {
        const Range table = tableRange(model, k / out_group * in_group + c);
        for (uint32_t tap = 0; tap < taps; ++tap) {
          const int64_t w = s.weight[(size_t(k) * in_group + c) * taps + tap];
          bounds.host[k].low += std::min(w * table.low, w * table.high);
          bounds.host[k].high += std::max(w * table.low, w * table.high);
        }
      }
  }
}

void addSynapses(const Projection &p, uint32_t count, Bounds &bounds) {
  const std::vector<uint32_t> y = p.y.reach(), x = p.x.reach();
  const uint32_t taps = p.y.taps * p.x.taps;
  std::vector<int64_t> reach(taps);
  for (uint32_t t = 0; t < taps; ++t)
    reach[t] = int64_t(y[t / p.x.taps]) * x[t % p.x.taps] * count;
  const int8_t *w = p.weight->data();
  for (uint32_t k = 0; k < p.channels_out; ++k)
    for (uint32_t c = 0; c < p.inGroup(); ++c)
      for (uint32_t t = 0; t < taps; ++t, ++w) {
        bounds.synapses[k].low += std::min<int64_t>(*w, 0) * reach[t];
        bounds.synapses[k].high += std::max<int64_t>(*w, 0) * reach[t];
      }
}

int64_t leak(int64_t v, uint32_t decay) { return v < 0 ? -((-v * (4096 - int64_t(decay))) >> 12) : (v * (4096 - int64_t(decay))) >> 12; }

/// The voltage's interval over all steps (N2..N7); stops when a step changes nothing.
void addVoltage(uint32_t timesteps, const plan::Neuron &n, uint32_t k, Range current, int64_t initial, bool fires, Range clamp,
                Bounds &bounds) {
  Range v{initial, initial};
  Range &raw = bounds.raw[k], &subtracted = bounds.subtracted[k];
  raw = v;
  subtracted = {INT64_MAX, INT64_MIN};
  for (uint32_t t = 0; t < timesteps; ++t) {
    Range next{leak(v.low, n.decay) + current.low, leak(v.high, n.decay) + current.high};
    raw = {std::min(raw.low, next.low), std::max(raw.high, next.high)};
    next = {std::clamp(next.low, clamp.low, clamp.high), std::clamp(next.high, clamp.low, clamp.high)};
    bounds.voltage = {std::min(bounds.voltage.low, next.low), std::max(bounds.voltage.high, next.high)};
    const int64_t theta = fires ? int64_t(n.v_threshold[k]) : INT64_MAX;
    if (next.high > theta) {
      const bool stays = next.low <= theta; // some do not fire
      switch (n.reset) {
      case plan::Reset::Zero:
        next = {std::min<int64_t>(stays ? next.low : 0, 0), std::max<int64_t>(stays ? theta : 0, 0)};
        break;
      case plan::Reset::Value:
        next = {std::min<int64_t>(next.low, n.v_reset[k]), std::max<int64_t>(stays ? theta : n.v_reset[k], n.v_reset[k])};
        break;
      case plan::Reset::Subtract: {
        const Range after{std::max(next.low, theta + 1) - n.rho[k], std::max(theta, next.high - int64_t(n.s_max) * n.rho[k])};
        subtracted = {std::min(subtracted.low, after.low), std::max(subtracted.high, after.high)};
        next = {std::min(next.low, after.low), std::max(std::min(next.high, theta), after.high)};
        next = {std::clamp(next.low, clamp.low, clamp.high), std::clamp(next.high, clamp.low, clamp.high)};
        break;
      }
      case plan::Reset::None:
        break;
      }
    }
    next = {std::min(next.low, v.low), std::max(next.high, v.high)}; // union: a spike count never narrows it
    if (next.low == v.low && next.high == v.high) break;
    v = next;
  }
}

} // namespace

Bounds bound(const Population &population, const std::vector<const Projection *> &projections, const std::vector<uint32_t> &counts,
             const plan::Layer *layer, const plan::Neuron &neuron, const Model &model) {
  Bounds bounds;
  const uint32_t channels = population.channels;
  bounds.synapses.resize(channels);
  bounds.host.resize(channels);
  bounds.raw.resize(channels);
  bounds.subtracted.resize(channels);
  for (size_t i = 0; i < projections.size(); ++i)
    addSynapses(*projections[i], counts[i], bounds);
  addHost(population, model, bounds);
  const bool fires = population.kind == lmap::SPIKING;
  const int64_t high = fires ? (int64_t(1) << (neuron.state_bits - 1)) - 1 : INT64_MAX / 4;
  const int64_t low = neuron.has_v_min ? std::max<int64_t>(-high - 1, neuron.v_min) : -high - 1;
  for (uint32_t k = 0; k < channels; ++k) {
    const int64_t bias = layer ? layer->bias[k] : 0;
    const Range current{bounds.synapses[k].low + bounds.host[k].low + bias, bounds.synapses[k].high + bounds.host[k].high + bias};
    bounds.sum = {std::min(bounds.sum.low, bounds.synapses[k].low), std::max(bounds.sum.high, bounds.synapses[k].high)};
    addVoltage(model.timesteps, neuron, k, current, 0, fires, {low, high}, bounds);
  }
  return bounds;
}

Range weightRange(const Projection &p) {
  Range range;
  if (p.plain) {
    for (const int8_t w : *p.weight)
      range = {std::min<int64_t>(range.low, w), std::max<int64_t>(range.high, w)};
    return range;
  }
  // Every way in which the taps of one pair of coordinates add up, along each axis.
  const auto pairs = [](const Axis &axis) {
    std::set<std::vector<Tap>> sets;
    for (uint32_t i = 0; i < axis.in; ++i)
      for (const Tap *t = axis.begin(i); t != axis.end(i);) {
        std::vector<Tap> same;
        const uint32_t out = t->out;
        for (; t != axis.end(i) && t->out == out; ++t)
          same.push_back({0, t->tap, t->times});
        sets.insert(same);
      }
    return sets;
  };
  const auto ys = pairs(p.y), xs = pairs(p.x);
  const size_t taps = size_t(p.y.taps) * p.x.taps;
  for (size_t row = 0; row < p.weight->size() / taps; ++row)
    for (const std::vector<Tap> &y : ys)
      for (const std::vector<Tap> &x : xs) {
        int64_t sum = 0;
        for (const Tap &ty : y)
          for (const Tap &tx : x)
            sum += int64_t((*p.weight)[row * taps + ty.tap * p.x.taps + tx.tap]) * ty.times * tx.times;
        range = {std::min(range.low, sum), std::max(range.high, sum)};
      }
  return range;
}

} // namespace lasnn::loihi
