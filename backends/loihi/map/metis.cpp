#include "backends/loihi/map/metis.h"

#include "backends/loihi/map/share.h"
#include "backends/loihi/map/traffic.h"

#include <algorithm>
#include <cmath>
#include <map>

#ifdef LASNN_METIS
#include <metis.h>
#endif

namespace lasnn::loihi {

#ifdef LASNN_METIS

namespace {

struct Graph {
  std::vector<idx_t> first, neighbour, weight, size;
  std::vector<uint32_t> start; ///< of each population's neurons; one more at the end
};

/// Calls body(source neuron, target neuron) for every synapse that is not 0.
template <class Body> void synapses(const Projection &p, const Population &target, const Body &body) {
  for (uint32_t c = 0; c < p.channels_in; ++c) {
    const uint32_t k0 = c / p.inGroup() * p.outGroup();
    for (uint32_t k = k0; k < k0 + p.outGroup(); ++k) {
      const int8_t *w = p.kernel(k, c);
      for (uint32_t y = 0; y < p.y.in; ++y)
        for (const Tap *a = p.y.begin(y); a != p.y.end(y); ++a)
          for (uint32_t x = 0; x < p.x.in; ++x)
            for (const Tap *b = p.x.begin(x); b != p.x.end(x); ++b)
              if (w[a->tap * p.x.taps + b->tap] != 0)
                body((c * p.y.in + y) * p.x.in + x, (k * target.height + a->out) * target.width + b->out);
    }
  }
}

/// False: more than `most` synapses.
bool build(const Model &model, uint64_t most, Graph &graph) {
  graph.start = {0};
  for (const Population &p : model.populations) {
    graph.start.push_back(graph.start.back() + p.neurons());
    graph.size.insert(graph.size.end(), p.neurons(), idx_t(p.compartments));
  }
  std::vector<std::pair<uint64_t, idx_t>> edges;
  for (const Projection &p : model.projections) {
    if (p.source < 0) continue;
    const idx_t spikes = std::max<idx_t>(1, idx_t(std::lround(100 * model.populations[size_t(p.source)].rate)));
    bool many = false;
    synapses(p, model.populations[p.target], [&](uint32_t from, uint32_t to) {
      const uint64_t a = graph.start[size_t(p.source)] + from, b = graph.start[p.target] + to;
      if (a == b || many) return;
      many = edges.size() > 2 * most;
      edges.push_back({a << 32 | b, spikes});
      edges.push_back({b << 32 | a, spikes});
    });
    if (many) return false;
  }
  std::sort(edges.begin(), edges.end());
  graph.first.assign(graph.start.back() + 1, 0);
  for (size_t i = 0; i < edges.size(); ++i) {
    if (i > 0 && edges[i].first == edges[i - 1].first) {
      graph.weight.back() += edges[i].second;
      continue;
    }
    ++graph.first[(edges[i].first >> 32) + 1];
    graph.neighbour.push_back(idx_t(edges[i].first & UINT32_MAX));
    graph.weight.push_back(edges[i].second);
  }
  for (size_t v = 1; v < graph.first.size(); ++v)
    graph.first[v] += graph.first[v - 1];
  return true;
}

} // namespace

bool metisFound() { return true; }

MetisResult metisPartition(const Model &model, const Chip &chip, uint32_t cores, uint64_t most_synapses, uint64_t seed,
                           const Deadline &deadline) {
  MetisResult result;
  Graph graph;
  if (!build(model, most_synapses, graph)) {
    result.why = "left out: more than " + std::to_string(most_synapses) + " synapses";
    return result;
  }
  idx_t vertices = idx_t(graph.start.back()), constraints = 1, cut = 0;
  idx_t options[METIS_NOPTIONS];
  METIS_SetDefaultOptions(options);
  options[METIS_OPTION_SEED] = idx_t(seed & 0x7fffffff);
  options[METIS_OPTION_NUMBERING] = 0;
  std::vector<idx_t> part(size_t(vertices), 0);
  for (uint32_t trial = 0; trial < 6; ++trial, cores += cores / 3 + 1) {
    if (deadline.passed()) {
      if (result.partition.cores.empty()) result.why = "left out: no time left";
      return result;
    }
    idx_t parts = idx_t(std::min<uint32_t>(cores, uint32_t(vertices)));
    if (parts > 1 && METIS_PartGraphKway(&vertices, &constraints, graph.first.data(), graph.neighbour.data(), graph.size.data(), nullptr,
                                         graph.weight.data(), &parts, nullptr, nullptr, options, &cut, part.data()) != METIS_OK) {
      result.why = "METIS gave up";
      return result;
    }
    std::map<std::pair<uint32_t, uint32_t>, std::vector<uint32_t>> tiles; // (part, population)
    for (uint32_t i = 0; i < model.populations.size(); ++i)
      for (uint32_t n = 0; n < model.populations[i].neurons(); ++n)
        tiles[{uint32_t(part[graph.start[i] + n]), i}].push_back(n);
    std::vector<CoreTiles> by_part(size_t(parts), CoreTiles{});
    for (auto &[at, neurons] : tiles)
      by_part[at.first].push_back(tileOf(at.second, model.populations[at.second], std::move(neurons), false));
    std::erase_if(by_part, [](const CoreTiles &t) { return t.empty(); });
    result.partition.cores = std::move(by_part);
    result.builds.clear();
    std::string broken;
    for (const CoreTiles &core : result.partition.cores)
      result.builds.push_back(buildCore(model, core, chip));
    shareAxons(model, result.partition, chip, result.builds);
    const std::vector<uint64_t> entries = entriesOf(model, result.partition, result.builds, chip);
    for (size_t c = 0; c < entries.size() && broken.empty(); ++c)
      if (const char *limit = brokenLimit(result.builds[c].used, entries[c], chip)) broken = limit;
    result.fits = broken.empty();
    result.why = result.fits ? "k parts of even size, in order" : "it would break the limit " + broken;
    if (result.fits) return result;
  }
  return result;
}

#else

bool metisFound() { return false; }
MetisResult metisPartition(const Model &, const Chip &, uint32_t, uint64_t, uint64_t, const Deadline &) { return {}; }

#endif

} // namespace lasnn::loihi
