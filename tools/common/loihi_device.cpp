#include "tools/common/loihi_device.h"

#include "backends/loihi/lmap.h"
#include "backends/loihi/sim/energy.h"

#include <algorithm>
#include <fmt/format.h>

namespace lasnn::tools {
namespace {

class LoihiDevice final : public Device {
public:
  explicit LoihiDevice(std::shared_ptr<ChipRuns> given)
      : runs(std::move(given)), simulator(std::make_unique<loihi::Simulator>(runs->program, loihi::SimulatorOptions{})) {}
  ~LoihiDevice() override {
    std::lock_guard guard(runs->lock);
    runs->statistics += simulator->statistics();
    for (const loihi::LinkLoad &link : simulator->links()) runs->links.push_back(link);
  }
  std::string name() const override { return "loihi"; }
  std::string isa() const override { return runs->program->chip.name; }
  bool isInteger() const override { return true; }
  size_t inputSize() const override { return runs->program->input_size; }

  llvm::Error run(const uint8_t *sample, Output &output) override {
    simulator->run(sample, output.values);
    output.logits.clear();
    for (int32_t value : output.values) output.logits.push_back(float(value) * runs->program->mapping.output_scale());
    return llvm::Error::success();
  }

  void recordSpikes(bool on) override {
    loihi::SimulatorOptions options;
    options.record_spikes = on;
    simulator = std::make_unique<loihi::Simulator>(runs->program, options);
  }
  std::vector<std::vector<uint8_t>> spikes() override {
    std::vector<std::vector<uint8_t>> all;
    for (size_t l = 0; l < simulator->spikes().size(); ++l)
      if (spiking(l)) all.push_back(simulator->spikes()[l]);
    return all;
  }

  std::vector<LayerStats> stats() const override {
    std::vector<LayerStats> all;
    const auto &layers = simulator->statistics().layers;
    for (size_t l = 0; l < layers.size(); ++l)
      if (spiking(l)) all.push_back({layers[l].name, layers[l].neurons, layers[l].steps, layers[l].spikes, layers[l].synops, layers[l].clips});
    return all;
  }
  void clearStats() override { simulator->clearStatistics(); }

private:
  bool spiking(size_t layer) const { return runs->program->mapping.layers(int(layer)).kind() == loihi::lmap::SPIKING; }

  std::shared_ptr<ChipRuns> runs;
  std::unique_ptr<loihi::Simulator> simulator;
};

nlohmann::ordered_json orNull(double value) { return value < 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(value); }

/// "3.42 uJ"
std::string energy(double pj) {
  return pj >= 1e9   ? fmt::format("{:.3f} mJ", pj * 1e-9)
         : pj >= 1e6 ? fmt::format("{:.3f} uJ", pj * 1e-6)
                     : fmt::format("{:.3f} nJ", pj * 1e-3);
}

std::string joined(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

} // namespace

bool isMapping(const ModelBytes &bytes) { return loihi::isLmap({bytes.data.get(), bytes.data.get() + std::min<size_t>(bytes.size, 4096)}); }

llvm::Expected<std::shared_ptr<ChipRuns>> loadMapping(const ModelBytes &bytes, const std::string &path) {
  loihi::lmap::Mapping mapping;
  std::string error;
  const std::string name = path == "-" ? "stdin" : path;
  if (!loihi::readLmap({bytes.data.get(), bytes.data.get() + bytes.size}, mapping, error))
    return llvm::createStringError(fmt::format("'{}': {}", name, error));
  auto runs = std::make_shared<ChipRuns>();
  std::vector<std::string> errors;
  runs->program = loihi::makeProgram(mapping, errors);
  runs->name = mapping.header().network(), runs->hash = mapping.hash();
  if (runs->program) return runs;
  std::string text;
  for (const std::string &each : errors) text += "\n  " + each;
  return llvm::createStringError(fmt::format("'{}' does not hold together as a mapping:{}", name, text));
}

llvm::Expected<data::Dataset> loadSamples(const ChipRuns &chip, const std::string &spec, const std::string &split, data::LoadOptions options) {
  const loihi::lmap::Mapping &mapping = chip.program->mapping;
  const bool events = !mapping.input_direct();
  if (events) options.frames = mapping.header().timesteps(), options.maxCount = mapping.input_max_count();
  std::string error;
  auto set = data::load(spec, split, options, error);
  if (!set) return llvm::createStringError(error);
  if (set->events == events) return std::move(*set);
  return llvm::createStringError(
      events
          ? fmt::format("rule E3: the network takes {} frames of spike counts, {} holds images; give a set of events (nmnist, dvs-gesture)",
                        options.frames, set->name)
          : fmt::format("rule E1: the network takes images, {} holds events; give the set that it was trained on", set->name));
}

std::unique_ptr<Device> makeLoihi(std::shared_ptr<ChipRuns> runs) { return std::make_unique<LoihiDevice>(std::move(runs)); }

nlohmann::ordered_json toJson(const ChipRuns &runs) {
  const loihi::Program &program = *runs.program;
  const loihi::Statistics &s = runs.statistics;
  const double samples = double(std::max<uint64_t>(1, s.runs));
  const loihi::Counts total = s.total();
  nlohmann::ordered_json json;
  json["name"] = program.chip.name;
  json["mapping"] = runs.hash;
  json["cores"] = program.cores.size(), json["chips"] = program.chips, json["tiles"] = program.tiles;
  json["timesteps"] = program.mapping.header().timesteps(), json["latency_steps"] = program.mapping.header().latency(), json["chip_steps"] = program.steps;
  json["exact"] = s.events.exact();
  json["events"] = {{"clips", s.events.clips},
                    {"input_overflows", s.events.input_overflows},
                    {"current_wraps", s.events.current_wraps},
                    {"bias_overflows", s.events.bias_overflows},
                    {"early_inputs", s.events.early_inputs},
                    {"payload_overflows", s.events.payload_overflows}};
  json["per_image"] = {{"spikes", total.spikes / samples},       {"synops", total.synapticOperations() / samples}, {"updates", total.updates / samples},
                       {"messages", total.messages_out / samples}, {"host_messages", total.host_in / samples},     {"hops", total.hops() / samples},
                       {"chip_hops", total.hops_chip / samples}};
  json["energy"] = nlohmann::ordered_json::array(); // one a profile; none: the chip's energies are unknown
  for (size_t p = 0; p < program.chip.profiles.size(); ++p) {
    const loihi::EnergyReport report = loihi::energyReport(program.chip, p, program.chips, s);
    nlohmann::ordered_json one;
    one["profile"] = report.profile, one["title"] = report.title;
    one["pj_per_image"] = {{"synapse", report.total.synapse_pj / samples},
                           {"neuron", report.total.neuron_pj / samples},
                           {"network", report.total.network_pj / samples},
                           {"total", report.total.total_pj() / samples}};
    one["static_pj_per_image"] = report.static_known ? nlohmann::ordered_json(report.static_pj / samples) : nlohmann::ordered_json(nullptr);
    one["us_per_image"] = report.total.time_ns * 1e-3 / samples;
    one["us_per_step"] = report.total.time_ns * 1e-3 / samples / program.steps;
    one["energy_error_percent"] = orNull(report.energy_error_percent), one["time_error_percent"] = orNull(report.time_error_percent);
    one["left_out"] = report.left_out;
    json["energy"].push_back(std::move(one));
  }
  return json;
}

std::string toText(const ChipRuns &runs, bool profile) {
  const loihi::Program &program = *runs.program;
  const loihi::Statistics &s = runs.statistics;
  const double samples = double(std::max<uint64_t>(1, s.runs));
  const loihi::Counts total = s.total();
  std::string text =
      fmt::format("chip        {}: {} cores on {} chip{}, {} + {} steps an image\n", program.chip.name, program.cores.size(), program.chips,
                  program.chips == 1 ? "" : "s", program.mapping.header().timesteps(), program.mapping.header().latency());
  text += fmt::format("an image    {:.0f} spikes, {:.0f} synaptic operations, {:.0f} messages over {:.0f} hops\n", total.spikes / samples,
                      total.synapticOperations() / samples, total.messages_out / samples, total.hops() / samples);
  const loihi::Events &e = s.events;
  if (!e.exact())
    text += fmt::format("NOT EXACT   {} input overflows, {} current wraps, {} biases too wide, {} spikes too early, {} payloads too large: "
                        "the chip may differ from the network\n",
                        e.input_overflows, e.current_wraps, e.bias_overflows, e.early_inputs, e.payload_overflows);
  if (program.chip.profiles.empty()) text += "energy      unknown: none of this chip's energies are published\n";
  for (size_t p = 0; p < program.chip.profiles.size(); ++p) {
    const loihi::EnergyReport report = loihi::energyReport(program.chip, p, program.chips, s);
    const auto band = [](double percent) { return percent < 0 ? std::string("error not stated") : fmt::format("+-{:.0f} %", percent); };
    text +=
        fmt::format("{:<11} {} an image ({}): synapses {}, neurons {}, network {}\n", report.profile,
                    energy(report.total.total_pj() / samples), band(report.energy_error_percent), energy(report.total.synapse_pj / samples),
                    energy(report.total.neuron_pj / samples), energy(report.total.network_pj / samples));
    text += fmt::format("{:<11} {:.2f} us an image ({}){}\n", "", report.total.time_ns * 1e-3 / samples, band(report.time_error_percent),
                        report.static_known ? fmt::format("; static {} more", energy(report.static_pj / samples)) : "");
    if (!report.left_out.empty()) text += fmt::format("{:<11} left out, for nobody published them: {}\n", "", joined(report.left_out));
    if (!profile) continue;
    std::vector<double> busy(program.cores.size());
    for (const auto &step : s.steps)
      for (size_t c = 0; c < busy.size(); ++c) busy[c] += loihi::busyNs(step[c], program.chip.profiles[p]);
    std::vector<size_t> order(busy.size());
    for (size_t c = 0; c < order.size(); ++c) order[c] = c;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return std::pair(-busy[a], a) < std::pair(-busy[b], b); });
    for (size_t i = 0; i < std::min<size_t>(5, order.size()); ++i) {
      const loihi::CoreProgram &core = program.cores[order[i]];
      text += fmt::format("  core {}.{:<5} {:>10.2f} us an image\n", core.chip, core.address % program.chip.mesh.cores_per_chip,
                          busy[order[i]] * 1e-3 / samples);
    }
  }
  return text;
}

} // namespace lasnn::tools
