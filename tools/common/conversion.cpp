#include "tools/common/conversion.h"

#include "passes/Convert/Convert.h"
#include "passes/Samples.h"

#include <fmt/format.h>

namespace lasnn::tools {

void addConversionFlags(CLI::App &app, ConversionFlags &f) {
  app.add_flag("--convert", f.convert,
               "convert an ANN's activations (relu) to neurons, with --calib; T is --timesteps, or 32 (docs/convert.md)");
  app.add_option("--percentile", f.percentile,
                 "--convert: of a channel's activations, which becomes its threshold; 0: the threshold of least squared error")
      ->check(CLI::Range(0.0, 100.0));
  app.add_flag("--per-layer", f.perLayer, "--convert: one threshold a layer, in place of one a channel");
  app.add_option("--max-pool", f.maxPool, "--convert: currents (before the neuron), spikes, average, or refuse")
      ->check(CLI::IsMember({"currents", "spikes", "average", "refuse"}));
  app.add_flag("--zero-start", f.zeroStart, "--convert: membranes start at 0, in place of half the threshold");
  app.add_option("--correct", f.correct, "--convert: rounds of bias correction a layer; 0: none")
      ->check(CLI::Range(int64_t(0), int64_t(100)));
  app.add_option("--convert-limit", f.limit, "--convert: images of --calib that thresholds and biases are chosen with");
  app.add_option("--accuracy", f.accuracy,
                 "--convert: SET:DIR or SET:DIR:LIMIT, test split: print the ANN's accuracy and the float SNN's at T = 1, 2, 4 ... 256");
  app.add_option("--accuracy-steps", f.accuracySteps, "--accuracy: other T, rising, as 4,8,16")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(65535)));
}

namespace {

/// SET:DIR:LIMIT, or SET:DIR.
llvm::Expected<data::Dataset> loadTest(snn::NetworkOp network, const std::string &spec) {
  data::LoadOptions options;
  std::string set = spec;
  const size_t colon = spec.rfind(':'), first = spec.find(':');
  const std::string tail = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (colon != first && !tail.empty() && tail.size() < 10 && tail.find_first_not_of("0123456789") == std::string::npos)
    options.limit = std::stoul(tail), set = spec.substr(0, colon);
  auto loaded = loadSamples(network, set, "test", options);
  if (loaded && loaded->labels.size() != loaded->count) return llvm::createStringError("--accuracy: the set has no labels");
  return loaded;
}

llvm::Expected<Accuracy> measure(snn::NetworkOp network, const data::Dataset &set, llvm::ArrayRef<int64_t> steps) {
  return measureAccuracy(
      network, set.count, [&](size_t i) { return llvm::ArrayRef<uint8_t>(set.image(i), set.imageBytes()); },
      [&](size_t i) { return int64_t(set.labels[i]); }, steps);
}

} // namespace

llvm::Error convertNetwork(Model &model, const ConversionFlags &f, int64_t timesteps, const CalibrationData &calibration,
                           const RunPasses &run, std::string &table) {
  const auto refused = [] { return llvm::createStringError("the network was refused; nothing was written"); };
  std::vector<int64_t> steps = f.accuracySteps.empty() ? std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256} : f.accuracySteps;
  if (!std::is_sorted(steps.begin(), steps.end())) return llvm::createStringError("--accuracy-steps: expected rising numbers of steps");
  if (!run([](mlir::OpPassManager &manager) {
        manager.nest<snn::NetworkOp>().addPass(createLegalize());
        manager.nest<snn::NetworkOp>().addPass(createFoldBatchNorm());
      }))
    return refused();
  std::optional<data::Dataset> set;
  double ann = 0;
  if (!f.accuracy.empty()) {
    auto loaded = loadTest(model.network, f.accuracy);
    if (!loaded) return loaded.takeError();
    set = std::move(*loaded);
    auto accuracy = measure(model.network, *set, {1});
    if (!accuracy) return accuracy.takeError();
    ann = accuracy->top1[0];
  }
  auto images = std::make_shared<CalibrationData>(calibration);
  if (images->samples.size() > f.limit) images->samples.resize(f.limit);
  ConvertOptions options;
  options.timesteps = timesteps, options.percentile = f.percentile, options.perChannel = !f.perLayer;
  options.maxPool = f.maxPool, options.halfStart = !f.zeroStart, options.correct = f.correct;
  if (!run([&](mlir::OpPassManager &manager) { manager.nest<snn::NetworkOp>().addPass(createConvert(options, images)); })) return refused();
  if (!set) return llvm::Error::success();
  auto snn = measure(model.network, *set, steps);
  if (!snn) return snn.takeError();
  table = fmt::format("{} test, {} images; converted for T = {} with {} images of {}\n", set->name, set->count, timesteps,
                      images->samples.size(), calibration.description);
  table += fmt::format("{:>8}  {:>8}  {:>8}\n{:>8}  {:>8.2f}\n", "T", "top-1 %", "loss", "ANN", ann);
  for (size_t i = 0; i < steps.size(); ++i)
    table += fmt::format("{:>8}  {:>8.2f}  {:>8.2f}\n", steps[i], snn->top1[i], ann - snn->top1[i]);
  table += fmt::format("{:.4f} spikes a neuron and step, over {} steps\n", snn->rate, steps.back());
  return llvm::Error::success();
}

} // namespace lasnn::tools
