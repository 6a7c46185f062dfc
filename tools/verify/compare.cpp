#include "tools/verify/compare.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lasnn::tools::verify {
namespace {

/// Two orders of a sum of n products differ by at most n * 2^-24 of their magnitudes' sum. 64 is the square root of the longest sums that
/// networks have, which random roundings stay below; tests/frontend/onnx/onnx_reference.py uses the same.
constexpr float kRounding = 64.f / (1 << 24);

/// Folding a batch normalisation into weights rounds each of them once more, which a step's leak hands on to the next.
float tolerance(const LayerTrace &layer, size_t step) { return std::max(kRounding * layer.largest, 1e-6f) * float(step + 1); }

const LayerTrace *find(const Trace &trace, const std::string &name) {
  for (const LayerTrace &layer : trace.layers)
    if (layer.name == name) return &layer;
  return nullptr;
}

/// In thresholds; NaN where a membrane or its threshold is unknown or 0. The source does not tell thresholds: they are those of `other`.
float relative(const LayerTrace &layer, const LayerTrace &other, size_t slot) {
  const LayerTrace &from = layer.thresholds.empty() ? other : layer;
  if (layer.membranes.empty() || from.thresholds.empty()) return NAN;
  const float threshold = from.threshold(slot % layer.neurons);
  return threshold > 0 ? layer.membranes[slot] / threshold : NAN;
}

/// The distance to the threshold in the layer's own unit, as whichever of both sees its membrane.
float distance(const LayerTrace &a, const LayerTrace &b, size_t slot) {
  float least = INFINITY;
  for (const LayerTrace *layer : {&a, &b}) {
    const LayerTrace &from = layer->thresholds.empty() ? (layer == &a ? b : a) : *layer;
    if (layer->membranes.empty() || from.thresholds.empty() || std::isnan(layer->membranes[slot])) continue;
    least = std::min(least, std::fabs(layer->membranes[slot] - from.threshold(slot % layer->neurons)));
  }
  return least;
}

} // namespace

uint64_t Comparison::different() const {
  uint64_t sum = outputsDifferent;
  for (const LayerComparison &layer : layers)
    sum += layer.different;
  return sum;
}
uint64_t Comparison::compared() const {
  uint64_t sum = 0;
  for (const LayerComparison &layer : layers)
    sum += layer.compared;
  return sum;
}
double Comparison::worstShare() const {
  double worst = 0;
  for (const LayerComparison &layer : layers)
    worst = std::max(worst, layer.share());
  return worst;
}
bool Comparison::matched() const {
  return std::all_of(layers.begin(), layers.end(), [](const LayerComparison &layer) { return layer.unmatched.empty(); });
}

void Comparison::addLayer(LayerComparison &layer, const LayerTrace &a, const LayerTrace &b, size_t image, size_t steps) {
  if (layer.steps == 0) {
    layer.neurons = a.neurons, layer.steps = steps;
    layer.differentByStep.resize(steps), layer.spikesByStepA.resize(steps), layer.spikesByStepB.resize(steps);
    layer.membraneSumByStep.resize(steps), layer.membranesByStep.resize(steps);
    layer.spikesByNeuronA.resize(a.neurons), layer.spikesByNeuronB.resize(a.neurons);
  }
  for (size_t step = 0, slot = 0; step < steps; ++step) {
    uint64_t different = 0, spikesA = 0, spikesB = 0, seen = 0;
    double sum = 0;
    for (size_t neuron = 0; neuron < a.neurons; ++neuron, ++slot) {
      const unsigned sa = a.spikes[slot], sb = b.spikes[slot];
      spikesA += sa, spikesB += sb;
      layer.spikesByNeuronA[neuron] += sa, layer.spikesByNeuronB[neuron] += sb;
      const float va = relative(a, b, slot), vb = relative(b, a, slot), error = std::fabs(va - vb);
      if (!std::isnan(error)) ++seen, sum += error, layer.membraneLargest = std::max<double>(layer.membraneLargest, error);
      if (sa == sb) continue;
      ++different;
      if (!layer.first) layer.first = Divergence{image, step, neuron, sa, sb, va, vb};
    }
    layer.compared += a.neurons, layer.different += different, layer.spikesA += spikesA, layer.spikesB += spikesB;
    layer.differentByStep[step] += different, layer.spikesByStepA[step] += spikesA, layer.spikesByStepB[step] += spikesB;
    layer.membranes += seen, layer.membraneSum += sum, layer.membranesByStep[step] += seen, layer.membraneSumByStep[step] += sum;
  }
}

void Comparison::add(const Trace &traceA, const Trace &traceB, size_t image, size_t steps) {
  if (layers.empty())
    for (const LayerTrace &layer : traceA.layers)
      layers.emplace_back().name = layer.name;
  ++images;
  sameTop += traceA.output.top() == traceB.output.top();
  struct Pair {
    const LayerTrace *a, *b;
  };
  std::vector<Pair> pairs;
  for (size_t l = 0; l < layers.size(); ++l) {
    const LayerTrace &a = traceA.layers[l];
    const LayerTrace *b = find(traceB, a.name); // by name: fusing may reorder layers
    if (!b)
      layers[l].unmatched = "no layer of this name";
    else if (a.spikes.size() != b->spikes.size())
      layers[l].unmatched = fmt::format("{} spike slots beside {}", a.spikes.size(), b->spikes.size());
    if (layers[l].unmatched.empty()) addLayer(layers[l], a, *b, image, steps), pairs.push_back({&a, b});
  }
  auto part = [&]() -> std::optional<std::pair<Pair, Divergence>> {
    for (size_t step = 0; step < steps; ++step)
      for (const Pair &pair : pairs)
        for (size_t neuron = 0; neuron < pair.a->neurons; ++neuron) {
          const size_t slot = step * pair.a->neurons + neuron;
          if (pair.a->spikes[slot] != pair.b->spikes[slot])
            return std::pair(pair, Divergence{image, step, neuron, pair.a->spikes[slot], pair.b->spikes[slot],
                                              relative(*pair.a, *pair.b, slot), relative(*pair.b, *pair.a, slot)});
        }
    return std::nullopt;
  }();
  if (part) {
    const auto &[pair, where] = *part;
    ++imagesDifferent;
    if (!first) first = {pair.a->name, where};
    // What parts in that step and layer must all lie at the threshold; behind it everything may follow from it.
    for (size_t neuron = where.neuron; demand == Demand::Rounding && neuron < pair.a->neurons; ++neuron) {
      const size_t slot = where.step * pair.a->neurons + neuron;
      if (pair.a->spikes[slot] == pair.b->spikes[slot]) continue;
      const LayerTrace &measured = pair.b->thresholds.empty() ? *pair.a : *pair.b;
      const float far = distance(*pair.a, *pair.b, slot), allowed = tolerance(measured, where.step);
      if (far <= allowed) continue;
      if (!unexplained++)
        firstUnexplained = fmt::format("'{}', image {}, step {}, neuron {}: {} and {} spikes, and the membrane lay {:.3g} from its "
                                       "threshold, where rounding explains {:.3g}",
                                       pair.a->name, image, where.step, neuron, pair.a->spikes[slot], pair.b->spikes[slot], far, allowed);
      break;
    }
  }
  if (demand != Demand::Exact || traceA.output.values == traceB.output.values) return;
  if (!outputsDifferent++)
    firstOutput =
        fmt::format("image {}: outputs {} and {}", image, fmt::join(traceA.output.values, ","), fmt::join(traceB.output.values, ","));
}

} // namespace lasnn::tools::verify
