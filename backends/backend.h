// What a backend is to the compiler: a name, a check that lists everything it cannot do, and a compile step.
// Adding one: a folder with a `backend.cpp` that defines create_<folder>_backend(), and its name in CMakeLists.txt.
#pragma once

#include "backends/provenance.h"
#include "ir/Snn.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/LogicalResult.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lasnn {

struct Artefact {
  std::vector<uint8_t> bytes;
  std::string plan; ///< what --emit=plan prints: the backend's decisions, as text
  std::string details; ///< one JSON object for --json and --report, or empty
  std::vector<std::string> warnings;
  std::vector<std::string> errors; ///< it does not fit: nothing but the reports may be written
  std::vector<std::pair<std::string, std::string>> reports; ///< file name and content, for --report
  std::vector<std::pair<std::string, std::string>> exports; ///< of --emit=sanafe: what follows the output's name, and the content
};

/// What a user says about the target beside its name.
struct TargetOptions {
  std::string variant;                        ///< behind the name in --target=NAME:VARIANT
  std::map<std::string, std::string> kernels; ///< layer to kernel, forced
  uint32_t batch = 0;                         ///< samples at a time that kernels are chosen for; 0: the backend's own
  std::map<std::string, double> rates;        ///< spikes a neuron and step by layer, as calibration saw them; may be empty
  // What a mapper onto a chip listens to.
  std::string objective = "cores"; ///< cores, energy, latency, or three weights
  uint64_t seed = 1;
  unsigned effort = 2;             ///< 0 .. 4
  double time_limit_s = 0;         ///< 0: none
  unsigned threads = 0;            ///< 0: all
  bool reports = false, exports = false; ///< Artefact::reports, exports are wanted
  bool json = false;               ///< the artefact in its JSON form
  std::vector<uint8_t> sample;     ///< an input for exports; empty: of zeros
};

class Backend {
public:
  virtual ~Backend() = default;
  virtual llvm::StringRef name() const = 0;
  virtual llvm::StringRef description() const = 0;
  virtual llvm::StringRef extension() const = 0; ///< of its artefact, with the dot
  /// Names of the targets as --target takes them, as help text.
  virtual std::string targets() const { return name().str(); }
  /// A target that is not NAME or NAME:VARIANT is nevertheless this backend's; it is then the variant.
  virtual bool takes(llvm::StringRef) const { return false; }
  /// CompileOptions::thresholdStep of the networks that it wants.
  virtual int thresholdStep() const { return 0; }
  /// What may follow the name in --target=NAME:VARIANT, as help text; empty: nothing.
  virtual llvm::StringRef variants() const { return ""; }
  /// What is wrong with a variant ("" was not given); empty: nothing.
  virtual std::string checkVariant(llvm::StringRef variant) const { return variant.empty() ? "" : "it has no variants"; }

  /// Diagnose every operation of an integer network (contract K1..K5 proved) that this backend cannot execute.
  virtual llvm::LogicalResult check(snn::NetworkOp network, llvm::StringRef variant = "") const = 0;
  /// Lower a network that check() accepted.
  virtual llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &provenance, const TargetOptions &options = {}) const = 0;
  /// Whether compile() makes use of rates: they cost a few runs of the interpreter.
  virtual bool wantsRates() const { return false; }
};

/// The network as MLIR bytecode with names as its only locations: no file path may reach an artefact, whose bytes depend on the model and
/// the options alone.
std::vector<uint8_t> bytecodeOf(snn::NetworkOp network);

/// Every backend of this build, in the order of backends/CMakeLists.txt.
llvm::ArrayRef<std::unique_ptr<Backend>> backends();
const Backend *findBackend(llvm::StringRef name);

/// What --target says: a backend and its variant. No backend: nobody knows that target.
struct Target {
  const Backend *backend = nullptr;
  std::string variant;
};
Target findTarget(llvm::StringRef text);

} // namespace lasnn
