#include "passes/Calibrate/Calibrate.h"
#include "passes/Samples.h"
#include "frontend/data/data.h"
#include "ir/interpreter/interpreter.h"
#include "passes/Support.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_CALIBRATE
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::CalibrationData;

struct Calibrate : lasnn::impl::CalibrateBase<Calibrate> {
  using CalibrateBase::CalibrateBase;
  std::shared_ptr<const CalibrationData> samples;

  /// The samples given, else those that the options name.
  FailureOr<std::shared_ptr<const CalibrationData>> findSamples() {
    if (samples) return samples;
    NetworkOp network = getOperation();
    if (data.empty())
      return emitError(network.getLoc()) << "no calibration data is given; name a set with data=SET:DIR, SET one of " << lasnn::data::knownSets();
    lasnn::data::LoadOptions options;
    options.limit = limit > 0 ? size_t(limit) : 0;
    auto set = lasnn::loadSamples(network, data, split, options);
    if (!set) return emitError(network.getLoc()) << "calibration data: " << llvm::toString(set.takeError());
    auto read = std::make_shared<CalibrationData>();
    read->description = set->name + " " + split + " " + std::to_string(set->count);
    for (size_t i = 0; i < set->count; ++i) read->samples.emplace_back(set->image(i), set->image(i) + set->imageBytes());
    return std::shared_ptr<const CalibrationData>(read);
  }

  void runOnOperation() override {
    NetworkOp network = getOperation();
    auto found = findSamples();
    if (failed(found)) return signalPassFailure();
    const CalibrationData &set = **found;
    auto fail = [&](const llvm::Twine &text) {
      emitError(network.getLoc()) << text;
      signalPassFailure();
    };
    if (set.samples.empty())
      return fail("the calibration set \"" + set.description + "\" is empty, expected at least 1 sample; check its folder, or calibrate with more");
    if (network.isInteger()) return fail("the network is in integer form, expected float; calibrate before snn-quantize");
    auto interpreter = Interpreter::create(network);
    if (!interpreter) return fail("the network cannot be run: " + llvm::toString(interpreter.takeError()));
    Interpreter &run = **interpreter;
    for (auto [i, sample] : llvm::enumerate(set.samples)) {
      if (sample.size() != run.inputSize())
        return fail("calibration sample " + llvm::Twine(i) + " of \"" + set.description + "\" has " + llvm::Twine(sample.size()) +
                    " bytes, the network's input takes " + llvm::Twine(run.inputSize()) + "; use the data set that the network was made for");
      if (llvm::Error error = run.run(sample)) return fail("calibration sample " + llvm::Twine(i) + ": " + llvm::toString(std::move(error)));
    }
    Builder builder(&getContext());
    for (const NeuronStats &stats : run.stats()) {
      SmallVector<float> maxAbsV(stats.maxAbsV.begin(), stats.maxAbsV.end());
      stats.op->setAttr("snn.calibrated", builder.getDictionaryAttr({
          builder.getNamedAttr("max_abs_v", builder.getDenseF32ArrayAttr(maxAbsV)),
          builder.getNamedAttr("max_i", builder.getF32FloatAttr(float(stats.maxI))),
          builder.getNamedAttr("min_i", builder.getF32FloatAttr(float(stats.minI))),
          builder.getNamedAttr("samples", builder.getI64IntegerAttr(int64_t(set.samples.size())))}));
    }
    network->setAttr("snn.calibration", builder.getStringAttr(set.description));
  }
};
} // namespace

std::unique_ptr<Pass> lasnn::createCalibrate(std::shared_ptr<const CalibrationData> data) {
  auto pass = std::make_unique<Calibrate>();
  pass->samples = std::move(data);
  return pass;
}
