#include "tests/conformance/random_network.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace lasnn::test {
namespace {

/// Groups follow the channel counts: depthwise stays depthwise.
void mendGroups(NetworkSpec &spec, const NetworkSpec &before) {
  auto channels = [](const NetworkSpec &s) {
    std::vector<int> c{s.c};
    for (const LayerSpec &layer : s.layers) {
      const bool sums = !layer.synapses.empty(), known = sums || size_t(layer.inputs[0]) < c.size();
      c.push_back(sums ? layer.channels : known ? c[layer.inputs[0]] : s.layers[layer.inputs[0] - 1].channels);
    }
    return c;
  };
  std::vector<int> now = channels(spec), old = channels(before);
  for (size_t l = 0; l < spec.layers.size(); ++l)
    for (size_t n = 0; n < spec.layers[l].synapses.size(); ++n) {
      SynapseSpec &s = spec.layers[l].synapses[n];
      int common = std::gcd(now[s.input], spec.layers[l].channels);
      s.groups = s.groups == old[s.input] ? common : std::gcd(s.groups, common);
    }
}

/// Layer `index` goes; what read it reads `instead`.
NetworkSpec without(const NetworkSpec &spec, size_t index, int instead) {
  NetworkSpec less = spec;
  less.layers.erase(less.layers.begin() + index);
  if (instead > int(index)) --instead; // a delay reads later values
  auto renumber = [&](int &value) {
    if (value == int(index) + 1) value = instead;
    else if (value > int(index) + 1) --value;
  };
  for (LayerSpec &layer : less.layers) {
    for (SynapseSpec &s : layer.synapses) renumber(s.input);
    for (int &input : layer.inputs) renumber(input);
  }
  return less;
}

} // namespace

std::vector<NetworkSpec> smaller(const NetworkSpec &spec) {
  std::vector<NetworkSpec> all;
  auto keep = [&](NetworkSpec less) {
    bool readout = std::any_of(less.layers.begin(), less.layers.end(), [](const LayerSpec &l) { return l.kind == LayerKind::Readout; });
    if (readout && !shapes(less).empty()) all.push_back(std::move(less));
  };
  auto edit = [&](auto &&change) {
    NetworkSpec less = spec;
    if (change(less)) keep(std::move(less));
  };
  auto set = [](auto &field, auto value) { return field != value ? (field = value, true) : false; };

  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec &layer = spec.layers[l];
    std::set<int> instead{0};
    for (const SynapseSpec &s : layer.synapses) instead.insert(s.input);
    instead.insert(layer.inputs.begin(), layer.inputs.end());
    for (int value : instead) {
      NetworkSpec less = without(spec, l, value);
      mendGroups(less, less);
      keep(std::move(less));
    }
  }
  for (int t : {1, spec.timesteps / 2, spec.timesteps - 1})
    if (t >= 1 && t < spec.timesteps) edit([&](NetworkSpec &s) { return set(s.timesteps, t); });
  edit([&](NetworkSpec &s) { return set(s.samples, 1); });
  std::set<int> counts{spec.c};
  for (const LayerSpec &layer : spec.layers) counts.insert(layer.channels);
  for (int count : counts)
    for (int to : {1, 2, count / 2, count - 1})
      if (to >= 1 && to < count) {
        NetworkSpec less = spec; // all of that size together: adds need equal shapes
        if (less.c == count) less.c = to;
        for (LayerSpec &layer : less.layers)
          if (layer.channels == count) layer.channels = to;
        mendGroups(less, spec);
        keep(std::move(less));
        if (spec.c == count) {
          less = spec, less.c = to, mendGroups(less, spec), keep(less);
        }
        for (size_t l = 0; l < spec.layers.size(); ++l)
          if (spec.layers[l].channels == count) less = spec, less.layers[l].channels = to, mendGroups(less, spec), keep(less);
      }
  for (int part : {1, 2}) {
    edit([&](NetworkSpec &s) { return s.h > part && (s.h = part == 1 ? std::max(1, s.h / 2) : s.h - 1, true); });
    edit([&](NetworkSpec &s) { return s.w > part && (s.w = part == 1 ? std::max(1, s.w / 2) : s.w - 1, true); });
  }
  edit([&](NetworkSpec &s) { return set(s.shuffled, false); });
  edit([&](NetworkSpec &s) { return s.events && set(s.maxCount, 1); });
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    auto layer = [&](auto &&change) { edit([&](NetworkSpec &s) { return change(s.layers[l]); }); };
    for (size_t n = 0; n < spec.layers[l].synapses.size(); ++n) {
      layer([&](LayerSpec &x) { return x.synapses.size() > 1 && (x.synapses.erase(x.synapses.begin() + n), true); });
      auto synapse = [&](auto &&change) { layer([&](LayerSpec &x) { return change(x.synapses[n]); }); };
      synapse([&](SynapseSpec &x) { return set(x.groups, 1); });
      synapse([&](SynapseSpec &x) { return bool(set(x.kh, 1) | set(x.kw, 1) | set(x.top, 0) | set(x.left, 0) | set(x.bottom, 0) | set(x.right, 0)); });
      synapse([&](SynapseSpec &x) { return x.kh > 1 && (--x.kh, true); });
      synapse([&](SynapseSpec &x) { return x.kw > 1 && (--x.kw, true); });
      synapse([&](SynapseSpec &x) { return bool(set(x.dh, 1) | set(x.dw, 1)); });
      synapse([&](SynapseSpec &x) { return bool(set(x.sh, 1) | set(x.sw, 1)); });
      for (int SynapseSpec::*pad : {&SynapseSpec::top, &SynapseSpec::left, &SynapseSpec::bottom, &SynapseSpec::right}) synapse([&](SynapseSpec &x) { return set(x.*pad, 0); });
    }
    layer([&](LayerSpec &x) { return set(x.poolsCurrents, false); });
    layer([&](LayerSpec &x) { return (x.poolsCurrents || !x.inputs.empty()) && bool(set(x.top, 0) | set(x.left, 0) | set(x.bottom, 0) | set(x.right, 0)); });
    layer([&](LayerSpec &x) { return x.kh > 1 && (--x.kh, true); });
    layer([&](LayerSpec &x) { return x.kw > 1 && (--x.kw, true); });
    layer([&](LayerSpec &x) { return set(x.bias, BiasKind::None); });
    layer([&](LayerSpec &x) { return set(x.claim16, false); });
    layer([&](LayerSpec &x) { return set(x.last, false); });
    if (spec.layers[l].kind != LayerKind::Spiking) continue;
    auto neuron = [&](auto &&change) { layer([&](LayerSpec &x) { return change(x.neuron); }); };
    neuron([&](NeuronSpec &x) { return set(x.leaky, false) && (x.decay = 0, true); });
    neuron([&](NeuronSpec &x) { return set(x.sMax, 1); });
    neuron([&](NeuronSpec &x) { return x.sMax == 1 && set(x.reset, ResetKind::Zero); });
    neuron([&](NeuronSpec &x) { return set(x.hasVMin, false); });
    neuron([&](NeuronSpec &x) { return set(x.perChannel, false) && (x.thetaSpread = x.rhoSpread = x.vResetSpread = 0, true); });
    neuron([&](NeuronSpec &x) { return set(x.stateBits, 24); });
  }
  return all;
}

} // namespace lasnn::test
