// The recipes, read from top to bottom. The pass manager verifies the network after every pass (its default).
#include "passes/Calibrate/Calibrate.h"
#include "passes/RoundWeights/RoundWeights.h"
#include "passes/Support.h"
#include "passes/passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

#define GEN_PASS_REGISTRATION
namespace lasnn {
#include "passes/AllPasses.h.inc"
} // namespace lasnn

void lasnn::buildFloatPipeline(OpPassManager &manager) {
  OpPassManager &network = manager.nest<snn::NetworkOp>();
  network.addPass(createLegalize());
  network.addPass(createFoldBatchNorm());
  network.addPass(createFoldPoolScale());
  network.addPass(createFuseLayers());
}

void lasnn::buildIntegerPipeline(OpPassManager &manager, const CompileOptions &options) {
  OpPassManager &network = manager.nest<snn::NetworkOp>();
  if (options.calibration) network.addPass(createCalibrate(options.calibration));
  if (!options.weights.empty()) {
    RoundWeightsOptions round;
    round.weights = options.weights;
    round.scale = options.weightScale.empty() ? "max" : options.weightScale;
    round.rounding = options.rounding.empty() ? "nearest" : options.rounding;
    round.stateBits = options.stateBits;
    std::shared_ptr<CalibrationData> few;
    if (options.calibration) {
      few = std::make_shared<CalibrationData>(*options.calibration);
      if (few->samples.size() > options.roundLimit) few->samples.resize(options.roundLimit);
    }
    network.addPass(createRoundWeights(round, few));
  }
  QuantizeOptions quantize;
  quantize.weightBits = options.weights.empty() ? options.weightBits : 0; // else recorded
  quantize.stateBits = options.stateBits;
  quantize.thresholdStep = options.thresholdStep;
  network.addPass(createQuantize(quantize));
  network.addPass(createVerifyContract());
}

namespace {
struct IntegerPipelineOptions : PassPipelineOptions<IntegerPipelineOptions> {
  Option<int> weightBits{*this, "weight-bits", llvm::cl::desc("bits of a weight, 2 to 8; 0: as trained, or 8"), llvm::cl::init(0)};
  Option<int> stateBits{*this, "state-bits", llvm::cl::desc("bits of a membrane, 16 or 24; 0: chosen"), llvm::cl::init(0)};
};
} // namespace

void lasnn::registerPasses() {
  registerLasnnPasses();
  PassPipelineRegistration<>("snn-float", "legalize, fold and fuse a network, in float form", buildFloatPipeline);
  PassPipelineRegistration<IntegerPipelineOptions>(
      "snn-int", "quantize a fused network to integer form and prove the contract",
      [](OpPassManager &manager, const IntegerPipelineOptions &options) {
        CompileOptions compile;
        compile.weightBits = options.weightBits;
        compile.stateBits = options.stateBits;
        buildIntegerPipeline(manager, compile);
      });
}
