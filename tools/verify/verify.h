// The proof, link by link: source, import, folding, quantization, every device of every artefact, all on the same samples.
#pragma once

#include "frontend/data/data.h"
#include "tools/common/model.h"
#include "tools/verify/compare.h"

#include <optional>

namespace lasnn::tools::verify {

/// What the user allows.
struct Limits {
  double accuracyLoss = 1.0;             ///< points of top-1 that quantization may cost
  std::optional<double> spikeDifference; ///< percent of a layer's spike slots that quantization may move
  double floatTolerance = 1e-4;          ///< share of a layer's spike slots that folding may move
};

struct Column {            ///< one executor's results
  std::string name, stage; ///< stage: source, imported, float, integer, target
  size_t correct = 0;
};

struct Check {
  std::string name; ///< key of the JSON
  bool good = false;
  std::string text; ///< what is demanded, and what was found
};

/// One artefact's chain. Comparisons and columns are by index into Result's.
struct Chain {
  std::string path, target; ///< target: "x86", "cuda", "loihi1 (mapped)"
  std::vector<size_t> columns, comparisons;
  bool sameSource = true;
  std::string notRun; ///< why no device could run it here
  std::vector<Check> checks;
  bool proved() const;
};

struct Result {
  std::string model, sha256, data, split;
  size_t images = 0, timesteps = 0;
  bool isAnn = false;       ///< the source is no spiking network: accuracy alone is compared with it
  std::string sourceNotRun; ///< why nobody but our interpreter ran the source
  std::vector<Column> columns;
  std::vector<Comparison> comparisons;
  std::vector<Chain> chains;
  Limits limits;
  bool proved() const;
  double top1(size_t column) const { return images ? 100.0 * double(columns[column].correct) / double(images) : 0; }
  /// The column of `chain` at a stage; the last before it where that stage was not run.
  size_t columnAt(const Chain &chain, const std::string &stage) const;
};

/// What runs: executors in the order of Result::columns.
struct Plan {
  Result result;
  std::vector<std::unique_ptr<Executor>> executors;
  size_t add(std::unique_ptr<Executor> executor, const std::string &stage);
  /// Compares `b` with `a`; returns the comparison's index.
  size_t compare(size_t a, size_t b, Demand demand, const std::string &name);
};

/// Run every sample on every executor, then judge. The error says which executor failed and why.
llvm::Error run(Plan &plan, const data::Dataset &set);

} // namespace lasnn::tools::verify
