#include "tools/common/chip_sweep.h"

#include "backends/loihi/report/sweep.h"
#include "tools/common/cli.h"
#include "tools/common/loihi_device.h"
#include "tools/common/mapping_report.h"
#include "tools/common/sweep.h"

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <chrono>

namespace lasnn::tools {
namespace {

using loihi::report::SweepPoint;

llvm::Error wrong(const std::string &path, const std::string &what) { return llvm::createStringError(fmt::format("sweep '{}': {}", path, what)); }

llvm::Error fill(SweepPoint &point, const SweepPlan &plan, const Artefact &artefact, std::string &data) {
  ModelBytes bytes = alignedCopy({reinterpret_cast<const char *>(artefact.bytes.data()), artefact.bytes.size()});
  auto read = readMapping(bytes, point.target);
  if (!read) return read.takeError();
  loihi::report::CollectOptions options;
  std::shared_ptr<ChipRuns> runs;
  if (!plan.data.empty() && artefact.errors.empty() && read->checked.ok()) {
    auto loaded = loadMapping(bytes, point.target);
    if (!loaded) return loaded.takeError();
    runs = *loaded;
    data::LoadOptions load;
    load.limit = plan.limit;
    auto set = loadSamples(*runs, plan.data, plan.split, load);
    if (!set) return set.takeError();
    data = fmt::format("{} {}, first {}", set->name, plan.split, set->count);
    DeviceFactory make = [&](const Device *) -> llvm::Expected<std::unique_ptr<Device>> { return makeLoihi(runs); };
    auto result = sweep(make, *set, 1);
    if (!result) return result.takeError();
    point.accuracy_percent = 100.0 * double(result->correct) / double(std::max<size_t>(1, result->images));
    options.simulated.statistics = &runs->statistics, options.simulated.links = runs->links;
  }
  const loihi::report::Data report = collect(read->mapping, read->chip, read->checked, options);
  const loihi::report::Summary &s = report.summary;
  point.fits = report.header.fits && artefact.errors.empty(), point.verdict = report.header.verdict;
  point.cores = double(s.cores), point.chips = double(s.chips), point.synapse_words = double(s.synapse_words), point.latency_steps = double(report.header.latency);
  if (s.lower_bound) point.lower_bound = double(s.lower_bound);
  for (const loihi::report::Maybe &percent : s.max_percent)
    if (percent) point.fullest_percent = std::max(point.fullest_percent.value_or(0), *percent);
  point.packets_per_step = s.packets_per_step, point.hops_mean = s.hops_mean, point.energy_pj = s.energy_per_inference_pj, point.time_ns = s.time_per_inference_ns;
  return llvm::Error::success();
}

} // namespace

llvm::Expected<SweepPlan> readSweep(const std::string &path) {
  auto bytes = readFile(path);
  if (!bytes) return bytes.takeError();
  SweepPlan plan;
  try {
    const YAML::Node root = YAML::Load(bytes->text().str());
    if (!root.IsMap()) return wrong(path, "expected keys targets, weights, objectives, data, split, limit");
    for (const auto &entry : root) {
      const std::string key = entry.first.as<std::string>();
      std::vector<std::string> *list = key == "targets" ? &plan.targets : key == "weights" ? &plan.weights : key == "objectives" ? &plan.objectives : nullptr;
      if (list) *list = entry.second.IsSequence() ? entry.second.as<std::vector<std::string>>() : std::vector<std::string>{entry.second.as<std::string>()};
      else if (key == "data") plan.data = entry.second.as<std::string>();
      else if (key == "split") plan.split = entry.second.as<std::string>();
      else if (key == "limit") plan.limit = entry.second.as<size_t>();
      else return wrong(path, fmt::format("key '{}' is unknown, expected targets, weights, objectives, data, split or limit", key));
    }
  } catch (const YAML::Exception &error) { return wrong(path, error.what()); }
  if (plan.targets.empty()) return wrong(path, "key 'targets' is missing or empty, expected a list such as [loihi1, loihi2]");
  if (plan.weights.empty()) plan.weights = {""};
  if (plan.objectives.empty()) plan.objectives = {"cores"};
  if (plan.limit == 0) return wrong(path, "key 'limit': is 0, expected at least 1 sample");
  if (plan.split != "train" && plan.split != "test") return wrong(path, fmt::format("key 'split': is '{}', expected train or test", plan.split));
  static const std::vector<std::string> widths{"", "int8", "int7", "int6", "int5", "int4", "int3", "int2", "ternary"};
  for (const std::string &weights : plan.weights)
    if (std::find(widths.begin(), widths.end(), weights) == widths.end()) return wrong(path, fmt::format("key 'weights': '{}' is unknown, expected int8 .. int2 or ternary", weights));
  return plan;
}

llvm::Error runSweep(const SweepPlan &plan, const std::string &model, const std::string &folder, bool json, const CompilePoint &compile) {
  loihi::report::Sweep sweep;
  sweep.model = model.substr(model.find_last_of('/') + 1), sweep.tool = versionText("lasnn-compile");
  Progress progress("sweep", plan.targets.size() * plan.weights.size() * plan.objectives.size());
  for (const std::string &weights : plan.weights)
    for (const std::string &target : plan.targets)
      for (const std::string &objective : plan.objectives) {
        SweepPoint point;
        point.target = target.substr(target.find_last_of('/') + 1), point.weights = weights.empty() ? "own" : weights, point.objective = objective;
        const auto start = std::chrono::steady_clock::now();
        auto artefact = compile(target, weights, objective);
        point.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (!artefact) point.verdict = llvm::toString(artefact.takeError());
        else if (artefact->bytes.empty()) point.verdict = artefact->errors.empty() ? "there is no mapping" : artefact->errors[0];
        else if (llvm::Error error = fill(point, plan, *artefact, sweep.data)) return error;
        sweep.points.push_back(std::move(point));
        progress.update(sweep.points.size());
      }
  markBest(sweep);
  fmt::print("{}", json ? toJson(sweep).dump(2) + "\n" : toText(sweep));
  if (folder.empty()) return llvm::Error::success();
  if (std::error_code code = llvm::sys::fs::create_directories(folder)) return llvm::createStringError(fmt::format("cannot make the folder '{}': {}", folder, code.message()));
  if (llvm::Error error = writeFile(folder + "/sweep.csv", toCsv(sweep))) return error;
  if (llvm::Error error = writeFile(folder + "/sweep.json", toJson(sweep).dump(2) + "\n")) return error;
  return writeFile(folder + "/sweep.html", toHtml(sweep));
}

} // namespace lasnn::tools
