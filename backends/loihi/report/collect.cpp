#include "backends/loihi/report/collect.h"
#include "backends/loihi/check/walk.h"
#include "backends/loihi/report/advice.h"
#include "backends/loihi/report/traffic.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lasnn::loihi::report {
namespace {

class Collector {
public:
  Collector(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked, const CollectOptions &options)
      : m(mapping), chip(chip), checked(checked), options(options), stats(options.simulated.statistics && options.simulated.statistics->runs ? options.simulated.statistics : nullptr) {
    for (size_t i = 0; i < chip.profiles.size(); ++i)
      if (options.profile.empty() ? i + 1 == chip.profiles.size() : chip.profiles[i].name == options.profile) profile = &chip.profiles[i], profileAt = i;
    if (stats) steps = double(stats->runs) * std::max(1u, m.header().timesteps()), chipSteps = double(stats->runs) * double(std::max<size_t>(1, stats->steps.size()));
  }

  Data run() {
    header();
    cores();
    layers();
    d.network = trafficOf(m, chip, checked, stats, options.simulated.links);
    summary();
    if (stats) energyAndTime();
    network();
    verification();
    comparison();
    judge(d, m, chip, checked);
    return std::move(d);
  }

private:
  double perRun(double sum) const { return sum / double(stats->runs); }

  void header() {
    d.mesh = {chip.mesh.width, chip.mesh.height, chip.mesh.cores_per_tile, chip.mesh.cores_per_chip};
    fillAllowed(d, chip);
    const lmap::Header &h = m.header();
    d.header.network = h.network(), d.header.source = h.source_name(), d.header.source_sha256 = h.source_sha256(), d.header.mapping_hash = m.hash();
    d.header.target = chip.name, d.header.target_title = chip.title, d.header.tool = options.tool.empty() ? h.tool() : options.tool, d.header.options = h.options();
    d.header.seed = h.seed(), d.header.timesteps = h.timesteps(), d.header.latency = h.latency(), d.header.passes_ms = options.passes_ms;
    if (!profile) return;
    d.header.profile = profile->name, d.header.profile_source = profile->source;
    d.header.energy_error_percent = profile->energy_error_percent.value, d.header.time_error_percent = profile->time_error_percent.value;
  }

  void cores() {
    const std::vector<CoreTraffic> assumed = coreTraffic(m, chip, checked);
    for (int i = 0; i < m.cores_size(); ++i) {
      const check::CoreCount &n = checked.cores[size_t(i)];
      const uint32_t onChip = n.address % chip.mesh.cores_per_chip;
      Core c;
      c.id = n.address, c.chip = n.address / chip.mesh.cores_per_chip, c.tile = chip.mesh.tileOf(onChip), c.core = onChip - c.tile * chip.mesh.cores_per_tile;
      c.x = chip.mesh.xOf(c.tile), c.y = chip.mesh.yOf(c.tile), c.neurons = n.neurons;
      for (const auto &[layer, count] : n.layers) {
        if (count.neurons) c.layers.emplace_back(layer, count.neurons);
        c.memory.add(memoryOf(count.bits));
      }
      c.memory.routing_entries = n.input_axons + n.output_entries;
      c.used = {n.compartments, n.input_axons, n.output_entries, n.synapse_words, n.synapse_formats, n.compartment_profiles, n.threshold_profiles, n.destination_groups, n.longest_list};
      c.binds = binding(c.used, d.allowed);
      if (stats) activity(c, size_t(i));
      else {
        const CoreTraffic &t = assumed[size_t(i)];
        c.packets_in_per_step = t.in, c.packets_out_per_step = t.out;
        if (t.out > 0) c.hops_mean = t.hops / t.out;
      }
      d.cores.push_back(std::move(c));
    }
  }

  void activity(Core &c, size_t i) {
    const Counts n = stats->core(i);
    c.synops_per_step = double(n.synapticOperations()) / steps, c.packets_in_per_step = double(n.messages_in) / steps, c.packets_out_per_step = double(n.messages_out) / steps;
    if (n.messages_out) c.hops_mean = double(n.hops()) / double(n.messages_out);
    if (!profile) return;
    c.energy_pj = perRun(energyOf(n, *profile).total_pj());
    c.busy_ns_per_step = busyNs(n, *profile) / chipSteps;
  }

  static Memory memoryOf(const check::Bits &b) { return {b.weights, b.delays, b.indices, b.prefixes, b.padding, b.soft_reset, 0}; }

  void layers() {
    const char *const names[] = {"SPARSE", "RUNLENGTH", "DENSE"};
    for (uint32_t l = 0; l < uint32_t(m.layers_size()); ++l) {
      const lmap::Layer &from = m.layers(int(l));
      Layer layer;
      layer.name = from.name(), layer.type = from.type(), layer.shape = {from.channels(), from.height(), from.width()}, layer.neurons = check::sizeOf(from), layer.start_step = from.start();
      layer.synapses = from.synapses();
      bool encodings[3] = {};
      uint64_t placed = 0;
      std::array<double, ResourceCount> sums{};
      for (size_t i = 0; i < checked.cores.size(); ++i) {
        const auto at = checked.cores[i].layers.find(l);
        if (at == checked.cores[i].layers.end()) continue;
        const check::CoreCount::Layer &own = at->second;
        layer.stored_synapses += own.stored, layer.synapse_words += own.words + own.bits.soft_reset / 64, layer.memory.add(memoryOf(own.bits));
        for (int e = 0; e < 3; ++e) encodings[e] = encodings[e] || own.encodings[e];
        if (!own.neurons) continue;
        ++layer.cores, placed += own.neurons, layer.neurons_per_core_max = std::max(layer.neurons_per_core_max, own.neurons);
        layer.memory.routing_entries += d.cores[i].memory.routing_entries * own.neurons / std::max<uint64_t>(1, d.cores[i].neurons);
        for (size_t r = 0; r < ResourceCount; ++r) layer.used[r] = std::max(layer.used[r], d.cores[i].used[r]), sums[r] += double(d.cores[i].used[r]);
        if (d.cores[i].busy_ns_per_step) layer.critical_ns = std::max(layer.critical_ns.value_or(0), *d.cores[i].busy_ns_per_step);
      }
      for (const lmap::Core &core : m.cores())
        for (const lmap::Group &g : core.groups())
          if (g.layer() == l && !g.neurons_size())
            layer.tile = {std::max(layer.tile[0], g.y1() - g.y0()), std::max(layer.tile[1], g.x1() - g.x0()), std::max(layer.tile[2], g.c1() - g.c0())};
      for (int e = 0; e < 3; ++e)
        if (encodings[e]) layer.encoding += (layer.encoding.empty() ? "" : " + ") + std::string(names[e]);
      if (layer.cores) {
        layer.neurons_per_core_mean = double(placed) / layer.cores;
        for (size_t r = 0; r < ResourceCount; ++r)
          if (d.allowed[r] && *d.allowed[r]) layer.mean_percent[r] = 100 * sums[r] / layer.cores / double(*d.allowed[r]);
        layer.binds = binding(layer.used, d.allowed);
      }
      if (stats && l < stats->layers.size()) activity(layer, stats->layers[l]);
      else if (!stats && from.kind() == lmap::SPIKING) layer.spikes_per_step = rateOf(from) * double(layer.neurons);
      d.layers.push_back(std::move(layer));
    }
  }

  void activity(Layer &layer, const LayerCounts &n) {
    layer.spikes_per_step = double(n.spikes) / steps, layer.packets_per_step = double(n.messages) / steps, layer.synops_per_step = double(n.synops) / steps;
    if (!profile) return;
    Counts counts;
    counts.accesses = n.accesses, counts.updates = n.updates, counts.spikes = n.firing;
    for (int e = 0; e < 3; ++e) counts.synops[e] = n.synops_by_encoding[e];
    counts.within_tile = n.within_tile, counts.hops_ew = n.hops_ew, counts.hops_ns = n.hops_ns, counts.hops_chip = n.hops_chip;
    const StepCost cost = energyOf(counts, *profile);
    layer.energy.synapse = perRun(cost.synapse_pj), layer.energy.soma = perRun(cost.neuron_pj), layer.energy.network = perRun(cost.network_pj);
    if (profile->message_out.energy_pj.known()) layer.energy.axon = perRun(double(n.messages) * *profile->message_out.energy_pj.value);
  }

  void summary() {
    Summary &s = d.summary;
    std::set<uint32_t> chips;
    std::set<std::pair<uint32_t, uint32_t>> tiles;
    std::array<double, ResourceCount> sums{};
    std::array<uint64_t, ResourceCount> most{};
    for (const Core &c : d.cores) {
      chips.insert(c.chip), tiles.insert({c.chip, c.tile});
      for (size_t r = 0; r < ResourceCount; ++r) sums[r] += double(c.used[r]), most[r] = std::max(most[r], c.used[r]);
    }
    for (size_t r = 0; r < ResourceCount; ++r) {
      s.max_percent[r] = percentOf(most[r], d.allowed[r]);
      if (!d.cores.empty() && d.allowed[r] && *d.allowed[r]) s.mean_percent[r] = 100 * sums[r] / double(d.cores.size()) / double(*d.allowed[r]);
    }
    for (const Layer &l : d.layers) s.neurons += l.neurons, s.synapses += l.synapses, s.stored_synapses += l.stored_synapses;
    s.compartments = uint64_t(sums[Compartments]), s.input_axons = uint64_t(sums[InputAxons]), s.output_entries = uint64_t(sums[OutputEntries]), s.synapse_words = uint64_t(sums[SynapseWords]);
    s.cores = d.cores.size(), s.cores_available = uint64_t(chip.mesh.cores_per_chip) * chip.mesh.chips, s.lower_bound = m.result().bound().cores();
    s.chips = chips.size(), s.chips_available = chip.mesh.chips, s.tiles = tiles.size();
  }

  /// Numbers of the summary that the traffic decides.
  void network() {
    Summary &s = d.summary;
    double messages = 0, travelled = 0, between = 0, spikes = 0;
    uint32_t farthest = 0;
    for (auto [distance, each] : d.network.hops) messages += each, travelled += each * distance, farthest = std::max(farthest, distance);
    for (const Link &l : d.network.links)
      if (l.chip != l.to_chip) between += l.messages_per_step;
    for (const Layer &l : d.layers) spikes += l.spikes_per_step.value_or(0);
    s.spikes_per_step = spikes, s.interchip_per_step = between;
    if (stats) {
      const Counts all = stats->total();
      messages = double(all.messages_out) / steps, travelled = double(all.hops()) / steps;
    }
    s.packets_per_step = messages, s.hops_max = farthest;
    if (messages > 0) s.hops_mean = travelled / messages;
    const auto rate = chip.facts.find("spike_bandwidth_per_tile"); // Gspike/s: messages a ns
    for (Link &l : d.network.links)
      if (l.chip == l.to_chip && rate != chip.facts.end() && rate->second.known() && s.time_per_step_ns && *s.time_per_step_ns > 0)
        l.percent = 100 * l.messages_per_step / (*rate->second.value * *s.time_per_step_ns);
    if (d.network.links.empty()) return;
    s.busiest_link = linkText(d.network.links.front()), s.busiest_link_per_step = d.network.links.front().messages_per_step;
  }

  void energyAndTime() {
    const double chips = double(std::max<uint64_t>(1, d.summary.chips));
    std::vector<ProfileCost> others;
    for (size_t i = 0; i < chip.profiles.size(); ++i) {
      const EnergyReport r = energyReport(chip, i, uint32_t(chips), *stats);
      ProfileCost cost{r.profile, r.title, perRun(r.total.total_pj()), perRun(r.total.time_ns), {}, chip.profiles[i].energy_error_percent.value, chip.profiles[i].time_error_percent.value};
      if (r.static_known) cost.static_pj = perRun(r.static_pj);
      if (i == profileAt) d.time.profiles.insert(d.time.profiles.begin(), cost);
      else d.time.profiles.push_back(cost);
    }
    if (!profile) return;
    const EnergyReport r = energyReport(chip, profileAt, uint32_t(chips), *stats);
    Summary &s = d.summary;
    Time &t = d.time;
    double axon = 0;
    for (const Layer &l : d.layers) axon += l.energy.axon.value_or(0);
    t.by_unit_pj = {{"synapse", perRun(r.total.synapse_pj)}, {"soma", perRun(r.total.neuron_pj)}};
    if (profile->message_out.energy_pj.known()) t.by_unit_pj.emplace_back("axon", axon);
    t.by_unit_pj.emplace_back("network", perRun(r.total.network_pj) - axon);
    if (r.static_known) t.static_pj = perRun(r.static_pj);
    t.barrier_ns = profile->barrierNs(uint32_t(d.summary.tiles));
    for (const std::string &name : r.left_out) t.unknown.push_back(name + ": " + "not published, or not part of this profile");
    const double energy = perRun(r.total.total_pj() + r.static_pj), time = perRun(r.total.time_ns);
    s.energy_per_inference_pj = energy, s.time_per_inference_ns = time, s.time_per_step_ns = time / double(std::max<size_t>(1, stats->steps.size()));
    s.edp_uj_s = energy * 1e-6 * time * 1e-9;
    if (r.static_known && energy > 0) s.static_percent = 100 * perRun(r.static_pj) / energy;
    slowest();
    timeline();
  }

  void slowest() {
    size_t core = 0;
    for (size_t i = 1; i < d.cores.size(); ++i)
      if (d.cores[i].busy_ns_per_step.value_or(0) > d.cores[core].busy_ns_per_step.value_or(0)) core = i;
    if (!d.cores.empty()) {
      Counts whole = stats->core(core), synapses;
      for (int e = 0; e < 3; ++e) synapses.synops[e] = whole.synops[e];
      const double all = busyNs(whole, *profile), own = busyNs(synapses, *profile);
      d.time.slowest_core = fmt::format("core {} ({}): {} a step, synapses {} of it", placeOf(d.cores[core]), layersOf(d, d.cores[core]), timeText(d.cores[core].busy_ns_per_step), percentText(all > 0 ? Maybe(100 * own / all) : Maybe()));
    }
    const auto &cost = stats->cost[profileAt];
    size_t step = 0;
    for (size_t k = 1; k < cost.size(); ++k)
      if (cost[k].time_ns > cost[step].time_ns) step = k;
    if (!cost.empty()) d.time.slowest_step = fmt::format("step {}: {}", step, timeText(perRun(cost[step].time_ns)));
  }

  /// At most so many steps and cells: a page stays light.
  void timeline() {
    constexpr size_t kSteps = 256, kCells = 200000;
    const auto &cost = stats->cost[profileAt];
    const size_t shown = std::min(cost.size(), kSteps);
    for (size_t k = 0; k < shown; ++k) d.time.step_ns.push_back(perRun(cost[k].time_ns));
    if (shown * d.cores.size() > kCells) return;
    for (size_t k = 0; k < shown; ++k) {
      std::vector<float> row;
      for (size_t i = 0; i < d.cores.size(); ++i) row.push_back(float(perRun(busyNs(stats->steps[k][i], *profile))));
      d.time.busy_ns.push_back(std::move(row));
    }
  }

  void verification() {
    d.verification = options.simulated.verification;
    d.verification.checker = checked.ok() ? "every limit holds, every synapse is there once, recorded figures agree" : fmt::format("refused for {} reasons, the first: {} at {}", checked.findings.size(), checked.findings[0].code, checked.findings[0].place);
    d.verification.u_bits = chip.arithmetic.current, d.verification.v_bits = chip.arithmetic.voltage;
    if (!stats) return;
    if (d.verification.what.empty()) d.verification.what = "simulation", d.verification.samples = stats->runs;
    const Events &e = stats->events;
    d.verification.overflows = e.input_overflows + e.current_wraps + e.bias_overflows + e.payload_overflows, d.verification.clips = e.clips;
    d.verification.largest_u = double(stats->largest_q), d.verification.largest_v = double(stats->largest_v);
  }

  void comparison() {
    for (const lmap::Score &s : m.result().scores()) {
      Contestant c;
      c.name = s.name() == "this" ? "this mapping" : s.name() + (s.feasible() ? "" : " (breaks limits)") + (s.note().empty() ? "" : ": " + s.note());
      c.cores = double(s.cores()), c.chips = double(s.chips()), c.packets_per_step = s.packets(), c.hops_mean = s.mean_hops(), c.busiest_link_per_step = s.max_link();
      if (s.energy_pj() > 0) c.energy_pj = s.energy_pj() * m.header().timesteps();
      d.comparison.push_back(std::move(c));
    }
    for (const lmap::Rejection &r : m.result().rejections())
      d.rejected.emplace_back((r.layer() < uint32_t(m.layers_size()) ? m.layers(int(r.layer())).name() + ": " : "") + r.limit(), r.count());
    std::stable_sort(d.rejected.begin(), d.rejected.end(), [](const auto &a, const auto &b) { return a.second > b.second; });
  }

  const lmap::Mapping &m;
  const Chip &chip;
  const check::Result &checked;
  const CollectOptions &options;
  const Statistics *stats;
  const Profile *profile = nullptr;
  size_t profileAt = SIZE_MAX;
  double steps = 1, chipSteps = 1; ///< of the network, of the chip, over all runs
  Data d;
};

} // namespace

Data collect(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked, const CollectOptions &options) { return Collector(mapping, chip, checked, options).run(); }

Data refusal(const std::string &network, const Chip &chip, const std::vector<std::string> &errors, const CollectOptions &options) {
  Data d;
  d.mesh = {chip.mesh.width, chip.mesh.height, chip.mesh.cores_per_tile, chip.mesh.cores_per_chip};
  fillAllowed(d, chip);
  d.header.network = network, d.header.target = chip.name, d.header.target_title = chip.title, d.header.tool = options.tool, d.header.passes_ms = options.passes_ms;
  d.header.fits = false, d.header.verdict = errors.empty() ? "it was refused" : errors[0];
  d.summary.cores_available = uint64_t(chip.mesh.cores_per_chip) * chip.mesh.chips, d.summary.chips_available = chip.mesh.chips;
  for (const std::string &error : errors) {
    const size_t colon = error.find(": "), semicolon = error.find("; ");
    Violation v;
    v.code = "refused", v.place = colon == std::string::npos ? "the network" : error.substr(0, colon), v.text = colon == std::string::npos ? error : error.substr(colon + 2);
    v.cure = semicolon == std::string::npos ? "see the text" : error.substr(semicolon + 2); // a refusal ends with what to do
    d.violations.push_back(std::move(v));
  }
  d.verification.checker = "there is no mapping to check";
  return d;
}

} // namespace lasnn::loihi::report
