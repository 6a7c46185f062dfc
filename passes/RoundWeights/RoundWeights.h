// Rounding that keeps currents: the inputs of a synapse on samples, and the weights that change its results least.
#pragma once

#include "passes/FloatRun.h"
#include "passes/Support.h"
#include "passes/passes.h"

namespace lasnn {

std::unique_ptr<mlir::Pass> createRoundWeights(RoundWeightsOptions options, std::shared_ptr<const CalibrationData> data);

namespace rounding {

/// What a synapse's outputs are made of: windows of its input, as rows of the weight's matrix [K][C/G*KH*KW] see them.
struct Windows {
  size_t width = 0, count = 0;
  std::vector<double> mean, square; ///< of each of `width` inputs
  std::vector<double> gram;         ///< [width][width], the mean of x*x^T; empty when it was not asked for
};

inline constexpr size_t kWidestGram = 2304; ///< 42 MB, and a factorization of seconds

/// Of the synapse, at steps and places drawn the same way each time.
llvm::Expected<Windows> collectWindows(snn::NetworkOp network, mlir::Operation *synapse, llvm::ArrayRef<std::vector<uint8_t>> samples,
                                       bool gram);

/// The factor U, upper, of the inverse of (gram + damping): row j says how the error of input j is made up for by those behind it.
std::vector<double> compensation(const Windows &windows);

/// `row` in units, rounded to -most ... most.
void reconstruct(std::vector<double> &row, llvm::ArrayRef<double> factor, int most);

} // namespace rounding
} // namespace lasnn
