#include "backends/loihi/map/tiling.h"

#include "backends/loihi/map/share.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace lasnn::loihi {

namespace {

/// A grid with what it needs, the largest of its tiles'.
struct Candidate {
  Grid grid;
  uint64_t input_axons = 0, words = 0; ///< of the fullest core
  double busy_ns = 0;
};

/// Numbers of parts worth trying: each distinct size of a part once.
std::vector<uint32_t> partCounts(uint32_t size) {
  std::vector<uint32_t> counts;
  uint32_t last = 0;
  for (uint32_t parts = 1; parts <= size; ++parts) {
    const uint32_t part = (size + parts - 1) / parts;
    if (part != last) counts.push_back(parts);
    last = part;
  }
  return counts;
}

/// How many parts of a target's axis each source coordinate reaches, added up over [begin, end).
uint64_t reached(const Axis &axis, uint32_t parts, uint32_t begin, uint32_t end) {
  std::vector<uint32_t> part(axis.out);
  for (uint32_t i = 0; i < parts; ++i)
    for (uint32_t o = partStart(axis.out, parts, i); o < partStart(axis.out, parts, i + 1); ++o)
      part[o] = i;
  uint64_t sum = 0;
  for (uint32_t i = begin; i < end; ++i) {
    uint32_t last = UINT32_MAX;
    for (const Tap *t = axis.begin(i); t != axis.end(i); ++t)
      if (part[t->out] != last) {
        last = part[t->out];
        ++sum;
      }
  }
  return sum;
}

/// The same along channels: parts of the targets' channels that a source channel feeds.
uint64_t reachedChannels(const Projection &p, uint32_t parts, uint32_t begin, uint32_t end) {
  if (p.groups == 1) return uint64_t(parts) * (end - begin);
  uint64_t sum = 0;
  for (uint32_t c = begin; c < end; ++c) {
    const uint32_t k0 = c / p.inGroup() * p.outGroup(), k1 = k0 + p.outGroup();
    for (uint32_t i = 0; i < parts; ++i)
      sum += partStart(p.channels_out, parts, i) < k1 && partStart(p.channels_out, parts, i + 1) > k0;
  }
  return sum;
}

class Tiling {
public:
  Tiling(const Model &model, const Chip &chip, const TilingOptions &options)
      : model_(model), chip_(chip), options_(options), costs_(eventCosts(chip)) {
    consumers_.resize(model.populations.size());
    feedback_.resize(model.populations.size());
    for (uint32_t i = 0; i < model.projections.size(); ++i)
      if (const Projection &p = model.projections[i]; p.source >= 0) {
        consumers_[size_t(p.source)].push_back(i);
        if (uint32_t(p.source) > p.target) feedback_[p.target].insert(uint32_t(p.source));
      }
  }

  TilingResult run() {
    const uint32_t count = uint32_t(model_.populations.size());
    result_.unsure.assign(count, false);
    std::vector<State> beam{{std::vector<Grid>(count), 0, 0, 0, 0}};
    for (uint32_t i = count; i-- > 0;) {
      const std::vector<Candidate> candidates = candidatesOf(i);
      std::vector<State> next;
      for (const State &state : beam)
        for (const Candidate &candidate : candidates)
          extend(state, i, candidate, false, next);
      if (next.empty() && maySurprise(i)) {
        result_.unsure[i] = true;
        extend(beam[0], i, candidates.empty() ? coarsest(i) : candidates[0], true, next);
      }
      if (next.empty()) {
        result_.failed = i;
        return std::move(result_);
      }
      rank(next);
      if (next.size() > options_.beam) next.resize(options_.beam);
      beam = std::move(next);
    }
    result_.grids = beam[0].grids;
    return std::move(result_);
  }

private:
  struct State {
    std::vector<Grid> grids;
    double cores, packets, busy_ns, score;
  };

  /// Prices here take no weight for 0: a sparse layer, or one with sparse consumers, may need far less.
  bool maySurprise(uint32_t index) const {
    const auto sparse = [&](uint32_t i) { return model_.projections[i].density <= kRegularDensity; };
    const auto &into = model_.populations[index].projections, &out_of = consumers_[index];
    return std::any_of(into.begin(), into.end(), sparse) || std::any_of(out_of.begin(), out_of.end(), sparse);
  }

  /// The fewest parts, channels first, whose compartments a core holds.
  Candidate coarsest(uint32_t index) const {
    const Population &p = model_.populations[index];
    Candidate candidate;
    const uint64_t most = std::max<uint64_t>(1, std::min<uint64_t>(chip_.limits.compartments, UINT32_MAX) / p.compartments);
    Grid &grid = candidate.grid;
    grid.parts_c = uint32_t(std::min<uint64_t>(p.channels, (p.neurons() + most - 1) / most));
    const auto size = [&] {
      return uint64_t((p.channels + grid.parts_c - 1) / grid.parts_c) * ((p.height + grid.parts_y - 1) / grid.parts_y) *
             ((p.width + grid.parts_x - 1) / grid.parts_x);
    };
    while (size() > most)
      ++(grid.parts_c < p.channels ? grid.parts_c : grid.parts_y < p.height ? grid.parts_y : grid.parts_x);
    return candidate;
  }

  void reject(uint32_t population, const char *limit) {
    ++result_.rejections[{population, limit}];
    auto &least = result_.least[{population, limit}];
    if (need_.first > 0 && (least.first == 0 || need_.first < least.first)) least = need_;
  }

  template <class L> bool over(const L &limit, uint64_t needed) {
    need_ = {needed, uint64_t(limit)};
    return !limit.allows(needed);
  }

  /// The first limit that some tile of the grid breaks, but for output entries; fills the candidate.
  const char *check(uint32_t index, Candidate &candidate) {
    const Population &p = model_.populations[index];
    const Grid &grid = candidate.grid;
    const Limits &l = chip_.limits;
    if (const auto known = options_.refused.find({index, grid.parts_c, grid.parts_y, grid.parts_x}); known != options_.refused.end()) {
      need_ = {0, 0};
      return known->second.c_str();
    }
    const uint32_t largest = ((p.channels + grid.parts_c - 1) / grid.parts_c) * ((p.height + grid.parts_y - 1) / grid.parts_y) *
                             ((p.width + grid.parts_x - 1) / grid.parts_x);
    const uint64_t compartments = uint64_t(largest) * p.compartments;
    if (over(l.compartments, compartments)) return "compartments";
    uint32_t delay = 0;
    for (const uint32_t i : p.projections)
      delay = std::max(delay, model_.projections[i].delay);
    if (over(l.delay_slots, compartments * (delay + 1))) return "delay_slots";
    if (over(l.destination_groups, p.soft_reset ? 2 : 1)) return "destination_groups";
    for (uint32_t i = 0; i < grid.parts_c; ++i) {
      std::set<int64_t> thresholds(p.threshold.begin() + partStart(p.channels, grid.parts_c, i),
                                   p.threshold.begin() + partStart(p.channels, grid.parts_c, i + 1));
      if (over(l.threshold_profiles, thresholds.size())) return "threshold_profiles";
    }
    // Tiles along an axis differ at the borders only: the first, the last, and those between, whose widths may differ by one.
    std::set<std::pair<uint32_t, uint32_t>> seen;
    std::vector<Tile> tiles;
    for (const Tile &tile : tilesOf(index, p, grid)) {
      const auto place = [](uint32_t begin, uint32_t end, uint32_t size) { return (begin == 0) + 2 * (end == size); };
      const uint32_t kind = uint32_t(place(tile.y0, tile.y1, p.height) * 4 + place(tile.x0, tile.x1, p.width));
      const uint32_t size = ((tile.c1 - tile.c0) << 20) ^ ((tile.y1 - tile.y0) << 10) ^ (tile.x1 - tile.x0);
      if (seen.emplace(kind, size).second) tiles.push_back(tile);
    }
    for (const Tile &tile : tiles) {
      uint64_t axons = p.soft_reset ? tile.size() : 0, words = axons;
      std::set<WeightFormat> formats; // a core that is short of them lets lists of one share theirs
      double events = 0;
      for (const uint32_t i : p.projections) {
        const Projection &projection = model_.projections[i];
        TileCost cost = tileCost(projection, p, tile, chip_);
        // One core takes it all: axons may be shared, a few a source core.
        if (grid.cores() == 1 && !l.input_axons.allows(cost.axons) && mayShare(model_, projection)) {
          const Population &source = model_.populations[size_t(projection.source)];
          cost.axons = sharedChunks(source.neurons(), chip_) +
                       source.neurons() * uint64_t(source.compartments) / std::max<uint64_t>(1, l.compartments / 8);
        }
        axons += cost.axons;
        words += cost.words;
        formats.insert(projection.format);
        events += double(cost.axons) * (projection.source < 0 ? 1 : model_.populations[size_t(projection.source)].rate);
        if (over(l.words_per_axon, cost.longest)) return "words_per_axon";
        if (over(l.input_axons, axons)) return "input_axons";
        if (over(l.synapse_words, words)) return "synapse_words";
      }
      if (over(l.input_axons, axons)) return "input_axons";
      if (over(l.synapse_words, words)) return "synapse_words";
      if (over(l.synapse_formats, formats.size())) return "synapse_formats";
      candidate.input_axons = std::max(candidate.input_axons, axons);
      candidate.words = std::max(candidate.words, words);
      candidate.busy_ns =
          std::max(candidate.busy_ns, double(tile.size()) * p.compartments * costs_.access_ns + events * costs_.message_in_ns);
    }
    return nullptr;
  }

  /// For every cut of rows and columns the fewest cuts of channels that fit; then the best few of all.
  std::vector<Candidate> candidatesOf(uint32_t index) {
    const Objective &objective = options_.objective;
    if (objective.energy > objective.cores && objective.energy > objective.latency && !options_.deadline.passed()) return quietest(index);
    const Population &p = model_.populations[index];
    const uint64_t most = std::min<uint64_t>(chip_.limits.compartments, UINT32_MAX) / p.compartments;
    std::vector<std::pair<uint32_t, Grid>> order; // by cores that the compartments alone ask for
    const std::vector<uint32_t> counts_c = partCounts(p.channels);
    for (const uint32_t parts_y : partCounts(p.height))
      for (const uint32_t parts_x : partCounts(p.width))
        for (const bool last : {false, true}) {
          if (last && (p.pixels() == 1 || p.channels == 1)) continue;
          const uint64_t pixels = uint64_t((p.height + parts_y - 1) / parts_y) * ((p.width + parts_x - 1) / parts_x);
          for (const uint32_t parts_c : counts_c)
            if (pixels * ((p.channels + parts_c - 1) / parts_c) <= most) {
              order.push_back({parts_c * parts_y * parts_x, {parts_c, parts_y, parts_x, last}});
              break;
            }
        }
    std::stable_sort(order.begin(), order.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    std::vector<Candidate> found;
    uint32_t fewest = UINT32_MAX;
    const bool only_cores = options_.objective.energy == 0 && options_.objective.latency == 0;
    for (const auto &[bound, start] : order) {
      if (found.size() >= options_.grids && bound > fewest + (only_cores ? fewest / 8 : fewest)) break;
      if (!found.empty() && options_.deadline.passed()) break;
      Candidate candidate;
      candidate.grid = start;
      const char *limit = nullptr;
      uint32_t extra = 0;
      for (auto parts = std::lower_bound(counts_c.begin(), counts_c.end(), start.parts_c); parts != counts_c.end(); ++parts) {
        candidate = {};
        candidate.grid = start;
        candidate.grid.parts_c = *parts;
        if (found.size() >= options_.grids && candidate.grid.cores() > 2 * fewest) break;
        limit = check(index, candidate);
        if (limit) {
          reject(index, limit);
          continue;
        }
        found.push_back(candidate);
        fewest = std::min(fewest, candidate.grid.cores());
        if (only_cores || ++extra == 3) break; // finer cuts spend cores on time
      }
    }
    std::stable_sort(found.begin(), found.end(), [](const Candidate &a, const Candidate &b) { return a.grid.cores() < b.grid.cores(); });
    if (found.size() > 3 * options_.grids) found.resize(3 * options_.grids);
    return found;
  }

  /// Packets of a step into a layer that is cut so: no other layer's cut changes them.
  double packetsInto(const Population &p, const Grid &grid) const {
    double packets = 0;
    for (const uint32_t i : p.projections) {
      const Projection &projection = model_.projections[i];
      if (projection.source < 0) continue;
      packets += model_.populations[size_t(projection.source)].rate *
                 double(reachedChannels(projection, grid.parts_c, 0, projection.channels_in)) *
                 double(reached(projection.y, grid.parts_y, 0, projection.y.in)) *
                 double(reached(projection.x, grid.parts_x, 0, projection.x.in));
    }
    return packets;
  }

  /// All grids by the packets that they cost; the first that fit. Some with more cores stay, since what a core sends is limited.
  std::vector<Candidate> quietest(uint32_t index) {
    const Population &p = model_.populations[index];
    const uint64_t most = std::min<uint64_t>(chip_.limits.compartments, UINT32_MAX) / p.compartments;
    std::vector<std::pair<double, Grid>> order;
    for (const uint32_t parts_c : partCounts(p.channels))
      for (const uint32_t parts_y : partCounts(p.height))
        for (const uint32_t parts_x : partCounts(p.width)) {
          const Grid grid{parts_c, parts_y, parts_x, false};
          const uint64_t largest =
              uint64_t((p.channels + parts_c - 1) / parts_c) * ((p.height + parts_y - 1) / parts_y) * ((p.width + parts_x - 1) / parts_x);
          if (largest <= most) order.push_back({packetsInto(p, grid), grid});
        }
    std::stable_sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
      return a.first != b.first ? a.first < b.first : a.second.cores() < b.second.cores();
    });
    std::vector<Candidate> found;
    uint32_t finest = 0;
    for (const auto &[packets, grid] : order) {
      if (found.size() >= options_.grids && (grid.cores() <= finest || found.size() >= 3 * options_.grids)) continue;
      if (!found.empty() && options_.deadline.passed()) break;
      for (const bool last : {false, true}) {
        if (last && (p.pixels() == 1 || p.channels == 1)) continue;
        Candidate candidate;
        candidate.grid = grid;
        candidate.grid.channels_last = last;
        if (const char *limit = check(index, candidate)) {
          reject(index, limit);
          continue;
        }
        found.push_back(candidate);
        finest = std::max(finest, grid.cores());
        break;
      }
    }
    return found;
  }

  void extend(const State &state, uint32_t index, const Candidate &candidate, bool unsure, std::vector<State> &next) {
    State grown = state;
    grown.grids[index] = candidate.grid;
    const Population &p = model_.populations[index];
    const uint64_t own = entriesOf(index, index, grown.grids);
    if (!unsure && over(chip_.limits.output_entries, own)) return reject(index, "output_entries");
    for (uint32_t source : feedback_[index]) // its grid was chosen before: this one's spikes go back there
      if (!unsure && over(chip_.limits.output_entries, entriesOf(source, index, grown.grids))) return reject(index, "output_entries");
    grown.packets += packetsInto(p, candidate.grid); // now, while the choice is open: the sources' cuts do not change them
    grown.cores += candidate.grid.cores();
    grown.busy_ns = std::max(grown.busy_ns, candidate.busy_ns + double(own) * p.rate * costs_.message_out_ns);
    next.push_back(std::move(grown));
  }

  /// Output entries of a population's fullest core to the targets from `first` on, whose grids are known.
  uint64_t entriesOf(uint32_t index, uint32_t first, const std::vector<Grid> &grids) const {
    const Population &p = model_.populations[index];
    uint64_t most = 0;
    const std::vector<Tile> tiles = tilesOf(index, p, grids[index]);
    std::vector<uint64_t> entries(tiles.size(), 0);
    for (const uint32_t i : consumers_[index]) {
      const Projection &projection = model_.projections[i];
      if (projection.target < first) continue; // feedback: counted when its target is cut
      const Grid &grid = grids[projection.target];
      // A tile's entries are a product of three sums, one an axis.
      std::map<std::pair<uint32_t, uint32_t>, uint64_t> by_c, by_y, by_x;
      for (size_t t = 0; t < tiles.size(); ++t) {
        const Tile &tile = tiles[t];
        uint64_t &c = by_c[{tile.c0, tile.c1}], &y = by_y[{tile.y0, tile.y1}], &x = by_x[{tile.x0, tile.x1}];
        if (c == 0) c = reachedChannels(projection, grid.parts_c, tile.c0, tile.c1);
        if (y == 0) y = reached(projection.y, grid.parts_y, tile.y0, tile.y1);
        if (x == 0) x = reached(projection.x, grid.parts_x, tile.x0, tile.x1);
        entries[t] += c * y * x;
      }
    }
    for (size_t t = 0; t < tiles.size(); ++t)
      most = std::max(most, uint64_t(std::ceil(double(entries[t]) * (chip_.slots.discrete + options_.across_chips * chip_.slots.across_chips))) +
                                (p.soft_reset ? tiles[t].size() : 0));
    return most;
  }

  void rank(std::vector<State> &states) const {
    double cores = INFINITY, packets = INFINITY, busy = INFINITY;
    for (const State &s : states) {
      cores = std::min(cores, std::max(s.cores, 1.0));
      packets = std::min(packets, std::max(s.packets, 1.0));
      busy = std::min(busy, std::max(s.busy_ns, 1.0));
    }
    const Objective &o = options_.objective;
    for (State &s : states) // a small share of the others breaks ties
      s.score = (o.cores + 1e-3) * s.cores / cores + (o.energy + 1e-4) * s.packets / packets + (o.latency + 1e-6) * s.busy_ns / busy;
    std::stable_sort(states.begin(), states.end(), [](const State &a, const State &b) { return a.score < b.score; });
  }

  const Model &model_;
  const Chip &chip_;
  const TilingOptions &options_;
  const EventCosts costs_;
  std::vector<std::vector<uint32_t>> consumers_;
  std::vector<std::set<uint32_t>> feedback_; ///< by population: later ones that it hears
  TilingResult result_;
  std::pair<uint64_t, uint64_t> need_; ///< of the limit looked at last: needed, allowed
};

} // namespace

std::vector<Tile> tilesOf(uint32_t population, const Population &shape, const Grid &grid) {
  std::vector<Tile> tiles;
  for (uint32_t c = 0; c < grid.parts_c; ++c)
    for (uint32_t y = 0; y < grid.parts_y; ++y)
      for (uint32_t x = 0; x < grid.parts_x; ++x) {
        Tile tile;
        tile.population = population;
        tile.c0 = partStart(shape.channels, grid.parts_c, c);
        tile.c1 = partStart(shape.channels, grid.parts_c, c + 1);
        tile.y0 = partStart(shape.height, grid.parts_y, y);
        tile.y1 = partStart(shape.height, grid.parts_y, y + 1);
        tile.x0 = partStart(shape.width, grid.parts_x, x);
        tile.x1 = partStart(shape.width, grid.parts_x, x + 1);
        tile.channels_last = grid.channels_last;
        tiles.push_back(std::move(tile));
      }
  return tiles;
}

TilingResult tile(const Model &model, const Chip &chip, const TilingOptions &options) { return Tiling(model, chip, options).run(); }

} // namespace lasnn::loihi
