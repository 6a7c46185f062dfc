// The skeleton to clone: a backend that runs nothing and says so, operation by operation. A new backend starts as this
// file, then accepts one case of the conformance suite after another.
#include "backends/backend.h"

namespace lasnn {
namespace {

class NullBackend final : public Backend {
public:
  llvm::StringRef name() const override { return "null"; }
  llvm::StringRef description() const override { return "refuses every network; the skeleton for a new backend"; }
  llvm::StringRef extension() const override { return ".null"; }

  llvm::LogicalResult check(snn::NetworkOp network, llvm::StringRef) const override {
    for (mlir::Operation &op : network.getBody().front())
      op.emitError() << "backend null executes no operation; compile with --target=x86, or implement '" << op.getName() << "' here";
    return mlir::failure();
  }

  llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &, const TargetOptions &) const override {
    return network.emitError() << "backend null compiles nothing";
  }
};

} // namespace

std::unique_ptr<Backend> create_null_backend() { return std::make_unique<NullBackend>(); }

} // namespace lasnn
