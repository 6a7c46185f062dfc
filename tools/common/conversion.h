// lasnn-compile --convert: an ANN's activations to neurons, and the table that says what that costs.
#pragma once

#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tools/common/model.h"

#include <CLI/CLI.hpp>

namespace lasnn::tools {

struct ConversionFlags {
  bool convert = false, perLayer = false, zeroStart = false;
  double percentile = 0;
  int64_t correct = 2;
  std::string maxPool = "currents", accuracy;
  std::vector<int64_t> accuracySteps;
  size_t limit = 64;
};
void addConversionFlags(CLI::App &app, ConversionFlags &flags);

/// Runs passes on the module; false: refused, and said why.
using RunPasses = std::function<bool(llvm::function_ref<void(mlir::OpPassManager &)>)>;

/// The ANN as a spiking network of T steps, in float form, unfused. With --accuracy, `table` becomes that of the ANN and the SNN.
llvm::Error convertNetwork(Model &model, const ConversionFlags &flags, int64_t timesteps, const CalibrationData &calibration,
                           const RunPasses &run, std::string &table);

} // namespace lasnn::tools
