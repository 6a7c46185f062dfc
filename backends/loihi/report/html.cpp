#include "backends/loihi/report/html.h"
#include "backends/loihi/report/json.h"
#include "backends/loihi/report/page.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::loihi::report {
namespace {

using Rows = std::vector<std::vector<std::string>>;
constexpr size_t kCoresShown = 24, kLinksShown = 10;

std::string code(const std::string &text) { return text.empty() ? "" : "<code>" + escapeHtml(text) + "</code>"; }
std::string heading(int number, const char *text) { return fmt::format("<h2 id=\"s{}\">{}. {}</h2>\n", number, number, text); }
std::string more(const std::string &summary, const std::string &body) { return fmt::format("<details><summary>{}</summary>\n{}</details>\n", summary, body); }
std::string dense(const std::string &table) { return "<div class=\"dense\">" + table + "</div>\n"; }
std::string count(uint64_t value) { return whole(double(value)); }

std::string share(uint64_t used, const std::optional<uint64_t> &allowed) {
  const Maybe percent = percentOf(used, allowed);
  return percent && *percent > 100 ? fmt::format("<b class=\"bad\">{}</b>", percentText(percent)) : percentText(percent);
}

std::string top(const Data &d) {
  const Summary &s = d.summary;
  std::string out = fmt::format("<h1>{} on {}</h1>\n<p class=\"verdict {}\"><b>{}</b> {}</p>\n", escapeHtml(d.header.network), escapeHtml(d.header.target), d.header.fits ? "good" : "bad",
                                d.header.fits ? "Fits." : "Does not fit.", escapeHtml(d.header.verdict));
  if (!d.violations.empty()) {
    std::string list;
    for (const Violation &v : d.violations)
      list += fmt::format("<li><b>{}</b>: {} needed, {} allowed. {}</li>\n", escapeHtml(v.place), count(v.needed), count(v.allowed), escapeHtml(v.cure));
    out += fmt::format("<div class=\"card broken\"><h3>Limits broken (<a href=\"#s8\">details</a>)</h3><ul>\n{}</ul></div>\n", list);
  }
  std::optional<Resource> fullest;
  for (size_t r = 0; r < ResourceCount; ++r)
    if (s.max_percent[r] && (!fullest || *s.max_percent[r] > *s.max_percent[*fullest])) fullest = Resource(r);
  std::vector<std::pair<std::string, std::string>> tiles{
      {count(s.neurons), fmt::format("neurons, {} synapses stored as {}", count(s.synapses), count(s.stored_synapses))},
      {fmt::format("{} <small>of {}</small>", s.cores, s.cores_available), s.lower_bound ? fmt::format("cores; no mapping needs fewer than {}", s.lower_bound) : "cores"},
      {fmt::format("{}", s.chips), fmt::format("{}, {} used", s.chips == 1 ? "chip" : "chips", counted(double(s.tiles), "tile"))}};
  if (fullest) tiles.emplace_back(percentText(s.max_percent[*fullest]), fmt::format("{}: the fullest resource of a core", kResources[*fullest].title));
  tiles.emplace_back(shortNumber(s.packets_per_step), d.network.assumed ? "packets a step, at the assumed rates" : "packets a step");
  tiles.emplace_back(shortNumber(s.hops_mean), "hops a packet travels on average");
  tiles.emplace_back(energyText(s.energy_per_inference_pj), "an inference" + (d.header.energy_error_percent ? fmt::format(", known within {} %", shortNumber(d.header.energy_error_percent)) : ""));
  tiles.emplace_back(timeText(s.time_per_inference_ns), fmt::format("an inference of {} steps", d.header.timesteps + d.header.latency));
  return out + tilesHtml(tiles);
}

std::string mapping(const Header &h) {
  std::string passes;
  double all = 0;
  for (const auto &[name, ms] : h.passes_ms) passes += fmt::format("{}{} {} ms", passes.empty() ? "" : ", ", escapeHtml(name), shortNumber(ms)), all += ms;
  auto band = [](const Maybe &error) { return error ? fmt::format("within {} %", shortNumber(error)) : std::string("unknown"); };
  return heading(1, "Mapping") +
         factsHtml({{"Network", escapeHtml(h.network)}, {"Model", escapeHtml(h.source)}, {"Its SHA-256", code(h.source_sha256)}, {"Mapping's hash", code(h.mapping_hash)},
                    {"Target", fmt::format("{}: {}", escapeHtml(h.target), escapeHtml(h.target_title))},
                    {"Profile of energy and time", h.profile.empty() ? "none: energy and time are unknown" : fmt::format("{}: {}", escapeHtml(h.profile), escapeHtml(h.profile_source))},
                    {"Its error", h.profile.empty() ? "" : fmt::format("energy {}, time {}", band(h.energy_error_percent), band(h.time_error_percent))},
                    {"Steps", fmt::format("T = {}, the last output comes {} steps later", h.timesteps, h.latency)}, {"Options", code(h.options)}, {"Seed", fmt::format("{}", h.seed)},
                    {"Made by", escapeHtml(h.tool)}, {"Wall time", passes.empty() ? "" : fmt::format("{} ms: {}", shortNumber(all), passes)}});
}

std::string summary(const Data &d) {
  const Summary &s = d.summary;
  Rows rows;
  for (size_t r = 0; r < ResourceCount; ++r)
    rows.push_back({escapeHtml(kResources[r].title), percentText(s.mean_percent[r]),
                    s.max_percent[r] && *s.max_percent[r] > 100 ? "<b class=\"bad\">" + percentText(s.max_percent[r]) + "</b>" : percentText(s.max_percent[r]),
                    d.allowed[r] ? count(*d.allowed[r]) : "unknown", s.max_percent[r] ? barHtml(*s.max_percent[r]) : ""});
  return heading(2, "Summary") +
         factsHtml({{"Neurons", fmt::format("{} in {} compartments", count(s.neurons), count(s.compartments))},
                    {"Synapses", fmt::format("{} expanded, {} stored in {} words of 64 bits: {} to 1", count(s.synapses), count(s.stored_synapses), count(s.synapse_words), shortNumber(s.compression()))},
                    {"Axons", fmt::format("{} in, {} entries out", count(s.input_axons), count(s.output_entries))},
                    {"Cores", fmt::format("{} of {}{}", s.cores, s.cores_available, s.lower_bound ? fmt::format(", lower bound {}, gap {}", s.lower_bound, percentText(s.gapPercent())) : "")},
                    {"Spikes a step", shortNumber(s.spikes_per_step)},
                    {"Packets a step", fmt::format("{}, {} between chips", shortNumber(s.packets_per_step), shortNumber(s.interchip_per_step))},
                    {"Hops", fmt::format("{} on average, {} at most", shortNumber(s.hops_mean), shortNumber(s.hops_max))},
                    {"Busiest link", s.busiest_link.empty() ? "" : fmt::format("{}: {} messages a step", escapeHtml(s.busiest_link), shortNumber(s.busiest_link_per_step))},
                    {"Energy", fmt::format("{} an inference, {} of it static", energyText(s.energy_per_inference_pj), percentText(s.static_percent))},
                    {"Time", fmt::format("{} a step, {} an inference", timeText(s.time_per_step_ns), timeText(s.time_per_inference_ns))},
                    {"Energy × delay", s.edp_uj_s ? shortNumber(s.edp_uj_s) + " µJ·s" : "unknown"}}) +
         tableHtml({"resource of a core", "mean", "fullest core", "allowed", "fullest core"}, rows, {0, 4});
}

std::string layers(const Data &d) {
  Rows table, lists, traffic;
  double all = 0;
  for (const Layer &l : d.layers) all += l.energy.total().value_or(0);
  for (const Layer &l : d.layers) {
    auto of = [&](Resource r) { return share(l.used[r], d.allowed[r]); };
    table.push_back({escapeHtml(l.name), escapeHtml(l.type), shapeText(l.shape), count(l.neurons), fmt::format("{}", l.cores), shapeText(l.tile),
                     fmt::format("{} / {}", shortNumber(l.neurons_per_core_mean), count(l.neurons_per_core_max)), of(Compartments), of(InputAxons), of(OutputEntries), of(SynapseWords),
                     l.binds ? escapeHtml(kResources[*l.binds].title) : "unknown"});
    lists.push_back({escapeHtml(l.name), count(l.synapses), count(l.stored_synapses), l.stored_synapses ? shortNumber(double(l.synapses) / double(l.stored_synapses)) : "–", count(l.synapse_words),
                     fmt::format("{}", l.used[SynapseFormats]), fmt::format("{}", l.used[CompartmentProfiles]), fmt::format("{}", l.used[ThresholdProfiles]), l.encoding.empty() ? "–" : escapeHtml(l.encoding)});
    const Maybe total = l.energy.total();
    traffic.push_back({escapeHtml(l.name), fmt::format("{}", l.start_step), shortNumber(l.spikes_per_step), shortNumber(l.packets_per_step), shortNumber(l.synops_per_step), energyText(l.energy.synapse),
                       energyText(l.energy.soma), energyText(l.energy.axon), energyText(l.energy.network), total && all > 0 ? percentText(100 * *total / all) : "unknown", timeText(l.critical_ns)});
  }
  return heading(3, "Layers") + "<p class=\"soft\">Shares are those of the layer's fullest core, other layers on that core included. Mean / max: its neurons on a core.</p>\n" +
         dense(tableHtml({"layer", "type", "shape", "neurons", "cores", "tile h×w×c", "mean / max", "cx", "in-axons", "out-entries", "synMem", "binds"}, table, {0, 1, 2, 11})) +
         "<div class=\"pair\">\n" + figureHtml("utilisation", "How full the layers' fullest cores are", "The line is the limit. A bar beyond it is what does not fit.") +
         figureHtml("binding", "Which limit binds", "Percent of the limit on the layer's fullest core; the outlined one is closest to it.") + "</div>\n" +
         "<h3 class=\"gap\">Synapse lists</h3>\n" +
         tableHtml({"layer", "synapses", "stored", "ratio", "words", "formats", "profiles", "thresholds", "encoding"}, lists, {0, 8}) +
         "<h3 class=\"gap\">What the layers do in a step, and their energy an inference</h3>\n" +
         tableHtml({"layer", "starts at step", "spikes", "packets", "synaptic operations", "synapse", "soma", "axon", "network", "share", "slowest core"}, traffic);
}

std::string cores(const Data &d) {
  Rows rows;
  for (uint32_t i : busiestFirst(d)) {
    const Core &c = d.cores[i];
    auto of = [&](Resource r) { return share(c.used[r], d.allowed[r]); };
    const Maybe words = percentOf(c.used[SynapseWords], d.allowed[SynapseWords]);
    rows.push_back({placeOf(c), escapeHtml(layersOf(d, c)), count(c.neurons), of(Compartments), of(InputAxons), of(OutputEntries), of(SynapseWords), words ? barHtml(*words) : "",
                    shortNumber(c.synops_per_step), shortNumber(c.packets_in_per_step), shortNumber(c.packets_out_per_step), c.packets_out_per_step == 0.0 ? "–" : shortNumber(c.hops_mean), timeText(c.busy_ns_per_step), energyText(c.energy_pj)});
  }
  const std::vector<std::string> heads{"core", "layers", "neurons", "cx", "in-axons", "out-entries", "synMem", "", "SOP/step", "in", "out", "hops", "busy/step", "energy"};
  const Rows first(rows.begin(), rows.begin() + ptrdiff_t(std::min(rows.size(), kCoresShown))), rest(rows.begin() + ptrdiff_t(first.size()), rows.end());
  std::string out = heading(4, "Cores");
  out += figureHtml("floor", "Floor plan", "Each square is a core; squares that touch share a tile and its router. Colour: the layer; cores with several layers are split.");
  out += figureHtml("heat", "Core by core", "Every map has its own scale; the number is the fullest core's.");
  out += figureHtml("occupancy", "Which core holds which layer", "Columns are cores in the order of their numbers; the darker, the more of the core's neurons belong to the layer.");
  out += "<h3 class=\"gap\">Busiest first</h3>\n<p class=\"soft\">Core: chip.tile.core. In and out: packets a step.</p>\n" + dense(tableHtml(heads, first, {0, 1, 7}));
  if (!rest.empty()) out += more(fmt::format("{} more cores", rest.size()), dense(tableHtml(heads, rest, {0, 1, 7})));
  return out;
}

std::string memory(const Data &d) {
  Rows rows;
  Memory all;
  auto add = [&](const std::string &name, const Memory &m) {
    auto cell = [&](uint64_t bits) { return bits ? fmt::format("{} <span class=\"soft\">{:.0f} %</span>", count(bits), 100.0 * double(bits) / double(m.total())) : std::string("0"); };
    rows.push_back({escapeHtml(name), cell(m.weights), cell(m.delays), cell(m.indices), cell(m.prefixes), cell(m.padding), cell(m.soft_reset), count(m.total()), count(m.routing_entries)});
  };
  for (const Layer &l : d.layers) add(l.name, l.memory), all.add(l.memory);
  add("total", all);
  return heading(5, "Synapse memory") + figureHtml("memory", "What the synapse memories hold", "Of all the layer's cores. Entries of the axon tables are counted below, beside the bits: how many bits one takes is not published.") +
         tableHtml({"layer", "weights", "delays", "indices", "prefixes", "padding", "soft reset", "bits in all", "axon entries"}, rows);
}

std::string network(const Data &d) {
  const Network &n = d.network;
  std::string out = heading(6, "Network on chip");
  if (n.assumed) out += "<p class=\"soft\">Nothing was simulated: messages are those at the spike rates that the mapper assumed.</p>\n";
  if (n.links.empty()) return out + "<p>No message leaves its tile.</p>\n";
  Rows rows;
  for (const Link &l : n.links) {
    std::string who;
    for (size_t k = 0; k < std::min<size_t>(3, l.contributors.size()); ++k) who += fmt::format("{}{} {}", k ? ", " : "", escapeHtml(l.contributors[k].first), shortNumber(l.contributors[k].second));
    rows.push_back({escapeHtml(linkText(l)), l.direction, shortNumber(l.messages_per_step), percentText(l.percent), who});
  }
  const std::vector<std::string> heads{"link", "direction", "messages a step", "of capacity", "from whom"};
  const Rows first(rows.begin(), rows.begin() + ptrdiff_t(std::min(rows.size(), kLinksShown))), rest(rows.begin() + ptrdiff_t(first.size()), rows.end());
  out += figureHtml("links", "Load of the links", "Arrows are links between routers: the wider and stronger, the more messages a step.");
  out += "<div class=\"pair\">\n" + figureHtml("hops", "How far messages travel", "Messages a step by the number of tiles they cross.") +
         figureHtml("traffic", "Who talks to whom", "Messages a step from the layer of the row to the layer of the column.") + "</div>\n";
  out += "<h3 class=\"gap\">Busiest links</h3>\n" + tableHtml(heads, first, {0, 1, 4});
  if (!rest.empty()) out += more(fmt::format("{} more links", rest.size()), tableHtml(heads, rest, {0, 1, 4}));
  return out;
}

std::string energyAndTime(const Data &d) {
  const Time &t = d.time;
  std::string out = heading(7, "Energy and time");
  if (t.by_unit_pj.empty())
    out += fmt::format("<p class=\"soft\">{}</p>\n", d.header.profile.empty() ? "The chip's file has no numbers of energy and time." : "Nothing was simulated: lasnn-run --device=loihi counts events, energy and time.");
  else
    out += figureHtml("energy", "Where the energy goes", "An inference, by layer and unit.");
  if (!t.step_ns.empty()) out += figureHtml("timeline", "Step by step", "Above: the time of each step, the mean over the samples. Below: how long each core is busy in it, busiest cores on top.");
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto &[unit, pj] : t.by_unit_pj) facts.emplace_back(unit, energyText(pj));
  facts.insert(facts.end(), {{"Static", energyText(t.static_pj)}, {"Barrier", timeText(t.barrier_ns) + " a step"}, {"Slowest core", escapeHtml(t.slowest_core)}, {"Slowest step", escapeHtml(t.slowest_step)}});
  for (const std::string &what : t.unknown) facts.emplace_back("Unknown, left out", escapeHtml(what));
  out += factsHtml(facts);
  Rows rows;
  for (const ProfileCost &p : t.profiles)
    rows.push_back({escapeHtml(p.name), escapeHtml(p.title), energyText(p.energy_pj), energyText(p.static_pj), timeText(p.time_ns), percentText(p.energy_error_percent), percentText(p.time_error_percent)});
  if (rows.size() > 1) out += "<h3 class=\"gap\">An inference, by profile</h3>\n" + tableHtml({"profile", "", "energy without static", "static", "time", "error of energy", "of time"}, rows, {0, 1});
  return out;
}

std::string violations(const Data &d) {
  std::string out = heading(8, "Limits broken, and advice");
  Rows rows;
  for (const Violation &v : d.violations)
    rows.push_back({code(v.code), escapeHtml(v.place) + (v.cores > 1 ? fmt::format(" and {} more", v.cores - 1) : ""), count(v.needed), count(v.allowed), escapeHtml(v.text), escapeHtml(v.cure)});
  out += rows.empty() ? "<p class=\"good\">No limit is broken.</p>\n" : "<div class=\"wraps\">" + tableHtml({"limit", "where", "needed", "allowed", "what", "smallest cure"}, rows, {0, 1, 4, 5}) + "</div>\n";
  std::string list;
  for (const std::string &advice : d.advice) list += "<li>" + escapeHtml(advice) + "</li>\n";
  if (!list.empty()) out += "<ul>\n" + list + "</ul>\n";
  if (d.rejected.empty()) return out;
  rows.clear();
  for (const auto &[reason, candidates] : d.rejected) rows.push_back({escapeHtml(reason), count(candidates)});
  return out + "<h3 class=\"gap\">Why the search refused candidates</h3>\n" + tableHtml({"reason", "candidates"}, rows);
}

std::string verification(const Verification &v) {
  std::string verdict;
  if (!v.what.empty()) verdict = fmt::format("{} samples", v.samples);
  if (v.compared) verdict += fmt::format(", {} values compared, <b class=\"{}\">{}</b>", count(v.compared), v.different ? "bad" : "good", v.different ? count(v.different) + " differ" : "all equal");
  return heading(9, "Verification") +
         factsHtml({{"Checker", escapeHtml(v.checker)}, {v.what.empty() ? "Simulation" : v.what, v.what.empty() ? "not run" : verdict}, {"First difference", escapeHtml(v.first_difference)},
                    {"Accuracy", v.accuracy_mapping || v.accuracy_reference ? fmt::format("{} mapped, {} reference", percentText(v.accuracy_mapping), percentText(v.accuracy_reference)) : ""},
                    {"Overflows, clips", v.what.empty() ? "" : fmt::format("{}, {}", count(v.overflows), count(v.clips))},
                    {"Largest |u|", v.largest_u ? fmt::format("{}, {} bits hold it", shortNumber(v.largest_u), shortNumber(v.u_bits)) : ""},
                    {"Largest |v|", v.largest_v ? fmt::format("{}, {} bits hold it", shortNumber(v.largest_v), shortNumber(v.v_bits)) : ""}});
}

std::string comparison(const Data &d) {
  if (d.comparison.empty()) return "";
  Rows rows;
  for (const Contestant &c : d.comparison)
    rows.push_back({escapeHtml(c.name), shortNumber(c.cores), shortNumber(c.chips), shortNumber(c.packets_per_step), shortNumber(c.hops_mean), shortNumber(c.busiest_link_per_step), energyText(c.energy_pj),
                    timeText(c.time_ns)});
  return heading(10, "Comparison") + tableHtml({"mapping by", "cores", "chips", "packets a step", "mean hops", "busiest link", "network energy", "time"}, rows);
}

} // namespace

std::string toHtml(const Data &d) {
  const std::string footer = fmt::format("<footer>{}{}</footer>\n", escapeHtml(d.header.tool.empty() ? "LaSNN" : d.header.tool),
                                         pageHasPictures() ? ". Pictures: D3 (BSD-3-Clause, © Mike Bostock)." : ". Built without D3: the numbers of the pictures are in the tables.");
  return pageHtml(d.header.network + " on " + d.header.target,
                  top(d) + mapping(d.header) + summary(d) + layers(d) + cores(d) + memory(d) + network(d) + energyAndTime(d) + violations(d) + verification(d.verification) + comparison(d) + footer,
                  toJson(d).dump(), "mapping.js");
}

} // namespace lasnn::loihi::report
