#include "backends/loihi/map/map.h"

#include "backends/loihi/map/bound.h"
#include "backends/loihi/map/emit.h"
#include "backends/loihi/map/irregular.h"
#include "backends/loihi/map/links.h"
#include "backends/loihi/map/metis.h"
#include "backends/loihi/map/pack.h"
#include "backends/loihi/map/sequential.h"
#include "backends/loihi/map/share.h"
#include "backends/loihi/map/tiling.h"
#include "backends/loihi/map/traffic.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>

namespace lasnn::loihi {

namespace {

using std::to_string;

/// Calls body(i) for 0 .. count-1 on several threads; the results must not depend on who does what.
template <class Body> void parallel(uint32_t threads, size_t count, const Body &body) {
  threads = uint32_t(std::min<size_t>(threads, count));
  if (threads <= 1) {
    for (size_t i = 0; i < count; ++i)
      body(i);
    return;
  }
  std::vector<std::thread> pool;
  for (uint32_t t = 0; t < threads; ++t)
    pool.emplace_back([&, t] {
      for (size_t i = t; i < count; i += threads)
        body(i);
    });
  for (std::thread &thread : pool)
    thread.join();
}

/// The smallest change to a layer whose finest cut still breaks the limit.
std::string cureOf(const std::string &limit) {
  if (limit == "input_axons") return "let each of its neurons hear fewer: a smaller kernel, fewer input channels, or groups";
  if (limit == "output_entries") return "let its neurons reach fewer cores: a smaller kernel or fewer channels in the layers that it feeds";
  if (limit == "synapse_words" || limit == "words_per_axon")
    return "use narrower weights (--weights), a smaller kernel or fewer input channels";
  if (limit == "threshold_profiles") return "train with one threshold for the layer";
  if (limit == "delay_slots") return "shorten the skip connections into it";
  if (limit == "synapse_formats") return "let fewer synapses of different widths end in it";
  return "use fewer bias registers (narrower weights in the first layer), or reset to zero";
}

class Mapper {
public:
  Mapper(const Chip &chip, const MapOptions &options, const Provenance &provenance)
      : chip_(chip), options_(options), provenance_(provenance), deadline_(options.time_limit_s) {
    threads_ = options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  }

  MapResult run(const plan::Network &network) {
    LowerResult lowered = lower(network, chip_);
    pass("lower");
    if (!lowered.model) {
      result_.errors = std::move(lowered.errors);
      return std::move(result_);
    }
    model_ = std::move(*lowered.model);
    for (Population &p : model_.populations) // silent layers still count a little: their cores have to lie somewhere
      if (const auto rate = options_.rates.find(p.name); rate != options_.rates.end()) p.rate = std::max(rate->second, 1e-3);
    // Cuts are priced by bounds, and what shares axons or crosses chips is known only now: what turns out too large is cut in another way.
    for (uint32_t round = 0; attempt() && round < 12 && refuse(*result_.mapping); ++round)
      ;
    if (!result_.mapping && first_) result_.mapping = std::move(first_), result_.errors = std::move(first_errors_);
    if (result_.mapping) violations(*result_.mapping);
    return std::move(result_);
  }

private:
  /// One cut, placed and written; false when no cut fits.
  bool attempt() {
    result_.mapping.reset();
    result_.errors.clear();
    if (!cut(0)) return false;
    if (builds_.size() > chip_.mesh.cores_per_chip && !entriesFit(1)) {
      // What crosses chips takes two entries: cut again as if everything did, unless that is worse than not fitting.
      const Partition partition = partition_;
      const std::vector<CoreBuild> builds = builds_;
      const std::vector<Grid> grids = grids_;
      const std::vector<std::string> errors = result_.errors;
      if (!cut(1)) partition_ = partition, builds_ = builds, grids_ = grids, result_.errors = errors;
    }
    const Traffic traffic = trafficOf(model_, partition_, builds_);
    address_ = place(traffic, chip_, placing());
    pass("place");
    lmap::Mapping mapping;
    emit(model_, partition_, builds_, address_, chip_, mapping);
    header(mapping);
    pass("write");
    report(traffic, address_, mapping);
    pass("compare");
    result_.mapping = std::move(mapping);
    return true;
  }

  /// Remembers the grids of the cores that break a limit; false: none does, or nothing new is learnt.
  bool refuse(const lmap::Mapping &mapping) {
    std::map<uint32_t, const lmap::Core *> core_at;
    for (const lmap::Core &core : mapping.cores())
      core_at[core.address()] = &core;
    bool learnt = false;
    for (size_t c = 0; c < partition_.cores.size(); ++c)
      if (const char *limit = brokenLimit(core_at.at(address_[c])->used(), 0, chip_))
        for (const Tile &tile : partition_.cores[c]) {
          const Grid &grid = grids_[tile.population];
          learnt |= refused_.try_emplace({tile.population, grid.parts_c, grid.parts_y, grid.parts_x}, limit).second;
        }
    if (learnt && !first_) first_ = mapping, first_errors_ = result_.errors;
    return learnt;
  }

  void pass(const char *name) {
    const auto now = std::chrono::steady_clock::now();
    result_.times.push_back({name, std::chrono::duration<double, std::milli>(now - since_).count()});
    since_ = now;
  }

  PlaceOptions placing() const {
    static constexpr double kMoves[] = {0, 300, 2000, 10000, 50000};
    PlaceOptions place;
    place.seed = options_.seed;
    place.moves_per_core = kMoves[std::min<uint32_t>(options_.effort, 4)];
    place.link_moves_per_core = place.moves_per_core / 4;
    place.time_limit_s = deadline_.left();
    return place;
  }

  void build() {
    builds_.resize(partition_.cores.size());
    parallel(threads_, builds_.size(), [&](size_t i) { builds_[i] = buildCore(model_, partition_.cores[i], chip_); });
  }

  bool entriesFit(double across) const {
    const std::vector<uint64_t> entries = entriesOf(model_, partition_, builds_, chip_);
    for (size_t c = 0; c < entries.size(); ++c)
      if (!chip_.limits.output_entries.allows(builds_[c].used.output_entries() + uint64_t(double(entries[c]) * (1 + across)))) return false;
    return true;
  }

  /// Says why; false.
  bool noCut(const TilingResult &cut) {
    for (uint32_t p = 0; p < model_.populations.size(); ++p) {
      if (cut.failed >= 0 ? p != uint32_t(cut.failed) : !cut.unsure[p]) continue;
      std::string reasons, binding;
      uint64_t most = 0;
      for (const auto &[key, count] : cut.rejections) {
        if (key.first != p) continue;
        const auto [needed, allowed] = cut.least.at(key);
        reasons += (reasons.empty() ? "" : ", ") +
                   (needed > 0 ? to_string(needed) + " " + key.second + ", allowed " + to_string(allowed) : key.second) + " (" +
                   to_string(count) + (count == 1 ? " cut)" : " cuts)");
        if (count > most) most = count, binding = key.second;
      }
      result_.errors.push_back("layer '" + model_.populations[p].name + "': no cut of it fits a core of chip '" + chip_.name +
                               "', the least that cuts need: " + reasons + "; " + cureOf(binding));
    }
    return false;
  }

  /// Grids, then cores that share layers.
  bool cut(double across) {
    TilingOptions tiling;
    tiling.objective = options_.objective;
    tiling.across_chips = across;
    tiling.deadline = deadline_;
    static constexpr uint32_t kBeam[] = {1, 4, 16, 48, 128}, kGrids[] = {2, 8, 16, 32, 64};
    tiling.beam = kBeam[std::min<uint32_t>(options_.effort, 4)];
    tiling.grids = kGrids[std::min<uint32_t>(options_.effort, 4)];
    tiling.refused = refused_;
    TilingResult cut = tile(model_, chip_, tiling);
    pass("cut");
    if (cut.failed >= 0) return noCut(cut);
    partition_.cores.clear();
    for (uint32_t p = 0; p < model_.populations.size(); ++p)
      for (Tile &tile : tilesOf(p, model_.populations[p], cut.grids[p]))
        partition_.cores.push_back({std::move(tile)});
    rejections_ = std::move(cut.rejections);
    grids_ = std::move(cut.grids);
    build();
    pass("build");
    const Partition grid = partition_;
    const std::vector<CoreBuild> grid_builds = builds_;
    uint32_t changed = 0;
    const bool unsure = std::find(cut.unsure.begin(), cut.unsure.end(), true) != cut.unsure.end();
    if (unsure || (options_.effort > 0 && !deadline_.passed())) {
      IrregularOptions regroup{options_.objective, options_.seed, options_.effort, {}, across, deadline_};
      if (options_.effort == 0 || deadline_.passed()) regroup.only = cut.unsure;
      changed = cutIrregularly(model_, chip_, regroup, partition_, builds_);
      pass("regroup");
    }
    if (unsure && !entriesFit(across)) return noCut(cut);
    for (size_t c = 0; unsure && c < builds_.size(); ++c)
      if (cut.unsure[partition_.cores[c][0].population] && brokenLimit(builds_[c].used, 0, chip_)) return noCut(cut);
    if (options_.objective.cores > 0 && options_.effort > 0) {
      packed(across, partition_, builds_);
      if (changed > 0 && !unsure) { // boxes may share cores better: whichever ends up cheaper
        Partition boxes = grid;
        std::vector<CoreBuild> builds = grid_builds;
        packed(across, boxes, builds);
        if (relativeCost(costOf(boxes, builds), costOf(partition_, builds_), options_.objective) < 1)
          partition_ = std::move(boxes), builds_ = std::move(builds);
      }
      pass("pack");
    }
    shareAxons(model_, partition_, chip_, builds_);
    pass("share");
    return true;
  }

  void packed(double across, Partition &partition, std::vector<CoreBuild> &builds) const {
    PackOptions packing;
    packing.across_chips = across;
    packing.tries = 2000u << (2 * std::min<uint32_t>(options_.effort, 4));
    packing.deadline = deadline_;
    lmap::Bound bound;
    lowerBound(model_, chip_, bound);
    packing.fewest = bound.cores();
    pack(model_, chip_, packing, partition, builds);
  }

  LayerCost costOf(const Partition &partition, const std::vector<CoreBuild> &builds) const {
    LayerCost cost;
    cost.cores = double(partition.cores.size());
    for (const Traffic::Edge &e : trafficOf(model_, partition, builds).edges)
      cost.packets += e.packets;
    return cost;
  }

  lmap::Score score(const char *name, const Traffic &traffic, const std::vector<uint32_t> &address) const {
    const PlaceScore s = scoreOf(traffic, address, chip_);
    const EventCosts costs = eventCosts(chip_);
    lmap::Score score;
    score.set_name(name);
    score.set_cores(traffic.cores);
    score.set_chips((traffic.cores + chip_.mesh.cores_per_chip - 1) / chip_.mesh.cores_per_chip);
    score.set_packets(s.packets);
    score.set_hops(s.hops);
    score.set_mean_hops(s.meanHops());
    score.set_max_link(s.max_link);
    score.set_between_chips(s.between_chips);
    score.set_energy_pj(s.packets * costs.message_pj + s.hops * costs.hop_pj);
    score.set_feasible(true);
    return score;
  }

  /// This mapping beside what simpler ones give, its links and its bound.
  void report(const Traffic &traffic, const std::vector<uint32_t> &address, lmap::Mapping &mapping) {
    lmap::Result &result = *mapping.mutable_result();
    lowerBound(model_, chip_, *result.mutable_bound());
    LinkLoads links(chip_);
    for (const Traffic::Edge &e : traffic.edges)
      links.add(address[e.from], address[e.to], e.packets);
    links.write(result);
    *result.add_scores() = score("this", traffic, address);
    result.set_chips(result.scores(0).chips());
    if (!options_.baselines) return;
    boundScore(result);
    const uint32_t cores = uint32_t(partition_.cores.size());
    sequential("sequential", "neurons in the order of the network's tensors (channels, rows, columns), core after core",
               NeuronOrder::Tensor, 32 * cores + 64, result);
    sequential("sequential-hwc", "neurons by rows, columns, channels, core after core", NeuronOrder::Spatial, 4 * cores + 16, result);
    metis(cores, result);
    for (const auto &[name, order] : {std::pair("in-order", PlaceOrder::Sequential), std::pair("random", PlaceOrder::Random),
                                      std::pair("hilbert", PlaceOrder::Hilbert)}) {
      lmap::Score &s = *result.add_scores() = score(name, traffic, placeInOrder(traffic, chip_, order, options_.seed));
      s.set_note("this partition, other places");
    }
  }

  /// Beside what the mappers give: what none can better.
  void boundScore(lmap::Result &result) const {
    lmap::Score &bound = *result.add_scores();
    bound.set_name("bound");
    bound.set_note("no mapping has fewer cores, no cut into boxes fewer packets");
    bound.set_cores(result.bound().cores());
    bound.set_chips(uint32_t((result.bound().cores() + chip_.mesh.cores_per_chip - 1) / chip_.mesh.cores_per_chip));
    bound.set_packets(result.bound().packets());
    bound.set_energy_pj(result.bound().packets() * eventCosts(chip_).message_pj);
    bound.set_feasible(true);
  }

  void leftOut(const char *name, const std::string &why, lmap::Result &result) const {
    lmap::Score &none = *result.add_scores();
    none.set_name(name);
    none.set_note(why);
  }

  void sequential(const char *name, const char *note, NeuronOrder order, uint32_t most_cores, lmap::Result &result) const {
    const Partition partition = sequentialPartition(model_, chip_, order, most_cores, deadline_);
    if (partition.cores.empty()) {
      leftOut(name, deadline_.passed() ? "left out: no time left" : "it finds no mapping of at most " + to_string(most_cores) + " cores",
              result);
      return;
    }
    std::vector<CoreBuild> builds(partition.cores.size());
    parallel(threads_, builds.size(), [&](size_t i) { builds[i] = buildCore(model_, partition.cores[i], chip_); });
    shareAxons(model_, partition, chip_, builds);
    const Traffic traffic = trafficOf(model_, partition, builds);
    lmap::Score &s = *result.add_scores() = score(name, traffic, placeInOrder(traffic, chip_, PlaceOrder::Sequential, 0));
    s.set_note(note);
    const std::vector<uint64_t> entries = entriesOf(model_, partition, builds, chip_);
    for (size_t c = 0; c < entries.size() && s.feasible(); ++c)
      if (!chip_.limits.output_entries.allows(entries[c] + builds[c].used.output_entries())) {
        s.set_feasible(false);
        s.set_note(std::string(note) + "; it would need more output entries than a core has");
      }
  }

  void metis(uint32_t cores, lmap::Result &result) const {
    if (!metisFound()) return;
    const MetisResult made = metisPartition(model_, chip_, cores, options_.most_metis_synapses, options_.seed, deadline_);
    if (made.partition.cores.empty()) return leftOut("metis", made.why, result);
    const Traffic traffic = trafficOf(model_, made.partition, made.builds);
    lmap::Score &s = *result.add_scores() = score("metis", traffic, placeInOrder(traffic, chip_, PlaceOrder::Sequential, 0));
    s.set_feasible(made.fits);
    s.set_note(made.why);
  }

  void header(lmap::Mapping &mapping) const {
    lmap::Header &h = *mapping.mutable_header();
    h.set_network(model_.name);
    h.set_tool(provenance_.tool);
    h.set_options(provenance_.options);
    h.set_source_name(provenance_.sourceName);
    h.set_source_sha256(provenance_.sourceSha256);
    h.set_calibration(provenance_.calibration);
    h.set_chip_name(chip_.name);
    h.set_chip_text(chip_.text);
    h.set_chip_hash(textHash(chip_.text));
    h.set_seed(options_.seed);
    h.set_timesteps(model_.timesteps);
    h.set_latency(model_.latency);
    h.set_objective(options_.objective_text);
    for (const auto &[key, count] : rejections_) {
      lmap::Rejection &r = *mapping.mutable_result()->add_rejections();
      r.set_layer(key.first);
      r.set_limit(key.second);
      r.set_count(count);
    }
  }

  void violate(lmap::Mapping &mapping, const char *limit, int32_t layer, uint64_t needed, uint64_t allowed, const std::string &text,
               const std::string &cure) {
    lmap::Violation &v = *mapping.mutable_result()->add_violations();
    v.set_limit(limit);
    v.set_layer(layer);
    v.set_needed(needed);
    v.set_allowed(allowed);
    v.set_text(text);
    v.set_cure(cure);
    result_.errors.push_back(text + (cure.empty() ? "" : "; " + cure));
  }

  void violations(lmap::Mapping &mapping) {
    for (const lmap::Core &core : mapping.cores())
      if (const char *limit = brokenLimit(core.used(), 0, chip_)) {
        const int32_t layer = int32_t(core.groups(0).layer());
        const auto [needed, allowed] = limitNumbers(limit, core.used(), chip_);
        violate(mapping, limit, layer, needed, allowed,
                "core " + to_string(core.address()) + " (layer '" + mapping.layers(layer).name() + "') needs " + to_string(needed) + " " +
                    limit + ", allowed " + to_string(allowed),
                "cut the layer, or the layers that it feeds, more finely (--effort)");
      }
    const uint32_t chips = mapping.result().chips();
    if (chips > chip_.mesh.chips)
      violate(mapping, "chips", -1, chips, chip_.mesh.chips,
              "the network needs " + to_string(mapping.cores_size()) + " cores on " + to_string(chips) + " chips, allowed " +
                  to_string(chip_.mesh.chips) + " chips",
              "use fewer channels, or a board with more chips (mesh.chips of the chip's file)");
  }

  const Chip &chip_;
  const MapOptions &options_;
  const Provenance &provenance_;
  const Deadline deadline_;
  uint32_t threads_ = 1;
  Model model_;
  Partition partition_;
  std::vector<CoreBuild> builds_;
  std::vector<uint32_t> address_; ///< by core of the partition
  std::vector<Grid> grids_;       ///< by population
  std::map<std::array<uint32_t, 4>, std::string> refused_;
  std::optional<lmap::Mapping> first_; ///< that did not fit: shown when no other does
  std::vector<std::string> first_errors_;
  std::map<std::pair<uint32_t, std::string>, uint64_t> rejections_;
  MapResult result_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

} // namespace

MapResult mapNetwork(const plan::Network &network, const Chip &chip, const MapOptions &options, const Provenance &provenance) {
  return Mapper(chip, options, provenance).run(network);
}

} // namespace lasnn::loihi
