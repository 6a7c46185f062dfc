#include "backends/loihi/map/hypergraph.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace lasnn::loihi {

namespace {

/// Nets one by one; equal ones of a projection are counted, not kept.
class NetBuilder {
public:
  explicit NetBuilder(Hypergraph &graph) : graph_(graph) {}

  void add(const std::vector<Hypergraph::Pin> &pins, uint32_t projection, uint32_t axons, double packets) {
    uint64_t hash = projection * 0x9E3779B97F4A7C15u + pins.size();
    for (const Hypergraph::Pin &pin : pins)
      hash = (hash ^ (uint64_t(pin.other) << 32 | pin.synapses)) * 0xD6E8FEB86659FD93u + (hash >> 29);
    for (auto [at, end] = known_.equal_range(hash); at != end; ++at) {
      Hypergraph::Net &net = graph_.nets[at->second];
      if (net.projection != projection ||
          !std::equal(pins.begin(), pins.end(), graph_.pins.begin() + net.first, graph_.pins.begin() + net.end))
        continue;
      net.axons += axons;
      net.packets += packets;
      return;
    }
    known_.emplace(hash, uint32_t(graph_.nets.size()));
    const uint32_t first = uint32_t(graph_.pins.size());
    graph_.pins.insert(graph_.pins.end(), pins.begin(), pins.end());
    graph_.nets.push_back({first, uint32_t(graph_.pins.size()), axons, packets, projection});
  }

private:
  Hypergraph &graph_;
  std::unordered_multimap<uint64_t, uint32_t> known_;
};

/// Outputs of one source coordinate, each once, with the taps that lead there.
struct Reach {
  uint32_t out;
  const Tap *begin, *end;
};

std::vector<Reach> reachOf(const Axis &axis, uint32_t i) {
  std::vector<Reach> all;
  for (const Tap *t = axis.begin(i); t != axis.end(i);) {
    const Tap *end = t;
    while (end != axis.end(i) && end->out == t->out)
      ++end;
    all.push_back({t->out, t, end});
    t = end;
  }
  return all;
}

bool connects(const Projection &p, const int8_t *weight, const Reach &y, const Reach &x) {
  int64_t sum = 0;
  for (const Tap *a = y.begin; a != y.end; ++a)
    for (const Tap *b = x.begin; b != x.end; ++b)
      sum += int64_t(weight[a->tap * p.x.taps + b->tap]) * a->times * b->times;
  return sum != 0;
}

} // namespace

void Hypergraph::invert() {
  first.assign(vertices.size() + 1, 0);
  for (const Pin &pin : pins)
    ++first[pin.other + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  back.resize(pins.size());
  std::vector<uint32_t> next(first.begin(), first.end() - 1);
  for (uint32_t n = 0; n < nets.size(); ++n)
    for (uint32_t i = nets[n].first; i < nets[n].end; ++i)
      back[next[pins[i].other]++] = {n, pins[i].synapses};
}

std::optional<Hypergraph> hypergraphOf(const Model &model, uint32_t population, const Atoms &atoms, const std::vector<uint64_t> &entries,
                                       uint64_t most_pins) {
  const Population &p = model.populations[population];
  Hypergraph graph;
  std::vector<uint32_t> atom_of(p.neurons());
  std::vector<int64_t> thresholds(p.threshold);
  std::sort(thresholds.begin(), thresholds.end());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  graph.thresholds = uint32_t(thresholds.size());
  graph.vertices.resize(atoms.size());
  for (uint32_t a = 0; a < atoms.size(); ++a) {
    Hypergraph::Vertex &v = graph.vertices[a];
    v.compartments = uint32_t(atoms[a].size()) * p.compartments;
    if (p.soft_reset) v.axons = v.words = uint32_t(atoms[a].size());
    for (const uint32_t n : atoms[a]) {
      atom_of[n] = a;
      v.entries += entries[n];
      const int64_t threshold = p.threshold[n / p.pixels()];
      v.thresholds.push_back(uint32_t(std::lower_bound(thresholds.begin(), thresholds.end(), threshold) - thresholds.begin()));
    }
    std::sort(v.thresholds.begin(), v.thresholds.end());
    v.thresholds.erase(std::unique(v.thresholds.begin(), v.thresholds.end()), v.thresholds.end());
  }
  NetBuilder nets(graph);
  std::vector<uint32_t> count(atoms.size(), 0), touched;
  std::vector<Hypergraph::Pin> pins;
  uint64_t visits = 0;
  for (const uint32_t i : p.projections) {
    const Projection &projection = model.projections[i];
    const double rate =
        projection.source < 0 ? 0 : model.populations[size_t(projection.source)].rate; // what the host sends is no packet of ours
    graph.projections.push_back(i);
    std::vector<std::vector<Reach>> ys, xs;
    for (uint32_t y = 0; y < projection.y.in; ++y)
      ys.push_back(reachOf(projection.y, y));
    for (uint32_t x = 0; x < projection.x.in; ++x)
      xs.push_back(reachOf(projection.x, x));
    for (uint32_t c = 0; c < projection.channels_in; ++c) {
      const uint32_t k0 = c / projection.inGroup() * projection.outGroup(), k1 = k0 + projection.outGroup();
      for (const auto &reach_y : ys)
        for (const auto &reach_x : xs) {
          visits += uint64_t(reach_y.size()) * reach_x.size() * (k1 - k0);
          if (visits > 16 * most_pins) return std::nullopt;
          touched.clear();
          for (uint32_t k = k0; k < k1; ++k) {
            const int8_t *weight = projection.kernel(k, c);
            for (const Reach &y : reach_y)
              for (const Reach &x : reach_x)
                if (connects(projection, weight, y, x)) {
                  const uint32_t atom = atom_of[(k * p.height + y.out) * p.width + x.out];
                  if (count[atom]++ == 0) touched.push_back(atom);
                }
          }
          std::sort(touched.begin(), touched.end());
          pins.clear();
          for (const uint32_t atom : touched) {
            pins.push_back({atom, count[atom]});
            count[atom] = 0;
          }
          if (pins.empty()) continue;
          nets.add(pins, uint32_t(graph.projections.size()) - 1, 1, rate);
          if (graph.pins.size() > most_pins) return std::nullopt;
        }
    }
  }
  graph.invert();
  return graph;
}

Hypergraph contracted(const Hypergraph &graph, const std::vector<uint32_t> &of, uint32_t count) {
  Hypergraph small;
  small.projections = graph.projections;
  small.thresholds = graph.thresholds;
  small.vertices.resize(count);
  for (uint32_t v = 0; v < graph.vertices.size(); ++v) {
    const Hypergraph::Vertex &from = graph.vertices[v];
    Hypergraph::Vertex &to = small.vertices[of[v]];
    to.compartments += from.compartments;
    to.axons += from.axons;
    to.words += from.words;
    to.entries += from.entries;
    std::vector<uint32_t> both;
    std::set_union(to.thresholds.begin(), to.thresholds.end(), from.thresholds.begin(), from.thresholds.end(), std::back_inserter(both));
    to.thresholds = std::move(both);
  }
  NetBuilder nets(small);
  std::vector<uint32_t> synapses(count, 0), touched;
  std::vector<Hypergraph::Pin> pins;
  for (const Hypergraph::Net &net : graph.nets) {
    touched.clear();
    for (uint32_t i = net.first; i < net.end; ++i) {
      const uint32_t v = of[graph.pins[i].other];
      if (synapses[v] == 0) touched.push_back(v);
      synapses[v] += graph.pins[i].synapses;
    }
    std::sort(touched.begin(), touched.end());
    pins.clear();
    for (const uint32_t v : touched) {
      pins.push_back({v, synapses[v]});
      synapses[v] = 0;
    }
    nets.add(pins, net.projection, net.axons, net.packets);
  }
  small.invert();
  return small;
}

} // namespace lasnn::loihi
