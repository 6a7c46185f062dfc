// lasnn-verify: proof that what runs is what was trained. Three comparisons on real data, layer by layer:
//   source -> float    the imported network against the folded and fused one
//   float  -> integer  what quantization changed (reported, judged by accuracy)
//   integer -> target  the interpreter against every ISA, the GPU, or the simulated chip, to the bit
#include "backends/backend.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tools/common/cli.h"
#include "tools/common/loihi_device.h"
#include "tools/common/model.h"
#include "tools/common/samples.h"
#include "tools/common/sweep.h"

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>

using namespace lasnn;
using namespace lasnn::tools;

namespace {

/// Where two runs of one layer differ.
struct LayerDiff {
  std::string name;
  uint64_t compared = 0, different = 0;
  std::string first; ///< "image 3, step 1, element 77: 0 and 1", "" when equal
};

struct Comparison {
  std::string name;  ///< "source -> float"
  bool exact = false; ///< any difference fails
  std::vector<LayerDiff> layers;
  uint64_t outputsDifferent = 0;
  std::string firstOutput;
  uint64_t different() const {
    uint64_t sum = outputsDifferent;
    for (const LayerDiff &layer : layers) sum += layer.different;
    return sum;
  }
  double worstShare() const {
    double worst = 0;
    for (const LayerDiff &layer : layers)
      if (layer.compared) worst = std::max(worst, double(layer.different) / layer.compared);
    return worst;
  }
};

struct Run {
  std::unique_ptr<Device> device;
  std::vector<LayerStats> layers;
  Output output;
  std::vector<std::vector<uint8_t>> spikes;
  size_t correct = 0;
};

llvm::Error addRun(std::vector<Run> &runs, llvm::Expected<std::unique_ptr<Device>> device) {
  if (!device) return device.takeError();
  Run run;
  run.device = std::move(*device);
  run.device->recordSpikes(true);
  run.layers = run.device->stats();
  runs.push_back(std::move(run));
  return llvm::Error::success();
}

/// Compare the last run of `a` and `b`; layers are matched by name, since fusing may reorder them.
void compare(Comparison &c, const Run &a, const Run &b, size_t image, bool outputs) {
  if (c.layers.empty())
    for (const LayerStats &layer : a.layers) c.layers.push_back({layer.name, 0, 0, ""});
  for (size_t i = 0; i < a.layers.size(); ++i) {
    LayerDiff &diff = c.layers[i];
    size_t j = 0;
    while (j < b.layers.size() && b.layers[j].name != a.layers[i].name) ++j;
    if (j == b.layers.size() || a.spikes[i].size() != b.spikes[j].size()) {
      diff.compared += 1, diff.different += 1;
      if (diff.first.empty()) diff.first = "the layer has no partner of the same name and size";
      continue;
    }
    size_t perStep = a.layers[i].neurons;
    for (size_t e = 0; e < a.spikes[i].size(); ++e) {
      ++diff.compared;
      if (a.spikes[i][e] == b.spikes[j][e]) continue;
      if (!diff.different++)
        diff.first = fmt::format("image {}, step {}, element {}: {} and {}", image, e / perStep, e % perStep, a.spikes[i][e], b.spikes[j][e]);
    }
  }
  if (!outputs || a.output.values == b.output.values) return;
  if (!c.outputsDifferent++) c.firstOutput = fmt::format("image {}: outputs {} and {}", image, fmt::join(a.output.values, ","), fmt::join(b.output.values, ","));
}

struct Options {
  std::string model, data, split = "test", report, calib;
  std::vector<std::string> artefacts;
  size_t limit = 1000;
  double maxDrop = 1.0, floatTolerance = 1e-4;
  bool json = false, skipCorrupt = false, checksums = false;
};

/// How the network of a mapping was quantized, as its header tells.
llvm::Expected<CompileOptions> optionsOf(const loihi::lmap::Header &header, snn::NetworkOp network, const std::string &path, const Options &o) {
  CompileOptions options;
  options.thresholdStep = findBackend("loihi")->thresholdStep();
  const llvm::StringRef words = header.options();
  const auto number = [&](llvm::StringRef flag) {
    int value = 0;
    const size_t at = words.find(flag);
    if (at != llvm::StringRef::npos) words.substr(at + flag.size()).take_while([](char c) { return c >= '0' && c <= '9'; }).getAsInteger(10, value);
    return value;
  };
  options.weightBits = words.contains("+") ? 0 : number("--weights=int"); // layers of several widths: the model's own
  options.stateBits = number("--state-bits=");
  if (header.calibration().empty()) return options;
  if (o.calib.empty())
    return llvm::createStringError(fmt::format("'{}' was compiled with calibration on {}; its integers are made anew here, so give --calib=SET:DIR with the same set", path,
                                               header.calibration()));
  data::LoadOptions load;
  load.skipCorrupt = o.skipCorrupt, load.checksums = o.checksums, load.limit = 512;
  llvm::StringRef(header.calibration()).split("(first ").second.take_while([](char c) { return c >= '0' && c <= '9'; }).getAsInteger(10, load.limit);
  auto set = loadSamples(network, o.calib, "train", load);
  if (!set) return set.takeError();
  auto calibration = std::make_shared<CalibrationData>();
  calibration->description = fmt::format("{} train, first {} images", set->name, set->count);
  for (size_t i = 0; i < set->count; ++i) calibration->samples.emplace_back(set->image(i), set->image(i) + set->imageBytes());
  options.calibration = calibration;
  return options;
}

/// One artefact (or the network compiled here) against the source; returns the report, `proved` inside.
llvm::Expected<nlohmann::ordered_json> verify(Model &source, snn::NetworkOp fused, Model &target, const std::shared_ptr<ChipRuns> &chip,
                                              const data::Dataset &set, const Options &o) {
  std::vector<Run> runs; // source, float, integer, then one an ISA
  if (llvm::Error error = addRun(runs, makeInterpreter(source.network))) return error;
  if (llvm::Error error = addRun(runs, makeInterpreter(fused))) return error;
  if (llvm::Error error = addRun(runs, makeInterpreter(target.network))) return error;
  std::string notRun; ///< why the target itself could not be compared
  if (target.contents.cuda) {
    notRun = whyNoCuda();
    if (notRun.empty())
      if (llvm::Error error = addRun(runs, makeCuda(target.bytes.data.get(), target.bytes.size, 1, true))) return error;
  }
  if (chip) {
    if (llvm::Error error = addRun(runs, makeLoihi(chip))) return error;
  } else if (target.contents.x86 || target.kind != Model::Kind::Lasnn)
    for (const std::string &isa : availableIsas())
      if (llvm::Error error = addRun(runs, makeX86(target.bytes.data.get(), target.bytes.size, isa))) return error;
  for (const Run &run : runs)
    if (run.device->inputSize() != set.imageBytes())
      return llvm::createStringError(fmt::format("an image of {} has {} bytes, the network takes {}; use the data set that it was trained on",
                                                 set.name, set.imageBytes(), run.device->inputSize()));

  std::vector<Comparison> comparisons{{"source -> float", false, {}, 0, ""}, {"float -> integer", false, {}, 0, ""}};
  for (size_t r = 3; r < runs.size(); ++r) comparisons.push_back({fmt::format("integer -> {} {}", runs[r].device->name(), runs[r].device->isa()), true, {}, 0, ""});
  Progress progress("verify", set.count);
  for (size_t i = 0; i < set.count; ++i) {
    for (Run &run : runs) {
      if (llvm::Error error = run.device->run(set.image(i), run.output)) return error;
      run.spikes = run.device->spikes();
      run.correct += run.output.top() == set.labels[i];
    }
    compare(comparisons[0], runs[0], runs[1], i, false);
    compare(comparisons[1], runs[1], runs[2], i, false);
    for (size_t r = 3; r < runs.size(); ++r) compare(comparisons[r - 1], runs[2], runs[r], i, true);
    progress.update(i);
  }

  auto top1 = [&](const Run &run) { return set.count ? 100.0 * run.correct / set.count : 0.0; };
  nlohmann::ordered_json report;
  report["artefact"] = target.path;
  report["images"] = set.count;
  report["top1"] = {{"source", top1(runs[0])}, {"float", top1(runs[1])}, {"integer", top1(runs[2])}};
  bool foldOk = comparisons[0].worstShare() <= o.floatTolerance, accurate = top1(runs[1]) - top1(runs[2]) <= o.maxDrop, exact = true;
  report["comparisons"] = nlohmann::ordered_json::array();
  for (const Comparison &c : comparisons) {
    exact &= !c.exact || c.different() == 0;
    nlohmann::ordered_json entry{{"name", c.name}, {"bit_exact_required", c.exact}, {"different", c.different()}, {"first_output", c.firstOutput}};
    for (const LayerDiff &layer : c.layers)
      entry["layers"].push_back({{"name", layer.name}, {"compared", layer.compared}, {"different", layer.different}, {"first", layer.first}});
    report["comparisons"].push_back(std::move(entry));
  }
  bool sameSource = chip ? chip->program->mapping.header().source_sha256() == source.sha256
                         : target.kind != Model::Kind::Lasnn || target.contents.source_sha256 == source.sha256;
  if (!notRun.empty()) report["target_not_run"] = notRun;
  exact &= notRun.empty();
  report["checks"] = {{"artefact_is_of_this_model", sameSource}, {"folding_keeps_spikes", foldOk}, {"quantization_keeps_accuracy", accurate}, {"target_is_bit_exact", exact}};
  report["proved"] = sameSource && foldOk && accurate && exact;
  return report;
}

void printReport(const nlohmann::ordered_json &report, const Options &o) {
  fmt::print("{}: {} images, top-1 source {:.2f} %, float {:.2f} %, integer {:.2f} %\n", report["artefact"].get<std::string>(),
             report["images"].get<size_t>(), report["top1"]["source"].get<double>(), report["top1"]["float"].get<double>(),
             report["top1"]["integer"].get<double>());
  for (const auto &c : report["comparisons"]) {
    fmt::print("  {}\n", c["name"].get<std::string>());
    for (const auto &layer : c.value("layers", nlohmann::ordered_json::array())) {
      uint64_t compared = layer["compared"].get<uint64_t>(), different = layer["different"].get<uint64_t>();
      if (different == 0) fmt::print("    {:<24} equal, {} spike slots\n", layer["name"].get<std::string>(), compared);
      else
        fmt::print("    {:<24} {:.4f} % differ, first at {}\n", layer["name"].get<std::string>(), 100.0 * different / compared,
                   layer["first"].get<std::string>());
    }
    if (std::string first = c["first_output"].get<std::string>(); !first.empty()) fmt::print("    outputs differ, first at {}\n", first);
  }
  const auto &checks = report["checks"];
  auto line = [](bool ok, const std::string &text) { fmt::print("{}  {}\n", ok ? "ok  " : "FAIL", text); };
  line(checks["artefact_is_of_this_model"].get<bool>(), "the artefact was compiled from this model file (SHA-256)");
  line(checks["folding_keeps_spikes"].get<bool>(), fmt::format("folding and fusing keep the spikes (at most {:g} of a layer's may move)", o.floatTolerance));
  line(checks["quantization_keeps_accuracy"].get<bool>(), fmt::format("quantization costs at most {:g} points of accuracy", o.maxDrop));
  if (report.contains("target_not_run")) fmt::print("FAIL  the target was not run here: {}\n", report["target_not_run"].get<std::string>());
  else line(checks["target_is_bit_exact"].get<bool>(), "every executor of the target equals the interpreter to the bit: outputs and all spikes");
}

} // namespace

int main(int argc, char **argv) {
  const std::string tool = "lasnn-verify";
  CLI::App app{"Prove that an artefact computes what its source model computes; exit 0 when proved."};
  Options o;
  onnx_import::ImportOptions import;
  setUp(app, tool);
  app.add_option("model", o.model, "the source: .onnx or .mlir, float")->required();
  app.add_option("artefacts", o.artefacts, ".lasnn and .lmap files; none: compile for x86 in memory and verify that");
  app.add_option("--calib", o.calib, "of an .lmap that was compiled with calibration: the same set, as SET:DIR");
  app.add_option("--data", o.data, "data set as SET:DIR, for some sets with ?key=value&... behind; SET: " + data::knownSets())->required();
  app.add_option("--split", o.split, "train or test")->check(CLI::IsMember({"train", "test"}));
  app.add_option("--limit", o.limit, "use the first N images; 0: all");
  addDataFlags(app, o.skipCorrupt, o.checksums);
  app.add_option("--timesteps", import.timesteps, "T; overrides the model's own");
  app.add_option("--max-drop", o.maxDrop, "points of accuracy that quantization may cost");
  app.add_option("--float-tolerance", o.floatTolerance, "share of a layer's spikes that folding may move (float rounding near the threshold)");
  app.add_option("--report", o.report, "folder for verify.json");
  app.add_flag("--json", o.json, "print one JSON object on stdout");
  LASNN_PARSE(app, argc, argv)

  auto context = makeContext();
  DiagnosticPrinter printer(*context, o.model);
  auto source = loadModel(*context, o.model, import);
  if (!source) return fail(tool, source.takeError());
  if (source->network.isInteger()) return fail(tool, fmt::format("'{}' is in integer form, expected the float source", o.model));
  data::LoadOptions options;
  options.limit = o.limit, options.skipCorrupt = o.skipCorrupt, options.checksums = o.checksums;
  auto set = loadSamples(source->network, o.data, o.split, options);
  if (!set) return fail(tool, set.takeError());
  printNotes(tool, *set);

  auto runPasses = [&](mlir::ModuleOp module, auto build) {
    mlir::PassManager manager(context.get(), mlir::ModuleOp::getOperationName());
    build(manager);
    return mlir::succeeded(manager.run(module));
  };
  mlir::OwningOpRef<mlir::ModuleOp> fused = source->module->clone();
  if (!runPasses(*fused, buildFloatPipeline)) return fail(tool, "the network was refused");
  snn::NetworkOp fusedNetwork = *fused->getOps<snn::NetworkOp>().begin();

  std::vector<Model> targets;
  std::vector<std::shared_ptr<ChipRuns>> chips; ///< by target; null: no mapping
  for (const std::string &path : o.artefacts) {
    auto bytes = readFile(path);
    if (!bytes) return fail(tool, bytes.takeError());
    chips.push_back(nullptr);
    if (isMapping(*bytes)) { // it holds no integer network: that is made again from the source, so that no weight of the file is its own witness
      auto chip = loadMapping(*bytes, path);
      if (!chip) return fail(tool, chip.takeError());
      chips.back() = std::move(*chip);
      auto compile = optionsOf(chips.back()->program->mapping.header(), fusedNetwork, path, o);
      if (!compile) return fail(tool, compile.takeError());
      Model target;
      target.path = path, target.kind = Model::Kind::Mlir, target.module = fused->clone();
      target.network = *target.module->getOps<snn::NetworkOp>().begin();
      if (!runPasses(*target.module, [&](mlir::OpPassManager &m) { buildIntegerPipeline(m, *compile); })) return fail(tool, "the network was refused");
      targets.push_back(std::move(target));
      continue;
    }
    auto target = loadModel(*context, path, std::move(*bytes), import);
    if (!target) return fail(tool, target.takeError());
    if (target->kind != Model::Kind::Lasnn) return fail(tool, fmt::format("'{}' is no artefact, expected a .lasnn or .lmap file", path));
    targets.push_back(std::move(*target));
  }
  if (targets.empty()) {
    Model target;
    target.path = "compiled in memory for x86";
    target.module = fused->clone();
    target.network = *target.module->getOps<snn::NetworkOp>().begin();
    if (!runPasses(*target.module, [](mlir::OpPassManager &m) { buildIntegerPipeline(m, CompileOptions{}); }))
      return fail(tool, "the network was refused");
    auto artefact = findBackend("x86")->compile(target.network, Provenance{});
    if (mlir::failed(artefact)) return fail(tool, "target x86 cannot run this network");
    target.bytes = alignedCopy({reinterpret_cast<const char *>(artefact->bytes.data()), artefact->bytes.size()});
    targets.push_back(std::move(target)), chips.push_back(nullptr);
  }

  bool proved = true;
  nlohmann::ordered_json reports = nlohmann::ordered_json::array();
  for (auto [target, chip] : llvm::zip(targets, chips)) {
    auto report = verify(*source, fusedNetwork, target, chip, *set, o);
    if (!report) return fail(tool, report.takeError());
    proved &= (*report)["proved"].get<bool>();
    if (!o.json) printReport(*report, o);
    reports.push_back(std::move(*report));
  }
  nlohmann::ordered_json all{{"model", o.model}, {"proved", proved}, {"artefacts", reports}};
  if (o.json) fmt::print("{}\n", all.dump(2));
  else fmt::print("{}\n", proved ? "proved" : "NOT proved");
  if (!o.report.empty()) {
    if (std::error_code code = llvm::sys::fs::create_directories(o.report))
      return fail(tool, fmt::format("cannot make the folder '{}': {}", o.report, code.message()));
    if (llvm::Error failure = writeFile(o.report + "/verify.json", all.dump(2) + "\n")) return fail(tool, std::move(failure));
  }
  return proved ? kOk : kFailed;
}
