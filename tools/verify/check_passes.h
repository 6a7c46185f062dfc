// lasnn-compile --check-passes: which pass first moved a spike that it must not move.
#pragma once

#include "frontend/data/data.h"
#include "mlir/Pass/Pass.h"
#include "tools/verify/compare.h"

#include <nlohmann/json.hpp>

namespace lasnn::tools::verify {

class PassChecker {
public:
  explicit PassChecker(data::Dataset given) : set(std::move(given)) {}
  /// Runs the samples on the network as it stands, and compares with how it stood before.
  void look(const std::string &pass, const std::string &summary, snn::NetworkOp network);
  bool good() const;
  nlohmann::ordered_json json() const;
  std::string text() const;

private:
  struct Row {
    std::string pass, allowed, problem; ///< problem: why the pass is to blame; empty: it is not
    Comparison comparison;
  };
  data::Dataset set;
  std::vector<Row> rows;
  std::vector<Trace> before; ///< one a sample
  size_t steps = 0;
};

} // namespace lasnn::tools::verify
