#include "backends/loihi/map/map.h"

#include "backends/loihi/map/emit.h"
#include "backends/loihi/map/tiling.h"

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
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::vector<std::thread> pool;
  for (uint32_t t = 0; t < threads; ++t)
    pool.emplace_back([&, t] {
      for (size_t i = t; i < count; i += threads) body(i);
    });
  for (std::thread &thread : pool) thread.join();
}

class Mapper {
public:
  Mapper(const Chip &chip, const MapOptions &options, const Provenance &provenance) : chip_(chip), options_(options), provenance_(provenance) {
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
    if (!cut()) return std::move(result_);
    pass("cut");
    builds_.resize(partition_.cores.size());
    parallel(threads_, builds_.size(), [&](size_t i) { builds_[i] = buildCore(model_, partition_.cores[i], chip_); });
    pass("build");
    std::vector<uint32_t> address(partition_.cores.size());
    std::iota(address.begin(), address.end(), 0u);
    lmap::Mapping mapping;
    emit(model_, partition_, builds_, address, chip_, mapping);
    header(mapping);
    violations(mapping);
    pass("write");
    result_.mapping = std::move(mapping);
    return std::move(result_);
  }

private:
  void pass(const char *name) {
    const auto now = std::chrono::steady_clock::now();
    result_.times.push_back({name, std::chrono::duration<double, std::milli>(now - since_).count()});
    since_ = now;
  }

  bool cut() {
    TilingOptions tiling;
    tiling.objective = options_.objective;
    TilingResult cut = tile(model_, chip_, tiling);
    if (cut.failed >= 0) {
      const uint32_t p = uint32_t(cut.failed);
      std::string reasons;
      for (const auto &[key, count] : cut.rejections)
        if (key.first == p) reasons += (reasons.empty() ? "" : ", ") + key.second + " (" + to_string(count) + " cuts)";
      result_.errors.push_back("layer '" + model_.populations[p].name + "': no cut of it fits a core; limits met: " + reasons);
      return false;
    }
    for (uint32_t p = 0; p < model_.populations.size(); ++p)
      for (Tile &tile : tilesOf(p, model_.populations[p], cut.grids[p])) partition_.cores.push_back({std::move(tile)});
    rejections_ = std::move(cut.rejections);
    return true;
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

  void violations(lmap::Mapping &mapping) {
    for (const lmap::Core &core : mapping.cores())
      if (const char *limit = brokenLimit(core.used(), 0, chip_)) {
        const std::string text = "core " + to_string(core.address()) + " (layer '" + mapping.layers(int(core.groups(0).layer())).name() + "') needs " + limitText(limit, core.used(), chip_);
        result_.errors.push_back(text);
        lmap::Violation &v = *mapping.mutable_result()->add_violations();
        v.set_limit(limit);
        v.set_layer(int32_t(core.groups(0).layer()));
        v.set_text(text);
      }
  }

  const Chip &chip_;
  const MapOptions &options_;
  const Provenance &provenance_;
  uint32_t threads_ = 1;
  Model model_;
  Partition partition_;
  std::vector<CoreBuild> builds_;
  std::map<std::pair<uint32_t, std::string>, uint64_t> rejections_;
  MapResult result_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

} // namespace

MapResult mapNetwork(const plan::Network &network, const Chip &chip, const MapOptions &options, const Provenance &provenance) {
  return Mapper(chip, options, provenance).run(network);
}

} // namespace lasnn::loihi
