// lasnn-compile --sweep=FILE: a model mapped for several targets, weight widths and objectives, each mapping simulated where a data set is named.
#pragma once

#include "backends/backend.h"
#include "tools/common/model.h"

#include <functional>

namespace lasnn::tools {

struct SweepPlan {
  std::vector<std::string> targets, weights, objectives; ///< weights: "" is the model's own width
  std::string data, split = "test";                      ///< data: SET:DIR, empty: nothing is simulated
  size_t limit = 32;                                     ///< samples simulated for every mapping
};
/// YAML, or JSON, which is YAML. The error names key and allowed values.
llvm::Expected<SweepPlan> readSweep(const std::string &path);

/// One point's artefact: target, weights, objective.
using CompilePoint = std::function<llvm::Expected<Artefact>(const std::string &, const std::string &, const std::string &)>;

/// Prints the table (with `json`: as JSON) and writes sweep.csv, sweep.json and sweep.html into `folder`, if one is given.
llvm::Error runSweep(const SweepPlan &plan, const std::string &model, const std::string &folder, bool json, const CompilePoint &compile);

} // namespace lasnn::tools
