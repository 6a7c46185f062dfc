#include "tools/common/device.h"

#include "ir/interpreter/interpreter.h"
#include "lasnn/lasnn.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace lasnn::tools {

size_t Output::top() const {
  if (!values.empty()) return std::max_element(values.begin(), values.end()) - values.begin();
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

llvm::Error Device::runBatch(const uint8_t *samples, size_t count, std::vector<Output> &outputs) {
  outputs.resize(count);
  for (size_t i = 0; i < count; ++i)
    if (llvm::Error error = run(samples + i * inputSize(), outputs[i])) return error;
  return llvm::Error::success();
}

namespace {

class InterpreterDevice final : public Device {
public:
  explicit InterpreterDevice(std::unique_ptr<snn::Interpreter> given) : interpreter(std::move(given)) {}
  std::string name() const override { return "interp"; }
  std::string isa() const override { return ""; }
  bool isInteger() const override { return interpreter->isInteger(); }
  size_t inputSize() const override { return interpreter->inputSize(); }

  llvm::Error run(const uint8_t *sample, Output &output) override {
    for (auto &[op, layer] : recorded) layer.clear();
    if (llvm::Error error = interpreter->run(llvm::ArrayRef<uint8_t>(sample, inputSize()))) return error;
    snn::Tensor result = interpreter->output();
    output.values = result.i;
    output.logits = result.f;
    if (!result.isFloat)
      for (int32_t value : result.i) output.logits.push_back(float(value) * interpreter->outputScale());
    return llvm::Error::success();
  }

  void recordSpikes(bool on) override {
    if (!on) return interpreter->setObserver(nullptr);
    interpreter->setObserver([this](mlir::Operation *op, int64_t, const snn::Tensor &result) {
      if (!snn::getNeuron(op)) return;
      std::vector<uint8_t> &layer = recorded[op];
      for (float s : result.f) layer.push_back(uint8_t(s));
      for (int32_t s : result.i) layer.push_back(uint8_t(s));
    });
  }
  std::vector<std::vector<uint8_t>> spikes() override {
    std::vector<std::vector<uint8_t>> all;
    for (const snn::NeuronStats &stats : interpreter->stats()) all.push_back(recorded[stats.op]);
    return all;
  }

  std::vector<LayerStats> stats() const override {
    std::vector<LayerStats> all;
    for (const snn::NeuronStats &s : interpreter->stats())
      all.push_back({s.name, uint64_t(s.neurons), s.steps, s.spikes, s.synops, s.clips});
    return all;
  }
  void clearStats() override { interpreter->clearStats(); }

private:
  std::unique_ptr<snn::Interpreter> interpreter;
  std::map<mlir::Operation *, std::vector<uint8_t>> recorded;
};

class X86Device final : public Device {
public:
  explicit X86Device(lasnn_network *given) : network(given) { lasnn_get_info(network, &info); }
  ~X86Device() override { lasnn_destroy(network); }
  std::string name() const override { return "x86"; }
  std::string isa() const override { return lasnn_isa_name(info.isa); }
  bool isInteger() const override { return true; }
  size_t inputSize() const override { return info.input_size; }

  llvm::Error run(const uint8_t *sample, Output &output) override {
    output.values.resize(info.output_count);
    if (lasnn_run(network, sample, info.input_size, output.values.data(), info.output_count) != LASNN_OK)
      return llvm::createStringError(lasnn_get_error(network));
    output.logits.clear();
    for (int32_t value : output.values) output.logits.push_back(float(value) * info.output_scale);
    return llvm::Error::success();
  }

  std::vector<std::vector<uint8_t>> spikes() override {
    std::vector<std::vector<uint8_t>> all(info.layer_count);
    for (uint32_t layer = 0; layer < info.layer_count; ++layer) {
      lasnn_layer_stats stats;
      lasnn_get_layer_stats(network, layer, &stats);
      all[layer].resize(stats.neurons * info.timesteps);
      for (uint32_t t = 0; t < info.timesteps; ++t)
        lasnn_get_spikes(network, layer, t, all[layer].data() + t * stats.neurons, stats.neurons);
    }
    return all;
  }

  std::vector<LayerStats> stats() const override {
    std::vector<LayerStats> all;
    for (uint32_t layer = 0; layer < info.layer_count; ++layer) {
      lasnn_layer_stats s;
      lasnn_get_layer_stats(network, layer, &s);
      all.push_back({s.tensor.name, s.neurons, s.steps, s.spikes, s.synops, s.clips});
    }
    return all;
  }
  void clearStats() override { lasnn_stats_clear(network); }

private:
  lasnn_network *network;
  lasnn_network_info info{};
};

const std::pair<const char *, lasnn_isa> kIsas[] = {
    {"auto", LASNN_ISA_AUTO}, {"scalar", LASNN_ISA_SCALAR}, {"avx2", LASNN_ISA_AVX2}, {"avx512", LASNN_ISA_AVX512}};

} // namespace

llvm::Expected<std::unique_ptr<Device>> makeInterpreter(snn::NetworkOp network) {
  auto interpreter = snn::Interpreter::create(network);
  if (!interpreter) return interpreter.takeError();
  return std::make_unique<InterpreterDevice>(std::move(*interpreter));
}

llvm::Expected<std::unique_ptr<Device>> makeX86(const uint8_t *model, size_t size, const std::string &isa) {
  lasnn_options options{};
  options.size = sizeof options;
  for (auto [name, value] : kIsas)
    if (isa == name) options.isa = value;
  lasnn_network *network = nullptr;
  char error[512] = "";
  if (lasnn_create(model, size, &options, &network, error, sizeof error) != LASNN_OK) return llvm::createStringError(error);
  return std::make_unique<X86Device>(network);
}

std::vector<std::string> availableIsas() {
  std::vector<std::string> names;
  for (auto [name, value] : kIsas)
    if (value != LASNN_ISA_AUTO && lasnn_isa_available(value)) names.push_back(name);
  return names;
}

} // namespace lasnn::tools
