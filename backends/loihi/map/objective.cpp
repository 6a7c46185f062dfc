#include "backends/loihi/map/objective.h"

#include <cstdlib>
#include <vector>

namespace lasnn::loihi {

std::optional<Objective> parseObjective(const std::string &text) {
  if (text == "cores") return Objective{1, 0, 0};
  if (text == "energy") return Objective{0, 1, 0};
  if (text == "latency") return Objective{0, 0, 1};
  std::vector<double> weights;
  for (const char *at = text.c_str(); *at != '\0';) {
    char *end = nullptr;
    const double weight = std::strtod(at, &end);
    if (end == at || !(weight >= 0) || !(weight < 1e9)) return std::nullopt;
    weights.push_back(weight);
    if (*end == '\0') break;
    if (*end != ',' || end[1] == '\0') return std::nullopt;
    at = end + 1;
  }
  if (weights.size() != 3 || weights[0] + weights[1] + weights[2] <= 0) return std::nullopt;
  const double sum = weights[0] + weights[1] + weights[2];
  return Objective{weights[0] / sum, weights[1] / sum, weights[2] / sum};
}

EventCosts eventCosts(const Chip &chip) {
  EventCosts costs;
  const Profile *profile = chip.profile("nahuku");
  if (!profile) return costs;
  const auto set = [](double &to, const Quantity &from) {
    if (from.known()) to = from.orZero();
  };
  set(costs.message_pj, profile->message_out.energy_pj);
  if (profile->hop_ew.energy_pj.known() && profile->hop_ns.energy_pj.known())
    costs.hop_pj = (profile->hop_ew.energy_pj.orZero() + profile->hop_ns.energy_pj.orZero()) / 2;
  set(costs.access_ns, profile->neuron_access.time_ns);
  set(costs.update_ns, profile->neuron_update.time_ns);
  set(costs.synapse_ns, profile->synapse_dense.time_ns);
  set(costs.message_in_ns, profile->message_in.time_ns);
  set(costs.message_out_ns, profile->message_out.time_ns);
  return costs;
}

} // namespace lasnn::loihi
