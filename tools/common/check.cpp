#include "tools/common/check.h"

#include "backends/backend.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Error.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace lasnn::tools {
namespace {

std::string nodeOf(mlir::Location location) {
  if (auto name = mlir::dyn_cast<mlir::NameLoc>(location)) return name.getName().str();
  if (auto line = mlir::dyn_cast<mlir::FileLineColLoc>(location)) return line.getLine() ? fmt::format("line {}", line.getLine()) : "";
  if (auto fused = mlir::dyn_cast<mlir::FusedLoc>(location))
    for (mlir::Location inner : fused.getLocations())
      if (std::string text = nodeOf(inner); !text.empty()) return text;
  return "";
}

/// "rule O3: ..." is O3, wherever in the message it stands.
std::string codeOf(llvm::StringRef text, const std::string &phase) {
  const size_t at = text.find("rule ");
  if (at != llvm::StringRef::npos) {
    const llvm::StringRef rule = text.drop_front(at + 5).take_while([](char c) { return llvm::isAlnum(c); });
    if (rule.size() > 1 && llvm::isUpper(rule[0]) && llvm::isDigit(rule.back())) return rule.str();
  }
  return llvm::StringRef(phase).upper();
}

class Checker {
public:
  Checker(const std::string &model, const LoadOptions &import, const CompileOptions &options)
      : import(import), options(options), context(makeContext()) {
    result.model = model;
    handler = context->getDiagEngine().registerHandler([this](mlir::Diagnostic &d) { add(d); });
  }
  ~Checker() { context->getDiagEngine().eraseHandler(handler); }

  CheckResult run(const std::vector<std::string> &targets) {
    phase = "import";
    auto model = loadModel(*context, result.model, import);
    std::string stopped;
    if (!model) {
      stopped = addUnlessSaid(model.takeError()) ? "the model could not be read" : "the importer refused the model";
    } else if (model->kind == Model::Kind::Lasnn) {
      stopped = "it is an artefact already";
      add("error", fmt::format("'{}' is an artefact already, expected a source model", result.model));
    } else if (!model->network.isInteger()) {
      phase = "float";
      if (!passes(*model->module, buildFloatPipeline)) stopped = "the passes in float form refused it";
    }
    for (const std::string &name : targets) {
      CheckedTarget target{name, false, stopped, {}};
      if (stopped.empty()) checkTarget(*model, target);
      result.targets.push_back(std::move(target));
    }
    return std::move(result);
  }

private:
  void add(mlir::Diagnostic &d) {
    const char *severities[] = {"note", "warning", "error", "remark"};
    Finding finding;
    finding.severity = severities[int(d.getSeverity())];
    finding.text = d.str();
    finding.place = nodeOf(d.getLocation());
    for (mlir::Diagnostic &note : d.getNotes())
      finding.notes.push_back(note.str());
    finish(std::move(finding));
  }
  void add(const char *severity, const std::string &text, const char *code = nullptr) {
    Finding finding;
    finding.severity = severity, finding.text = text;
    if (code) finding.code = code;
    finish(std::move(finding));
  }
  void finish(Finding finding) {
    finding.phase = phase, finding.target = target;
    if (finding.code.empty()) finding.code = codeOf(finding.text, phase);
    const size_t behind = finding.text.rfind("; ");
    finding.fix = !finding.notes.empty() ? finding.notes.back() : behind == std::string::npos ? "" : finding.text.substr(behind + 2);
    errors += finding.severity == "error";
    result.findings.push_back(std::move(finding));
  }
  /// An error behind diagnostics repeats them.
  bool addUnlessSaid(llvm::Error error) {
    std::string text = llvm::toString(std::move(error));
    if (errors) return false;
    add("error", text);
    return true;
  }

  bool passes(mlir::ModuleOp module, llvm::function_ref<void(mlir::OpPassManager &)> build) {
    mlir::PassManager manager(context.get(), mlir::ModuleOp::getOperationName());
    build(manager);
    return mlir::succeeded(manager.run(module));
  }

  void checkTarget(Model &model, CheckedTarget &checked) {
    const auto [backend, variant] = findTarget(checked.name);
    target = checked.name;
    const size_t first = result.findings.size();
    mlir::OwningOpRef<mlir::ModuleOp> module = model.module->clone();
    snn::NetworkOp network = *module->getOps<snn::NetworkOp>().begin();
    phase = "integer";
    CompileOptions own = options;
    own.thresholdStep = backend->thresholdStep();
    bool good = network.isInteger() || passes(*module, [&](mlir::OpPassManager &manager) { buildIntegerPipeline(manager, own); });
    phase = "target";
    if (good) good = mlir::succeeded(backend->check(network, variant));
    // Whether it fits a chip is known once it is mapped: with the least effort, which finds a fit where there is one.
    if (good && backend->extension() == ".lmap") {
      TargetOptions least;
      least.variant = variant, least.effort = 0;
      auto artefact = backend->compile(network, Provenance{}, least);
      good = mlir::succeeded(artefact);
      if (good)
        for (const std::string &text : artefact->errors)
          add("error", text, "FIT"), good = false;
      if (mlir::succeeded(artefact))
        for (const std::string &text : artefact->warnings)
          add("warning", text, "FIT");
    }
    checked.runs = good;
    describe(network, checked, first);
    target.clear();
  }

  void describe(snn::NetworkOp network, CheckedTarget &checked, size_t first) {
    network.walk([&](snn::LayerOp op) {
      CheckedLayer layer{op.getName().str(), "ok", {}, 0, 0};
      op.walk([&](mlir::Operation *inner) {
        if (snn::NeuronView neuron = snn::getNeuron(inner); neuron && network.isInteger()) layer.stateBits = neuron.stateBits;
      });
      if (op.getCurrentBits()) layer.currentBits = int64_t(*op.getCurrentBits());
      for (size_t f = 0; f < result.findings.size(); ++f) {
        const Finding &finding = result.findings[f];
        if (f < first && !finding.target.empty()) continue;
        if (finding.place != layer.name && finding.text.find("'" + layer.name + "'") == std::string::npos) continue;
        layer.state = finding.severity == "error" ? "refused" : layer.state == "refused" ? "refused" : "degraded";
        layer.why.push_back(finding.code);
      }
      checked.layers.push_back(std::move(layer));
    });
  }

  const LoadOptions &import;
  const CompileOptions &options;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::DiagnosticEngine::HandlerID handler;
  std::string phase, target;
  size_t errors = 0;
  CheckResult result;
};

} // namespace

bool CheckResult::good() const {
  return std::all_of(targets.begin(), targets.end(), [](const CheckedTarget &target) { return target.runs; });
}

CheckResult checkModel(const std::string &model, const std::vector<std::string> &targets, const LoadOptions &import,
                       const CompileOptions &compile) {
  return Checker(model, import, compile).run(targets);
}

nlohmann::ordered_json toJson(const CheckResult &result) {
  using Json = nlohmann::ordered_json;
  Json json{{"model", result.model}, {"runs", result.good()}, {"findings", Json::array()}, {"targets", Json::array()}};
  for (const Finding &f : result.findings)
    json["findings"].push_back({{"severity", f.severity},
                                {"phase", f.phase},
                                {"target", f.target},
                                {"code", f.code},
                                {"place", f.place},
                                {"text", f.text},
                                {"notes", f.notes},
                                {"fix", f.fix}});
  for (const CheckedTarget &target : result.targets) {
    Json one{{"target", target.name}, {"runs", target.runs}, {"not_checked", target.notChecked}, {"layers", Json::array()}};
    for (const CheckedLayer &layer : target.layers)
      one["layers"].push_back({{"name", layer.name},
                               {"state", layer.state},
                               {"why", layer.why},
                               {"state_bits", layer.stateBits},
                               {"current_bits", layer.currentBits}});
    json["targets"].push_back(std::move(one));
  }
  return json;
}

std::string toText(const CheckResult &result) {
  std::string text;
  std::map<std::string, size_t> counted;
  for (const Finding &f : result.findings) {
    ++counted[f.code];
    text += fmt::format("{} [{}] {}{}{}: {}\n", f.severity, f.code, f.phase, f.target.empty() ? "" : " " + f.target,
                        f.place.empty() ? "" : " '" + f.place + "'", f.text);
    for (const std::string &note : f.notes)
      text += fmt::format("  note: {}\n", note);
  }
  for (const CheckedTarget &target : result.targets) {
    if (target.runs)
      text += fmt::format("{} runs on target {}\n", result.model, target.name);
    else
      text += fmt::format("{} does not run on target {}{}\n", result.model, target.name,
                          target.notChecked.empty() ? "" : ", which was not asked: " + target.notChecked);
    for (const CheckedLayer &layer : target.layers) {
      std::string bits = layer.stateBits ? fmt::format("membranes of {} bits", layer.stateBits) : "";
      if (layer.currentBits) bits += fmt::format("{}sums of {}", bits.empty() ? "" : ", ", layer.currentBits);
      std::string why;
      for (const std::string &code : layer.why)
        why += " " + code;
      text += fmt::format("  {:<24} {:<9}{} {}\n", layer.name, layer.state, why, bits);
    }
  }
  if (!counted.empty()) {
    text += "findings by code:";
    for (const auto &[code, count] : counted)
      text += fmt::format(" {} x {}", code, count);
    text += "\n";
  }
  return text;
}

} // namespace lasnn::tools
