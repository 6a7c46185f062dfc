// The x86 backend: an integer network as a `.lasnn` that the runtime library executes with SIMD event kernels.
#include "backends/backend.h"
#include "backends/plan/plan_network.h"
#include "backends/x86/write_lasnn.h"

using namespace mlir;

namespace lasnn {
namespace {

class X86Backend final : public Backend {
public:
  llvm::StringRef name() const override { return "x86"; }
  llvm::StringRef description() const override { return "event-driven SIMD runtime for x86 (scalar, AVX2, AVX-512)"; }
  llvm::StringRef extension() const override { return ".lasnn"; }

  llvm::LogicalResult check(snn::NetworkOp network, llvm::StringRef) const override { return success(succeeded(plan::planNetwork(network, name()))); }

  llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &provenance, const TargetOptions &options) const override {
    if (!options.kernels.empty()) return network.emitError() << "backend x86: kernels are chosen when the file is loaded, not when it is compiled; leave out --kernel";
    FailureOr<plan::Network> plan = plan::planNetwork(network, name());
    if (failed(plan)) return failure();
    std::string error;
    Artefact artefact;
    artefact.bytes = x86::writeLasnn(*plan, provenance, bytecodeOf(network), error);
    artefact.plan = plan::printPlan(*plan);
    if (artefact.bytes.empty()) return network.emitError() << "backend x86: " << error;
    return artefact;
  }
};

} // namespace

std::unique_ptr<Backend> create_x86_backend() { return std::make_unique<X86Backend>(); }

} // namespace lasnn
