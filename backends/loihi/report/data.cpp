#include "backends/loihi/report/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lasnn::loihi::report {

const std::array<ResourceName, ResourceCount> kResources{{
    {"compartments", "compartments", "cx", "compartments"},
    {"input_axons", "input axons", "in-axons", "axons"},
    {"output_entries", "output-axon entries", "out-entries", "entries"},
    {"synapse_words", "synapse memory", "synMem", "words"},
    {"synapse_formats", "synapse formats", "formats", "formats"},
    {"compartment_profiles", "compartment profiles", "cx-profiles", "profiles"},
    {"threshold_profiles", "threshold profiles", "vth-profiles", "profiles"},
    {"destination_groups", "destination groups", "groups", "groups"},
    {"words_per_axon", "words of the longest list", "list words", "words"},
}};

Maybe percentOf(uint64_t used, const std::optional<uint64_t> &allowed) {
  if (!allowed) return {};
  return *allowed ? 100.0 * double(used) / double(*allowed) : (used ? 1e9 : 0.0);
}

std::optional<Resource> binding(const Use &used, const Allowed &allowed) {
  std::optional<Resource> best;
  double most = -1;
  for (size_t r = 0; r < ResourceCount; ++r)
    if (Maybe share = percentOf(used[r], allowed[r]); share && *share > most) most = *share, best = Resource(r);
  return best;
}

void Memory::add(const Memory &m) {
  weights += m.weights, delays += m.delays, indices += m.indices, prefixes += m.prefixes;
  padding += m.padding, soft_reset += m.soft_reset, routing_entries += m.routing_entries;
}

Maybe Energy::total() const {
  Maybe sum;
  for (const Maybe &part : {synapse, soma, axon, network})
    if (part) sum = sum.value_or(0) + *part;
  return sum;
}

std::string placeOf(const Core &core) { return fmt::format("{}.{}.{}", core.chip, core.tile, core.core); }

std::vector<uint32_t> busiestFirst(const Data &data) {
  auto weight = [&](uint32_t i) {
    const Core &core = data.cores[i];
    if (core.busy_ns_per_step) return *core.busy_ns_per_step;
    return core.binds ? percentOf(core.used[*core.binds], data.allowed[*core.binds]).value_or(0) : double(core.neurons);
  };
  std::vector<uint32_t> order(data.cores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return weight(a) > weight(b); });
  return order;
}

std::string layersOf(const Data &data, const Core &core) {
  std::string text;
  for (auto [layer, neurons] : core.layers)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", layer < data.layers.size() ? data.layers[layer].name : "?", neurons);
  return text;
}

} // namespace lasnn::loihi::report
