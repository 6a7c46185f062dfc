#include "backends/loihi/chip_fields.h"

#include <cstdio>

namespace lasnn::loihi {

namespace {
std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.10g", value);
  return buffer;
}
} // namespace

std::string Field::allowed() const {
  if (std::holds_alternative<bool *>(to)) return "yes or no";
  const std::string range = text(min) + ".." + text(max);
  if (std::holds_alternative<std::vector<uint32_t> *>(to)) return "an ascending list of " + range;
  return range + (mayBeUnknown() ? " or unknown" : "");
}

std::vector<Field> chipFields(Chip &c) {
  Mesh &m = c.mesh;
  Limits &l = c.limits;
  AxonSlots &s = c.slots;
  SynapseBits &b = c.bits;
  Arithmetic &a = c.arithmetic;
  return {
      {"generation", &c.generation, "generation", 1, 2, "1: fixed neuron, binary spikes; 2: microcode neurons, graded spikes"},
      {"mesh.chips", &m.chips, "chips", 1, 16384, "most chips of a system"},
      {"mesh.width", &m.width, "tiles", 1, 1024, "columns of tiles (routers) of a chip"},
      {"mesh.height", &m.height, "tiles", 1, 1024, "rows of tiles"},
      {"mesh.cores_per_tile", &m.cores_per_tile, "cores", 1, 64, "cores that share a router"},
      {"mesh.cores_per_chip", &m.cores_per_chip, "cores", 1, 65536, "usable cores, at most width * height * cores_per_tile"},
      {"limits.compartments", &l.compartments, "compartments", 1, 1 << 20, "compartments of a core"},
      {"limits.input_axons", &l.input_axons, "axons", 1, 1 << 20, "axon ids of a core"},
      {"limits.output_entries", &l.output_entries, "entries", 1, 1 << 20, "entries of a core's output-axon table"},
      {"limits.synapse_words", &l.synapse_words, "words", 1, 1 << 24, "64-bit words of synapse memory of a core"},
      {"limits.synapses_per_entry", &l.synapses_per_entry, "synapses", 1, 4096, "synapses of one encoded entry"},
      {"limits.words_per_axon", &l.words_per_axon, "words", 1, 1 << 20, "words of the list of one input axon"},
      {"limits.synapse_formats", &l.synapse_formats, "formats", 1, 4096, "distinct synapse formats of a core"},
      {"limits.destination_groups", &l.destination_groups, "groups", 1, 4096, "destination groups of a layer (interleave), twice as many with soft reset"},
      {"limits.cx_base", &l.cx_base, "compartments", 0, 1 << 20, "largest compartment offset of an input axon"},
      {"limits.compartment_profiles", &l.compartment_profiles, "profiles", 1, 1 << 20, "distinct decays, resets and refractory times of a core"},
      {"limits.threshold_profiles", &l.threshold_profiles, "profiles", 1, 1 << 20, "distinct thresholds of a core"},
      {"limits.delay", &l.delay, "steps", 0, 1024, "largest synaptic delay, beyond the step that every spike takes"},
      {"limits.delay_slots", &l.delay_slots, "slots", 1, 1 << 24, "compartments * (largest delay + 1) of a core"},
      {"axon_slots.discrete", &s.discrete, "entries", 1, 16, "output entries of a discrete axon"},
      {"axon_slots.shared", &s.shared, "entries", 1, 16, "of an axon shared by a population"},
      {"axon_slots.population", &s.population, "entries", 1, 16, "of a population axon (pop16, pop32)"},
      {"axon_slots.across_chips", &s.across_chips, "entries", 0, 16, "more when the destination is on another chip"},
      {"axon_slots.population_atom_bits", &s.population_atom_bits, "bits", 0, 16, "a shared axon tells up to 2^bits sources apart"},
      {"axon_slots.cx_base_multiple", &s.cx_base_multiple, "compartments", 1, 64, "of which a population axon's offset is a multiple"},
      {"synapse_bits.format_id", &b.format_id, "bits", 0, 16, "of an entry's prefix: its format"},
      {"synapse_bits.count", &b.count, "bits", 1, 16, "of an entry's prefix: its number of synapses"},
      {"synapse_bits.index", &b.index, "bits", 0, 16, "legal widths of a compartment index"},
      {"synapse_bits.skip", &b.skip, "bits", 0, 16, "legal widths of a run's skip (RUNLENGTH)"},
      {"synapse_bits.weight", &b.weight, "bits", 0, 32, "legal widths of a weight"},
      {"synapse_bits.delay", &b.delay, "bits", 0, 10, "legal widths of a delay"},
      {"arithmetic.weight_mantissa", &a.weight_mantissa, "bits", 2, 32, "with its sign"},
      {"arithmetic.weight_shift", &a.weight_shift, "bits", 0, 16, "weight = mantissa * 2^(shift + exponent)"},
      {"arithmetic.weight_exponent_min", &a.weight_exponent_min, "bits", -32, 0, "smallest weight exponent"},
      {"arithmetic.weight_exponent_max", &a.weight_exponent_max, "bits", 0, 31, "largest weight exponent"},
      {"arithmetic.mixed_sign_loses_lsb", &a.mixed_sign_loses_lsb, "", 0, 1, "lists with both signs hold even mantissas only"},
      {"arithmetic.accumulator", &a.accumulator, "bits", 8, 63, "synaptic input of a step, with its sign; saturates"},
      {"arithmetic.current", &a.current, "bits", 8, 63, "current u, with its sign; wraps"},
      {"arithmetic.voltage", &a.voltage, "bits", 8, 63, "voltage v, with its sign; clips to +-(2^(bits-1) - 1)"},
      {"arithmetic.decay", &a.decay, "bits", 12, 12, "of the decay factors"},
      {"arithmetic.current_decay_adds_one", &a.current_decay_adds_one, "", 0, 1, "u decays by one more than asked"},
      {"arithmetic.threshold_mantissa", &a.threshold_mantissa, "bits", 1, 32, "without sign"},
      {"arithmetic.threshold_shift", &a.threshold_shift, "bits", 0, 16, "threshold = mantissa * 2^shift"},
      {"arithmetic.bias_mantissa", &a.bias_mantissa, "bits", 2, 32, "with its sign"},
      {"arithmetic.bias_exponent_min", &a.bias_exponent_min, "bits", 0, 0, "smallest bias exponent"},
      {"arithmetic.bias_exponent_max", &a.bias_exponent_max, "bits", 0, 31, "largest bias exponent"},
      {"arithmetic.refractory_max", &a.refractory_max, "steps", 0, 1024, "largest refractory time"},
      {"arithmetic.v_min_exponent_max", &a.v_min_exponent_max, "bits", 0, 62, "v >= 1 - 2^e, e up to this"},
      {"arithmetic.v_max_exponent_max", &a.v_max_exponent_max, "bits", 0, 26, "v <= 2^(9 + 2e) - 1, e up to this"},
      {"arithmetic.graded_payload", &a.graded_payload, "bits", 0, 32, "of a spike; 0: spikes are binary"},
      {"arithmetic.soft_reset_compartments", &a.soft_reset_compartments, "compartments", 1, 2, "of a neuron reset by subtraction"},
      {"arithmetic.reset_to_value", &a.reset_to_value, "", 0, 1, "a reset may set v to another value than 0"},
  };
}

std::vector<Field> profileFields(Profile &p) {
  std::vector<Field> all = {
      {"energy_error", &p.energy_error_percent, "%", 0, 1000, "mean error of energies against silicon"},
      {"time_error", &p.time_error_percent, "%", 0, 1000, "mean error of times against silicon"},
      {"barrier_energy", &p.barrier_energy_pj, "pJ", 0, 1e9, "energy of the barrier that ends a step"},
      {"static_power", &p.static_mw, "mW", 0, 1e6, "of a chip, whatever it does"},
      {"chip_reset", &p.chip_reset_pj, "pJ", 0, 1e12, "energy of a chip's reset"},
      {"weight_load", &p.weight_load_pj, "pJ", 0, 1e12, "energy of writing one word of synapse memory"},
  };
  const auto cost = [&](const std::string &key, Cost &cost, const std::string &meaning) {
    all.push_back({key + ".energy", &cost.energy_pj, "pJ", 0, 1e6, meaning});
    all.push_back({key + ".time", &cost.time_ns, "ns", 0, 1e6, meaning});
  };
  cost("synapse_dense", p.synapse_dense, "a synaptic operation from a DENSE list");
  cost("synapse_sparse", p.synapse_sparse, "from a SPARSE list");
  cost("synapse_runlength", p.synapse_runlength, "from a RUNLENGTH list");
  cost("neuron_access", p.neuron_access, "every compartment in every step");
  cost("neuron_update", p.neuron_update, "in addition where voltage, input or bias is not 0");
  cost("neuron_spike", p.neuron_spike, "in addition at a spike");
  cost("message_out", p.message_out, "a message that leaves a core, also for itself");
  cost("message_in", p.message_in, "a message that enters a core");
  cost("hop_within_tile", p.hop_within_tile, "a message between cores of one tile");
  cost("hop_ew", p.hop_ew, "a hop between tiles, east or west");
  cost("hop_ns", p.hop_ns, "a hop between tiles, north or south");
  cost("hop_chip", p.hop_chip, "a hop between chips");
  return all;
}

} // namespace lasnn::loihi
