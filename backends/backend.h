// What a backend is to the compiler: a name, a check that lists everything it cannot do, and a compile step.
// Adding one: a folder with a `backend.cpp` that defines create_<folder>_backend(), and its name in CMakeLists.txt.
#pragma once

#include "ir/Snn.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/LogicalResult.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lasnn {

/// Where a network came from; part of every artefact.
struct Provenance {
  std::string tool;          ///< "lasnn-compile 0.1.0"
  std::string options;       ///< the options that shape the artefact, in a fixed order
  std::string sourceName;    ///< file name without its folder
  std::string sourceSha256;  ///< hex
  std::string calibration;   ///< data set, split, count; "" when none
};

struct Artefact {
  std::vector<uint8_t> bytes;
  std::string plan; ///< what --emit=plan prints: the backend's decisions, as text
};

class Backend {
public:
  virtual ~Backend() = default;
  virtual llvm::StringRef name() const = 0;
  virtual llvm::StringRef description() const = 0;
  virtual llvm::StringRef extension() const = 0; ///< of its artefact, with the dot

  /// Diagnose every operation of an integer network (contract K1..K5 proved) that this backend cannot execute.
  virtual llvm::LogicalResult check(snn::NetworkOp network) const = 0;
  /// Lower a network that check() accepted.
  virtual llvm::FailureOr<Artefact> compile(snn::NetworkOp network, const Provenance &provenance) const = 0;
};

/// Every backend of this build, in the order of backends/CMakeLists.txt.
llvm::ArrayRef<std::unique_ptr<Backend>> backends();
const Backend *findBackend(llvm::StringRef name);

} // namespace lasnn
