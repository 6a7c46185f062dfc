#include "tests/backends/loihi/report_sample.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace lasnn::loihi::report {
namespace {

struct Shape {
  const char *name, *type;
  std::array<uint32_t, 3> shape;
  uint32_t cores;
  double words; // share of a core's
};
constexpr Shape kLayers[] = {{"conv1", "conv 3x3 s2", {32, 16, 16}, 9, 0.18}, {"block1.conv_a", "conv 3x3", {32, 16, 16}, 10, 0.62}, {"block1.conv_b", "conv 3x3", {64, 8, 8}, 22, 0.98},
                             {"block2.conv_a", "conv 3x3", {64, 8, 8}, 8, 0.91},  {"fc", "linear", {128, 1, 1}, 2, 0.55},             {"classifier", "read-out", {10, 1, 1}, 1, 0.08}};

} // namespace

Data sampleReport(const SampleOptions &options) {
  std::mt19937 random(7);
  auto between = [&](double low, double high) { return low + (high - low) * double(random() % 10001) / 10000.0; };
  Data d;
  d.mesh = {8, 4, 4, 128};
  d.allowed = {1024, 4096, 4096, 16384, 7, 32, 8, 16, 256};
  d.header = {"cifar10 \"small\" <student>", "cifar10-small.onnx", std::string(64, 'a'), options.fits ? "0123456789abcdef" : "", "loihi1", "Loihi", "nahuku", "regression on Nahuku silicon", 12.0, 25.0,
              "lasnn-compile 0.1.0", "--target=loihi1 --objective=cores --seed=1", 1, 16, 5, {{"lower", 1.25}, {"partition", 480.0}, {"place", 950.5}}, options.fits, ""};
  for (const Shape &s : kLayers) {
    Layer l;
    l.name = s.name, l.type = s.type, l.shape = s.shape, l.neurons = uint64_t(s.shape[0]) * s.shape[1] * s.shape[2], l.cores = s.cores * options.chips;
    l.start_step = uint32_t(d.layers.size());
    l.encoding = s.words > 0.9 ? "DENSE + SPARSE" : "RUNLENGTH";
    l.neurons_per_core_mean = double(l.neurons) / s.cores, l.neurons_per_core_max = uint64_t(std::ceil(l.neurons_per_core_mean));
    l.tile = {std::max(1u, s.shape[1] / 4), std::max(1u, s.shape[2] / 2), s.shape[0]};
    d.layers.push_back(l);
  }
  uint32_t id = 0;
  for (uint32_t chip = 0; chip < options.chips; ++chip) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < d.layers.size(); ++i)
      for (uint32_t k = 0; k < kLayers[i].cores; ++k, ++at) {
        Core c;
        c.id = id++, c.chip = chip, c.tile = at / 4, c.core = at % 4, c.x = c.tile / 4, c.y = c.tile % 4;
        c.neurons = uint64_t(double(d.layers[i].neurons) / kLayers[i].cores);
        c.layers = {{i, c.neurons}};
        if (k == 0 && i == 1) c.layers = {{1, 600}, {0, c.neurons - 600}};
        const double words = (options.fits || i != 2 ? 1.0 : 1.12) * kLayers[i].words * between(0.94, 1.0);
        c.used = {std::min<uint64_t>(1024, c.neurons), uint64_t(between(300, 3600)), uint64_t(between(200, 3900)), uint64_t(16384 * words), 1 + random() % 3, 1, 1 + random() % 4, 1, uint64_t(between(9, 80))};
        c.binds = binding(c.used, d.allowed);
        if (options.simulated) {
          c.synops_per_step = between(2e3, 4e4), c.packets_in_per_step = between(50, 900), c.packets_out_per_step = between(20, 400), c.hops_mean = between(0.5, 3);
          c.busy_ns_per_step = *c.synops_per_step * 0.3, c.energy_pj = *c.synops_per_step * 24 * 16;
        }
        const uint64_t bits = c.used[SynapseWords] * 64;
        c.memory = {bits * 6 / 10, bits / 20, bits * 2 / 10, bits / 20, bits - bits * 6 / 10 - bits / 20 - bits * 2 / 10 - bits / 20, 0, c.used[InputAxons] + c.used[OutputEntries]};
        Layer &l = d.layers[i];
        for (size_t r = 0; r < ResourceCount; ++r) l.used[r] = std::max(l.used[r], c.used[r]);
        l.memory.add(c.memory), l.synapse_words += c.used[SynapseWords];
        d.cores.push_back(c);
      }
  }
  Summary &s = d.summary;
  for (Layer &l : d.layers) {
    l.binds = binding(l.used, d.allowed);
    for (size_t r = 0; r < ResourceCount; ++r) l.mean_percent[r] = 0.8 * percentOf(l.used[r], d.allowed[r]).value();
    l.stored_synapses = l.memory.weights / 8, l.synapses = l.stored_synapses * 7;
    if (options.simulated) {
      l.spikes_per_step = double(l.neurons) * 0.08, l.packets_per_step = *l.spikes_per_step * 2.5, l.synops_per_step = *l.spikes_per_step * 200, l.critical_ns = 5200;
      l.energy = {*l.synops_per_step * 24 * 16, double(l.neurons) * 55 * 16, *l.packets_per_step * 111 * 16, *l.packets_per_step * 6 * 16};
    }
    s.neurons += l.neurons, s.synapses += l.synapses, s.stored_synapses += l.stored_synapses, s.synapse_words += l.synapse_words;
  }
  s.compartments = s.neurons, s.cores = d.cores.size(), s.cores_available = 128 * options.chips, s.lower_bound = 47 * options.chips, s.chips = options.chips, s.chips_available = 32, s.tiles = 13 * options.chips;
  for (size_t r = 0; r < ResourceCount; ++r) {
    uint64_t most = 0, all = 0;
    for (const Core &c : d.cores) most = std::max(most, c.used[r]), all += c.used[r];
    s.max_percent[r] = percentOf(most, d.allowed[r]), s.mean_percent[r] = *percentOf(all, d.allowed[r]) / double(d.cores.size());
    if (r == InputAxons) s.input_axons = all;
    if (r == OutputEntries) s.output_entries = all;
  }
  s.packets_per_step = 5123.25, s.interchip_per_step = options.chips > 1 ? 300.0 : 0.0, s.hops_mean = 1.625, s.hops_max = 7;
  d.network.assumed = !options.simulated;
  for (uint32_t chip = 0; chip < options.chips; ++chip)
    for (uint32_t x = 0; x < 4; ++x)
      for (uint32_t y = 0; y < 4; ++y) {
        auto link = [&](uint32_t tx, uint32_t ty, const char *direction) {
          d.network.links.push_back({chip, x, y, chip, tx, ty, direction, std::round(between(5, 800)), between(0.1, 9), {{"conv1 -> block1.conv_a", 4.0}, {"fc -> classifier", 1.0}}});
        };
        if (x < 3) link(x + 1, y, "east");
        if (x > 0) link(x - 1, y, "west");
        if (y < 3) link(x, y + 1, "north");
        if (y > 0 && x % 2) link(x, y - 1, "south");
      }
  std::stable_sort(d.network.links.begin(), d.network.links.end(), [](const Link &a, const Link &b) { return a.messages_per_step > b.messages_per_step; });
  s.busiest_link = "chip 0: (1,2) -> (2,2)", s.busiest_link_per_step = d.network.links.front().messages_per_step;
  for (uint32_t h = 0; h < 8; ++h) d.network.hops.emplace_back(h, std::round(2000.0 / (1 + h * h)));
  d.network.traffic.assign(d.layers.size() + 1, std::vector<double>(d.layers.size(), 0.0));
  for (size_t i = 0; i + 1 < d.layers.size(); ++i) d.network.traffic[i][i + 1] = 900.0 / double(i + 1);
  d.network.traffic[1][3] = 120, d.network.traffic.back()[0] = 768;
  if (options.simulated) {
    s.spikes_per_step = 2400.5, s.energy_per_inference_pj = 3.3e7, s.time_per_step_ns = 6100, s.time_per_inference_ns = 6100 * 21, s.edp_uj_s = 33.0 * 6100e-9 * 21, s.static_percent = 41.5;
    d.time = {{{"nahuku", "regression on Nahuku silicon", 1.93e7, 6100.0 * 21, 1.37e7, 12.0, 25.0}, {"davies2018", "Davies 2018, table 2", 1.5e7, 4100.0 * 21, {}, {}, {}}}, {{"synapse", 1.4e7}, {"soma", 0.9e7}, {"axon", 0.8e7}, {"network", 0.2e7}}, 1.37e7, 1800.0, "core 0.7.1 (block1.conv_b): 61 % synapse", "step 12: 7.9 µs", {"energy of the barrier: not published"}, {}, {}};
    for (uint32_t step = 0; step < 21; ++step) {
      d.time.step_ns.push_back(4000 + 3000 * std::sin(step / 5.0));
      std::vector<float> row;
      for (const Core &c : d.cores) row.push_back(float(*c.busy_ns_per_step * between(0.4, 1.3)));
      d.time.busy_ns.push_back(row);
    }
    d.verification = {"simulation against the integer network", 1000, 10000, 0, "", 83.8, 83.8, 0, 12, 70123.0, 812345.0, 24.0, 24.0, ""};
  }
  d.verification.checker = options.fits ? "every limit holds, recorded figures agree" : "refused: synapse-words";
  d.header.verdict = options.fits ? "52 of 128 cores of one chip; synapse memory is fullest with 97.9 %" : "synapse memory of 22 cores, 17 932 of 16 384 words on the worst";
  if (!options.fits)
    d.violations = {{"synapse-words", "core 0.4.3 (block1.conv_b)", 17932, 16384, "the core's lists take 17 932 words of 64 bits", "split block1.conv_b over 11 more cores, or 6-bit weights", 22}};
  d.advice = {"block1.conv_b: synapse memory binds; 6-bit weights would save about 5 cores"};
  d.rejected = {{"synapse words", 1204}, {"words of a list", 17}};
  d.comparison = {{"this mapping", double(s.cores), double(s.chips), 5123.25, 1.625, s.busiest_link_per_step, s.energy_per_inference_pj, s.time_per_inference_ns},
                  {"sequential", 61.0, 1.0, 9120.0, 2.9, 1900.0, {}, {}}, {"random placement", double(s.cores), 1.0, 5123.25, 4.2, 2400.0, {}, {}}};
  return d;
}

} // namespace lasnn::loihi::report
