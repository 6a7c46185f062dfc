// The CUDA backend: an integer network as kernels for NVIDIA GPUs, compiled to cubins in this process.
#include "backends/backend.h"
#include "backends/cuda/compile.h"
#include "backends/plan/plan_network.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace mlir;

namespace lasnn {
namespace {

/// One JSON object of --json and --report: what ptxas says of every kernel.
std::string detailsOf(const cuda::Compiled &compiled) {
  nlohmann::ordered_json json;
  json["arena_bytes_a_sample"] = compiled.arena_bytes;
  json["kernels"] = nlohmann::ordered_json::array();
  for (const cuda::KernelReport &k : compiled.kernels)
    json["kernels"].push_back({{"layer", k.layer}, {"form", k.form}, {"architecture", k.architecture}, {"steps", k.step ? "one" : "all"},
                               {"registers", k.resources.registers}, {"shared_bytes", k.shared_bytes}, {"spilled_bytes", k.spilled()}});
  return json.dump();
}

class CudaBackend final : public Backend {
public:
  llvm::StringRef name() const override { return "cuda"; }
  llvm::StringRef description() const override { return "kernels for NVIDIA GPUs, one graph a network (sm_80 and newer)"; }
  llvm::StringRef extension() const override { return ".lasnn"; }
  llvm::StringRef variants() const override { return "sm_80,sm_90a,...: what to compile for, compute_90 for PTX"; }

  bool wantsRates() const override { return true; }
  std::string checkVariant(llvm::StringRef variant) const override {
    std::string error;
    cuda::architecturesOf(variant.str(), error);
    return error;
  }

  llvm::LogicalResult check(snn::NetworkOp network, llvm::StringRef) const override {
    FailureOr<plan::Network> plan = plan::planNetwork(network, name());
    if (failed(plan)) return failure();
    std::string error;
    cuda::Compiled compiled;
    if (!cuda::makePrograms(*plan, {}, compiled, error)) return network.emitError() << "backend cuda: " << error;
    return success();
  }

  llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &provenance, const TargetOptions &options) const override {
    FailureOr<plan::Network> plan = plan::planNetwork(network, name());
    if (failed(plan)) return failure();
    std::string error;
    cuda::CompileOptions how;
    how.architectures = cuda::architecturesOf(options.variant, error);
    how.kernels.forced = options.kernels;
    how.kernels.rates = options.rates;
    if (options.batch > 0) how.kernels.batch = options.batch;
    cuda::Compiled compiled;
    if (error.empty()) compiled = cuda::compileNetwork(*plan, provenance, bytecodeOf(network), how, error);
    if (compiled.bytes.empty()) return network.emitError() << "backend cuda: " << error;
    Artefact artefact;
    artefact.plan = cuda::printCompiled(compiled);
    artefact.details = detailsOf(compiled);
    for (const cuda::KernelReport &k : compiled.kernels)
      if (k.spilled() > 0)
        artefact.warnings.push_back(fmt::format("layer '{}': its {} kernel for {} keeps {} bytes in memory that did not fit {} registers; it will be slower", k.layer,
                                                k.form, k.architecture, k.spilled(), k.resources.registers));
    artefact.bytes = std::move(compiled.bytes);
    return artefact;
  }
};

} // namespace

std::unique_ptr<Backend> create_cuda_backend() { return std::make_unique<CudaBackend>(); }

} // namespace lasnn
