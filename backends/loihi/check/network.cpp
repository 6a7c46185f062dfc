#include "backends/loihi/check/parts.h"
#include "backends/loihi/check/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lasnn::loihi::check {
namespace {

std::string nameOf(const lmap::Mapping &mapping, int32_t layer) { return layer < 0 ? "the input" : "'" + mapping.layers(layer).name() + "'"; }

class Network {
public:
  Network(Context &context, std::vector<CoreCount> &counts) : c(context), counts(counts), expanded(size_t(context.mapping.layers_size()), 0) {}

  void run() {
    everyNeuronOnce();
    for (uint32_t core = 0; core < uint32_t(c.mapping.cores_size()); ++core) spikesOf(core);
    inputs();
    for (uint32_t core = 0; core < c.axons.size(); ++core)
      for (const Axon &axon : c.axons[core])
        if (axon.incoming == 0) c.found.rule("axon-unused", c.places[core], "no spike ever reaches one of its input axons", kMapAgain);
    for (int i = 0; i < c.mapping.layers_size(); ++i)
      c.found.equal("synapses", fmt::format("layer '{}'", c.mapping.layers(i).name()), expanded[size_t(i)], c.mapping.layers(i).synapses(), "synapses that spikes reach", kMapAgain);
  }

private:
  void everyNeuronOnce() {
    std::vector<std::vector<uint8_t>> seen(size_t(c.mapping.layers_size()));
    for (int i = 0; i < c.mapping.layers_size(); ++i)
      if (sizeOf(c.mapping.layers(i)) <= uint64_t(1) << 30) seen[size_t(i)].resize(sizeOf(c.mapping.layers(i)));
    for (int i = 0; i < c.mapping.cores_size(); ++i)
      for (const lmap::Group &g : c.mapping.cores(i).groups()) {
        if (g.layer() >= seen.size() || boxSize(g) > uint64_t(1) << 30) continue;
        const lmap::Layer &layer = c.mapping.layers(int(g.layer()));
        for (uint64_t n = 0; n < neuronsOf(g); ++n) {
          const uint64_t at = neuronOf(g, layer, n);
          if (at >= seen[g.layer()].size()) continue; // said by checkCore
          if (seen[g.layer()][at]++) c.found.rule("neuron-twice", c.places[size_t(i)], fmt::format("neuron {} of '{}' is on two cores, or twice on one", at, layer.name()), kMapAgain);
        }
      }
    for (size_t i = 0; i < seen.size(); ++i) {
      const uint64_t missing = uint64_t(std::count(seen[i].begin(), seen[i].end(), uint8_t(0)));
      if (missing) c.found.limit("neuron-missing", fmt::format("layer '{}'", c.mapping.layers(int(i)).name()), missing, 0, fmt::format("of its {} neurons these are on no core", seen[i].size()), kMapAgain);
    }
  }

  /// A spike of a layer (-1: the input) to an axon.
  void deliver(const std::string &place, int32_t source, uint32_t address, uint32_t axonIndex, uint32_t atom, bool shared) {
    const auto at = c.byAddress.find(address);
    if (at == c.byAddress.end()) return c.found.rule("route", place, fmt::format("spikes of {} go to core {}, which holds nothing", nameOf(c.mapping, source), address), kMapAgain);
    std::vector<Axon> &axons = c.axons[at->second];
    if (axonIndex >= axons.size()) return c.found.rule("route", place, fmt::format("spikes of {} go to axon {} of {}, which has {}", nameOf(c.mapping, source), axonIndex, c.places[at->second], axons.size()), kMapAgain);
    Axon &axon = axons[axonIndex];
    ++axon.incoming;
    if (atom >= axon.atoms || (axon.atoms > 1 && !shared && source >= 0))
      return c.found.rule("atom", place, fmt::format("spikes of {} name atom {} of an axon that has {}", nameOf(c.mapping, source), atom, axon.atoms), kMapAgain);
    for (const auto &[target, synapses] : axon.targets) {
      expanded[target.layer] += synapses[atom];
      counts[at->second].layers[target.layer].expanded += synapses[atom];
      checkTime(place, source, target);
    }
  }

  void checkTime(const std::string &place, int32_t source, const Axon::Target &target) {
    const lmap::Layer &layer = c.mapping.layers(int(target.layer));
    bool known = false;
    const int64_t own = source < 0 ? layer.start() : int64_t(layer.start()) - c.mapping.layers(source).start() - 1;
    for (int i = 0; i < layer.sources_size(); ++i) {
      if (layer.sources(i) != source) continue;
      known = true;
      if (own + (i < layer.source_steps_size() ? layer.source_steps(i) : 0) == target.delay) return; // or late by whole steps of the network
    }
    if (!known)
      return c.found.rule("source", place, fmt::format("spikes of {} reach '{}', which does not take them", nameOf(c.mapping, source), layer.name()), kMapAgain);
    c.found.rule("timing", place, fmt::format("spikes of {} reach '{}' with a delay of {}, its start asks for {}", nameOf(c.mapping, source), layer.name(), target.delay, own), kMapAgain);
  }

  void spikesOf(uint32_t index) {
    const lmap::Core &core = c.mapping.cores(int(index));
    const std::string &place = c.places[index];
    std::vector<int32_t> layers; // of the core's neurons
    for (const lmap::Group &g : core.groups())
      if (neuronsOf(g) <= uint64_t(1) << 24 && g.layer() < uint32_t(c.mapping.layers_size())) layers.insert(layers.end(), neuronsOf(g), int32_t(g.layer()));
    uint64_t entries = 0;
    for (uint32_t n : core.out_counts()) entries += n;
    if ((core.out_counts_size() && size_t(core.out_counts_size()) != layers.size()) || entries != uint64_t(core.out_core_size()) || core.out_core_size() != core.out_axon_size())
      return c.found.rule("output-table", place, fmt::format("{} neurons have {} counts, {} entries, {} cores and {} axons", layers.size(), core.out_counts_size(), entries, core.out_core_size(), core.out_axon_size()), kMapAgain);
    int at = 0;
    for (size_t n = 0; n < size_t(core.out_counts_size()); ++n) {
      const int first = at;
      for (uint32_t k = 0; k < core.out_counts(int(n)); ++k, ++at) {
        for (int before = first; before < at; ++before)
          if (core.out_core(before) == core.out_core(at) && core.out_axon(before) == core.out_axon(at)) c.found.rule("route-twice", place, fmt::format("a neuron of {} sends its spike twice to one axon", nameOf(c.mapping, layers[n])), kMapAgain);
        deliver(place, layers[n], core.out_core(at), core.out_axon(at), 0, false);
      }
    }
    for (const lmap::SharedAxon &shared : core.shared()) {
      if (uint64_t(shared.first()) + shared.count() > layers.size()) {
        c.found.limit("output-table", place, uint64_t(shared.first()) + shared.count(), layers.size(), "a shared axon names neurons that the core does not have", kMapAgain);
        continue;
      }
      for (uint32_t i = 0; i < shared.count(); ++i) deliver(place, layers[shared.first() + i], shared.core(), shared.axon(), i, true);
    }
  }

  void inputs() {
    const uint64_t neurons = uint64_t(c.mapping.input_channels()) * c.mapping.input_height() * c.mapping.input_width();
    uint64_t next = 0;
    for (const lmap::InputRoute &route : c.mapping.input()) {
      uint64_t all = 0;
      for (uint32_t n : route.counts()) all += n;
      const bool atoms = route.atom_size() > 0;
      if (route.first() < next) c.found.rule("input-routes", "the host", "its routes name an input neuron twice", kMapAgain);
      next = uint64_t(route.first()) + uint64_t(route.counts_size());
      c.found.limit("input-routes", "the host", next, neurons, "input neurons", kMapAgain);
      if (all != uint64_t(route.core_size()) || all != uint64_t(route.axon_size()) || (atoms && all != uint64_t(route.atom_size()))) {
        c.found.rule("input-routes", "the host", fmt::format("{} deliveries have {} cores, {} axons and {} atoms", all, route.core_size(), route.axon_size(), route.atom_size()), kMapAgain);
        continue;
      }
      for (int i = 0; i < route.core_size(); ++i) deliver("the host", -1, route.core(i), route.axon(i), atoms ? route.atom(i) : 0, true);
    }
  }

  Context &c;
  std::vector<CoreCount> &counts;
  std::vector<uint64_t> expanded; ///< synapses that spikes reach, by layer
};

} // namespace

void checkNetwork(Context &context, std::vector<CoreCount> &counts) { Network(context, counts).run(); }

void checkRecorded(Context &c, const std::vector<CoreCount> &counts) {
  auto same = [&](const std::string &place, uint64_t counted, uint64_t written, const char *what) {
    c.found.equal("recorded", place, written, counted, fmt::format("the file says it has {} {}, counted are {}", written, what, counted), kMapAgain);
  };
  uint32_t latency = 0;
  for (const lmap::Layer &layer : c.mapping.layers()) latency = std::max(latency, layer.start());
  same("the run", latency, c.mapping.header().latency(), "steps of latency");
  std::set<uint32_t> chips;
  for (size_t i = 0; i < counts.size(); ++i) {
    const CoreCount &n = counts[i];
    const lmap::Resources &r = c.mapping.cores(int(i)).used();
    const std::string &place = c.places[i];
    same(place, n.neurons, r.neurons(), "neurons"), same(place, n.compartments, r.compartments(), "compartments"), same(place, n.input_axons, r.input_axons(), "input axons");
    same(place, n.output_entries, r.output_entries(), "output entries"), same(place, n.synapse_words, r.synapse_words(), "words of synapse memory");
    same(place, n.synapse_formats, r.synapse_formats(), "synapse formats"), same(place, n.compartment_profiles, r.compartment_profiles(), "compartment profiles");
    same(place, n.threshold_profiles, r.threshold_profiles(), "thresholds"), same(place, n.destination_groups, r.destination_groups(), "destination groups");
    same(place, n.longest_list, r.longest_list(), "words in its longest list"), same(place, n.largest_delay, r.largest_delay(), "steps of delay");
    same(place, n.largest_cx_base, r.largest_cx_base(), "as its largest cxBase");
    chips.insert(n.address / c.chip.mesh.cores_per_chip);
  }
  same("the mapping", chips.size(), c.mapping.result().chips(), "chips");
}

} // namespace lasnn::loihi::check
