#include "tools/verify/trace.h"

#include "ir/interpreter/interpreter.h"
#include "llvm/ADT/DenseMap.h"

#include <algorithm>
#include <cmath>

namespace lasnn::tools::verify {
namespace {

class Interpreted final : public Executor {
public:
  Interpreted(std::unique_ptr<snn::Interpreter> given, std::string name) : interpreter(std::move(given)), title(std::move(name)) {
    interpreter->recordMembranes(true);
    for (const snn::NeuronStats &stats : interpreter->stats()) {
      const snn::NeuronView view = snn::getNeuron(stats.op);
      LayerTrace layer{stats.name, size_t(stats.neurons), {}, {}, {}, 0};
      const int64_t channels = snn::channels(view.input);
      if (interpreter->isInteger())
        for (int32_t threshold : snn::intPerChannel(view.vThreshold, channels))
          layer.thresholds.push_back(float(threshold));
      else
        for (float threshold : snn::floatPerChannel(view.vThreshold, channels))
          layer.thresholds.push_back(threshold);
      indexOf[stats.op] = layers.size();
      layers.push_back(std::move(layer));
    }
    interpreter->setObserver([this](mlir::Operation *op, int64_t, const snn::Tensor &result) {
      auto found = indexOf.find(op);
      if (found == indexOf.end()) return;
      LayerTrace &layer = (*target)[found->second];
      for (float s : result.f)
        layer.spikes.push_back(uint8_t(s));
      for (int32_t s : result.i)
        layer.spikes.push_back(uint8_t(s));
      const llvm::ArrayRef<float> v = interpreter->membranes(found->second);
      layer.membranes.insert(layer.membranes.end(), v.begin(), v.end());
    });
  }
  std::string name() const override { return title; }
  size_t inputSize() const override { return interpreter->inputSize(); }
  size_t timesteps() const override { return size_t(interpreter->timesteps()); }

  llvm::Error run(const uint8_t *sample, Trace &trace) override {
    if (trace.layers.size() != layers.size()) trace.layers = layers;
    for (LayerTrace &layer : trace.layers)
      layer.spikes.clear(), layer.membranes.clear();
    target = &trace.layers;
    interpreter->clearStats();
    if (llvm::Error error = interpreter->run(llvm::ArrayRef<uint8_t>(sample, inputSize()))) return error;
    for (auto [layer, stats] : llvm::zip(trace.layers, interpreter->stats()))
      layer.largest = float(std::max({-stats.minI, stats.maxI, -stats.minV, stats.maxV}));
    const snn::Tensor result = interpreter->output();
    trace.output.values = result.i;
    trace.output.logits = result.f;
    if (!result.isFloat)
      for (int32_t value : result.i)
        trace.output.logits.push_back(float(value) * interpreter->outputScale());
    return llvm::Error::success();
  }

private:
  std::unique_ptr<snn::Interpreter> interpreter;
  std::string title;
  std::vector<LayerTrace> layers; ///< without spikes: what a trace starts as
  llvm::DenseMap<mlir::Operation *, size_t> indexOf;
  std::vector<LayerTrace> *target = nullptr;
};

class OnDevice final : public Executor {
public:
  OnDevice(std::unique_ptr<Device> given, size_t steps) : device(std::move(given)), steps(steps) { device->recordSpikes(true); }
  std::string name() const override { return device->name() + " " + device->isa(); }
  size_t inputSize() const override { return device->inputSize(); }
  size_t timesteps() const override { return steps; }

  llvm::Error run(const uint8_t *sample, Trace &trace) override {
    if (llvm::Error error = device->run(sample, trace.output)) return error;
    const std::vector<LayerStats> stats = device->stats();
    std::vector<std::vector<uint8_t>> spikes = device->spikes();
    trace.layers.resize(spikes.size());
    for (size_t l = 0; l < spikes.size(); ++l) {
      trace.layers[l].name = stats[l].name, trace.layers[l].neurons = stats[l].neurons;
      trace.layers[l].spikes = std::move(spikes[l]);
    }
    return llvm::Error::success();
  }

private:
  std::unique_ptr<Device> device;
  size_t steps;
};

} // namespace

llvm::Expected<std::unique_ptr<Executor>> makeInterpreted(snn::NetworkOp network, const std::string &name) {
  auto interpreter = snn::Interpreter::create(network);
  if (!interpreter) return interpreter.takeError();
  return std::make_unique<Interpreted>(std::move(*interpreter), name);
}

std::unique_ptr<Executor> makeOnDevice(std::unique_ptr<Device> device, size_t timesteps) {
  return std::make_unique<OnDevice>(std::move(device), timesteps);
}

} // namespace lasnn::tools::verify
