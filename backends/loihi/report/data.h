// A mapping's report as plain data: its ten sections, in the order in which every form of it (text, JSON, CSV, HTML) shows them. The JSON's
// schema is docs/loihi-report.schema.json: keys are the names below. A number that nobody knows is absent here, null in JSON, "unknown"
// in text and HTML; it is never taken as 0 in silence.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lasnn::loihi::report {

using Maybe = std::optional<double>;
using Named = std::pair<std::string, double>;

/// What a core holds of each resource, in this order everywhere.
enum Resource : uint8_t {
  Compartments, InputAxons, OutputEntries, SynapseWords, SynapseFormats, CompartmentProfiles, ThresholdProfiles, DestinationGroups, WordsPerAxon, ResourceCount
};
struct ResourceName {
  const char *key, *title, *brief, *unit;
};
extern const std::array<ResourceName, ResourceCount> kResources;
using Use = std::array<uint64_t, ResourceCount>;
using Allowed = std::array<std::optional<uint64_t>, ResourceCount>; ///< absent: the chip's file does not know the limit
/// Share of a limit in percent; absent without a limit.
Maybe percentOf(uint64_t used, const std::optional<uint64_t> &allowed);
/// The resource with the largest share of its limit; absent when no limit is known.
std::optional<Resource> binding(const Use &used, const Allowed &allowed);

// 1
struct Header {
  std::string network, source, source_sha256, mapping_hash; ///< the last one of the finished .lmap; empty when none was written
  std::string target, target_title, profile, profile_source;
  Maybe energy_error_percent, time_error_percent; ///< of the profile against silicon
  std::string tool, options;
  uint64_t seed = 0;
  uint32_t timesteps = 0, latency = 0; ///< latency: steps after which the output of a step is there
  std::vector<Named> passes_ms;        ///< wall time, by pass
  bool fits = true;
  std::string verdict; ///< one line: which limit, by how much
};

// 2
struct Summary {
  uint64_t neurons = 0, compartments = 0, synapses = 0; ///< synapses: expanded, one per pair of neurons and weight
  uint64_t stored_synapses = 0, synapse_words = 0, input_axons = 0, output_entries = 0;
  uint64_t cores = 0, cores_available = 0, lower_bound = 0, chips = 0, chips_available = 0, tiles = 0;
  std::array<Maybe, ResourceCount> mean_percent{}, max_percent{};
  Maybe spikes_per_step, packets_per_step, interchip_per_step, hops_mean, hops_max;
  std::string busiest_link;
  Maybe busiest_link_per_step;
  Maybe energy_per_inference_pj, time_per_step_ns, time_per_inference_ns, edp_uj_s, static_percent;
  Maybe compression() const { return stored_synapses ? Maybe(double(synapses) / double(stored_synapses)) : Maybe(); }
  Maybe gapPercent() const { return lower_bound ? Maybe(100.0 * (double(cores) - double(lower_bound)) / double(lower_bound)) : Maybe(); }
};

// 5
/// Bits of synapse memory, by what they hold. Entries of the axon tables are counted beside them: nobody published how many bits one takes.
struct Memory {
  uint64_t weights = 0, delays = 0, indices = 0, prefixes = 0, padding = 0, soft_reset = 0;
  uint64_t routing_entries = 0;
  uint64_t total() const { return weights + delays + indices + prefixes + padding + soft_reset; }
  void add(const Memory &);
};

/// What a unit spent, in pJ an inference.
struct Energy {
  Maybe synapse, soma, axon, network;
  Maybe total() const;
};

// 3
struct Layer {
  std::string name, type;
  std::array<uint32_t, 3> shape{}; ///< channels, height, width
  uint64_t neurons = 0;
  uint32_t cores = 0;
  std::array<uint32_t, 3> tile{}; ///< largest box of a core's neurons: height, width, channels
  double neurons_per_core_mean = 0;
  uint64_t neurons_per_core_max = 0;
  Use used{};                                    ///< the fullest core's, all layers on it together
  std::array<Maybe, ResourceCount> mean_percent{}; ///< over its cores
  std::optional<Resource> binds;
  uint64_t synapses = 0, stored_synapses = 0, synapse_words = 0;
  std::string encoding; ///< of its lists: "DENSE", "SPARSE + RUNLENGTH", ...
  uint32_t start_step = 0;
  Maybe spikes_per_step, packets_per_step, synops_per_step, critical_ns;
  Energy energy;
  Memory memory;
};

// 4
struct Core {
  uint32_t id = 0, chip = 0, tile = 0, core = 0, x = 0, y = 0; ///< core within its tile; x, y of the tile
  std::vector<std::pair<uint32_t, uint64_t>> layers;           ///< index of the layer, neurons
  uint64_t neurons = 0;
  Use used{};
  std::optional<Resource> binds;
  Maybe synops_per_step, packets_in_per_step, packets_out_per_step, hops_mean, busy_ns_per_step, energy_pj;
  Memory memory;
};

// 6
struct Link {
  uint32_t chip = 0, from_x = 0, from_y = 0, to_chip = 0, to_x = 0, to_y = 0;
  std::string direction; ///< east, west, north, south; chip: between chips
  double messages_per_step = 0;
  Maybe percent; ///< of the link's capacity within a step of the time that the step takes
  std::vector<Named> contributors; ///< "conv1 -> conv2", messages a step, largest first
};
struct Network {
  std::vector<Link> links; ///< busiest first
  std::vector<std::pair<uint32_t, double>> hops; ///< messages a step that travel so many hops
  std::vector<std::vector<double>> traffic;      ///< [from layer][to layer], messages a step; the host's last
  bool assumed = false; ///< nothing was simulated: neurons spike at the rates that the mapper took for granted
};

// 7
/// The same events at another profile's prices. Profiles are never mixed.
struct ProfileCost {
  std::string name, title;
  Maybe energy_pj, time_ns, static_pj; ///< an inference; energy without static
  Maybe energy_error_percent, time_error_percent;
};
struct Time {
  std::vector<ProfileCost> profiles; ///< the first is the header's
  std::vector<Named> by_unit_pj; ///< whole inference
  Maybe static_pj, barrier_ns;
  std::string slowest_core, slowest_step;
  std::vector<std::string> unknown; ///< what is left out, and why
  std::vector<double> step_ns;      ///< mean over the samples
  std::vector<std::vector<float>> busy_ns; ///< [step][core], mean over the samples; may be empty
};

// 8
struct Violation {
  std::string code, place; ///< "synapse-words", "core 3 (conv3)"
  uint64_t needed = 0, allowed = 0;
  std::string text, cure;
  uint32_t cores = 1; ///< places with this violation; `place` is the worst
};

// 9
struct Verification {
  std::string what; ///< "simulation against the integer network"; empty: nothing was compared
  uint64_t samples = 0, compared = 0, different = 0;
  std::string first_difference;
  Maybe accuracy_mapping, accuracy_reference;
  uint64_t overflows = 0, clips = 0;
  Maybe largest_u, largest_v, u_bits, v_bits;
  std::string checker; ///< the independent checker's word
};

// 10
struct Contestant {
  std::string name;
  Maybe cores, chips, packets_per_step, hops_mean, busiest_link_per_step, energy_pj, time_ns; ///< at the assumed rates; energy: of messages and hops, an inference
};

struct Data {
  struct {
    uint32_t width = 1, height = 1, cores_per_tile = 1, cores_per_chip = 1;
  } mesh;
  Allowed allowed{};
  Header header;
  Summary summary;
  std::vector<Layer> layers;
  std::vector<Core> cores; ///< by id
  Network network;
  Time time;
  std::vector<Violation> violations;
  std::vector<std::string> advice;
  std::vector<std::pair<std::string, uint64_t>> rejected; ///< candidates that the search refused, by reason
  Verification verification;
  std::vector<Contestant> comparison; ///< the first is this mapping
};

/// The core's place as people read it: "1.5.2" = chip 1, tile 5, core 2 of the tile.
std::string placeOf(const Core &);
/// Cores in order of how long a step keeps them busy; without a simulation by their fullest resource.
std::vector<uint32_t> busiestFirst(const Data &);
/// "conv1 64, conv2 12": the core's layers and how many neurons of each.
std::string layersOf(const Data &, const Core &);

} // namespace lasnn::loihi::report
