#include "backends/loihi/map/irregular.h"

#include "backends/loihi/map/parts.h"
#include "backends/loihi/map/share.h"
#include "backends/loihi/map/traffic.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace lasnn::loihi {

namespace {

constexpr uint64_t kMostPins = 3'000'000, kMostCounters = 16'000'000;
constexpr uint32_t kMostVertices = 20'000;

class Layer {
public:
  Layer(const Model &model, const Chip &chip, const IrregularOptions &options, uint32_t population, Partition &partition,
        std::vector<CoreBuild> &builds)
      : model_(model), chip_(chip), options_(options), index_(population), p_(model.populations[population]), partition_(partition),
        builds_(builds) {
    for (uint32_t c = 0; c < partition.cores.size(); ++c)
      if (partition.cores[c].size() == 1 && partition.cores[c][0].population == population) cores_.push_back(c);
  }

  bool improve() {
    if (cores_.empty() || p_.projections.empty()) return false;
    const bool broken = doesNotFit();
    if (cores_.size() < 2 && !broken) return false;
    double density = 1;
    bool grouped = false;
    for (const uint32_t i : p_.projections) {
      density = std::min(density, model_.projections[i].density);
      grouped = grouped || model_.projections[i].groups > 1;
    }
    if (density > kRegularDensity && options_.objective.energy == 0 && !broken) return false;
    entries_.assign(p_.neurons(), 0);
    for (const CoreBuild &build : builds_)
      for (const CoreProjection &made : build.projections)
        if (model_.projections[made.projection].source == int32_t(index_))
          for (const TileAxon &axon : made.synapses.axons)
            entries_[axon.source] += uint64_t(std::ceil(chip_.slots.discrete + options_.across_chips * chip_.slots.across_chips));
    best_ = broken ? LayerCost{INFINITY, INFINITY, INFINITY} : costOf(tilesNow(), buildsNow());
    if (p_.pixels() > 1) attempt(columns(), false);
    if (p_.pixels() > 1 && p_.channels > 1 && (density <= kRegularDensity || grouped)) attempt(channels(), true);
    if ((density <= kRegularDensity || doesNotFit()) && p_.neurons() <= kMostVertices) attempt(singles(), true);
    return improved_;
  }

private:
  bool doesNotFit() const {
    const std::vector<uint64_t> entries = entriesOf(model_, partition_, builds_, chip_);
    for (const uint32_t c : cores_) {
      bool shares = cores_.size() == 1; // what goes to one core may share its axons later
      for (const uint32_t i : p_.projections)
        shares = shares && mayShare(model_, model_.projections[i]);
      lmap::Resources used = builds_[c].used;
      if (shares) used.set_input_axons(0);
      if (brokenLimit(used, entriesAllowing(entries[c]), chip_)) return true;
    }
    return false;
  }
  uint64_t entriesAllowing(uint64_t entries) const { return uint64_t(std::ceil(double(entries) * (1 + options_.across_chips))); }

  struct Candidate {
    std::vector<Tile> tiles;
    std::vector<CoreBuild> builds;
    LayerCost cost;
  };

  std::vector<Tile> tilesNow() const {
    std::vector<Tile> tiles;
    for (const uint32_t c : cores_)
      tiles.push_back(partition_.cores[c][0]);
    return tiles;
  }
  std::vector<const CoreBuild *> buildsNow() const {
    std::vector<const CoreBuild *> all;
    for (const uint32_t c : cores_)
      all.push_back(&builds_[c]);
    return all;
  }

  LayerCost costOf(const std::vector<Tile> &tiles, const std::vector<const CoreBuild *> &builds) const {
    const EventCosts costs = eventCosts(chip_);
    LayerCost cost;
    cost.cores = double(tiles.size());
    for (size_t i = 0; i < tiles.size(); ++i) {
      double packets = 0, events = 0;
      for (const CoreProjection &made : builds[i]->projections) {
        const int32_t source = model_.projections[made.projection].source;
        const double rate = source < 0 ? 1 : model_.populations[size_t(source)].rate;
        events += double(made.synapses.axons.size()) * rate;
        if (source >= 0) packets += double(made.synapses.axons.size()) * rate;
      }
      cost.packets += packets;
      cost.busy_ns = std::max(cost.busy_ns, double(tiles[i].size()) * p_.compartments * costs.access_ns + events * costs.message_in_ns);
    }
    return cost;
  }

  // Atoms: what stays together.
  Atoms singles() const {
    Atoms atoms(p_.neurons());
    for (uint32_t n = 0; n < atoms.size(); ++n)
      atoms[n] = {n};
    return atoms;
  }
  /// A position with the channels of one tile.
  Atoms columns() const {
    return grouped([&](const Tile &tile, uint32_t n) { return std::tuple(tile.box() ? tile.c0 : 0, n % p_.pixels()); });
  }
  /// A channel with the positions of one tile.
  Atoms channels() const {
    return grouped(
        [&](const Tile &tile, uint32_t n) { return std::tuple(tile.box() ? tile.y0 * p_.width + tile.x0 : 0, n / p_.pixels()); });
  }
  template <class Key> Atoms grouped(const Key &key) const {
    std::map<std::tuple<uint32_t, uint32_t>, std::vector<uint32_t>> by;
    for (const uint32_t c : cores_) {
      const Tile &tile = partition_.cores[c][0];
      for (uint32_t i = 0; i < tile.size(); ++i) {
        const uint32_t n = tile.neuron(i, p_);
        by[key(tile, n)].push_back(n);
      }
    }
    Atoms atoms;
    for (auto &[at, neurons] : by)
      atoms.push_back(std::move(neurons));
    return atoms;
  }

  PartLimits limitsOf(const Hypergraph &graph, double scale) const {
    const Limits &l = chip_.limits;
    PartLimits limits;
    uint32_t delay = 0;
    for (const uint32_t i : graph.projections)
      delay = std::max(delay, model_.projections[i].delay);
    limits.compartments = std::min<uint64_t>(l.compartments, l.delay_slots / (delay + 1));
    limits.axons = l.input_axons;
    limits.entries = l.output_entries;
    if (p_.soft_reset && l.output_entries.known()) limits.entries -= std::min<uint64_t>(limits.entries, l.compartments / p_.compartments);
    limits.words = l.synapse_words;
    limits.thresholds = l.threshold_profiles;
    limits.words_scale = scale;
    for (const uint32_t i : graph.projections) {
      limits.words_of.push_back(sparseWords(model_.projections[i], chip_));
      const std::vector<uint32_t> &words = limits.words_of.back();
      uint32_t most = uint32_t(words.size()) - 1;
      while (most > 0 && !l.words_per_axon.allows(uint64_t(std::floor(words[most] * std::min(1.0, scale)))))
        --most;
      limits.longest.push_back(most);
    }
    return limits;
  }

  /// Words that builds take over the model's, at the most.
  double scaleOf(const Parts &parts, const std::vector<const CoreBuild *> &builds) const {
    double scale = 0;
    for (uint32_t k = 0; k < builds.size(); ++k) {
      uint64_t words = 0;
      for (const CoreProjection &made : builds[k]->projections)
        words += made.synapses.words;
      if (parts.modelWords(k) > 0) scale = std::max(scale, double(words) / double(parts.modelWords(k)));
    }
    return scale;
  }

  void attempt(const Atoms &atoms, bool from_nothing) {
    if ((options_.deadline.passed() && std::isfinite(best_.cores)) || atoms.size() > kMostVertices ||
        (atoms.size() <= cores_.size() && std::isfinite(best_.cores)))
      return;
    const std::optional<Hypergraph> graph = hypergraphOf(model_, index_, atoms, entries_, kMostPins);
    if (!graph || graph->nets.size() * cores_.size() > kMostCounters || graph->pins.size() * cores_.size() > 20 * kMostCounters) return;
    CutOptions cutting;
    cutting.seed = options_.seed * 7919 + index_;
    cutting.passes = 4 + 4 * options_.effort;
    cutting.fewer_parts = options_.objective.cores > 0;
    if (std::isfinite(best_.cores)) cutting.deadline = options_.deadline; // a first cut that fits is made in any case
    uint64_t compartments = 0;
    for (const Hypergraph::Vertex &v : graph->vertices)
      compartments += v.compartments;
    // The cut that there is, in atoms; it also tells how far the words' model is off.
    Cut now;
    now.part.assign(atoms.size(), 0);
    std::vector<uint32_t> core_of(p_.neurons());
    const std::vector<Tile> tiles = tilesNow();
    now.parts = uint32_t(tiles.size());
    for (uint32_t k = 0; k < tiles.size(); ++k)
      for (uint32_t i = 0; i < tiles[k].size(); ++i)
        core_of[tiles[k].neuron(i, p_)] = k;
    for (uint32_t a = 0; a < atoms.size(); ++a)
      now.part[a] = core_of[atoms[a][0]];
    PartLimits limits = limitsOf(*graph, 1);
    Parts parts(*graph, limits, now.parts);
    for (uint32_t a = 0; a < atoms.size(); ++a)
      parts.insert(a, now.part[a]);
    const double first_scale = scaleOf(parts, buildsNow()) + 1e-9;
    const uint64_t each = std::max<uint64_t>(1, std::min<uint64_t>(limits.compartments, compartments));
    cutting.fewest = uint32_t((compartments + each - 1) / each);
    search(*graph, atoms, first_scale, cutting, [&](const PartLimits &l) { return refinedCut(*graph, l, cutting, now); });
    if (!from_nothing) return;
    for (uint32_t start = 0; start < 1 + options_.effort && (start == 0 || !options_.deadline.passed()); ++start) {
      cutting.seed += 1;
      search(*graph, atoms, first_scale, cutting, [&](const PartLimits &l) { return multilevelCut(*graph, l, cutting); });
    }
  }

  /// Cuts, builds exactly, and cuts again with what the builds taught about the words.
  template <class Cutter>
  void search(const Hypergraph &graph, const Atoms &atoms, double scale, const CutOptions &cutting, const Cutter &cutter) {
    for (uint32_t trial = 0; trial < 4 && (trial == 0 || !cutting.deadline.passed()); ++trial) {
      const PartLimits limits = limitsOf(graph, scale);
      const Cut cut = cutter(limits);
      if (cut.part.empty()) return;
      Candidate candidate;
      std::vector<std::vector<uint32_t>> neurons(cut.parts);
      Parts parts(graph, limits, cut.parts);
      for (uint32_t a = 0; a < atoms.size(); ++a) {
        parts.insert(a, cut.part[a]);
        neurons[cut.part[a]].insert(neurons[cut.part[a]].end(), atoms[a].begin(), atoms[a].end());
      }
      const bool channels_last = partition_.cores[cores_[0]][0].channels_last;
      std::vector<const CoreBuild *> built;
      const char *broken = nullptr;
      for (std::vector<uint32_t> &of : neurons) {
        if (of.empty()) return;
        candidate.tiles.push_back(tileOf(index_, p_, std::move(of), channels_last));
        candidate.builds.push_back(buildCore(model_, {candidate.tiles.back()}, chip_));
      }
      for (const CoreBuild &build : candidate.builds) {
        built.push_back(&build);
        if (!broken) broken = brokenLimit(build.used, 0, chip_);
      }
      candidate.cost = costOf(candidate.tiles, built);
      if (relativeCost(candidate.cost, best_, options_.objective) > 1 - 1e-9) return; // a tighter cut costs more yet
      if (!broken) {
        take(std::move(candidate));
        return;
      }
      if (std::string(broken) != "synapse_words" && std::string(broken) != "words_per_axon") return;
      scale = std::max(scale * 1.1, scaleOf(parts, built) * 1.02);
    }
  }

  /// Takes the candidate if the cores that feed the layer have room for the axons that it needs.
  void take(Candidate candidate) {
    const std::vector<uint64_t> before = entriesOf(model_, partition_, builds_, chip_);
    std::vector<uint64_t> entries_before;
    Partition trial = partition_;
    std::vector<CoreBuild> builds = builds_;
    for (const uint32_t c : cores_)
      trial.cores[c].clear();
    std::vector<uint32_t> cores;
    for (size_t i = 0; i < candidate.tiles.size(); ++i) {
      cores.push_back(i < cores_.size() ? cores_[i] : uint32_t(trial.cores.size()));
      if (i >= cores_.size()) trial.cores.emplace_back(), builds.emplace_back();
      trial.cores[cores.back()] = {candidate.tiles[i]};
      builds[cores.back()] = std::move(candidate.builds[i]);
    }
    uint32_t kept = 0;
    for (uint32_t c = 0; c < trial.cores.size(); ++c) {
      if (trial.cores[c].empty()) continue;
      if (kept != c) {
        trial.cores[kept] = std::move(trial.cores[c]);
        builds[kept] = std::move(builds[c]);
      }
      // A core of another layer that has too many already is that layer's business, unless it gets more.
      entries_before.push_back(trial.cores[kept][0].population != index_ && c < before.size() ? before[c] : 0);
      ++kept;
    }
    trial.cores.resize(kept);
    builds.resize(kept);
    const std::vector<uint64_t> entries = entriesOf(model_, trial, builds, chip_);
    for (uint32_t c = 0; c < kept; ++c)
      if (!chip_.limits.output_entries.allows(builds[c].used.output_entries() + entriesAllowing(entries[c])) &&
          (entries_before[c] == 0 || entries[c] > entries_before[c]))
        return;
    partition_ = std::move(trial);
    builds_ = std::move(builds);
    best_ = candidate.cost;
    improved_ = true;
    cores_.clear();
    for (uint32_t c = 0; c < kept; ++c)
      if (partition_.cores[c][0].population == index_) cores_.push_back(c);
  }

  const Model &model_;
  const Chip &chip_;
  const IrregularOptions &options_;
  const uint32_t index_;
  const Population &p_;
  Partition &partition_;
  std::vector<CoreBuild> &builds_;
  std::vector<uint32_t> cores_;
  std::vector<uint64_t> entries_;
  LayerCost best_;
  bool improved_ = false;
};

} // namespace

double relativeCost(const LayerCost &a, const LayerCost &b, const Objective &o) {
  const auto ratio = [](double x, double y) { return std::isinf(y) ? 0 : y > 0 ? x / y : x > 0 ? 2 : 1; };
  // Packets break ties of all; weights that sum to 1 or a little more.
  const double cores = o.cores + 1e-3, packets = o.energy + 1e-2, busy = o.latency + 1e-6;
  return (cores * ratio(a.cores, b.cores) + packets * ratio(a.packets, b.packets) + busy * ratio(a.busy_ns, b.busy_ns)) /
         (cores + packets + busy);
}

std::vector<uint32_t> sparseWords(const Projection &projection, const Chip &chip) {
  const uint64_t most = std::min<uint64_t>(chip.limits.compartments, 65536);
  const uint64_t entry = std::max<uint64_t>(1, std::min<uint64_t>(chip.limits.synapses_per_entry, (1u << chip.bits.count) - 1));
  const uint64_t each =
      projection.format.bits + legalBits(chip.bits.delay, projection.delay).value_or(0) + legalBits(chip.bits.index, most - 1).value_or(32);
  std::vector<uint32_t> words(most + 1, 0);
  for (uint64_t n = 1; n <= most; ++n)
    words[n] = wordsOf((n + entry - 1) / entry * (chip.bits.format_id + chip.bits.count) + n * each);
  return words;
}

uint32_t cutIrregularly(const Model &model, const Chip &chip, const IrregularOptions &options, Partition &partition,
                        std::vector<CoreBuild> &builds) {
  uint32_t changed = 0;
  for (uint32_t i = uint32_t(model.populations.size()); i-- > 0;)
    if (options.only.empty() || options.only[i]) changed += Layer(model, chip, options, i, partition, builds).improve();
  return changed;
}

} // namespace lasnn::loihi
