#include "backends/loihi/map/sequential.h"

#include <algorithm>
#include <numeric>

namespace lasnn::loihi {

namespace {

/// Neurons [first, end) of a population: a box when they are whole channels or lie within one row.
Tile run(uint32_t index, const Population &p, uint32_t first, uint32_t end) {
  Tile tile;
  tile.population = index;
  const uint32_t pixels = p.pixels();
  if (first % pixels == 0 && end % pixels == 0) {
    tile.c0 = first / pixels, tile.c1 = end / pixels;
    tile.y1 = p.height, tile.x1 = p.width;
    return tile;
  }
  tile.neurons.resize(end - first);
  std::iota(tile.neurons.begin(), tile.neurons.end(), first);
  return tile;
}

} // namespace

Partition sequentialPartition(const Model &model, const Chip &chip, uint32_t most_cores) {
  Partition partition;
  for (uint32_t i = 0; i < model.populations.size(); ++i) {
    const Population &p = model.populations[i];
    const uint32_t neurons = p.neurons();
    uint32_t guess = uint32_t(std::min<uint64_t>(neurons, std::max<uint64_t>(1, std::min<uint64_t>(chip.limits.compartments, UINT32_MAX) / p.compartments)));
    for (uint32_t first = 0; first < neurons;) {
      uint32_t size = std::min(guess, neurons - first);
      for (;; size = std::max(1u, size * 3 / 4)) {
        Tile tile = run(i, p, first, first + size);
        const CoreBuild build = buildCore(model, {tile}, chip);
        if (!brokenLimit(build.used, 0, chip)) {
          partition.cores.push_back({std::move(tile)});
          break;
        }
        if (size == 1) return {};
        guess = std::max(1u, size * 3 / 4);
      }
      first += size;
      if (partition.cores.size() > most_cores) return {};
    }
  }
  return partition;
}

} // namespace lasnn::loihi
