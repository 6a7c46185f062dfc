#include "backends/loihi/report/json.h"

#include <cmath>

namespace lasnn::loihi::report {
namespace {

using Json = nlohmann::ordered_json;

Json number(const Maybe &value) { return value && std::isfinite(*value) ? Json(*value) : Json(nullptr); }

Json pairs(const std::vector<Named> &all, const char *unit) {
  Json list = Json::array();
  for (const auto &[name, value] : all) list.push_back({{"name", name}, {unit, value}});
  return list;
}

Json usedOf(const Use &used) {
  Json json;
  for (size_t r = 0; r < ResourceCount; ++r) json[kResources[r].key] = used[r];
  return json;
}

Json sharesOf(const std::array<Maybe, ResourceCount> &shares) {
  Json json;
  for (size_t r = 0; r < ResourceCount; ++r) json[kResources[r].key] = number(shares[r]);
  return json;
}

Json bindsOf(const std::optional<Resource> &binds) { return binds ? Json(kResources[*binds].key) : Json(nullptr); }

Json memoryOf(const Memory &m) {
  return {{"weights", m.weights}, {"delays", m.delays},         {"indices", m.indices}, {"prefixes", m.prefixes},
          {"padding", m.padding}, {"soft_reset", m.soft_reset}, {"total", m.total()}, {"routing_entries", m.routing_entries}};
}

Json energyOf(const Energy &e) {
  return {{"synapse", number(e.synapse)}, {"soma", number(e.soma)}, {"axon", number(e.axon)}, {"network", number(e.network)}, {"total", number(e.total())}};
}

Json headerOf(const Header &h) {
  return {{"network", h.network}, {"source", h.source}, {"source_sha256", h.source_sha256}, {"mapping_hash", h.mapping_hash},
          {"target", h.target}, {"target_title", h.target_title}, {"profile", h.profile}, {"profile_source", h.profile_source},
          {"energy_error_percent", number(h.energy_error_percent)}, {"time_error_percent", number(h.time_error_percent)},
          {"tool", h.tool}, {"options", h.options}, {"seed", h.seed}, {"timesteps", h.timesteps}, {"latency_steps", h.latency},
          {"passes", pairs(h.passes_ms, "ms")}, {"fits", h.fits}, {"verdict", h.verdict}};
}

Json summaryOf(const Summary &s) {
  return {{"neurons", s.neurons}, {"compartments", s.compartments}, {"synapses", s.synapses}, {"stored_synapses", s.stored_synapses},
          {"compression", number(s.compression())}, {"synapse_words", s.synapse_words}, {"input_axons", s.input_axons}, {"output_entries", s.output_entries},
          {"cores", s.cores}, {"cores_available", s.cores_available}, {"lower_bound_cores", s.lower_bound}, {"gap_percent", number(s.gapPercent())},
          {"chips", s.chips}, {"chips_available", s.chips_available}, {"tiles", s.tiles},
          {"mean_percent", sharesOf(s.mean_percent)}, {"max_percent", sharesOf(s.max_percent)},
          {"spikes_per_step", number(s.spikes_per_step)}, {"packets_per_step", number(s.packets_per_step)}, {"interchip_per_step", number(s.interchip_per_step)},
          {"hops_mean", number(s.hops_mean)}, {"hops_max", number(s.hops_max)},
          {"busiest_link", s.busiest_link}, {"busiest_link_per_step", number(s.busiest_link_per_step)},
          {"energy_per_inference_pj", number(s.energy_per_inference_pj)}, {"time_per_step_ns", number(s.time_per_step_ns)},
          {"time_per_inference_ns", number(s.time_per_inference_ns)}, {"edp_uj_s", number(s.edp_uj_s)}, {"static_percent", number(s.static_percent)}};
}

Json layerOf(const Layer &l) {
  return {{"name", l.name}, {"type", l.type}, {"shape", l.shape}, {"neurons", l.neurons}, {"cores", l.cores}, {"tile", l.tile},
          {"neurons_per_core_mean", l.neurons_per_core_mean}, {"neurons_per_core_max", l.neurons_per_core_max},
          {"used", usedOf(l.used)}, {"mean_percent", sharesOf(l.mean_percent)}, {"binds", bindsOf(l.binds)},
          {"synapses", l.synapses}, {"stored_synapses", l.stored_synapses}, {"synapse_words", l.synapse_words}, {"encoding", l.encoding},
          {"start_step", l.start_step}, {"spikes_per_step", number(l.spikes_per_step)}, {"packets_per_step", number(l.packets_per_step)},
          {"synops_per_step", number(l.synops_per_step)}, {"critical_ns", number(l.critical_ns)}, {"energy_pj", energyOf(l.energy)},
          {"memory", memoryOf(l.memory)}};
}

Json coreOf(const Core &c) {
  Json layers = Json::array();
  for (auto [layer, neurons] : c.layers) layers.push_back({{"layer", layer}, {"neurons", neurons}});
  return {{"id", c.id}, {"place", placeOf(c)}, {"chip", c.chip}, {"tile", c.tile}, {"core", c.core}, {"x", c.x}, {"y", c.y}, {"layers", layers},
          {"neurons", c.neurons}, {"used", usedOf(c.used)}, {"binds", bindsOf(c.binds)}, {"synops_per_step", number(c.synops_per_step)},
          {"packets_in_per_step", number(c.packets_in_per_step)}, {"packets_out_per_step", number(c.packets_out_per_step)}, {"hops_mean", number(c.hops_mean)},
          {"busy_ns_per_step", number(c.busy_ns_per_step)}, {"energy_pj", number(c.energy_pj)}, {"memory", memoryOf(c.memory)}};
}

Json networkOf(const Network &n) {
  Json links = Json::array(), hops = Json::array();
  for (const Link &l : n.links)
    links.push_back({{"chip", l.chip}, {"from", {l.from_x, l.from_y}}, {"to_chip", l.to_chip}, {"to", {l.to_x, l.to_y}}, {"direction", l.direction},
                     {"messages_per_step", l.messages_per_step}, {"percent", number(l.percent)}, {"contributors", pairs(l.contributors, "messages_per_step")}});
  for (auto [distance, messages] : n.hops) hops.push_back({{"hops", distance}, {"messages_per_step", messages}});
  return {{"assumed", n.assumed}, {"links", links}, {"hops", hops}, {"traffic", n.traffic}};
}

Json timeOf(const Time &t) {
  Json profiles = Json::array();
  for (const ProfileCost &p : t.profiles)
    profiles.push_back({{"name", p.name}, {"title", p.title}, {"energy_pj", number(p.energy_pj)}, {"static_pj", number(p.static_pj)}, {"time_ns", number(p.time_ns)},
                        {"energy_error_percent", number(p.energy_error_percent)}, {"time_error_percent", number(p.time_error_percent)}});
  return {{"profiles", profiles}, {"by_unit", pairs(t.by_unit_pj, "pj")}, {"static_pj", number(t.static_pj)}, {"barrier_ns", number(t.barrier_ns)},
          {"slowest_core", t.slowest_core}, {"slowest_step", t.slowest_step}, {"unknown", t.unknown}, {"step_ns", t.step_ns}, {"busy_ns", t.busy_ns}};
}

Json verificationOf(const Verification &v) {
  return {{"what", v.what}, {"samples", v.samples}, {"compared", v.compared}, {"different", v.different}, {"first_difference", v.first_difference},
          {"accuracy_mapping", number(v.accuracy_mapping)}, {"accuracy_reference", number(v.accuracy_reference)}, {"overflows", v.overflows},
          {"clips", v.clips}, {"largest_u", number(v.largest_u)}, {"largest_v", number(v.largest_v)}, {"u_bits", number(v.u_bits)},
          {"v_bits", number(v.v_bits)}, {"checker", v.checker}};
}

} // namespace

Json toJson(const Data &data) {
  Json json{{"format", "lasnn-loihi-report"}, {"version", 1}};
  json["mesh"] = {{"width", data.mesh.width}, {"height", data.mesh.height}, {"cores_per_tile", data.mesh.cores_per_tile}, {"cores_per_chip", data.mesh.cores_per_chip}};
  for (size_t r = 0; r < ResourceCount; ++r) json["allowed"][kResources[r].key] = data.allowed[r] ? Json(*data.allowed[r]) : Json(nullptr);
  json["header"] = headerOf(data.header);
  json["summary"] = summaryOf(data.summary);
  json["layers"] = json["cores"] = json["violations"] = json["rejected"] = json["comparison"] = Json::array();
  for (const Layer &layer : data.layers) json["layers"].push_back(layerOf(layer));
  for (const Core &core : data.cores) json["cores"].push_back(coreOf(core));
  json["network"] = networkOf(data.network);
  json["time"] = timeOf(data.time);
  for (const Violation &v : data.violations)
    json["violations"].push_back({{"code", v.code}, {"place", v.place}, {"needed", v.needed}, {"allowed", v.allowed}, {"text", v.text}, {"cure", v.cure}, {"places", v.cores}});
  json["advice"] = data.advice;
  for (const auto &[reason, count] : data.rejected) json["rejected"].push_back({{"reason", reason}, {"candidates", count}});
  json["verification"] = verificationOf(data.verification);
  for (const Contestant &c : data.comparison)
    json["comparison"].push_back({{"name", c.name}, {"cores", number(c.cores)}, {"chips", number(c.chips)}, {"packets_per_step", number(c.packets_per_step)},
                                  {"hops_mean", number(c.hops_mean)}, {"busiest_link_per_step", number(c.busiest_link_per_step)},
                                  {"energy_pj", number(c.energy_pj)}, {"time_ns", number(c.time_ns)}});
  return json;
}

} // namespace lasnn::loihi::report
