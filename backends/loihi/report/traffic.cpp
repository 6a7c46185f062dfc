#include "backends/loihi/report/traffic.h"
#include "backends/loihi/check/walk.h"
#include "backends/loihi/sim/energy.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

namespace lasnn::loihi::report {
namespace {

/// Messages of one pair of cores and layers. from_core -1: the host.
struct Flow {
  int32_t from_core = -1, from_layer = -1;
  uint32_t to_core = 0, to_layer = 0;
  double messages = 0;
};

std::vector<Flow> flowsOf(const lmap::Mapping &mapping, const check::Result &checked) {
  std::map<uint32_t, uint32_t> byAddress;
  for (int i = 0; i < mapping.cores_size(); ++i) byAddress[mapping.cores(i).address()] = uint32_t(i);
  std::map<std::tuple<int32_t, int32_t, uint32_t, uint32_t>, double> sums;
  auto add = [&](int32_t core, int32_t layer, uint32_t to, uint32_t axon, double messages) {
    const auto at = byAddress.find(to);
    if (at == byAddress.end()) return; // the checker says so
    const std::vector<int32_t> &layers = checked.cores[at->second].axon_layers;
    if (axon < layers.size() && layers[axon] >= 0) sums[{core, layer, at->second, uint32_t(layers[axon])}] += messages;
  };
  for (int i = 0; i < mapping.cores_size(); ++i) {
    const lmap::Core &core = mapping.cores(i);
    int n = 0, at = 0;
    std::vector<uint32_t> layers;
    for (const lmap::Group &g : core.groups())
      if (g.layer() < uint32_t(mapping.layers_size()) && check::neuronsOf(g) < (1u << 24)) layers.insert(layers.end(), check::neuronsOf(g), g.layer());
    for (; n < core.out_counts_size() && size_t(n) < layers.size(); ++n)
      for (uint32_t k = 0; k < core.out_counts(n) && at < std::min(core.out_core_size(), core.out_axon_size()); ++k, ++at)
        add(i, int32_t(layers[size_t(n)]), core.out_core(at), core.out_axon(at), rateOf(mapping.layers(int(layers[size_t(n)]))));
    for (const lmap::SharedAxon &s : core.shared())
      for (uint32_t k = 0; k < s.count() && s.first() + k < layers.size(); ++k) add(i, int32_t(layers[s.first() + k]), s.core(), s.axon(), rateOf(mapping.layers(int(layers[s.first() + k]))));
  }
  for (const lmap::InputRoute &route : mapping.input())
    for (int k = 0; k < std::min(route.core_size(), route.axon_size()); ++k) add(-1, -1, route.core(k), route.axon(k), 1);
  std::vector<Flow> flows;
  for (const auto &[key, messages] : sums) flows.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), messages});
  return flows;
}

/// By layer, the host last: what to multiply the routes' messages with to get a simulation's.
std::vector<double> scales(const lmap::Mapping &mapping, const std::vector<Flow> &flows, const Statistics *s) {
  std::vector<double> scale(size_t(mapping.layers_size()) + 1, 1.0);
  if (!s || s->runs == 0 || mapping.header().timesteps() == 0) return scale;
  std::vector<double> routed(scale.size(), 0.0);
  for (const Flow &f : flows) routed[f.from_layer < 0 ? scale.size() - 1 : size_t(f.from_layer)] += f.messages;
  const double steps = double(s->runs) * mapping.header().timesteps();
  for (size_t i = 0; i + 1 < scale.size(); ++i) scale[i] = routed[i] > 0 && i < s->layers.size() ? double(s->layers[i].messages) / steps / routed[i] : 0.0;
  scale.back() = routed.back() > 0 ? double(s->total().host_in) / steps / routed.back() : 0.0;
  return scale;
}

const char *direction(const Mesh &mesh, const LinkLoad &l) {
  if (l.chip_from != l.chip_to) return "chip";
  if (mesh.xOf(l.tile_from) != mesh.xOf(l.tile_to)) return mesh.xOf(l.tile_from) < mesh.xOf(l.tile_to) ? "east" : "west";
  return l.tile_from < l.tile_to ? "north" : "south";
}

} // namespace

double rateOf(const lmap::Layer &layer) { return layer.rate() > 0 ? layer.rate() : 1.0; }

Network trafficOf(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked, const Statistics *simulated, const std::vector<LinkLoad> &links) {
  Network network;
  network.assumed = !simulated;
  const std::vector<Flow> flows = flowsOf(mapping, checked);
  const std::vector<double> scale = scales(mapping, flows, simulated);
  const size_t layers = size_t(mapping.layers_size());
  network.traffic.assign(layers + 1, std::vector<double>(layers, 0.0));
  struct Load {
    double messages = 0;
    std::map<std::pair<uint32_t, uint32_t>, double> who; ///< from layer, to layer
  };
  std::map<std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>, Load> loads;
  std::map<uint32_t, double> hops;
  for (const Flow &f : flows) {
    const double messages = f.messages * scale[f.from_layer < 0 ? layers : size_t(f.from_layer)];
    network.traffic[f.from_layer < 0 ? layers : size_t(f.from_layer)][f.to_layer] += messages;
    if (f.from_core < 0 || messages <= 0) continue; // the host's ways are not the mesh's
    uint32_t distance = 0;
    for (const LinkLoad &l : routeOf(chip, mapping.cores(f.from_core).address(), mapping.cores(int(f.to_core)).address())) {
      Load &load = loads[{l.chip_from, l.tile_from, l.chip_to, l.tile_to}];
      load.messages += messages, load.who[{uint32_t(f.from_layer), f.to_layer}] += messages;
      distance += l.chip_from == l.chip_to;
    }
    hops[distance] += messages;
  }
  network.hops.assign(hops.begin(), hops.end());
  if (simulated && simulated->runs && mapping.header().timesteps() && !links.empty()) { // counted, not scaled; who it was stays in proportion
    const double steps = double(simulated->runs) * mapping.header().timesteps();
    for (auto &[key, load] : loads) load.messages = 0;
    for (const LinkLoad &l : links) loads[{l.chip_from, l.tile_from, l.chip_to, l.tile_to}].messages += double(l.messages) / steps;
  }
  for (const auto &[key, load] : loads) {
    if (load.messages <= 0) continue;
    const LinkLoad l{std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), 0};
    Link link;
    link.chip = l.chip_from, link.from_x = chip.mesh.xOf(l.tile_from), link.from_y = chip.mesh.yOf(l.tile_from);
    link.to_chip = l.chip_to, link.to_x = chip.mesh.xOf(l.tile_to), link.to_y = chip.mesh.yOf(l.tile_to);
    link.direction = direction(chip.mesh, l), link.messages_per_step = load.messages;
    double all = 0;
    for (const auto &[pair, messages] : load.who) all += messages;
    for (const auto &[pair, messages] : load.who)
      if (all > 0) link.contributors.emplace_back(mapping.layers(int(pair.first)).name() + " -> " + mapping.layers(int(pair.second)).name(), messages * load.messages / all);
    std::stable_sort(link.contributors.begin(), link.contributors.end(), [](const Named &a, const Named &b) { return a.second > b.second; });
    network.links.push_back(std::move(link));
  }
  std::stable_sort(network.links.begin(), network.links.end(), [](const Link &a, const Link &b) { return a.messages_per_step > b.messages_per_step; });
  return network;
}

std::vector<CoreTraffic> coreTraffic(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked) {
  std::vector<CoreTraffic> cores(size_t(mapping.cores_size()));
  for (const Flow &f : flowsOf(mapping, checked)) {
    cores[f.to_core].in += f.messages;
    if (f.from_core < 0) continue;
    uint32_t distance = 0;
    for (const LinkLoad &l : routeOf(chip, mapping.cores(f.from_core).address(), mapping.cores(int(f.to_core)).address())) distance += l.chip_from == l.chip_to;
    cores[size_t(f.from_core)].out += f.messages, cores[size_t(f.from_core)].hops += f.messages * distance;
  }
  return cores;
}

} // namespace lasnn::loihi::report
