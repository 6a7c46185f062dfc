#include "backends/loihi/sim/energy.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

struct Item {
  uint64_t count;
  const Cost &cost;
  const char *name;
};

std::vector<Item> synapseItems(const Counts &c, const Profile &p) {
  return {{c.synops[0], p.synapse_sparse, "synapse_sparse"},
          {c.synops[1], p.synapse_runlength, "synapse_runlength"},
          {c.synops[2], p.synapse_dense, "synapse_dense"}};
}
std::vector<Item> neuronItems(const Counts &c, const Profile &p) {
  return {{c.accesses, p.neuron_access, "neuron_access"}, {c.updates, p.neuron_update, "neuron_update"}, {c.spikes, p.neuron_spike, "neuron_spike"}};
}
std::vector<Item> networkItems(const Counts &c, const Profile &p) {
  return {{c.messages_out, p.message_out, "message_out"}, {c.messages_in, p.message_in, "message_in"}, {c.within_tile, p.hop_within_tile, "hop_within_tile"},
          {c.hops_ew, p.hop_ew, "hop_ew"},                {c.hops_ns, p.hop_ns, "hop_ns"},             {c.hops_chip, p.hop_chip, "hop_chip"}};
}

} // namespace

StepCost energyOf(const Counts &c, const Profile &p) {
  const auto cost = [](uint64_t count, const Cost &each) { return double(count) * each.energy_pj.orZero(); };
  StepCost sum;
  sum.synapse_pj = cost(c.synops[0], p.synapse_sparse) + cost(c.synops[1], p.synapse_runlength) + cost(c.synops[2], p.synapse_dense);
  sum.neuron_pj = cost(c.accesses, p.neuron_access) + cost(c.updates, p.neuron_update) + cost(c.spikes, p.neuron_spike);
  sum.network_pj = cost(c.messages_out, p.message_out) + cost(c.messages_in, p.message_in) + cost(c.within_tile, p.hop_within_tile) +
                   cost(c.hops_ew, p.hop_ew) + cost(c.hops_ns, p.hop_ns) + cost(c.hops_chip, p.hop_chip);
  return sum;
}

double busyNs(const Counts &c, const Profile &p) {
  const auto time = [](uint64_t count, const Cost &each) { return double(count) * each.time_ns.orZero(); };
  const double neurons = time(c.accesses, p.neuron_access) + time(c.updates, p.neuron_update) + time(c.spikes, p.neuron_spike) +
                         time(c.messages_out, p.message_out);
  const double messages = time(c.messages_in, p.message_in) + time(c.synops[0], p.synapse_sparse) + time(c.synops[1], p.synapse_runlength) +
                          time(c.synops[2], p.synapse_dense);
  return std::max(neurons, messages);
}

std::vector<std::string> leftOut(const Counts &c, const Profile &p) {
  std::vector<std::string> names;
  for (const auto &items : {synapseItems(c, p), neuronItems(c, p), networkItems(c, p)})
    for (const Item &item : items) {
      if (item.count > 0 && !item.cost.energy_pj.known()) names.push_back(std::string(item.name) + ".energy");
      if (item.count > 0 && !item.cost.time_ns.known()) names.push_back(std::string(item.name) + ".time");
    }
  if (!p.barrier_energy_pj.known()) names.push_back("barrier_energy");
  if (p.barrier_ns.empty()) names.push_back("barrier");
  if (!p.static_mw.known()) names.push_back("static_power");
  return names;
}

std::vector<LinkLoad> routeOf(const Chip &chip, uint32_t from_address, uint32_t to_address) {
  const Mesh &mesh = chip.mesh;
  uint32_t at_chip = from_address / mesh.cores_per_chip, at = mesh.tileOf(from_address % mesh.cores_per_chip);
  const uint32_t to_chip = to_address / mesh.cores_per_chip, to = mesh.tileOf(to_address % mesh.cores_per_chip);
  std::vector<LinkLoad> links;
  const auto go = [&](uint32_t next_chip, uint32_t next) {
    links.push_back({at_chip, at, next_chip, next, 1});
    at_chip = next_chip, at = next;
  };
  while (mesh.xOf(at) != mesh.xOf(to)) go(at_chip, mesh.xOf(at) < mesh.xOf(to) ? at + mesh.height : at - mesh.height);
  while (at != to) go(at_chip, at < to ? at + 1 : at - 1);
  while (at_chip != to_chip) go(at_chip < to_chip ? at_chip + 1 : at_chip - 1, at);
  return links;
}

EnergyReport energyReport(const Chip &chip, size_t profile, uint32_t chips, const Statistics &statistics) {
  const Profile &p = chip.profiles[profile];
  EnergyReport report;
  report.profile = p.name, report.title = p.title;
  for (const StepCost &step : statistics.cost[profile]) report.total += step;
  report.static_known = p.static_mw.known();
  report.static_pj = p.static_mw.orZero() * chips * report.total.time_ns; // 1 mW over 1 ns is 1 pJ
  report.energy_error_percent = p.energy_error_percent.value.value_or(-1), report.time_error_percent = p.time_error_percent.value.value_or(-1);
  report.left_out = leftOut(statistics.total(), p);
  return report;
}

} // namespace lasnn::loihi
