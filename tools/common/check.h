// lasnn-compile --check: everything that would stop or degrade a model on its way to some targets, in one list. The findings are the
// diagnostics of the importer, the passes and the backends themselves, so that a check and a compilation cannot disagree.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "passes/passes.h"
#include "tools/common/model.h"
#include "llvm/Support/Error.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lasnn::tools {

struct Finding {
  std::string severity; ///< error, warning, remark
  std::string phase;    ///< import, float, integer, target
  std::string target;   ///< of the phases integer and target
  std::string code;     ///< the rule that the message names ("O3", "K1"), else one of the phase: IMPORT, FLOAT, INTEGER, TARGET, FIT
  std::string place;    ///< the source's node, or "" for the file
  std::string text;
  std::vector<std::string> notes;
  std::string fix; ///< what the message or its last note proposes; may be empty
};

struct CheckedLayer {
  std::string name;
  std::string state;                      ///< ok, degraded, refused
  std::vector<std::string> why;           ///< codes
  int64_t stateBits = 0, currentBits = 0; ///< in integers; 0: not known
};

struct CheckedTarget {
  std::string name;
  bool runs = false;
  std::string notChecked; ///< what stopped the check before this target was asked; then `runs` is false
  std::vector<CheckedLayer> layers;
};

struct CheckResult {
  std::string model;
  std::vector<Finding> findings;
  std::vector<CheckedTarget> targets;
  bool good() const;
};

/// Checks the model for every target. `compile` holds what the command line says; its thresholdStep is each target's own.
CheckResult checkModel(const std::string &model, const std::vector<std::string> &targets, const LoadOptions &import,
                       const CompileOptions &compile);

nlohmann::ordered_json toJson(const CheckResult &result);
std::string toText(const CheckResult &result);

} // namespace lasnn::tools
