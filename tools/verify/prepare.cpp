#include "tools/verify/prepare.h"

#include "backends/backend.h"
#include "backends/loihi/lmap.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tools/common/cli.h"
#include "tools/common/loihi_device.h"
#include "tools/common/samples.h"
#include "tools/verify/source.h"

#include "llvm/Support/Program.h"

#include <cstdlib>
#include <fmt/format.h>

namespace lasnn::tools::verify {
namespace {

class Preparer {
public:
  Preparer(const std::string &tool, const Request &request, Prepared &prepared)
      : tool(tool), request(request), prepared(prepared), plan(prepared.plan) {}

  llvm::Error run() {
    prepared.context = makeContext();
    DiagnosticPrinter printer(*prepared.context, request.model);
    auto loaded = loadModel(*prepared.context, request.model, request.import);
    if (!loaded) return loaded.takeError();
    prepared.models.reserve(2 + request.artefacts.size());
    prepared.models.push_back(std::move(*loaded));
    Model &source = prepared.models.front();
    if (source.kind == Model::Kind::Lasnn || source.network.isInteger())
      return llvm::createStringError(fmt::format("'{}' is {}, expected the float source that it was compiled from", request.model,
                                                 source.kind == Model::Kind::Lasnn ? "an artefact" : "in integer form"));
    Result &result = plan.result;
    result.model = request.model, result.sha256 = source.sha256, result.data = request.data, result.split = request.split,
    result.limits = request.limits;
    result.timesteps = size_t(source.network.getTimesteps());
    source.network.walk([&](snn::ReluOp) { result.isAnn = true; });

    data::LoadOptions options;
    options.limit = request.limit, options.skipCorrupt = request.skipCorrupt, options.checksums = request.checksums;
    auto set = lasnn::loadSamples(source.network, request.data, request.split, options);
    if (!set) return set.takeError();
    printNotes(tool, *set);
    if (set->count == 0)
      return llvm::createStringError(fmt::format("{} holds no {} images, expected at least 1", set->name, request.split));
    prepared.set = std::move(*set);

    if (llvm::Error error = addSource(source)) return error;
    if (llvm::Error error = addFloat(source)) return error;
    if (request.artefacts.empty()) return addCompiledHere();
    for (const std::string &path : request.artefacts)
      if (llvm::Error error = addArtefact(path)) return error;
    return llvm::Error::success();
  }

private:
  static snn::NetworkOp networkOf(mlir::ModuleOp module) { return *module.getOps<snn::NetworkOp>().begin(); }

  bool runPasses(mlir::ModuleOp module, llvm::function_ref<void(mlir::OpPassManager &)> build) {
    mlir::PassManager manager(prepared.context.get(), mlir::ModuleOp::getOperationName());
    build(manager);
    return mlir::succeeded(manager.run(module));
  }

  llvm::Expected<size_t> add(llvm::Expected<std::unique_ptr<Executor>> executor, const char *stage) {
    if (!executor) return executor.takeError();
    const size_t column = plan.add(std::move(*executor), stage);
    chain.columns.push_back(column);
    return column;
  }
  void compare(size_t a, size_t b, Demand demand, const std::string &name) {
    chain.comparisons.push_back(plan.compare(a, b, demand, name));
  }

  /// Somebody else's run of the source. `auto`: where it cannot be had, the report says so.
  llvm::Error addSource(Model &model) {
    std::string &why = plan.result.sourceNotRun;
    const bool demanded = request.runner != "auto" && request.runner != "interp";
    if (request.runner == "interp")
      why = "--source-runner=interp";
    else if (model.kind != Model::Kind::Onnx)
      why = "only ONNX models have a runtime of their own";
    if (!why.empty())
      return demanded ? llvm::createStringError(fmt::format("--source-runner={}: {}", request.runner, why)) : llvm::Error::success();
    const char *environment = std::getenv("LASNN_PYTHON");
    const std::string python = demanded ? request.runner : environment && *environment ? environment : "python3";
    llvm::Expected<std::unique_ptr<Executor>> started = llvm::createStringError(fmt::format("{}: no such program", python));
    if (llvm::sys::findProgramByName(python)) {
      llvm::consumeError(started.takeError());
      started = startSource(python, model.bytes.text(), request.import);
    }
    if (started && (*started)->timesteps() != plan.result.timesteps && !plan.result.isAnn)
      started =
          llvm::createStringError(fmt::format("it runs {} steps, the imported network {}", (*started)->timesteps(), plan.result.timesteps));
    if (!started) {
      why = llvm::toString(started.takeError());
      if (demanded) return llvm::createStringError(fmt::format("--source-runner={}: {}", request.runner, why));
      return llvm::Error::success();
    }
    return add(std::move(started), "source").takeError();
  }

  llvm::Error addFloat(Model &model) {
    auto imported = add(makeInterpreted(model.network, "float interpreter"), "imported");
    if (!imported) return imported.takeError();
    if (*imported > 0 && !plan.result.isAnn) compare(*imported - 1, *imported, Demand::Rounding, "source -> imported");
    before = *imported;
    if (plan.result.isAnn) { // its conversion is the artefact's business; steps and spikes have no counterpart in the source
      common = chain;
      return llvm::Error::success();
    }
    mlir::ModuleOp module = prepared.models.front().module->clone();
    prepared.modules.push_back(module);
    if (!runPasses(module, buildFloatPipeline)) return llvm::createStringError("the network was refused, for the reasons above");
    auto folded = add(makeInterpreted(networkOf(module), "float interpreter, folded and fused"), "float");
    if (!folded) return folded.takeError();
    compare(before, *folded, Demand::Rounding, plan.result.sourceNotRun.empty() ? "imported -> float" : "source -> float");
    before = *folded, fused = module;
    common = chain;
    return llvm::Error::success();
  }

  /// The integer network of an artefact, after the float one.
  llvm::Expected<size_t> addInteger(snn::NetworkOp network) {
    const size_t steps = size_t(network.getTimesteps());
    if (!plan.result.isAnn && steps != plan.result.timesteps)
      return llvm::createStringError(fmt::format("'{}' runs {} steps, '{}' {}; if it was compiled with --timesteps={}, say so here",
                                                 chain.path, steps, request.model, plan.result.timesteps, steps));
    auto integer = add(makeInterpreted(network, "integer interpreter"), "integer");
    if (integer && !plan.result.isAnn) compare(before, *integer, Demand::Reported, "float -> integer");
    return integer;
  }

  llvm::Error addDevice(llvm::Expected<std::unique_ptr<Device>> device, size_t integer) {
    if (!device) return device.takeError();
    auto column = add(makeOnDevice(std::move(*device), plan.executors[integer]->timesteps()), "target");
    if (!column) return column.takeError();
    compare(integer, *column, Demand::Exact, fmt::format("integer -> {}", plan.result.columns[*column].name));
    return llvm::Error::success();
  }

  llvm::Error addX86(const ModelBytes &bytes, size_t integer) {
    for (const std::string &isa : availableIsas())
      if (llvm::Error error = addDevice(makeX86(bytes.data.get(), bytes.size, isa), integer)) return error;
    return llvm::Error::success();
  }

  void finishChain() {
    plan.result.chains.push_back(std::move(chain));
    chain = common;
  }

  /// Compiles the fused network as an artefact says it was compiled.
  llvm::Expected<mlir::ModuleOp> quantize(const CompileOptions &options) {
    if (plan.result.isAnn)
      return llvm::createStringError(
          fmt::format("'{}' is no spiking network; compile it first and give the .lasnn, which holds the converted one", request.model));
    mlir::ModuleOp module = fused.clone();
    prepared.modules.push_back(module);
    if (!runPasses(module, [&](mlir::OpPassManager &manager) { buildIntegerPipeline(manager, options); }))
      return llvm::createStringError("the network was refused, for the reasons above");
    return module;
  }

  llvm::Error addCompiledHere() {
    chain.path = "compiled in memory for x86", chain.target = "x86";
    auto module = quantize({});
    if (!module) return module.takeError();
    auto integer = addInteger(networkOf(*module));
    if (!integer) return integer.takeError();
    auto artefact = findBackend("x86")->compile(networkOf(*module), Provenance{});
    if (mlir::failed(artefact)) return llvm::createStringError("target x86 cannot run this network, for the reasons above");
    Model &model = prepared.models.emplace_back();
    model.bytes = alignedCopy({reinterpret_cast<const char *>(artefact->bytes.data()), artefact->bytes.size()});
    if (llvm::Error error = addX86(model.bytes, *integer)) return error;
    finishChain();
    return llvm::Error::success();
  }

  llvm::Error addArtefact(const std::string &path) {
    auto bytes = readFile(path);
    if (!bytes) return bytes.takeError();
    chain.path = path;
    if (isMapping(*bytes)) return addMapping(path, *bytes);
    DiagnosticPrinter printer(*prepared.context, path);
    auto loaded = loadModel(*prepared.context, path, std::move(*bytes), request.import);
    if (!loaded) return loaded.takeError();
    if (loaded->kind != Model::Kind::Lasnn)
      return llvm::createStringError(fmt::format("'{}' is no artefact, expected a .lasnn or .lmap file", path));
    Model &model = prepared.models.emplace_back(std::move(*loaded));
    chain.sameSource = model.contents.source_sha256 == plan.result.sha256;
    chain.target = model.contents.cuda ? "cuda" : "x86";
    auto integer = addInteger(model.network);
    if (!integer) return integer.takeError();
    if (model.contents.cuda) {
      chain.notRun = whyNoCuda();
      if (chain.notRun.empty())
        if (llvm::Error error = addDevice(makeCuda(model.bytes.data.get(), model.bytes.size, 1, true), *integer)) return error;
    }
    if (model.contents.x86)
      if (llvm::Error error = addX86(model.bytes, *integer)) return error;
    finishChain();
    return llvm::Error::success();
  }

  /// A mapping holds no integer network: it is made again from the source, with the options that the mapping names.
  llvm::Error addMapping(const std::string &path, const ModelBytes &bytes) {
    auto chip = loadMapping(bytes, path);
    if (!chip) return chip.takeError();
    const loihi::lmap::Header &header = (*chip)->program->mapping.header();
    chain.sameSource = header.source_sha256() == plan.result.sha256;
    chain.target = fmt::format("{} (simulated)", header.chip_name());
    CompileOptions options;
    options.thresholdStep = findBackend("loihi")->thresholdStep();
    const std::string &words = header.options();
    auto number = [&](const char *flag, int otherwise) {
      const size_t at = words.find(flag);
      return at == std::string::npos ? otherwise : std::atoi(words.c_str() + at + std::string_view(flag).size());
    };
    options.weightBits =
        words.find("--weights=int") != std::string::npos && words.find('+') == std::string::npos ? number("--weights=int", 0) : 0;
    options.stateBits = number("--state-bits=", 0);
    if (!header.calibration().empty()) {
      if (request.calib.empty())
        return llvm::createStringError(fmt::format(
            "'{}' was compiled with calibration on {}; its integers are made anew here, so give --calib=SET:DIR with the same set", path,
            header.calibration()));
      data::LoadOptions load;
      const size_t at = header.calibration().find("(first ");
      load.limit = at == std::string::npos ? 512 : size_t(std::atoll(header.calibration().c_str() + at + 7));
      auto calibration = loadCalibration(tool, networkOf(fused), request.calib, load);
      if (!calibration) return calibration.takeError();
      options.calibration = *calibration;
    }
    auto module = quantize(options);
    if (!module) return module.takeError();
    auto integer = addInteger(networkOf(*module));
    if (!integer) return integer.takeError();
    if (llvm::Error error = addDevice(makeLoihi(std::move(*chip)), *integer)) return error;
    finishChain();
    return llvm::Error::success();
  }

  const std::string &tool;
  const Request &request;
  Prepared &prepared;
  Plan &plan;
  Chain chain, common; ///< the one being made; what all of them begin with
  size_t before = 0;   ///< the last float executor
  mlir::ModuleOp fused;
};

} // namespace

llvm::Error prepare(const std::string &tool, const Request &request, Prepared &prepared) { return Preparer(tool, request, prepared).run(); }

} // namespace lasnn::tools::verify
