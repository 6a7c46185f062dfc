#include "backends/loihi/map/bound.h"

#include "backends/loihi/map/share.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace lasnn::loihi {

namespace {

uint64_t divided(uint64_t a, const Limit &b) { return b.known() ? (a + b - 1) / b : uint64_t(a > 0); }

/// By number of neighbouring outputs: the fewest coordinates that reach so many, wherever they lie; index 0 is unused.
std::vector<uint32_t> fewestReaching(const Axis &axis) {
  std::vector<std::vector<uint32_t>> inputs(axis.out);
  for (uint32_t i = 0; i < axis.in; ++i)
    for (const Tap *t = axis.begin(i); t != axis.end(i); ++t)
      if (inputs[t->out].empty() || inputs[t->out].back() != i) inputs[t->out].push_back(i);
  std::vector<uint32_t> fewest(axis.out + 1, UINT32_MAX);
  std::vector<uint32_t> seen(axis.in, UINT32_MAX);
  for (uint32_t begin = 0; begin < axis.out; ++begin) {
    uint32_t reached = 0;
    for (uint32_t end = begin; end < axis.out; ++end) {
      for (const uint32_t i : inputs[end])
        if (seen[i] != begin) seen[i] = begin, ++reached;
      fewest[end - begin + 1] = std::min(fewest[end - begin + 1], reached);
    }
  }
  return fewest;
}

/// By number of neighbouring outputs: synapses of the lists that must be stored along the axis, each way to meet the outputs once.
std::vector<uint32_t> fewestStored(const Axis &axis) {
  std::vector<uint32_t> fewest(axis.out + 1, UINT32_MAX);
  for (uint32_t begin = 0; begin < axis.out; ++begin)
    for (uint32_t end = begin + 1; end <= axis.out; ++end) {
      std::set<std::vector<Tap>> patterns;
      uint32_t stored = 0;
      for (uint32_t i = 0; i < axis.in; ++i) {
        std::vector<Tap> pattern;
        uint32_t outputs = 0;
        for (const Tap *t = axis.begin(i); t != axis.end(i); ++t)
          if (t->out >= begin && t->out < end) {
            outputs += pattern.empty() || t->out > pattern.back().out;
            pattern.push_back(*t);
          }
        if (pattern.empty()) continue;
        const uint32_t at = pattern.front().out;
        for (Tap &t : pattern)
          t.out -= at;
        if (patterns.insert(std::move(pattern)).second) stored += outputs;
      }
      fewest[end - begin] = std::min(fewest[end - begin], stored);
    }
  return fewest;
}

/// Source channels that reach an output channel through one tap, at the fewest: a weight of 0 sends nothing.
uint32_t fewestChannels(const Projection &p) {
  if (!p.plain) return 0;
  uint32_t fewest = p.inGroup();
  for (uint32_t k = 0; k < p.channels_out; ++k)
    for (uint32_t tap = 0; tap < p.y.taps * p.x.taps; ++tap) {
      uint32_t count = 0;
      for (uint32_t c = 0; c < p.inGroup(); ++c)
        count += (*p.weight)[(size_t(k) * p.inGroup() + c) * p.y.taps * p.x.taps + tap] != 0;
      fewest = std::min(fewest, count);
    }
  return fewest;
}

/// Packets into a layer: its neurons times the fewest axons a neuron over all boxes that a core holds, and no fewer than one for each
/// source.
double fewestPackets(const Model &model, const Population &p, const Chip &chip) {
  struct Input {
    const Projection *projection;
    double rate;
    uint32_t channels; ///< of the source, for every group of the target's
    std::vector<uint32_t> y, x, stored_y, stored_x;
  };
  std::vector<Input> inputs;
  double sources = 0;
  bool shares = true;
  for (const uint32_t i : p.projections) {
    const Projection &projection = model.projections[i];
    shares = shares && mayShare(model, projection);
    Input in{&projection,
             projection.source < 0 ? 0 : model.populations[size_t(projection.source)].rate,
             fewestChannels(projection),
             fewestReaching(projection.y),
             fewestReaching(projection.x),
             fewestStored(projection.y),
             fewestStored(projection.x)};
    sources += in.rate * projection.groups * in.channels * in.y.back() * in.x.back();
    inputs.push_back(std::move(in));
  }
  if (uint64_t(p.neurons()) * p.compartments <= chip.limits.compartments && shares) return sources;
  double least = INFINITY;
  for (uint32_t h = 1; h <= p.height; ++h)
    for (uint32_t w = 1; w <= p.width; ++w)
      for (uint32_t c = 1; c <= p.channels && uint64_t(h) * w * c * p.compartments <= chip.limits.compartments; ++c) {
        double packets = 0, words = 0;
        uint64_t axons = p.soft_reset ? h * w * c : 0;
        for (const Input &in : inputs) {
          const Projection &q = *in.projection;
          const uint64_t reached = uint64_t((c + q.outGroup() - 1) / q.outGroup()) * in.channels * in.y[h] * in.x[w];
          packets += double(reached) * in.rate, axons += reached;
          words += double(c) * in.channels * in.stored_y[h] * in.stored_x[w] * q.format.bits / 64;
        }
        if (!chip.limits.input_axons.allows(axons) || words > double(chip.limits.synapse_words)) break;
        least = std::min(least, packets / (double(h) * w * c));
      }
  return std::isfinite(least) ? std::max(sources, least * p.neurons()) : sources;
}

} // namespace

void lowerBound(const Model &model, const Chip &chip, lmap::Bound &bound) {
  uint64_t compartments = 0, each = 0;
  for (const Population &p : model.populations) {
    const uint64_t needed = uint64_t(p.neurons()) * p.compartments;
    const uint64_t alone = std::max<uint64_t>(divided(needed, chip.limits.compartments), 1);
    bound.add_layer_cores(uint32_t(alone));
    compartments += needed;
    each += alone;
    bound.set_packets(bound.packets() + fewestPackets(model, p, chip));
  }
  bound.set_cores(uint32_t(std::max<uint64_t>(divided(compartments, chip.limits.compartments), 1)));
  bound.set_resource("compartments");
  bound.set_cores_one_layer_each(uint32_t(each));
}

} // namespace lasnn::loihi
