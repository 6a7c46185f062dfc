// A chip as data: its mesh, its limits, its arithmetic and what its events cost, read from a YAML file (schema: docs/loihi-targets.md).
// Every number carries its unit and its source; what nobody published is `unknown` and stays so in every report.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lasnn::loihi {

/// A whole number that bounds a resource. An unknown limit holds nothing back.
struct Limit {
  static constexpr uint64_t kUnknown = UINT64_MAX;
  uint64_t value = kUnknown;
  std::string unit, source;

  bool known() const { return value != kUnknown; }
  bool allows(uint64_t needed) const { return needed <= value; }
  operator uint64_t() const { return value; }
};

/// A physical quantity. Unknown ones take no part in sums, which then name them as left out.
struct Quantity {
  std::optional<double> value;
  std::string unit, source;

  bool known() const { return value.has_value(); }
  double orZero() const { return value.value_or(0); }
};

/// Tiles (routers) in a rectangle. Cores are numbered along tiles, tiles column by column: core = tile * cores_per_tile + i,
/// tile = x * height + y.
struct Mesh {
  uint32_t chips = 1; ///< most that a system may hold
  uint32_t width = 1, height = 1, cores_per_tile = 1;
  uint32_t cores_per_chip = 1; ///< usable ones, at most width * height * cores_per_tile; the first of the numbering

  uint32_t tiles() const { return width * height; }
  uint32_t tileOf(uint32_t core) const { return core / cores_per_tile; }
  uint32_t xOf(uint32_t tile) const { return tile / height; }
  uint32_t yOf(uint32_t tile) const { return tile % height; }
};

/// Of one core unless its name says otherwise.
struct Limits {
  Limit compartments;         ///< neurons' halves included (soft reset)
  Limit input_axons;          ///< axon ids
  Limit output_entries;       ///< see AxonSlots
  Limit synapse_words;        ///< of 64 bits
  Limit synapses_per_entry;   ///< of one encoded entry
  Limit words_per_axon;       ///< the longest list
  Limit synapse_formats;      ///< distinct ones
  Limit destination_groups;   ///< interleave factor; counted twice with soft reset
  Limit cx_base;              ///< largest cxBase of an axon
  Limit compartment_profiles; ///< distinct (decay_u, decay_v, refractory, reset, ...)
  Limit threshold_profiles;   ///< distinct thresholds
  Limit delay;                ///< largest synaptic delay, in steps beyond the one that every spike takes
  Limit delay_slots;          ///< compartments * (largest delay + 1) that the accumulators hold
};

/// Entries of the output-axon table that one axon takes.
struct AxonSlots {
  uint32_t discrete = 1, shared = 2, population = 2;
  uint32_t across_chips = 1; ///< more, when the destination lies on another chip
  uint32_t population_atom_bits = 9; ///< atoms of a shared axon: at most 2^bits sources
  uint32_t cx_base_multiple = 1; ///< of a population axon's cxBase
};

/// Widths of encoded synapse lists, in bits.
struct SynapseBits {
  uint32_t format_id = 4, count = 6;
  std::vector<uint32_t> index, skip, weight, delay; ///< legal widths, ascending. weight: without the sign bit of mixed signs (mantissa bits)
};

/// Widths of the arithmetic, in bits; ranges are inclusive.
struct Arithmetic {
  uint32_t weight_mantissa = 9; ///< with its sign
  uint32_t weight_shift = 6;    ///< effective weight: mantissa * 2^(weight_shift + exponent)
  int32_t weight_exponent_min = -8, weight_exponent_max = 7;
  bool mixed_sign_loses_lsb = true; ///< in the mixed sign mode the mantissa is even
  uint32_t accumulator = 22, current = 24, voltage = 24; ///< with their sign: q saturates, u wraps, v clips to +-(2^(bits-1) - 1)
  uint32_t decay = 12;
  bool current_decay_adds_one = true; ///< ds_offset = 1: u cannot be integrated
  uint32_t threshold_mantissa = 17, threshold_shift = 6;
  uint32_t bias_mantissa = 13; ///< with its sign
  int32_t bias_exponent_min = 0, bias_exponent_max = 7;
  uint32_t refractory_max = 63;
  uint32_t v_min_exponent_max = 23; ///< v >= -(2^e) + 1, e in 0..max
  uint32_t v_max_exponent_max = 7;  ///< v <= 2^(9 + 2e) - 1, e in 0..max
  uint32_t graded_payload = 0;      ///< bits of a graded spike; 0: spikes are binary
  uint32_t soft_reset_compartments = 2; ///< a neuron takes, reset by subtraction
  bool reset_to_value = false;      ///< v_reset other than 0 without a trick
};

/// What one event costs.
struct Cost {
  Quantity energy_pj, time_ns;
};

/// Energies and times measured or simulated together. Two profiles are never mixed.
struct Profile {
  std::string name, title, source;
  Quantity energy_error_percent, time_error_percent; ///< against silicon
  Cost synapse_dense, synapse_sparse, synapse_runlength; ///< a synaptic operation, by the list's encoding
  Cost neuron_access; ///< every compartment, every step
  Cost neuron_update; ///< in addition where voltage, input or bias is not 0
  Cost neuron_spike;  ///< in addition at a spike
  Cost message_out, message_in; ///< a spike message that leaves or enters a core, also one to its own core
  Cost hop_within_tile;         ///< a message between cores of one tile
  Cost hop_ew, hop_ns;          ///< between tiles
  Cost hop_chip;                ///< between chips
  std::vector<std::pair<uint32_t, double>> barrier_ns; ///< (mapped tiles, ns), ascending: the barrier that ends a step; between two points the larger
  std::string barrier_source;
  Quantity barrier_energy_pj;
  Quantity static_mw; ///< of a chip
  Quantity chip_reset_pj, weight_load_pj;

  /// The barrier over so many tiles; nothing when it is not known.
  std::optional<double> barrierNs(uint32_t tiles) const;
};

struct Chip {
  std::string name, title;
  std::string text; ///< the file, whole: what an .lmap embeds
  uint32_t generation = 1;
  Mesh mesh;
  Limits limits;
  AxonSlots slots;
  SynapseBits bits;
  Arithmetic arithmetic;
  std::vector<Profile> profiles; ///< none: energy and time are unknown
  std::map<std::string, Quantity> facts; ///< further numbers that reports may show: die area, SRAM, ...

  const Profile *profile(const std::string &name) const;
};

/// Every line of `errors`: "FILE: key 'limits.compartments': is 0, allowed 1..1048576". The chip is whole only when there is none.
struct ChipResult {
  std::optional<Chip> chip;
  std::vector<std::string> errors;
};

ChipResult parseChip(const std::string &text, const std::string &file);
/// A built-in name ("loihi1") or the path of a YAML file.
ChipResult loadChip(const std::string &name_or_path);
std::vector<std::string> builtinChips();

} // namespace lasnn::loihi
