#include "backends/loihi/map/pack.h"

#include "backends/loihi/map/traffic.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace lasnn::loihi {

namespace {

std::pair<Tile, Tile> halves(const Tile &tile) {
  Tile a = tile, b = tile;
  const uint32_t c = tile.c1 - tile.c0, y = tile.y1 - tile.y0, x = tile.x1 - tile.x0;
  if (!tile.box()) {
    const auto middle = tile.neurons.begin() + std::ptrdiff_t(tile.neurons.size() / 2);
    a.neurons.assign(tile.neurons.begin(), middle);
    b.neurons.assign(middle, tile.neurons.end());
  } else if (c > 1)
    a.c1 = b.c0 = tile.c0 + c / 2;
  else if (y >= x)
    a.y1 = b.y0 = tile.y0 + y / 2;
  else
    a.x1 = b.x0 = tile.x0 + x / 2;
  return {std::move(a), std::move(b)};
}

class Packing {
public:
  Packing(const Model &model, const Chip &chip, const PackOptions &options, Partition &partition, std::vector<CoreBuild> &builds)
      : model_(model), chip_(chip), options_(options), partition_(partition), builds_(builds),
        entries_(entriesOf(model, partition, builds, chip)) {}

  uint32_t run() {
    uint32_t saved = 0;
    std::vector<bool> kept(builds_.size(), false); // could not be dissolved
    for (;;) {
      uint32_t victim = UINT32_MAX;
      for (uint32_t c = 0; c < builds_.size(); ++c)
        if (!kept[c] && !partition_.cores[c].empty() &&
            (victim == UINT32_MAX || builds_[c].used.compartments() < builds_[victim].used.compartments()))
          victim = c;
      if (victim == UINT32_MAX || tries_ >= options_.tries || options_.deadline.passed() || builds_.size() - saved <= options_.fewest)
        break;
      if (dissolve(victim))
        ++saved;
      else
        kept[victim] = true;
    }
    uint32_t out = 0;
    for (uint32_t c = 0; c < builds_.size(); ++c) {
      if (partition_.cores[c].empty()) continue;
      if (out != c) {
        partition_.cores[out] = std::move(partition_.cores[c]);
        builds_[out] = std::move(builds_[c]);
      }
      ++out;
    }
    partition_.cores.resize(out);
    builds_.resize(out);
    return saved;
  }

private:
  struct Changed {
    CoreTiles tiles;
    CoreBuild build;
    uint64_t entries;
  };
  using Changes = std::map<uint32_t, Changed>;

  /// A quick look before the core is built: what only adds up.
  bool mayFit(const lmap::Resources &a, const lmap::Resources &b) const {
    const Limits &l = chip_.limits;
    return l.compartments.allows(uint64_t(a.compartments()) + b.compartments()) &&
           l.input_axons.allows(uint64_t(a.input_axons()) + b.input_axons()) &&
           l.destination_groups.allows(a.destination_groups() + b.destination_groups()) &&
           l.synapse_words.allows((uint64_t(a.synapse_words()) + b.synapse_words()) * 9 / 10) &&
           l.delay_slots.allows(uint64_t(a.compartments() + b.compartments()) * (std::max(a.largest_delay(), b.largest_delay()) + 1));
  }

  bool settle(const Tile &tile, uint64_t entries, uint32_t victim, uint32_t depth, Changes &changes) {
    const CoreBuild alone = buildCore(model_, {tile}, chip_);
    std::vector<uint32_t> hosts; // fullest first
    for (uint32_t c = 0; c < builds_.size(); ++c) {
      if (c == victim || partition_.cores[c].empty()) continue;
      const auto changed = changes.find(c);
      const CoreBuild &build = changed == changes.end() ? builds_[c] : changed->second.build;
      const uint64_t there = changed == changes.end() ? entries_[c] : changed->second.entries;
      if (mayFit(build.used, alone.used) && outputsFit(build.used.output_entries() + alone.used.output_entries(), there + entries))
        hosts.push_back(c);
    }
    const auto room = [&](uint32_t c) {
      const auto changed = changes.find(c);
      return (changed == changes.end() ? builds_[c] : changed->second.build).used.compartments();
    };
    std::stable_sort(hosts.begin(), hosts.end(), [&](uint32_t a, uint32_t b) { return room(a) > room(b); });
    for (size_t i = 0; i < hosts.size() && i < 12; ++i) {
      if (++tries_ > options_.tries || options_.deadline.passed()) return false;
      const uint32_t c = hosts[i];
      const auto changed = changes.find(c);
      Changed next;
      next.tiles = changed == changes.end() ? partition_.cores[c] : changed->second.tiles;
      next.tiles.push_back(tile);
      next.build = buildCore(model_, next.tiles, chip_);
      next.entries = (changed == changes.end() ? entries_[c] : changed->second.entries) + entries;
      if (brokenLimit(next.build.used, uint64_t(std::ceil(double(next.entries) * (1 + options_.across_chips))), chip_)) continue;
      changes[c] = std::move(next);
      return true;
    }
    if (depth == 0 || tile.size() < 2) return false;
    const auto [a, b] = halves(tile);
    const uint64_t part = entries * a.size() / tile.size();
    return settle(a, part, victim, depth - 1, changes) && settle(b, entries - part, victim, depth - 1, changes);
  }

  bool outputsFit(uint64_t own, uint64_t entries) const {
    return chip_.limits.output_entries.allows(own + uint64_t(std::ceil(double(entries) * (1 + options_.across_chips))));
  }

  bool dissolve(uint32_t victim) {
    Changes changes;
    const uint32_t size = std::max(1u, builds_[victim].used.neurons());
    for (const Tile &tile : partition_.cores[victim])
      if (!settle(tile, entries_[victim] * tile.size() / size, victim, options_.pieces_log2, changes)) return false;
    // Pieces need axons of their own from every source: the sources' tables must hold them.
    Partition trial = partition_;
    std::vector<CoreBuild> builds = builds_;
    for (auto &[c, changed] : changes) {
      trial.cores[c] = std::move(changed.tiles);
      builds[c] = std::move(changed.build);
    }
    trial.cores[victim].clear();
    builds[victim] = {};
    std::vector<uint64_t> entries = entriesOf(model_, trial, builds, chip_);
    for (uint32_t c = 0; c < builds.size(); ++c)
      if (!outputsFit(builds[c].used.output_entries(), entries[c])) return false;
    partition_ = std::move(trial);
    builds_ = std::move(builds);
    entries_ = std::move(entries);
    return true;
  }

  const Model &model_;
  const Chip &chip_;
  const PackOptions &options_;
  Partition &partition_;
  std::vector<CoreBuild> &builds_;
  std::vector<uint64_t> entries_;
  uint64_t tries_ = 0;
};

} // namespace

uint32_t pack(const Model &model, const Chip &chip, const PackOptions &options, Partition &partition, std::vector<CoreBuild> &builds) {
  return Packing(model, chip, options, partition, builds).run();
}

} // namespace lasnn::loihi
