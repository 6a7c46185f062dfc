// Looking into the compiler's passes: printed, timed, dumped after every one, resumed from a dump, and the spikes checked after each.
#pragma once

#include "ir/Snn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lasnn::tools {

/// What a dump says about where it came from, so that an artefact made from it is the one made from the source.
struct Phase {
  std::string pass, source, sha256, weights; ///< pass: the last one that ran, "import" before the first
};

class Introspection {
public:
  void declare(CLI::App &app);
  /// Of --compile-from; empty: none.
  const std::string &compileFrom() const { return from; }
  const std::string &checkData() const { return check; }
  size_t checkLimit() const { return limit; }

  /// Reads the phase of a module that --compile-from names; from here on the context leaves out the passes that have run.
  llvm::Expected<Phase> resume(mlir::ModuleOp module);
  bool resumed() const { return resuming; }
  /// A pass that the dump names was never met: the dump is of another compiler.
  llvm::Error finish() const;

  /// Dumps the network as it was imported; with no folder asked for nothing happens.
  llvm::Error begin(mlir::ModuleOp module, Phase phase);
  void apply(mlir::PassManager &manager);
  /// Of writing dumps: what went wrong, or success.
  llvm::Error takeError() { return std::move(failure); }

  /// Called with the pass after every pass on a network.
  std::function<void(mlir::Pass &, snn::NetworkOp)> onPass;

private:
  class Watch;
  void dump(mlir::ModuleOp module, const std::string &pass);
  bool timing = false, afterAll = false, afterChange = false, resuming = false, waiting = false;
  std::vector<std::string> before, after;
  std::string folder, reproducer, from, check;
  size_t limit = 16, dumped = 0;
  Phase phase;
  llvm::Error failure = llvm::Error::success();
};

} // namespace lasnn::tools
