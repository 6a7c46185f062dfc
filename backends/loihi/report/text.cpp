#include "backends/loihi/report/text.h"
#include "backends/loihi/report/table.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::loihi::report {
namespace {

std::string title(int number, const char *text) { return fmt::format("\n{}. {}\n", number, text); }
std::string field(const char *name, const std::string &value) { return value.empty() ? "" : fmt::format("  {:<22} {}\n", name, value); }

std::string bar(const Maybe &percent) {
  if (!percent) return "";
  const size_t filled = size_t(std::clamp(*percent / 10 + 0.5, 0.0, 10.0));
  return std::string(filled, '#') + std::string(10 - filled, '.') + (*percent > 100 ? "!" : " ");
}

std::string errorText(const Header &h) {
  if (h.profile.empty()) return "none: energy and time are unknown";
  auto band = [](const Maybe &error) { return error ? fmt::format("within {} %", shortNumber(error)) : std::string("unknown"); };
  return fmt::format("{} ({}); error of energy {}, of time {}", h.profile, h.profile_source, band(h.energy_error_percent), band(h.time_error_percent));
}

std::string header(const Header &h) {
  std::string out = fmt::format("{}: {}\n", h.fits ? "FITS" : "DOES NOT FIT", h.verdict);
  out += title(1, "Mapping");
  out += field("network", h.network) + field("model", h.source) + field("model's sha256", h.source_sha256) + field("mapping's hash", h.mapping_hash);
  out += field("target", fmt::format("{} ({})", h.target, h.target_title)) + field("profile", errorText(h));
  out += field("steps", fmt::format("T = {}, output {} steps later", h.timesteps, h.latency)) + field("seed", fmt::format("{}", h.seed));
  out += field("options", h.options) + field("made by", h.tool);
  std::string passes;
  double all = 0;
  for (const auto &[name, ms] : h.passes_ms) passes += fmt::format("{}{} {} ms", passes.empty() ? "" : ", ", name, shortNumber(ms)), all += ms;
  return out + field("wall time", passes.empty() ? "" : fmt::format("{} ms: {}", shortNumber(all), passes));
}

std::string summary(const Data &d) {
  const Summary &s = d.summary;
  std::string out = title(2, "Summary");
  out += field("neurons", fmt::format("{} in {} compartments", whole(double(s.neurons)), whole(double(s.compartments))));
  out += field("synapses", fmt::format("{} expanded, {} stored in {} words, {} to 1", whole(double(s.synapses)), whole(double(s.stored_synapses)),
                                       whole(double(s.synapse_words)), shortNumber(s.compression())));
  out += field("axons", fmt::format("{} in, {} entries out", whole(double(s.input_axons)), whole(double(s.output_entries))));
  const std::string bound = s.lower_bound ? fmt::format(", lower bound {} (gap {})", s.lower_bound, percentText(s.gapPercent())) : "";
  out += field("cores", fmt::format("{} of {}{}; {} of {}, {}", s.cores, s.cores_available, bound, s.chips, counted(double(s.chips_available), "chip"), counted(double(s.tiles), "tile")));
  out += field("spikes a step", shortNumber(s.spikes_per_step));
  out += field("packets a step", fmt::format("{}, {} of them between chips; {} hops on average, {} at most", shortNumber(s.packets_per_step),
                                            shortNumber(s.interchip_per_step), shortNumber(s.hops_mean), shortNumber(s.hops_max)));
  if (!s.busiest_link.empty()) out += field("busiest link", fmt::format("{}, {} messages a step", s.busiest_link, shortNumber(s.busiest_link_per_step)));
  out += field("energy", fmt::format("{} an inference, {} of it static", energyText(s.energy_per_inference_pj), percentText(s.static_percent)));
  out += field("time", fmt::format("{} a step, {} an inference", timeText(s.time_per_step_ns), timeText(s.time_per_inference_ns)));
  out += field("energy x delay", s.edp_uj_s ? fmt::format("{} µJ s", shortNumber(s.edp_uj_s)) : "unknown");
  Table table({"resource of a core", "mean", "fullest", "allowed", ""}, {0, 4});
  for (size_t r = 0; r < ResourceCount; ++r)
    table.add({kResources[r].title, percentText(s.mean_percent[r]), percentText(s.max_percent[r]), d.allowed[r] ? whole(double(*d.allowed[r])) : "unknown", bar(s.max_percent[r])});
  return out + "\n" + table.text();
}

std::string layers(const Data &d) {
  Table table({"layer", "type", "shape", "neurons", "cores", "tile", "a core", "cx", "in-axons", "out", "synMem", "fmt", "prof", "words", "ratio", "encoding", "binds"}, {0, 1, 2, 15, 16});
  Table traffic({"layer", "starts", "spikes/step", "packets/step", "SOP/step", "synapse", "soma", "axon", "network", "share", "critical path"});
  double all = 0;
  for (const Layer &l : d.layers) all += l.energy.total().value_or(0);
  uint64_t neurons = 0, words = 0, stored = 0, synapses = 0;
  Maybe spikes, packets, synops, energy;
  auto sum = [](Maybe &total, const Maybe &part) { if (part) total = total.value_or(0) + *part; };
  for (const Layer &l : d.layers) {
    auto share = [&](Resource r) { return percentText(percentOf(l.used[r], d.allowed[r])); };
    table.add({l.name, l.type, shapeText(l.shape), whole(double(l.neurons)), fmt::format("{}", l.cores), shapeText(l.tile),
               fmt::format("{}-{}", shortNumber(l.neurons_per_core_mean), l.neurons_per_core_max), share(Compartments), share(InputAxons), share(OutputEntries),
               share(SynapseWords), fmt::format("{}", l.used[SynapseFormats]), fmt::format("{}", l.used[CompartmentProfiles]), whole(double(l.synapse_words)),
               l.stored_synapses ? shortNumber(double(l.synapses) / double(l.stored_synapses)) : "-", l.encoding, l.binds ? kResources[*l.binds].title : "unknown"});
    const Maybe total = l.energy.total();
    traffic.add({l.name, fmt::format("{}", l.start_step), shortNumber(l.spikes_per_step), shortNumber(l.packets_per_step), shortNumber(l.synops_per_step),
                 energyText(l.energy.synapse), energyText(l.energy.soma), energyText(l.energy.axon), energyText(l.energy.network),
                 total && all > 0 ? percentText(100 * *total / all) : "unknown", timeText(l.critical_ns)});
    neurons += l.neurons, words += l.synapse_words, stored += l.stored_synapses, synapses += l.synapses;
    sum(spikes, l.spikes_per_step), sum(packets, l.packets_per_step), sum(synops, l.synops_per_step), sum(energy, total);
  }
  table.add({"total", "", "", whole(double(neurons)), fmt::format("{}", d.summary.cores), "", "", "", "", "", "", "", "", whole(double(words)),
             stored ? shortNumber(double(synapses) / double(stored)) : "-", "", ""});
  traffic.add({"total", "", shortNumber(spikes), shortNumber(packets), shortNumber(synops), "", "", "", "", energyText(energy), ""});
  return title(3, "Layers (shares of the fullest core's limits)") + table.text() + "\n" + traffic.text();
}

std::string cores(const Data &d, size_t limit) {
  std::string out = title(4, "Cores, busiest first");
  Table table({"core", "layers", "neurons", "cx", "in-axons", "out", "synMem", "synMem", "SOP/step", "packets in", "out", "hops", "busy a step", "energy"}, {0, 1, 7});
  const std::vector<uint32_t> order = busiestFirst(d);
  for (size_t i = 0; i < std::min(limit, order.size()); ++i) {
    const Core &c = d.cores[order[i]];
    auto share = [&](Resource r) { return percentText(percentOf(c.used[r], d.allowed[r])); };
    table.add({placeOf(c), layersOf(d, c), whole(double(c.neurons)), share(Compartments), share(InputAxons), share(OutputEntries), share(SynapseWords),
               bar(percentOf(c.used[SynapseWords], d.allowed[SynapseWords])), shortNumber(c.synops_per_step), shortNumber(c.packets_in_per_step),
               shortNumber(c.packets_out_per_step), c.packets_out_per_step == 0.0 ? "-" : shortNumber(c.hops_mean), timeText(c.busy_ns_per_step), energyText(c.energy_pj)});
  }
  out += table.text();
  if (order.size() > limit) out += fmt::format("  {} more: cores.csv\n", order.size() - limit);
  return out;
}

std::string memory(const Data &d) {
  Table table({"layer", "weights", "delays", "indices", "prefixes", "padding", "soft reset", "total", "axon entries"});
  auto row = [&](const std::string &name, const Memory &m) {
    auto cell = [&](uint64_t bits) { return bits ? fmt::format("{} ({:.0f} %)", whole(double(bits)), 100.0 * double(bits) / double(m.total())) : "0"; };
    table.add({name, cell(m.weights), cell(m.delays), cell(m.indices), cell(m.prefixes), cell(m.padding), cell(m.soft_reset), whole(double(m.total())), whole(double(m.routing_entries))});
  };
  Memory all;
  for (const Layer &l : d.layers) row(l.name, l.memory), all.add(l.memory);
  row("total", all);
  return title(5, "Synapse memory, bits") + table.text();
}

std::string network(const Data &d, size_t limit) {
  std::string out = title(6, d.network.assumed ? "Network on chip (nothing was simulated: at the spike rates that the mapper assumed)" : "Network on chip");
  Table links({"link", "direction", "messages/step", "of capacity", "from whom"}, {0, 1, 4});
  for (size_t i = 0; i < std::min(limit, d.network.links.size()); ++i) {
    const Link &l = d.network.links[i];
    std::string who;
    for (size_t k = 0; k < std::min<size_t>(3, l.contributors.size()); ++k) who += fmt::format("{}{} {}", k ? ", " : "", l.contributors[k].first, shortNumber(l.contributors[k].second));
    links.add({linkText(l), l.direction, shortNumber(l.messages_per_step), percentText(l.percent), who});
  }
  out += links.size() ? links.text() : "  no message leaves its tile\n";
  if (d.network.links.size() > limit) out += fmt::format("  {} more: links.csv\n", d.network.links.size() - limit);
  if (!d.network.hops.empty()) {
    Table hops({"hops", "messages/step"});
    for (auto [distance, messages] : d.network.hops) hops.add({fmt::format("{}", distance), shortNumber(messages)});
    out += "\n" + hops.text();
  }
  if (d.network.traffic.empty()) return out;
  std::vector<std::string> heads{"from \\ to"};
  for (const Layer &l : d.layers) heads.push_back(l.name);
  Table traffic(heads);
  for (size_t i = 0; i < d.network.traffic.size(); ++i) {
    std::vector<std::string> row{i < d.layers.size() ? d.layers[i].name : "host"};
    for (double messages : d.network.traffic[i]) row.push_back(messages > 0 ? shortNumber(messages) : "");
    row.resize(heads.size());
    traffic.add(row);
  }
  return out + "\n" + traffic.text();
}

std::string energyAndTime(const Data &d) {
  std::string out = title(7, "Energy and time");
  for (const auto &[unit, pj] : d.time.by_unit_pj) out += field(unit.c_str(), energyText(pj));
  out += field("static", energyText(d.time.static_pj)) + field("barrier", timeText(d.time.barrier_ns) + " a step");
  out += field("slowest core", d.time.slowest_core) + field("slowest step", d.time.slowest_step);
  for (const std::string &what : d.time.unknown) out += field("unknown, left out", what);
  if (d.time.profiles.size() < 2) return out;
  Table table({"by profile", "energy", "static", "time", "error of energy", "of time"});
  for (const ProfileCost &p : d.time.profiles)
    table.add({p.name, energyText(p.energy_pj), energyText(p.static_pj), timeText(p.time_ns), percentText(p.energy_error_percent), percentText(p.time_error_percent)});
  return out + "\n" + table.text();
}

std::string violations(const Data &d) {
  std::string out = title(8, "Limits broken, and advice");
  if (d.violations.empty()) out += "  no limit is broken\n";
  for (const Violation &v : d.violations)
    out += fmt::format("  {}: {}{}: needs {}, allowed {}\n    {}\n    cure: {}\n", v.code, v.place, v.cores > 1 ? fmt::format(" and {} more", v.cores - 1) : "", whole(double(v.needed)),
                       whole(double(v.allowed)), v.text, v.cure);
  for (const std::string &advice : d.advice) out += "  - " + advice + "\n";
  if (d.rejected.empty()) return out;
  Table table({"candidates refused for", "how many"});
  for (const auto &[reason, count] : d.rejected) table.add({reason, whole(double(count))});
  return out + "\n" + table.text();
}

std::string verification(const Verification &v) {
  std::string out = title(9, "Verification") + field("checker", v.checker);
  if (v.what.empty()) return out + field("simulation", "not run");
  out += field(v.what.c_str(), fmt::format("{} samples{}", v.samples, v.compared ? fmt::format(", {} values compared, {} differ", whole(double(v.compared)), whole(double(v.different))) : ""));
  out += field("first difference", v.first_difference);
  if (v.accuracy_mapping || v.accuracy_reference)
    out += field("accuracy", fmt::format("{} mapped, {} reference", percentText(v.accuracy_mapping), percentText(v.accuracy_reference)));
  out += field("overflows, clips", fmt::format("{}, {}", whole(double(v.overflows)), whole(double(v.clips))));
  if (v.largest_u || v.largest_v)
    out += field("largest |u|, |v|", fmt::format("{} of {} bits, {} of {} bits", shortNumber(v.largest_u), shortNumber(v.u_bits), shortNumber(v.largest_v), shortNumber(v.v_bits)));
  return out;
}

std::string comparison(const Data &d) {
  if (d.comparison.empty()) return "";
  Table table({"mapping by", "cores", "chips", "packets/step", "mean hops", "busiest link", "network energy", "time"});
  for (const Contestant &c : d.comparison)
    table.add({c.name, shortNumber(c.cores), shortNumber(c.chips), shortNumber(c.packets_per_step), shortNumber(c.hops_mean), shortNumber(c.busiest_link_per_step),
               energyText(c.energy_pj), timeText(c.time_ns)});
  return title(10, "Comparison") + table.text();
}

} // namespace

std::string toText(const Data &d, const TextOptions &options) {
  return header(d.header) + summary(d) + layers(d) + cores(d, options.cores) + memory(d) + network(d, options.links) + energyAndTime(d) + violations(d) +
         verification(d.verification) + comparison(d);
}

std::string toBriefText(const Data &d) {
  const Summary &s = d.summary;
  std::string out = fmt::format("{}: {}\n", d.header.fits ? "FITS" : "DOES NOT FIT", d.header.verdict);
  const std::string bound = s.lower_bound ? fmt::format(" (bound {})", s.lower_bound) : "";
  out += fmt::format("{} on {}{} of {}, {}; {} packets a step, {} hops; {} and {} an inference\n", counted(double(s.neurons), "neuron"), counted(double(s.cores), "core"), bound, d.header.target, counted(double(s.chips), "chip"),
                     shortNumber(s.packets_per_step), shortNumber(s.hops_mean), energyText(s.energy_per_inference_pj), timeText(s.time_per_inference_ns));
  for (const Violation &v : d.violations) out += fmt::format("{}: {}: needs {}, allowed {}; {}\n", v.code, v.place, v.needed, v.allowed, v.cure);
  return out;
}

} // namespace lasnn::loihi::report
