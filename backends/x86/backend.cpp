// The x86 backend: an integer network as a `.lasnn` that the runtime library executes with SIMD event kernels.
#include "backends/backend.h"
#include "backends/x86/plan_network.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace lasnn {
namespace {

/// The network as MLIR bytecode with names as its only locations: no file path may reach an artefact, whose bytes
/// depend on the model and the options alone.
std::vector<uint8_t> bytecode(snn::NetworkOp network) {
  MLIRContext *context = network.getContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  module->getBody()->push_back(network->clone());
  module->walk([&](Operation *op) {
    auto name = dyn_cast<NameLoc>(op->getLoc());
    op->setLoc(name ? Location(NameLoc::get(name.getName())) : UnknownLoc::get(context));
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments()) argument.setLoc(UnknownLoc::get(context));
  });
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(writeBytecodeToFile(*module, stream))) return {};
  stream.flush();
  return {text.begin(), text.end()};
}

class X86Backend final : public Backend {
public:
  llvm::StringRef name() const override { return "x86"; }
  llvm::StringRef description() const override { return "event-driven SIMD runtime for x86 (scalar, AVX2, AVX-512)"; }
  llvm::StringRef extension() const override { return ".lasnn"; }

  llvm::LogicalResult check(snn::NetworkOp network) const override { return success(succeeded(x86::planNetwork(network))); }

  llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &provenance) const override {
    FailureOr<x86::Plan> plan = x86::planNetwork(network);
    if (failed(plan)) return failure();
    x86::Provenance origin{provenance.tool, provenance.options, provenance.sourceName, provenance.sourceSha256, provenance.calibration};
    std::string error;
    Artefact artefact;
    artefact.bytes = x86::writeLasnn(*plan, origin, bytecode(network), error);
    artefact.plan = x86::printPlan(*plan);
    if (artefact.bytes.empty()) return network.emitError() << "backend x86: " << error;
    return artefact;
  }
};

} // namespace

std::unique_ptr<Backend> create_x86_backend() { return std::make_unique<X86Backend>(); }

} // namespace lasnn
