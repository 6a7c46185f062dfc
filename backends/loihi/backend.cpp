// The Loihi backend: an integer network mapped onto the cores of a chip that a YAML file describes.
#include "backends/backend.h"
#include "backends/loihi/check/check.h"
#include "backends/loihi/map/map.h"
#include "backends/loihi/report/collect.h"
#include "backends/loihi/report/files.h"
#include "backends/loihi/sanafe/export.h"
#include "backends/plan/plan_network.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace mlir;

namespace lasnn {
namespace {

using namespace loihi;

/// One line a layer: what --emit=plan prints.
std::string printMapping(const lmap::Mapping &mapping, const std::vector<PassTime> &times) {
  const lmap::Result &result = mapping.result();
  std::string text =
      fmt::format("network '{}' on {}: {} core{} of {} chip{}, lower bound {} ({})\n", mapping.header().network(),
                  mapping.header().chip_name(), mapping.cores_size(), mapping.cores_size() == 1 ? "" : "s", result.chips(), result.chips() == 1 ? "" : "s", result.bound().cores(), result.bound().resource());
  for (int i = 0; i < mapping.layers_size(); ++i) {
    const lmap::Layer &layer = mapping.layers(i);
    unsigned cores = 0, words = 0;
    for (const lmap::Core &core : mapping.cores()) {
      for (const lmap::Group &group : core.groups())
        if (int(group.layer()) == i) {
          ++cores;
          break;
        }
      for (const lmap::Projection &p : core.projections())
        if (int(p.layer()) == i) words += p.words();
    }
    text += fmt::format("  {:<20} {:<16} {}x{}x{}  on {} core{}, {} words, starts at step {}, scale {}\n", layer.name(), layer.type(),
                        layer.channels(), layer.height(), layer.width(), cores, cores == 1 ? "" : "s", words, layer.start(), 1u << layer.scale_log2());
  }
  text += fmt::format("  {:<15} {:>6} {:>14} {:>10} {:>14} {:>16}\n", "mapper", "cores", "packets/step", "mean hops", "busiest link",
                      "network pJ/step");
  for (const lmap::Score &s : result.scores())
    text += s.cores() == 0 ? fmt::format("  {:<15} {}\n", s.name(), s.note())
                           : fmt::format("  {:<15} {:>6} {:>14.0f} {:>10.2f} {:>14.0f} {:>16.0f}\n", s.name(), s.cores(), s.packets(),
                                         s.mean_hops(), s.max_link(), s.energy_pj());
  for (const PassTime &time : times)
    text += fmt::format("  {:<12} {:.1f} ms\n", time.pass, time.ms);
  return text;
}

class LoihiBackend final : public Backend {
public:
  llvm::StringRef name() const override { return "loihi"; }
  llvm::StringRef description() const override { return "cores of Loihi-like neuromorphic chips, with a simulator and reports"; }
  llvm::StringRef extension() const override { return ".lmap"; }
  std::string targets() const override { return "loihi1, loihi2, CHIP.yaml"; }

  bool takes(llvm::StringRef target) const override {
    const std::vector<std::string> builtin = builtinChips();
    return llvm::is_contained(builtin, target.str()) || target.ends_with(".yaml") || target.ends_with(".yml");
  }
  int thresholdStep() const override { return 64; }
  bool wantsRates() const override { return true; }

  std::string checkVariant(llvm::StringRef variant) const override {
    if (variant.empty()) return "which chip? one of loihi1, loihi2, or the path of a chip's YAML file";
    std::string all;
    for (const std::string &error : loadChip(variant.str()).errors)
      all += (all.empty() ? "" : "\n  ") + error;
    return all;
  }

  llvm::LogicalResult check(snn::NetworkOp network, llvm::StringRef variant) const override {
    FailureOr<plan::Network> plan = plan::planNetwork(network, name());
    if (failed(plan)) return failure();
    const ChipResult chip = loadChip(variant.empty() ? "loihi1" : variant.str());
    if (!chip.chip) return network.emitError() << "backend loihi: " << checkVariant(variant);
    return refuse(network, lower(*plan, *chip.chip).errors);
  }

  llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &provenance, const TargetOptions &options) const override {
    const std::string &variant = options.variant;
    FailureOr<plan::Network> plan = plan::planNetwork(network, name());
    if (failed(plan)) return failure();
    const ChipResult chip = loadChip(variant.empty() ? "loihi1" : variant);
    if (!chip.chip) return network.emitError() << "backend loihi: " << checkVariant(variant);
    MapOptions map;
    const std::optional<Objective> objective = parseObjective(options.objective);
    if (!objective)
      return network.emitError() << "backend loihi: objective '" << options.objective
                                 << "' is unknown, expected cores, energy, latency or three weights W,W,W";
    map.objective = *objective;
    map.objective_text = options.objective;
    map.seed = options.seed;
    map.effort = options.effort;
    map.time_limit_s = options.time_limit_s;
    map.threads = options.threads;
    map.rates = options.rates;
    MapResult mapped = mapNetwork(*plan, *chip.chip, map, provenance);
    Artefact artefact;
    report::CollectOptions collecting;
    collecting.tool = provenance.tool;
    for (const PassTime &time : mapped.times)
      collecting.passes_ms.push_back({time.pass, time.ms});
    if (!mapped.mapping) {
      artefact.errors = mapped.errors;
      if (options.reports) addReport(report::refusal(plan->name, *chip.chip, mapped.errors, collecting), artefact);
      return artefact;
    }
    mapped.mapping->set_version(kLmapVersion);
    mapped.mapping->set_hash(lmapHash(*mapped.mapping));
    const check::Result checked = check::check(*mapped.mapping, *chip.chip);
    if (!checked.ok() && mapped.errors.empty()) mapped.errors.push_back("the checker refuses what the mapper made: " + checked.text());
    if (options.exports && mapped.errors.empty() && !addSanafe(*mapped.mapping, *chip.chip, options.sample, artefact)) return artefact;
    artefact.plan = printMapping(*mapped.mapping, mapped.times);
    artefact.errors = mapped.errors;
    const lmap::Result &result = mapped.mapping->result();
    artefact.details = nlohmann::ordered_json{{"chip", chip.chip->name},
                                              {"cores", mapped.mapping->cores_size()},
                                              {"chips", result.chips()},
                                              {"core_bound", result.bound().cores()},
                                              {"latency_steps", mapped.mapping->header().latency()},
                                              {"mean_hops", result.scores(0).mean_hops()},
                                              {"fits", mapped.errors.empty()}}
                           .dump();
    if (options.json) {
      std::string error;
      const std::string text = lmapToJson(*mapped.mapping, error);
      if (!error.empty()) return network.emitError() << "backend loihi: " << error;
      artefact.bytes.assign(text.begin(), text.end());
    } else {
      artefact.bytes = writeLmap(*mapped.mapping);
    }
    if (options.reports) addReport(report::collect(*mapped.mapping, *chip.chip, checked, collecting), artefact);
    return artefact;
  }

private:
  static void addReport(const report::Data &data, Artefact &artefact) {
    for (report::File &file : report::reportFiles(data))
      artefact.reports.emplace_back(std::move(file.name), std::move(file.content));
  }

  /// Its reasons become the artefact's errors.
  static bool addSanafe(const lmap::Mapping &mapping, const Chip &chip, const std::vector<uint8_t> &sample, Artefact &artefact) {
    SanafeFiles files;
    lmap::Mapping whole = mapping;
    whole.set_version(kLmapVersion);
    const std::shared_ptr<const Program> program = makeProgram(whole, artefact.errors);
    if (!program || chip.profiles.empty()) {
      if (chip.profiles.empty())
        artefact.errors.push_back("--emit=sanafe: chip '" + chip.name + "' has no energies, which SANA-FE's files need");
      return false;
    }
    if (!exportSanafe(*program, chip.profiles.back().name, sample.size() == program->input_size ? sample.data() : nullptr, files,
                      artefact.errors))
      return false;
    artefact.warnings.insert(artefact.warnings.end(), files.notes.begin(), files.notes.end());
    artefact.exports = {{".arch.yaml", std::move(files.architecture)}, {".net.yaml", std::move(files.network)}};
    return true;
  }

  static llvm::LogicalResult refuse(snn::NetworkOp network, const std::vector<std::string> &errors) {
    for (const std::string &error : errors)
      network.emitError() << "backend loihi: " << error;
    return success(errors.empty());
  }
};

} // namespace

std::unique_ptr<Backend> create_loihi_backend() { return std::make_unique<LoihiBackend>(); }

} // namespace lasnn
