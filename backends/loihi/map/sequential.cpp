#include "backends/loihi/map/sequential.h"

#include "backends/loihi/map/share.h"

#include <algorithm>
#include <numeric>

namespace lasnn::loihi {

namespace {

/// The next neurons in order of rows, columns and (innermost) channels, `most` at the largest: whole rows, else part of a row, else part of
/// one position's channels. `first` counts in that order.
Tile run(uint32_t index, const Population &p, uint32_t first, uint32_t most) {
  const uint32_t c = first % p.channels, x = first / p.channels % p.width, y = first / p.channels / p.width, row = p.channels * p.width;
  Tile tile;
  tile.population = index;
  tile.channels_last = true;
  tile.c0 = c, tile.c1 = std::min(p.channels, c + most), tile.y0 = y, tile.y1 = y + 1, tile.x0 = x, tile.x1 = x + 1;
  if (c == 0 && most >= p.channels) tile.x1 = std::min(p.width, x + most / p.channels);
  if (c == 0 && x == 0 && most >= row) tile.x1 = p.width, tile.y1 = std::min(p.height, y + most / row);
  return tile;
}

Tile indexRun(uint32_t index, const Population &p, uint32_t first, uint32_t size) {
  std::vector<uint32_t> neurons(size);
  std::iota(neurons.begin(), neurons.end(), first);
  return tileOf(index, p, std::move(neurons), false);
}

} // namespace

Partition sequentialPartition(const Model &model, const Chip &chip, NeuronOrder order, uint32_t most_cores, const Deadline &deadline) {
  Partition partition;
  for (uint32_t i = 0; i < model.populations.size(); ++i) {
    const Population &p = model.populations[i];
    const uint32_t neurons = p.neurons();
    uint32_t guess = uint32_t(
        std::min<uint64_t>(neurons, std::max<uint64_t>(1, std::min<uint64_t>(chip.limits.compartments, UINT32_MAX) / p.compartments)));
    for (uint32_t first = 0; first < neurons;) {
      uint32_t size = std::min(guess, neurons - first);
      for (;; size = std::max(1u, size * 3 / 4)) {
        if (deadline.passed()) return {};
        Tile tile = order == NeuronOrder::Spatial ? run(i, p, first, size) : indexRun(i, p, first, size);
        size = tile.size();
        CoreBuild build = buildCore(model, {tile}, chip);
        const bool shares = size == neurons && std::all_of(p.projections.begin(), p.projections.end(),
                                                           [&](uint32_t j) { return mayShare(model, model.projections[j]); });
        if (shares) build.used.set_input_axons(0); // as the mapper's own: few shared ones
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
