#include "tests/conformance/run_loihi.h"

#include "backends/loihi/lmap.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/conformance/comparison.h"

#include <map>

namespace lasnn::test {

std::string compareLoihi(const std::vector<uint8_t> &bytes, const Trace &truth) {
  loihi::lmap::Mapping mapping;
  std::string error;
  if (!loihi::readLmap(bytes, mapping, error)) return "file: " + error;
  std::vector<std::string> errors;
  const std::shared_ptr<const loihi::Program> program = loihi::makeProgram(mapping, errors);
  if (!program) return "file: " + (errors.empty() ? std::string("refused without a message") : errors.front());

  loihi::SimulatorOptions options;
  options.record_spikes = true;
  loihi::Simulator simulator(program, options);
  std::map<std::string, size_t> layers; // of the mapping, by name
  for (int l = 0; l < mapping.layers_size(); ++l) layers[mapping.layers(l).name()] = size_t(l);

  Comparison comparison;
  for (size_t s = 0; s < truth.samples.size(); ++s) {
    const std::string of = " of sample " + std::to_string(s);
    std::vector<int32_t> output;
    simulator.run(truth.samples[s].data(), output);
    for (const LayerTrace &layer : truth.layers) {
      const auto found = layers.find(layer.name);
      if (found == layers.end()) return "info: the mapping has no layer \"" + layer.name + "\"";
      const std::vector<uint8_t> &spikes = simulator.spikes()[found->second];
      for (size_t t = 0; t < size_t(truth.timesteps); ++t) {
        const std::vector<uint8_t> now(spikes.begin() + ptrdiff_t(t * layer.neurons), spikes.begin() + ptrdiff_t((t + 1) * layer.neurons));
        if (!comparison.same(now, layer.counts[s * size_t(truth.timesteps) + t], "spikes: layer \"" + layer.name + "\" at step " + std::to_string(t + 1) + of)) return comparison.difference;
      }
    }
    if (!comparison.same(output.size(), truth.outputs[s].size(), "output: size" + of) || !comparison.same(output, truth.outputs[s], "output" + of)) return comparison.difference;
  }
  if (!simulator.statistics().events.exact()) return "events: a register overflowed, which the mapper had proved impossible";
  return "";
}

} // namespace lasnn::test
