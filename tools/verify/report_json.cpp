#include "tools/verify/report.h"

#include <cmath>
#include <fmt/format.h>

namespace lasnn::tools::verify {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json toJson(const Divergence &d) {
  return {{"image", d.image},
          {"step", d.step},
          {"neuron", d.neuron},
          {"spikes", {d.a, d.b}},
          {"membrane_over_threshold", {number(d.membraneA), number(d.membraneB)}}};
}

const char *name(Demand demand) { return demand == Demand::Exact ? "exact" : demand == Demand::Rounding ? "rounding" : "reported"; }

Json toJson(const Result &result, const Comparison &c) {
  Json json{{"name", c.name},
            {"a", result.columns[c.a].name},
            {"b", result.columns[c.b].name},
            {"demand", name(c.demand)},
            {"bit_exact_required", c.demand == Demand::Exact},
            {"compared", c.compared()},
            {"different", c.different()},
            {"images_different", c.imagesDifferent},
            {"top1_agreement", c.images ? 100.0 * double(c.sameTop) / double(c.images) : 0.0},
            {"first_output", c.firstOutput}};
  if (c.demand == Demand::Rounding) json["images_unexplained"] = c.unexplained, json["first_unexplained"] = c.firstUnexplained;
  json["first"] = nullptr;
  if (c.first) json["first"] = toJson(c.first->second), json["first"]["layer"] = c.first->first;
  json["layers"] = Json::array();
  for (const LayerComparison &layer : c.layers) {
    const double slots = layer.compared ? double(layer.compared) : 1;
    Json one{{"name", layer.name},
             {"neurons", layer.neurons},
             {"compared", layer.unmatched.empty() ? layer.compared : 1},
             {"different", layer.unmatched.empty() ? layer.different : 1},
             {"first", !layer.unmatched.empty() ? layer.unmatched
                       : layer.first            ? toText(*layer.first)
                                                : ""},
             {"spikes", {layer.spikesA, layer.spikesB}},
             {"spike_rate", {double(layer.spikesA) / slots, double(layer.spikesB) / slots}},
             {"different_by_step", layer.differentByStep},
             {"spikes_by_step", {layer.spikesByStepA, layer.spikesByStepB}},
             {"membrane_error", nullptr},
             {"divergence", nullptr}};
    if (layer.membranes)
      one["membrane_error"] = {
          {"mean", number(layer.membraneMean())}, {"max", number(layer.membraneLargest)}, {"compared", layer.membranes}};
    if (layer.first) one["divergence"] = toJson(*layer.first);
    json["layers"].push_back(std::move(one));
  }
  return json;
}

} // namespace

nlohmann::ordered_json toJson(const Result &result) {
  Json json{{"model", result.model},   {"source_sha256", result.sha256}, {"data", result.data},      {"split", result.split},
            {"images", result.images}, {"timesteps", result.timesteps},  {"proved", result.proved()}};
  json["source_runner"] = {
      {"independent", result.sourceNotRun.empty()}, {"name", result.columns.front().name}, {"why_not", result.sourceNotRun}};
  json["artefacts"] = Json::array();
  for (const Chain &chain : result.chains) {
    auto top = [&](const char *stage) { return result.top1(result.columnAt(chain, stage)); };
    Json one{{"artefact", chain.path}, {"target", chain.target}, {"images", result.images}};
    one["top1"] = {{"source", result.top1(chain.columns.front())}, {"float", top("float")}, {"integer", top("integer")}};
    one["executors"] = Json::array();
    for (size_t column : chain.columns)
      one["executors"].push_back({{"name", result.columns[column].name},
                                  {"stage", result.columns[column].stage},
                                  {"top1", result.top1(column)},
                                  {"correct", result.columns[column].correct}});
    one["comparisons"] = Json::array();
    for (size_t c : chain.comparisons)
      one["comparisons"].push_back(toJson(result, result.comparisons[c]));
    if (!chain.notRun.empty()) one["target_not_run"] = chain.notRun;
    for (const Check &check : chain.checks)
      one["checks"][check.name] = check.good;
    for (const Check &check : chain.checks)
      one["findings"].push_back({{"check", check.name}, {"good", check.good}, {"text", check.text}});
    one["proved"] = chain.proved();
    json["artefacts"].push_back(std::move(one));
  }
  return json;
}

} // namespace lasnn::tools::verify
