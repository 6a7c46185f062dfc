// From an ANN to neurons: what the pass's three stages share, and the table that says how well it went.
#pragma once

#include "passes/FloatRun.h"
#include "passes/Support.h"
#include "passes/passes.h"

namespace lasnn {

/// The pass on samples in memory.
std::unique_ptr<mlir::Pass> createConvert(ConvertOptions options, std::shared_ptr<const CalibrationData> data);

namespace convert {

/// Activations of one relu on the samples, a channel.
struct Activations {
  std::vector<double> mean, largest;
  std::vector<std::vector<uint32_t>> histogram; ///< [channel][bin], of what is above 0, up to `largest`
  uint64_t count = 0;                           ///< values a channel, zeros with them
};
inline constexpr size_t kBins = 2048;

/// One entry a relu, in order of `relus`.
std::vector<Activations> measure(const std::shared_ptr<const FloatProgram> &program, llvm::ArrayRef<mlir::Operation *> relus,
                                 llvm::ArrayRef<std::vector<uint8_t>> samples);

/// The theta of each channel; `percentile` 0: of least squared error at T steps. A channel that is silent takes the layer's.
std::vector<double> chooseThreshold(const Activations &seen, double percentile, int64_t timesteps, bool perChannel, bool halfStart);

/// What a converted network is corrected towards.
struct Target {
  mlir::Operation *neuron; ///< or a read-out
  std::vector<double> theta, mean;
};
/// Bias correction, layer after layer, `rounds` each.
llvm::Error correctBiases(snn::NetworkOp network, llvm::ArrayRef<Target> targets, llvm::ArrayRef<std::vector<uint8_t>> samples,
                          int64_t rounds);

} // namespace convert

/// Right answers in percent of a float network, after each of `steps` steps (rising), and how often its neurons fired until the last.
struct Accuracy {
  std::vector<double> top1;
  double rate = 0;
};
llvm::Expected<Accuracy> measureAccuracy(snn::NetworkOp network, size_t count, llvm::function_ref<llvm::ArrayRef<uint8_t>(size_t)> sample,
                                         llvm::function_ref<int64_t(size_t)> label, llvm::ArrayRef<int64_t> steps);

} // namespace lasnn
