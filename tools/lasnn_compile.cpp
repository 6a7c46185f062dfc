// lasnn-compile: a trained model to an artefact for one target.
#include "backends/backend.h"
#include "backends/loihi/map/objective.h"
#include "frontend/data/data.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Support.h"
#include "passes/passes.h"
#include "tools/common/check.h"
#include "tools/common/chip_sweep.h"
#include "tools/common/cli.h"
#include "tools/common/conversion.h"
#include "tools/common/device.h"
#include "tools/common/introspect.h"
#include "tools/common/model.h"
#include "tools/common/nir_flags.h"
#include "tools/common/samples.h"
#include "tools/verify/check_passes.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

using namespace lasnn;
using namespace lasnn::tools;

namespace {

struct Options {
  std::string model, output, target = "x86", weights, weightScale, rounding, calib, report, emit, sweep;
  size_t calibLimit = 512, roundLimit = 64;
  bool skipCorrupt = false, checksums = false;
  int stateBits = 0;
  std::vector<std::string> kernels;
  TargetOptions targetOptions;
  ConversionFlags conversion;
  bool check = false, json = false;
  std::shared_ptr<verify::PassChecker> checker; ///< of --check-passes
  std::shared_ptr<Introspection> introspection = std::make_shared<Introspection>();
  std::vector<float> mean, std;
  std::string readout, encoding;
  LoadOptions import;
};

std::string targetNames() {
  std::string names;
  for (const auto &backend : backends()) {
    names += (names.empty() ? "" : ", ") + backend->targets();
    if (!backend->variants().empty()) names += fmt::format("[:VARIANT] ({})", backend->variants().str());
  }
  return names;
}

void declare(CLI::App &app, Options &o) {
  app.add_option("model", o.model, "ONNX, NIR or MLIR model; - is stdin");
  app.add_option("-o,--output", o.output, "artefact to write; - is stdout");
  app.add_option("--target", o.target, "one of: " + targetNames());
  app.add_option("--timesteps", o.import.timesteps, "T; overrides the model's own");
  app.add_option("--weights", o.weights, "width of the weights (ternary is int2), and of single layers: int8,conv2:int4; default: what the model was trained with, or int8")
      ->check([](const std::string &text) {
        static const std::set<std::string> known{"int8", "int7", "int6", "int5", "int4", "int3", "int2", "ternary"};
        return known.count(text) || text.find(',') != std::string::npos || text.find(':') != std::string::npos ? "" : text + " is no width, expected int8 to int2, or ternary; then LAYER:WIDTH";
      });
  app.add_option("--weight-scale", o.weightScale, "what a channel's unit is chosen from: max (default), percentile, mse (with --calib)")->check(CLI::IsMember({"max", "percentile", "mse"}));
  app.add_option("--rounding", o.rounding, "of weights: nearest (default), or reconstruct, which keeps the currents on --calib (docs/quantize.md)")
      ->check(CLI::IsMember({"nearest", "reconstruct"}));
  app.add_option("--round-limit", o.roundLimit, "images of --calib that --weight-scale and --rounding look at");
  app.add_option("--state-bits", o.stateBits, "width of the membrane; 0: chosen from calibration or proof")
      ->check(CLI::IsMember({0, 16, 24}));
  app.add_option("--calib", o.calib, "calibration data as SET:DIR, for some sets with ?key=value&... behind, train split; SET: " + data::knownSets());
  addDataFlags(app, o.skipCorrupt, o.checksums);
  app.add_option("--calib-limit", o.calibLimit, "images of the calibration set to use");
  app.add_option("--mean", o.mean, "input mean per channel, of pixel/255; overrides the model's own")->delimiter(',');
  app.add_option("--std", o.std, "input standard deviation per channel")->delimiter(',');
  app.add_option("--readout", o.readout, "how per-step outputs combine")->check(CLI::IsMember({"sum", "mean", "last"}));
  app.add_option("--encoding", o.encoding, "how the input is driven")->check(CLI::IsMember({"direct", "events"}));
  addNirFlags(app, o.import.nir);
  app.add_option("--kernel", o.kernels, "LAYER:NAME, again for every layer that is not to be left to the backend's choice (cuda: docs/cuda.md)");
  app.add_option("--batch", o.targetOptions.batch, "samples at a time that kernels are chosen for (cuda; any batch runs)")->check(CLI::Range(1u, 1u << 20));
  app.add_flag(
      "--check", o.check,
      "list everything that would stop or degrade the model; several targets as T,T,...; writes nothing, exit 1 when one cannot run it");
  addConversionFlags(app, o.conversion);
  app.add_option("--emit", o.emit, "print a stage in place of the artefact: snn (float), snn-int, plan; nir: the float network as a NIR file, -o OUT.nir; sanafe (Loihi): write OUT.arch.yaml and\n"
                                 "OUT.net.yaml for the simulator SANA-FE, with the first image of --calib as input")
      ->check(CLI::IsMember({"snn", "snn-int", "plan", "nir", "sanafe"}));
  app.add_option("--report", o.report, "folder for compile.json, plan.txt and what the target reports");
  app.add_option("--objective", o.targetOptions.objective, "Loihi: what the mapper saves: cores, energy, latency, or their weights W,W,W")
      ->check([](const std::string &text) { return loihi::parseObjective(text) ? std::string() : "expected cores, energy, latency or three weights W,W,W, got " + text; });
  app.add_option("--seed", o.targetOptions.seed, "Loihi: of the mapper's search; the same seed, the same mapping");
  app.add_option("--effort", o.targetOptions.effort, "Loihi: 0 (first cut that fits) to 4 (long search)")->check(CLI::Range(0u, 4u));
  app.add_option("--time-limit", o.targetOptions.time_limit_s, "Loihi: seconds after which the search keeps its best; 0: none")->check(CLI::Range(0.0, 1e6));
  app.add_option("--threads", o.targetOptions.threads, "Loihi: threads of the mapper; 0: all")->check(CLI::Range(0u, 256u));
  app.add_option("--sweep", o.sweep, "Loihi: YAML or JSON file of targets, weights and objectives; maps each, prints one table, --report=DIR keeps it (docs/loihi-reports.md)");
  app.add_flag("--json", o.json, "print what was made as one JSON object on stdout");
  o.introspection->declare(app);
}

/// Spikes a neuron and step of every layer, over the first samples: enough to choose kernels by.
llvm::Error measureRates(snn::NetworkOp network, const CalibrationData &calibration, std::map<std::string, double> &rates) {
  auto device = makeInterpreter(network);
  if (!device) return device.takeError();
  Output output;
  for (size_t i = 0; i < std::min<size_t>(8, calibration.samples.size()); ++i)
    if (llvm::Error error = (*device)->run(calibration.samples[i].data(), output)) return error;
  for (const LayerStats &layer : (*device)->stats()) rates[layer.name] = layer.rate();
  return llvm::Error::success();
}

/// What --weights means when it is not given: the widths that the model was trained with, "int4", or "int4+int8"; else int8.
std::string ownWeights(snn::NetworkOp network) {
  std::set<int> widths;
  network.walk([&](mlir::Operation *op) {
    if (auto recorded = getRecorded(op)) widths.insert(recorded->weightBits);
  });
  std::string text;
  for (int width : widths) text += fmt::format("{}int{}", text.empty() ? "" : "+", width);
  return text.empty() ? "int8" : text;
}

std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, mlir::OpPrintingFlags().enableDebugInfo());
  return text + "\n";
}

llvm::Error writeReport(const Options &o, const nlohmann::ordered_json &json, const Artefact &artefact) {
  if (std::error_code code = llvm::sys::fs::create_directories(o.report))
    return llvm::createStringError(fmt::format("cannot make the folder '{}': {}", o.report, code.message()));
  if (llvm::Error error = writeFile(o.report + "/compile.json", json.dump(2) + "\n")) return error;
  for (const auto &[name, text] : artefact.reports)
    if (llvm::Error error = writeFile(o.report + "/" + name, text)) return error;
  return writeFile(o.report + "/plan.txt", artefact.plan);
}

bool runPasses(mlir::MLIRContext &context, mlir::ModuleOp module, const Options &o, llvm::function_ref<void(mlir::OpPassManager &)> build) {
  mlir::PassManager manager(&context, mlir::ModuleOp::getOperationName());
  build(manager);
  o.introspection->apply(manager);
  return mlir::succeeded(manager.run(module));
}

/// Where a dump is gone on from, it says what it was made from. Dumps and checks of every pass begin here.
llvm::Error startIntrospection(Options &o, Model &model) {
  Introspection &look = *o.introspection;
  Phase phase{"import", o.model.substr(o.model.find_last_of('/') + 1), model.sha256,
              o.weights.empty() ? ownWeights(model.network) : o.weights};
  if (!look.compileFrom().empty()) {
    auto resumed = look.resume(*model.module);
    if (!resumed) return resumed.takeError();
    phase = *resumed;
    if (o.weights.empty()) o.weights = phase.weights;
    model.sha256 = phase.sha256, o.model = phase.source;
  }
  if (llvm::Error error = look.begin(*model.module, phase)) return error;
  if (look.checkData().empty()) return llvm::Error::success();
  data::LoadOptions options;
  options.limit = look.checkLimit(), options.skipCorrupt = o.skipCorrupt, options.checksums = o.checksums;
  auto set = loadSamples(model.network, look.checkData(), "train", options);
  if (!set) return set.takeError();
  printNotes("lasnn-compile", *set);
  o.checker = std::make_shared<verify::PassChecker>(std::move(*set));
  o.checker->look(phase.pass, "", model.network);
  look.onPass = [&o](mlir::Pass &pass, snn::NetworkOp network) {
    o.checker->look(pass.getArgument().str(), pass.getDescription().str(), network);
  };
  return llvm::Error::success();
}

/// What --weights, --weight-scale and --rounding ask of the passes.
void setWeights(const Options &o, CompileOptions &compile) {
  const bool byLayer = o.weights.find_first_of(",:") != std::string::npos, rounds = byLayer || !o.weightScale.empty() || !o.rounding.empty();
  if (rounds) compile.weights = o.weights.empty() ? "own" : o.weights.find(':') < o.weights.find(',') ? "own," + o.weights : o.weights;
  else if (!o.weights.empty()) compile.weightBits = o.weights.back() - '0';
  compile.weightScale = o.weightScale, compile.rounding = o.rounding, compile.roundLimit = o.roundLimit;
}

/// --check, for one or several targets. Samples of --calib are not asked for: ranges are then proved, not measured.
int checkTargets(const std::string &tool, const Options &o) {
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(o.target).split(names, ',');
  std::vector<std::string> targets;
  for (llvm::StringRef name : names) {
    const auto [backend, variant] = findTarget(name);
    if (!backend) return fail(tool, fmt::format("--target={} is unknown, expected one of: {}", name.str(), targetNames())), kUsage;
    if (std::string wrong = backend->checkVariant(variant); !wrong.empty())
      return fail(tool, fmt::format("--target={}: {}", name.str(), wrong)), kUsage;
    targets.push_back(name.str());
  }
  CompileOptions compile;
  setWeights(o, compile);
  compile.stateBits = o.stateBits;
  const CheckResult result = checkModel(o.model, targets, o.import, compile);
  fmt::print("{}", o.json ? toJson(result).dump(2) + "\n" : toText(result));
  return result.good() ? kOk : kFailed;
}

llvm::Expected<std::shared_ptr<CalibrationData>> calibrationOf(const Options &o, snn::NetworkOp network) {
  data::LoadOptions options;
  options.limit = o.calibLimit, options.skipCorrupt = o.skipCorrupt, options.checksums = o.checksums;
  return loadCalibration("lasnn-compile", network, o.calib, options);
}

/// The integer network, proved and taken by the target. What --emit asked for is in `shown` instead.
llvm::Expected<Model> prepare(mlir::MLIRContext &context, Options &o, const Backend &backend, llvm::StringRef variant, std::shared_ptr<CalibrationData> &calibration, std::string &shown) {
  auto model = loadModel(context, o.model, o.import);
  if (!model) return model.takeError();
  if (model->kind == Model::Kind::Lasnn) return llvm::createStringError(fmt::format("'{}' is an artefact already, expected a source model", o.model));
  CompileOptions compile;
  setWeights(o, compile);
  if (llvm::Error error = startIntrospection(o, *model)) return error;
  if (o.weights.empty()) o.weights = ownWeights(model->network);
  if (o.conversion.convert) {
    auto loaded = calibrationOf(o, model->network);
    if (!loaded) return loaded.takeError();
    calibration = *loaded;
    std::string table;
    auto run = [&](llvm::function_ref<void(mlir::OpPassManager &)> build) { return runPasses(context, *model->module, o, build); };
    if (llvm::Error error = convertNetwork(*model, o.conversion, o.import.timesteps.value_or(32), *calibration, run, table)) return error;
    if (calibration->samples.size() > o.conversion.limit) // membranes of T steps are measured on what conversion looked at, not on more
      calibration->samples.resize(o.conversion.limit);
    fmt::print(o.json || o.output == "-" || (!o.emit.empty() && o.output.empty()) ? stderr : stdout, "{}", table);
  }
  if (!model->network.isInteger() || o.introspection->resumed()) {
    if (!runPasses(context, *model->module, o, buildFloatPipeline)) return llvm::createStringError("the network was refused; nothing was written");
    if (o.emit == "snn") shown = print(*model->module);
    if (o.emit == "nir") {
      auto bytes = exportAsNir(model->network);
      if (!bytes) return bytes.takeError();
      shown = std::move(*bytes);
    }
    compile.stateBits = o.stateBits;
    compile.thresholdStep = backend.thresholdStep();
    if (!o.calib.empty() && shown.empty()) {
      if (!calibration) {
        auto loaded = calibrationOf(o, model->network);
        if (!loaded) return loaded.takeError();
        calibration = *loaded;
      }
      compile.calibration = calibration;
    }
    auto build = [&](mlir::OpPassManager &manager) { buildIntegerPipeline(manager, compile); };
    if (shown.empty() && !runPasses(context, *model->module, o, build)) return llvm::createStringError("the network was refused; nothing was written");
  }
  if (llvm::Error error = llvm::joinErrors(o.introspection->finish(), o.introspection->takeError())) return error;
  if (o.emit == "nir" && shown.empty()) return llvm::createStringError("--emit=nir: the network is in integer form, expected float form; export its source model");
  if (o.emit == "snn-int") shown = print(*model->module);
  if (shown.empty() && mlir::failed(backend.check(model->network, variant)))
    return llvm::createStringError(fmt::format("target {} cannot run this network; nothing was written", o.target));
  return model;
}

/// The artefact of a prepared network.
llvm::Expected<Artefact> compileTo(Model &model, Options &o, const Backend &backend, const std::shared_ptr<CalibrationData> &calibration) {
  Provenance provenance;
  provenance.tool = versionText("lasnn-compile");
  provenance.options = fmt::format("{}--target={} --weights={}{}{} --state-bits={}", o.conversion.convert ? "--convert " : "", o.target.substr(o.target.find_last_of('/') + 1), o.weights,
                                   o.weightScale.empty() ? "" : " --weight-scale=" + o.weightScale, o.rounding.empty() ? "" : " --rounding=" + o.rounding, o.stateBits);
  if (backend.extension() == ".lmap")
    provenance.options += fmt::format(" --objective={} --seed={} --effort={} --time-limit={}", o.targetOptions.objective, o.targetOptions.seed, o.targetOptions.effort,
                                      o.targetOptions.time_limit_s);
  o.targetOptions.reports = !o.report.empty();
  o.targetOptions.exports = o.emit == "sanafe";
  if (calibration && !calibration->samples.empty()) o.targetOptions.sample = calibration->samples[0];
  o.targetOptions.json = llvm::StringRef(o.output).ends_with(".json");
  for (const std::string &kernel : o.kernels) provenance.options += " --kernel=" + kernel;
  if (o.targetOptions.batch) provenance.options += fmt::format(" --batch={}", o.targetOptions.batch);
  provenance.sourceName = o.model.substr(o.model.find_last_of('/') + 1);
  provenance.sourceSha256 = model.sha256;
  if (!o.calib.empty()) provenance.calibration = fmt::format("{} (first {})", o.calib.substr(0, o.calib.find(':')), o.calibLimit);
  if (calibration && backend.wantsRates())
    if (llvm::Error error = measureRates(model.network, *calibration, o.targetOptions.rates)) return error;
  auto compiled = backend.compile(model.network, provenance, o.targetOptions);
  if (mlir::failed(compiled)) return llvm::createStringError("nothing was written");
  return std::move(*compiled);
}

/// --sweep: every point is compiled from the source anew, since widths and targets change the integers.
int sweep(const std::string &tool, const Options &o) {
  auto plan = readSweep(o.sweep);
  if (!plan) return fail(tool, plan.takeError());
  auto compile = [&](const std::string &target, const std::string &weights, const std::string &objective) -> llvm::Expected<Artefact> {
    Options own = o;
    own.target = target, own.targetOptions.objective = objective, own.report.clear(), own.output.clear();
    if (!weights.empty()) own.weights = weights == "ternary" ? "int2" : weights;
    const auto [backend, variant] = findTarget(target);
    if (!backend || backend->extension() != ".lmap") return llvm::createStringError(fmt::format("'{}' is no chip that networks are mapped onto", target));
    if (std::string bad = backend->checkVariant(variant); !bad.empty()) return llvm::createStringError(bad);
    own.targetOptions.variant = variant;
    auto context = makeContext();
    DiagnosticPrinter printer(*context, o.model);
    std::shared_ptr<CalibrationData> calibration;
    std::string shown;
    auto model = prepare(*context, own, *backend, variant, calibration, shown);
    if (!model) return model.takeError();
    return compileTo(*model, own, *backend, calibration);
  };
  if (llvm::Error error = runSweep(*plan, o.model, o.report, o.json, compile)) return fail(tool, std::move(error));
  return kOk;
}

} // namespace

int main(int argc, char **argv) {
  const std::string tool = "lasnn-compile";
  CLI::App app{"Compile a trained spiking network for a target: fold, fuse, calibrate, quantize, prove, plan."};
  Options o;
  setUp(app, tool);
  declare(app, o);
  LASNN_PARSE(app, argc, argv)

  if (!o.readout.empty()) o.import.readout = snn::symbolizeReadoutMode(o.readout);
  if (!o.encoding.empty()) o.import.encoding = snn::symbolizeEncoding(o.encoding);
  if (!o.mean.empty()) o.import.mean = o.mean;
  if (!o.std.empty()) o.import.std = o.std;
  if (o.weights == "ternary") o.weights = "int2";
  if (!o.sweep.empty()) return sweep(tool, o);

  const std::string &from = o.introspection->compileFrom(), &checkPasses = o.introspection->checkData();
  if (o.model.empty() == from.empty()) return fail(tool, "expected either MODEL or --compile-from=FILE"), kUsage;
  if (!from.empty()) o.model = from;
  if (o.check && !o.conversion.convert) return checkTargets(tool, o);
  const auto [backend, variant] = findTarget(o.target);
  auto usage = [&](const std::string &text) { return fail(tool, text), kUsage; };
  if (!backend) return usage(fmt::format("--target={} is unknown, expected one of: {}", o.target, targetNames()));
  if (std::string wrong = backend->checkVariant(variant); !wrong.empty()) return usage(fmt::format("--target={}: {}", o.target, wrong));
  if (o.output.empty() && o.emit.empty() && !o.check && checkPasses.empty())
    return usage("-o OUT is missing; add it, or --emit=STAGE, or --check");
  for (const std::string &kernel : o.kernels) {
    const size_t colon = kernel.find(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == kernel.size()) return usage(fmt::format("--kernel={}: expected LAYER:NAME", kernel));
    o.targetOptions.kernels[kernel.substr(0, colon)] = kernel.substr(colon + 1);
  }
  o.targetOptions.variant = variant;
  if (o.emit == "sanafe" && (o.output.empty() || o.output == "-")) return usage("--emit=sanafe writes two files: add -o OUT");
  if (o.conversion.convert && o.calib.empty()) return usage("--convert chooses thresholds from activations: add --calib=SET:DIR");
  if (o.calib.empty() && (o.weightScale == "mse" || o.rounding == "reconstruct"))
    return usage("--weight-scale=mse and --rounding=reconstruct look at what weights do to samples: add --calib=SET:DIR");
  if (!o.conversion.convert && !o.conversion.accuracy.empty()) return usage("--accuracy measures a conversion: add --convert (lasnn-run measures an artefact)");
  if (o.emit == "nir" && o.output.empty()) return usage("--emit=nir writes a binary file: add -o OUT.nir");

  auto context = makeContext();
  DiagnosticPrinter printer(*context, o.model);
  std::string shown;
  std::shared_ptr<CalibrationData> calibration;
  auto model = prepare(*context, o, *backend, variant, calibration, shown);
  if (o.checker) {
    const std::string told = o.json ? o.checker->json().dump(2) + "\n" : o.checker->text();
    fmt::print(o.output.empty() && o.emit.empty() ? stdout : stderr, "{}", told);
    if (!o.checker->good()) return fail(tool, "a pass moved spikes that it must not move; nothing was written");
    if (model && o.output.empty() && o.emit.empty()) return kOk;
  }
  if (!model) return fail(tool, model.takeError());

  Artefact artefact;
  if (shown.empty() && !o.check) {
    auto compiled = compileTo(*model, o, *backend, calibration);
    if (!compiled) return fail(tool, compiled.takeError());
    artefact = std::move(*compiled);
    for (const std::string &warning : artefact.warnings) fmt::print(stderr, "{}: warning: {}\n", tool, warning);
    for (const std::string &error : artefact.errors) fmt::print(stderr, "{}: {}\n", tool, error);
    if (o.emit == "plan") shown = artefact.plan;
    if (o.emit == "sanafe" && artefact.errors.empty()) {
      if (artefact.exports.empty()) return fail(tool, fmt::format("--emit=sanafe: target {} cannot be written for SANA-FE", o.target));
      for (const auto &[ending, text] : artefact.exports)
        if (llvm::Error error = writeFile(o.output + ending, text)) return fail(tool, std::move(error));
      return kOk;
    }
  }
  if (!shown.empty()) {
    if (llvm::Error error = writeFile(o.output.empty() ? "-" : o.output, shown)) return fail(tool, std::move(error));
    return kOk;
  }

  nlohmann::ordered_json json{{"model", o.model}, {"target", o.target}, {"weights", o.weights}, {"source_sha256", model->sha256}};
  if (!o.check) {
    if (!artefact.errors.empty()) { // how far it is from fitting can be read, but nothing can be loaded
      nlohmann::ordered_json why{{"model", o.model}, {"target", o.target}, {"errors", artefact.errors}};
      if (!artefact.details.empty()) why.update(nlohmann::ordered_json::parse(artefact.details));
      if (!o.report.empty())
        if (llvm::Error error = writeReport(o, why, artefact)) return fail(tool, std::move(error));
      return fail(tool, fmt::format("the network does not fit target {}; nothing was written", o.target));
    }
    std::string_view bytes(reinterpret_cast<const char *>(artefact.bytes.data()), artefact.bytes.size());
    if (llvm::Error error = writeFile(o.output, bytes)) return fail(tool, std::move(error));
    json["output"] = o.output;
    json["bytes"] = artefact.bytes.size();
    if (!artefact.details.empty()) json.update(nlohmann::ordered_json::parse(artefact.details));
    if (!artefact.warnings.empty()) json["warnings"] = artefact.warnings;
    if (!o.report.empty())
      if (llvm::Error error = writeReport(o, json, artefact)) return fail(tool, std::move(error));
  } else {
    json["runs"] = true;
  }
  if (o.json && o.output != "-") fmt::print("{}\n", json.dump(2));
  else if (o.check) fmt::print("{} runs on target {}\n", o.model, o.target);
  return kOk;
}
