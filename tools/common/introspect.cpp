#include "tools/common/introspect.h"

#include "mlir/IR/Action.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "tools/common/cli.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

namespace lasnn::tools {

void Introspection::declare(CLI::App &app) {
  const char *group = "Looking into the passes";
  app.add_flag("--mlir-timing", timing, "print the time of every pass on stderr")->group(group);
  app.add_flag("--mlir-print-ir-after-all", afterAll, "print the IR after every pass on stderr")->group(group);
  app.add_flag("--mlir-print-ir-after-change", afterChange, "print it only after passes that changed it")->group(group);
  app.add_option("--mlir-print-ir-before", before, "print it before these passes (snn-quantize, ...)")->delimiter(',')->group(group);
  app.add_option("--mlir-print-ir-after", after, "print it after these passes")->delimiter(',')->group(group);
  app.add_option("--mlir-pass-pipeline-crash-reproducer", reproducer,
                 "when a pass fails or crashes, write what it was given and the passes left to FILE, for lasnn-opt")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--dump-phases", folder, "folder for the network as it stands after import and after every pass, one file each")
      ->type_name("DIR")
      ->group(group);
  app.add_option("--compile-from", from, "go on from a file that --dump-phases wrote, in place of MODEL")->type_name("FILE")->group(group);
  app.add_option("--check-passes", check,
                 "SET:DIR: run the interpreter after every pass and name the first that moved a spike it must not move; writes nothing "
                 "unless -o is given")
      ->group(group);
  app.add_option("--check-passes-limit", limit, "images of that set")->check(CLI::Range(size_t(1), size_t(1) << 20))->group(group);
}

class Introspection::Watch final : public mlir::PassInstrumentation {
public:
  explicit Watch(Introspection &owner) : owner(owner) {}
  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override {
    auto network = llvm::dyn_cast<snn::NetworkOp>(op);
    if (!network || pass->getArgument().empty() || owner.waiting || skipped(*pass)) return;
    owner.dump(network->getParentOfType<mlir::ModuleOp>(), pass->getArgument().str());
    if (owner.onPass) owner.onPass(*pass, network);
  }

private:
  /// The pass that the dump was written after: it was left out too.
  bool skipped(mlir::Pass &pass) const { return owner.resuming && pass.getArgument() == owner.phase.pass; }
  Introspection &owner;
};

llvm::Expected<Phase> Introspection::resume(mlir::ModuleOp module) {
  auto record = module->getAttrOfType<mlir::DictionaryAttr>("snn.phase");
  auto word = [&](const char *name) {
    auto text = record ? record.getAs<mlir::StringAttr>(name) : mlir::StringAttr();
    return text ? text.str() : std::string();
  };
  phase = {word("pass"), word("source"), word("sha256"), word("weights")};
  if (phase.pass.empty())
    return llvm::createStringError(fmt::format(
        "'{}' does not say which pass it was written after; expected a file of --dump-phases (a source model is given as MODEL)", from));
  module->removeAttr("snn.phase");
  resuming = true, waiting = phase.pass != "import";
  module.getContext()->registerActionHandler([this](llvm::function_ref<void()> transform, const mlir::tracing::Action &action) {
    const auto *run = llvm::dyn_cast<mlir::PassExecutionAction>(&action);
    // A pass without a name of its own is the pass manager's: what holds the others.
    if (!run || !waiting || run->getPass().getArgument().empty()) return transform();
    waiting = run->getPass().getArgument() != phase.pass;
  });
  return phase;
}

llvm::Error Introspection::finish() const {
  if (!waiting) return llvm::Error::success();
  return llvm::createStringError(fmt::format(
      "'{}' was written after the pass {}, which this pipeline does not have with these options; give those of the run that wrote it", from,
      phase.pass));
}

llvm::Error Introspection::begin(mlir::ModuleOp module, Phase given) {
  if (!resuming) phase = std::move(given);
  if (folder.empty() || resuming) return llvm::Error::success();
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError(fmt::format("cannot make the folder '{}': {}", folder, code.message()));
  dump(module, "import");
  return std::move(failure);
}

void Introspection::dump(mlir::ModuleOp module, const std::string &pass) {
  if (folder.empty() || failure) return;
  if (resuming && dumped == 0)
    if (std::error_code code = llvm::sys::fs::create_directories(folder)) {
      failure = llvm::createStringError(fmt::format("cannot make the folder '{}': {}", folder, code.message()));
      return;
    }
  mlir::Builder b(module.getContext());
  auto text = [&](const char *name, const std::string &value) { return b.getNamedAttr(name, b.getStringAttr(value)); };
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  (*copy)->setAttr("snn.phase", b.getDictionaryAttr({text("pass", pass), text("source", phase.source), text("sha256", phase.sha256),
                                                     text("weights", phase.weights)}));
  std::string printed;
  llvm::raw_string_ostream stream(printed);
  (*copy)->print(stream, mlir::OpPrintingFlags().enableDebugInfo());
  const llvm::StringRef name = llvm::StringRef(pass).starts_with("snn-") ? llvm::StringRef(pass).drop_front(4) : llvm::StringRef(pass);
  failure = writeFile(fmt::format("{}/{:02}.{}.mlir", folder, dumped++, name.str()), printed + "\n");
}

void Introspection::apply(mlir::PassManager &manager) {
  if (!reproducer.empty()) manager.enableCrashReproducerGeneration(reproducer);
  if (afterAll || afterChange || !before.empty() || !after.empty())
    manager.enableIRPrinting(
        [this](mlir::Pass *pass, mlir::Operation *) { return llvm::is_contained(before, pass->getArgument()); },
        [this](mlir::Pass *pass, mlir::Operation *) { return afterAll || afterChange || llvm::is_contained(after, pass->getArgument()); },
        /*printModuleScope=*/false, /*printAfterOnlyOnChange=*/afterChange);
  if (timing) manager.enableTiming();
  if (!folder.empty() || onPass) manager.addInstrumentation(std::make_unique<Watch>(*this));
}

} // namespace lasnn::tools
