#include "tests/conformance/run_cuda.h"

#include "backends/cuda/compile.h"
#include "lasnn/cuda.h"
#include "tests/conformance/comparison.h"
#include "tests/runtime/cuda/emulated_code.h"

namespace lasnn::test {
namespace {

struct CudaComparison : Comparison {
  lasnn_cuda_session *session = nullptr;
  ~CudaComparison() { lasnn_cuda_destroy(session); }

  bool ok(lasnn_status status, const std::string &call) { return called(status, call, lasnn_cuda_get_error(session)); }

  void spikes(const Trace &truth) {
    for (size_t s = 0; s < truth.samples.size(); ++s)
      for (int t = 0; t < truth.timesteps; ++t)
        for (size_t l = 0; l < truth.layers.size(); ++l) { // step by step, so that the first difference is the cause
          const std::vector<uint8_t> &expected = truth.layers[l].counts[s * size_t(truth.timesteps) + size_t(t)];
          std::vector<uint8_t> counts(expected.size());
          if (!ok(lasnn_cuda_get_spikes(session, uint32_t(s), uint32_t(l), uint32_t(t), counts.data(), counts.size()), "lasnn_cuda_get_spikes") ||
              !same(counts, expected, "spikes: layer \"" + truth.layers[l].name + "\" at step " + std::to_string(t + 1) + " of sample " + std::to_string(s)))
            return;
        }
  }

  void stats(const Trace &truth) {
    for (size_t l = 0; l < truth.layers.size() && difference.empty(); ++l) {
      const LayerTrace &layer = truth.layers[l];
      const std::string of = " of layer \"" + layer.name + "\"";
      lasnn_layer_stats stats;
      if (ok(lasnn_cuda_get_layer_stats(session, uint32_t(l), &stats), "lasnn_cuda_get_layer_stats") && same(stats.neurons, layer.neurons, "stats: neurons" + of) &&
          same(stats.steps, layer.steps, "stats: steps" + of) && same(stats.spikes, layer.spikes, "stats: spikes" + of) &&
          same(stats.clips, layer.clips, "stats: clips" + of) && layer.name != stats.tensor.name)
        difference = "info: layer " + std::to_string(l) + " is called \"" + stats.tensor.name + "\", expected \"" + layer.name + "\"";
    }
  }

  void run(const Trace &truth) {
    lasnn_cuda_info info;
    if (!ok(lasnn_cuda_get_info(session, &info), "lasnn_cuda_get_info") || !same(info.network.layer_count, truth.layers.size(), "info: layer_count") ||
        !same(info.network.output_count, truth.outputs.front().size(), "info: output_count"))
      return;
    const size_t each = info.network.output_count;
    std::vector<uint8_t> input;
    std::vector<int32_t> expected, output(truth.samples.size() * each);
    for (size_t s = 0; s < truth.samples.size(); ++s) {
      input.insert(input.end(), truth.samples[s].begin(), truth.samples[s].end());
      expected.insert(expected.end(), truth.outputs[s].begin(), truth.outputs[s].end());
    }
    auto runAll = [&](const std::string &what) {
      return ok(lasnn_cuda_run(session, input.data(), input.size(), uint32_t(truth.samples.size()), output.data(), output.size()), "lasnn_cuda_run") &&
             (what.empty() || same(output, expected, what));
    };
    if (!runAll("")) return;
    spikes(truth);
    if (!difference.empty() || !same(output, expected, "output")) return;
    stats(truth);
    for (size_t t = 0; t < truth.stream.size() && difference.empty(); ++t) {
      std::vector<int32_t> now(each);
      if (ok(lasnn_cuda_step(session, truth.stream[t].data(), truth.stream[t].size(), 1, now.data(), now.size()), "lasnn_cuda_step"))
        same(now, truth.streamed[t], "stream: output after step " + std::to_string(t + 1));
    }
    if (difference.empty()) runAll("stream: output of lasnn_cuda_run after a stream");
  }
};

} // namespace

std::vector<uint8_t> cudaArtefact(const plan::Network &network, const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error) {
  cuda::CompileOptions options;
  options.architectures = {"sm_90"};
  options.maker = [](const cuda::Program &program, const std::string &architecture, std::string &) {
    return cuda::Cubin{architecture, emulatedCode(program, architecture), {}};
  };
  return cuda::compileNetwork(network, provenance, ir, options, error).bytes;
}

std::string compareCuda(const std::vector<uint8_t> &artefact, const Trace &truth) {
  AlignedModel model(artefact);
  lasnn_cuda_options options{};
  options.size = sizeof options;
  options.max_batch = uint32_t(truth.samples.size());
  options.streaming = options.keep_spikes = 1;
  options.driver = LASNN_EMULATED_CUDA;
  CudaComparison comparison;
  char error[512] = "";
  if (const lasnn_status status = lasnn_cuda_create(model.memory.get(), model.size, &options, &comparison.session, error, sizeof error); status != LASNN_OK)
    return std::string("call: lasnn_cuda_create gives ") + lasnn_status_name(status) + ": " + error;
  comparison.run(truth);
  return comparison.difference;
}

} // namespace lasnn::test
