// A GPU as the tools see it.
#include "lasnn/cuda.h"
#include "tools/common/device.h"

#include <fmt/format.h>

namespace lasnn::tools {
namespace {

class CudaDevice final : public Device {
public:
  explicit CudaDevice(lasnn_cuda_session *given) : session(given) { lasnn_cuda_get_info(session, &info); }
  ~CudaDevice() override { lasnn_cuda_destroy(session); }
  std::string name() const override { return "cuda"; }
  std::string isa() const override { return fmt::format("{} on {}", info.code, info.device_name); }
  bool isInteger() const override { return true; }
  size_t inputSize() const override { return info.network.input_size; }
  size_t batch() const override { return info.max_batch; }

  llvm::Error run(const uint8_t *sample, Output &output) override {
    std::vector<Output> one;
    if (llvm::Error error = runBatch(sample, 1, one)) return error;
    output = std::move(one.front());
    return llvm::Error::success();
  }

  llvm::Error runBatch(const uint8_t *samples, size_t count, std::vector<Output> &outputs) override {
    const size_t each = info.network.output_count;
    values.resize(count * each);
    if (lasnn_cuda_run(session, samples, count * inputSize(), uint32_t(count), values.data(), values.size()) != LASNN_OK)
      return llvm::createStringError(lasnn_cuda_get_error(session));
    outputs.resize(count);
    for (size_t i = 0; i < count; ++i) {
      outputs[i].values.assign(values.begin() + i * each, values.begin() + (i + 1) * each);
      outputs[i].logits.clear();
      for (int32_t value : outputs[i].values) outputs[i].logits.push_back(float(value) * info.network.output_scale);
    }
    return llvm::Error::success();
  }

  std::vector<std::vector<uint8_t>> spikes() override {
    std::vector<std::vector<uint8_t>> all;
    for (const LayerStats &layer : stats()) {
      std::vector<uint8_t> &counts = all.emplace_back(layer.neurons * info.network.timesteps);
      for (uint32_t t = 0; t < info.network.timesteps; ++t)
        lasnn_cuda_get_spikes(session, 0, uint32_t(all.size() - 1), t, counts.data() + t * layer.neurons, layer.neurons);
    }
    return all;
  }

  std::vector<LayerStats> stats() const override {
    std::vector<LayerStats> all;
    for (uint32_t layer = 0; layer < info.network.layer_count; ++layer) {
      lasnn_layer_stats s{};
      lasnn_cuda_get_layer_stats(session, layer, &s);
      all.push_back({s.tensor.name ? s.tensor.name : "", s.neurons, s.steps, s.spikes, s.synops, s.clips});
    }
    return all;
  }
  void clearStats() override { lasnn_cuda_stats_clear(session); }

  lasnn_cuda_session *session;

private:
  lasnn_cuda_info info{};
  std::vector<int32_t> values;
};

} // namespace

llvm::Expected<std::unique_ptr<Device>> makeCuda(const uint8_t *model, size_t size, size_t batch, bool spikes, const Device *beside) {
  lasnn_cuda_options options{};
  options.size = sizeof options;
  options.max_batch = uint32_t(batch);
  options.keep_spikes = spikes;
  if (beside) options.share = static_cast<const CudaDevice *>(beside)->session;
  lasnn_cuda_session *session = nullptr;
  char error[1024] = "";
  if (lasnn_cuda_create(model, size, &options, &session, error, sizeof error) != LASNN_OK) return llvm::createStringError(error);
  return std::make_unique<CudaDevice>(session);
}

std::string whyNoCuda() {
  char error[512] = "";
  int count = 0;
  return lasnn_cuda_available(nullptr, &count, error, sizeof error) == LASNN_OK ? "" : error;
}

} // namespace lasnn::tools
