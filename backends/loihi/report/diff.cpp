#include "backends/loihi/report/diff.h"
#include "backends/loihi/report/table.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::loihi::report {
namespace {

std::string valueText(const Maybe &value, const std::string &unit) {
  if (!value) return "-";
  if (unit == "pJ") return energyText(value);
  if (unit == "ns") return timeText(value);
  return unit == "%" ? percentText(value) : shortNumber(value);
}

std::string changeText(const Change &c) {
  if (!c.a || !c.b) return "";
  if (*c.a == *c.b) return "=";
  if (c.unit == "%") return fmt::format("{:+.1f} points", *c.b - *c.a);
  return c.percent() ? fmt::format("{:+.1f} %", *c.percent()) : "new";
}

std::vector<Change> summaryOf(const Data &a, const Data &b) {
  std::vector<Change> all;
  const auto add = [&](const char *name, const char *unit, auto of) { all.push_back({name, unit, of(a), of(b)}); };
  const auto whole = [&](const char *name, uint64_t Summary::*member) { add(name, "", [&](const Data &d) { return Maybe(double(d.summary.*member)); }); };
  const auto maybe = [&](const char *name, const char *unit, Maybe Summary::*member) { add(name, unit, [&](const Data &d) { return d.summary.*member; }); };
  whole("cores", &Summary::cores), whole("lower bound of cores", &Summary::lower_bound), whole("chips", &Summary::chips), whole("tiles", &Summary::tiles), whole("neurons", &Summary::neurons);
  whole("compartments", &Summary::compartments), whole("synapses", &Summary::synapses), whole("stored synapses", &Summary::stored_synapses), whole("synapse words", &Summary::synapse_words);
  whole("input axons", &Summary::input_axons), whole("output entries", &Summary::output_entries);
  add("latency, steps", "", [](const Data &d) { return Maybe(double(d.header.latency)); });
  for (size_t r = 0; r < ResourceCount; ++r) add((std::string("fullest core: ") + kResources[r].title).c_str(), "%", [&](const Data &d) { return d.summary.max_percent[r]; });
  maybe("packets a step", "", &Summary::packets_per_step), maybe("packets between chips", "", &Summary::interchip_per_step), maybe("mean hops", "", &Summary::hops_mean);
  maybe("busiest link", "", &Summary::busiest_link_per_step), maybe("energy an inference", "pJ", &Summary::energy_per_inference_pj), maybe("time a step", "ns", &Summary::time_per_step_ns);
  add("broken limits", "", [](const Data &d) { return Maybe(double(d.violations.size())); });
  return all;
}

std::vector<Change> layerOf(const Layer *a, const Layer *b) {
  std::vector<Change> all;
  const auto add = [&](const char *name, auto of) { all.push_back({name, "", a ? Maybe(of(*a)) : Maybe(), b ? Maybe(of(*b)) : Maybe()}); };
  add("cores", [](const Layer &l) { return double(l.cores); });
  add("words", [](const Layer &l) { return double(l.synapse_words); });
  add("most neurons a core", [](const Layer &l) { return double(l.neurons_per_core_max); });
  add("in-axons", [](const Layer &l) { return double(l.used[InputAxons]); });
  add("out-entries", [](const Layer &l) { return double(l.used[OutputEntries]); });
  return all;
}

} // namespace

Difference difference(const Data &a, const Data &b) {
  Difference d;
  d.same = !a.header.mapping_hash.empty() && a.header.mapping_hash == b.header.mapping_hash;
  const auto fact = [&](const char *name, const std::string &x, const std::string &y) {
    if (x != y) d.facts.push_back({name, {x, y}});
  };
  fact("network", a.header.network, b.header.network), fact("model", a.header.source, b.header.source), fact("model's sha256", a.header.source_sha256, b.header.source_sha256);
  fact("target", a.header.target, b.header.target), fact("options", a.header.options, b.header.options), fact("seed", std::to_string(a.header.seed), std::to_string(b.header.seed));
  fact("steps", std::to_string(a.header.timesteps), std::to_string(b.header.timesteps)), fact("made by", a.header.tool, b.header.tool), fact("verdict", a.header.verdict, b.header.verdict);
  d.summary = summaryOf(a, b);
  const auto find = [](const Data &in, const std::string &name) {
    const auto at = std::find_if(in.layers.begin(), in.layers.end(), [&](const Layer &l) { return l.name == name; });
    return at == in.layers.end() ? nullptr : &*at;
  };
  for (const Layer &layer : a.layers) d.layers.push_back({layer.name, layerOf(&layer, find(b, layer.name))});
  for (const Layer &layer : b.layers)
    if (!find(a, layer.name)) d.layers.push_back({layer.name, layerOf(nullptr, &layer)});
  return d;
}

std::string toText(const Difference &d, const std::string &a, const std::string &b) {
  std::string out = fmt::format("A {}\nB {}\n", a, b);
  if (d.same) return out + "the same mapping\n";
  for (const auto &[name, both] : d.facts) out += fmt::format("{}\n  A {}\n  B {}\n", name, both.first.empty() ? "-" : both.first, both.second.empty() ? "-" : both.second);
  Table summary({"", "A", "B", "change"});
  for (const Change &c : d.summary) summary.add({c.name, valueText(c.a, c.unit), valueText(c.b, c.unit), changeText(c)});
  out += "\n" + summary.text();
  if (d.layers.empty()) return out;
  std::vector<std::string> heads{"layer"};
  for (const Change &c : d.layers[0].changes) heads.push_back(c.name);
  Table layers(heads);
  for (const LayerChange &layer : d.layers) {
    std::vector<std::string> row{layer.name};
    for (const Change &c : layer.changes) row.push_back(c.a == c.b ? valueText(c.a, c.unit) : valueText(c.a, c.unit) + " -> " + valueText(c.b, c.unit));
    layers.add(row);
  }
  return out + "\n" + layers.text();
}

nlohmann::ordered_json toJson(const Difference &d) {
  using Json = nlohmann::ordered_json;
  const auto number = [](const Maybe &value) { return value ? Json(*value) : Json(nullptr); };
  const auto changes = [&](const std::vector<Change> &all) {
    Json list = Json::array();
    for (const Change &c : all) list.push_back({{"name", c.name}, {"unit", c.unit}, {"a", number(c.a)}, {"b", number(c.b)}, {"change_percent", number(c.percent())}});
    return list;
  };
  Json json{{"same", d.same}, {"facts", Json::array()}, {"summary", changes(d.summary)}, {"layers", Json::array()}};
  for (const auto &[name, both] : d.facts) json["facts"].push_back({{"name", name}, {"a", both.first}, {"b", both.second}});
  for (const LayerChange &layer : d.layers) json["layers"].push_back({{"name", layer.name}, {"changes", changes(layer.changes)}});
  return json;
}

} // namespace lasnn::loihi::report
