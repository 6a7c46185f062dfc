#include "tests/conformance/run_x86.h"

#include "format/reader.h"
#include "tests/conformance/comparison.h"

namespace lasnn::test {
namespace {

constexpr lasnn_isa kIsas[] = {LASNN_ISA_SCALAR, LASNN_ISA_AVX2, LASNN_ISA_AVX512};

struct X86Comparison : Comparison {
  lasnn_network *network = nullptr;
  ~X86Comparison() { lasnn_destroy(network); }

  bool ok(lasnn_status status, const std::string &call) { return called(status, call, lasnn_get_error(network)); }

  void run(const Trace &truth) {
    lasnn_network_info info;
    if (!ok(lasnn_get_info(network, &info), "lasnn_get_info")) return;
    if (!same(info.layer_count, truth.layers.size(), "info: layer_count") || !same(info.timesteps, uint64_t(truth.timesteps), "info: timesteps") ||
        !same(info.output_count, truth.outputs.front().size(), "info: output_count"))
      return;
    for (size_t s = 0; s < truth.samples.size(); ++s) {
      std::string of = " of sample " + std::to_string(s);
      std::vector<int32_t> output(info.output_count);
      if (!ok(lasnn_run(network, truth.samples[s].data(), truth.samples[s].size(), output.data(), output.size()), "lasnn_run")) return;
      for (int t = 0; t < truth.timesteps; ++t)
        for (size_t l = 0; l < truth.layers.size(); ++l) { // step by step, so that the first difference is the cause
          const std::vector<uint8_t> &expected = truth.layers[l].counts[s * size_t(truth.timesteps) + size_t(t)];
          std::vector<uint8_t> counts(expected.size());
          if (!ok(lasnn_get_spikes(network, uint32_t(l), uint32_t(t), counts.data(), counts.size()), "lasnn_get_spikes")) return;
          if (!same(counts, expected, "spikes: layer \"" + truth.layers[l].name + "\" at step " + std::to_string(t + 1) + of)) return;
        }
      if (!same(output, truth.outputs[s], "output" + of)) return;
    }
    for (size_t l = 0; l < truth.layers.size(); ++l) {
      lasnn_layer_stats stats;
      const LayerTrace &layer = truth.layers[l];
      std::string of = " of layer \"" + layer.name + "\"";
      if (!ok(lasnn_get_layer_stats(network, uint32_t(l), &stats), "lasnn_get_layer_stats") || !same(stats.neurons, layer.neurons, "stats: neurons" + of) ||
          !same(stats.steps, layer.steps, "stats: steps" + of) || !same(stats.spikes, layer.spikes, "stats: spikes" + of) ||
          !same(stats.clips, layer.clips, "stats: clips" + of) || !same(stats.synops, layer.synops, "stats: synops" + of))
        return;
      if (layer.name != stats.tensor.name) difference = "info: layer " + std::to_string(l) + " is called \"" + stats.tensor.name + "\", expected \"" + layer.name + "\"";
    }
    if (!ok(lasnn_reset(network), "lasnn_reset")) return;
    for (size_t t = 0; t < truth.stream.size(); ++t) {
      std::vector<int32_t> output(info.output_count);
      if (!ok(lasnn_step(network, truth.stream[t].data(), truth.stream[t].size(), output.data(), output.size()), "lasnn_step") ||
          !same(output, truth.streamed[t], "stream: output after step " + std::to_string(t + 1)))
        return;
    }
    std::vector<int32_t> output(info.output_count); // a run after a stream starts afresh
    if (ok(lasnn_run(network, truth.samples[0].data(), truth.samples[0].size(), output.data(), output.size()), "lasnn_run"))
      same(output, truth.outputs[0], "stream: output of lasnn_run after a stream");
  }
};

} // namespace

std::vector<std::string> x86Kinds() {
  std::vector<std::string> kinds;
  for (lasnn_isa isa : kIsas)
    if (lasnn_isa_available(isa)) kinds.push_back(lasnn_isa_name(isa));
  return kinds;
}

std::string compareX86(const std::vector<uint8_t> &artefact, const std::string &kind, const Trace &truth) {
  AlignedModel model(artefact);
  lasnn_options options{};
  options.size = sizeof options;
  for (lasnn_isa isa : kIsas)
    if (kind == lasnn_isa_name(isa)) options.isa = isa;
  X86Comparison comparison;
  char error[512] = "";
  lasnn_status status = lasnn_create(model.memory.get(), model.size, &options, &comparison.network, error, sizeof error);
  if (status != LASNN_OK) return std::string("call: lasnn_create gives ") + lasnn_status_name(status) + ": " + error;
  comparison.run(truth);
  return comparison.difference;
}

std::vector<uint8_t> irOfX86(const std::vector<uint8_t> &artefact, std::string &error) {
  AlignedModel model(artefact);
  format::FileContents contents;
  char text[512] = "";
  if (format::readContents(model.memory.get(), model.size, contents, text, sizeof text) != LASNN_OK) {
    error = text;
    return {};
  }
  return {contents.ir, contents.ir + contents.ir_size};
}

} // namespace lasnn::test
