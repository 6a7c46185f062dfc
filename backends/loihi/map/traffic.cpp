#include "backends/loihi/map/traffic.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

/// Core by neuron, for every population.
std::vector<std::vector<uint32_t>> homes(const Model &model, const Partition &partition) {
  std::vector<std::vector<uint32_t>> home(model.populations.size());
  for (size_t i = 0; i < home.size(); ++i)
    home[i].resize(model.populations[i].neurons());
  for (uint32_t c = 0; c < partition.cores.size(); ++c)
    for (const Tile &tile : partition.cores[c]) {
      const Population &p = model.populations[tile.population];
      for (uint32_t n = 0; n < tile.size(); ++n)
        home[tile.population][tile.neuron(n, p)] = c;
    }
  return home;
}

} // namespace

Traffic trafficOf(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds) {
  const auto home = homes(model, partition);
  Traffic traffic;
  traffic.cores = uint32_t(partition.cores.size());
  std::vector<double> packets(traffic.cores, 0);
  std::vector<uint32_t> touched;
  for (uint32_t to = 0; to < traffic.cores; ++to) {
    touched.clear();
    for (const CoreProjection &made : builds[to].projections) {
      const int32_t source = model.projections[made.projection].source;
      if (source < 0) continue;
      const double rate = model.populations[size_t(source)].rate;
      for (const TileAxon &axon : made.synapses.axons) {
        const uint32_t from = home[size_t(source)][axon.source];
        if (packets[from] == 0) touched.push_back(from);
        packets[from] += rate;
      }
    }
    std::sort(touched.begin(), touched.end());
    for (const uint32_t from : touched) {
      traffic.edges.push_back({from, to, packets[from]});
      packets[from] = 0;
    }
  }
  return traffic;
}

std::vector<uint64_t> entriesOf(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds, const Chip &chip) {
  const auto home = homes(model, partition);
  std::vector<uint64_t> entries(partition.cores.size(), 0);
  for (const CoreBuild &build : builds)
    for (const CoreProjection &made : build.projections)
      if (const int32_t source = model.projections[made.projection].source; !made.shared.empty())
        for (const SharedChunk &chunk : made.shared)
          entries[chunk.core] += chip.slots.population;
      else if (source >= 0)
        for (const TileAxon &axon : made.synapses.axons)
          entries[home[size_t(source)][axon.source]] += chip.slots.discrete;
  return entries;
}

} // namespace lasnn::loihi
