#include "backends/loihi/check/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lasnn::loihi::check {
namespace {

/// One core's memory while its lists are read.
struct Memory {
  Context &c;
  const lmap::Core &core;
  const std::string &place;
  CoreCount &count;
  std::map<std::pair<uint64_t, uint64_t>, List> lists; ///< by (word, length): lists are shared
  std::vector<bool> covered;                           ///< words that some list takes
};

void keepCounts(Memory &m, const List &list, uint64_t length, uint32_t layer) {
  CoreCount::Layer &own = m.count.layers[layer];
  for (int e = 0; e < 3; ++e) own.encodings[e] = own.encodings[e] || list.encodings[e];
  own.words += length;
  own.bits.weights += list.bits.weights, own.bits.delays += list.bits.delays, own.bits.indices += list.bits.indices, own.bits.prefixes += list.bits.prefixes;
  own.bits.padding += length * 64 - std::min(list.used, length * 64);
  for (const Synapse &s : list.synapses) own.stored += s.mantissa != 0;
}

/// The list as an axon with this base sees it. Its figures are kept when it is met first.
void follow(Memory &m, uint64_t word, uint64_t length, uint32_t base, Axon &axon, uint32_t atom) {
  auto [at, fresh] = m.lists.try_emplace({word, length});
  List &list = at->second;
  if (fresh) {
    list = decodeList(m.core, m.c.chip, word, length);
    if (!list.damage.empty()) m.c.found.rule("list", m.place, fmt::format("the list at word {}: {}", word, list.damage), kMapAgain);
    for (uint64_t w = word; w < std::min<uint64_t>(word + length, m.covered.size()); ++w) m.covered[w] = true;
    m.c.found.limit("words-per-axon", m.place, length, m.c.chip.limits.words_per_axon, "words of a list", "cut the layer by channels: fewer targets of one axon on a core");
    m.c.found.limit("synapses-per-entry", m.place, list.largest_entry, m.c.chip.limits.synapses_per_entry, "synapses of a list's entry", kMapAgain);
    std::vector<uint32_t> indices;
    for (const Synapse &s : list.synapses) indices.push_back(s.index), m.count.largest_delay = std::max<uint64_t>(m.count.largest_delay, s.delay);
    std::sort(indices.begin(), indices.end());
    if (std::adjacent_find(indices.begin(), indices.end()) != indices.end()) m.c.found.rule("synapse-twice", m.place, fmt::format("the list at word {} has two synapses to one compartment", word), kMapAgain);
  }
  m.count.longest_list = std::max(m.count.longest_list, length);
  const std::vector<int32_t> &layerAt = m.c.layerAt[m.c.byAddress.at(m.core.address())];
  uint32_t layer = 0;
  bool lost = false, any = false;
  for (const Synapse &s : list.synapses) {
    const uint64_t target = uint64_t(base) + s.index;
    if (target >= layerAt.size() || layerAt[target] < 0) {
      lost = lost || s.mantissa != 0; // a stored zero between two tiles' neurons does nothing
      continue;
    }
    if (!any) layer = uint32_t(layerAt[target]), any = true;
    if (s.mantissa == 0) continue;
    std::vector<uint32_t> &counts = axon.targets[{uint32_t(layerAt[target]), s.delay}];
    counts.resize(axon.atoms);
    ++counts[atom];
  }
  if (lost) m.c.found.rule("synapse-target", m.place, fmt::format("synapses of the list at word {} lead to compartments that are no neuron's (base {})", word, base), kMapAgain);
  if (fresh && any) keepCounts(m, list, length, layer);
}

} // namespace

void checkMemory(Context &c, uint32_t index, CoreCount &count) {
  const lmap::Core &core = c.mapping.cores(int(index));
  const std::string &place = c.places[index];
  if (core.memory().size() % 8) c.found.rule("memory", place, fmt::format("its synapse memory of {} bytes is no whole number of words", core.memory().size()), kMapAgain);
  const int axons = std::min({core.axon_word_size(), core.axon_length_size(), core.axon_base_size()});
  const bool population = core.axon_atoms_size() > 0;
  if (population && (core.axon_atoms_size() != core.axon_word_size() || core.axon_stride_size() != core.axon_word_size()))
    return c.found.rule("axon-table", place, fmt::format("its input axons have {} words, {} atoms, {} strides", core.axon_word_size(), core.axon_atoms_size(), core.axon_stride_size()), kMapAgain);
  Memory memory{c, core, place, count, {}, std::vector<bool>(core.memory().size() / 8, false)};
  c.axons[index].resize(size_t(core.axon_word_size()));
  for (int i = 0; i < axons; ++i) {
    Axon &axon = c.axons[index][size_t(i)];
    axon.atoms = population ? std::max(1u, core.axon_atoms(i)) : 1;
    const uint64_t most = uint64_t(1) << std::min(31u, c.chip.slots.population_atom_bits);
    c.found.limit("atoms", place, axon.atoms, most, "sources that share one axon", "share the axon among fewer neurons");
    if (axon.atoms > most) axon.atoms = 1;
    if (axon.atoms > 1 && core.axon_base(i) % std::max(1u, c.chip.slots.cx_base_multiple) != 0)
      c.found.rule("cx-base-multiple", place, fmt::format("a shared axon's cxBase is {}, allowed are multiples of {}", core.axon_base(i), c.chip.slots.cx_base_multiple), kMapAgain);
    for (uint32_t atom = 0; atom < axon.atoms; ++atom)
      follow(memory, core.axon_word(i) + uint64_t(atom) * (axon.atoms > 1 ? core.axon_stride(i) : 0), core.axon_length(i), core.axon_base(i), axon, atom);
  }
  for (const Axon &axon : c.axons[index]) count.axon_layers.push_back(axon.targets.empty() ? -1 : int32_t(axon.targets.begin()->first.layer));
  const uint64_t unused = uint64_t(std::count(memory.covered.begin(), memory.covered.end(), false));
  if (unused) c.found.rule("memory-unused", place, fmt::format("{} of its {} words of synapse memory belong to no list", unused, memory.covered.size()), kMapAgain);
  c.found.limit("synapse-words", place, count.synapse_words, c.chip.limits.synapse_words, "words of synapse memory", "cut the layer into smaller tiles, one core more, or use narrower weights");
  c.found.limit("delay", place, count.largest_delay, c.chip.limits.delay, "steps of delay", "shorten the skip connection, or add a layer of relays");
  c.found.limit("delay-slots", place, count.compartments * (count.largest_delay + 1), c.chip.limits.delay_slots, "compartments times (largest delay + 1)",
                "put fewer neurons on cores with long delays, or shorten the skip connection");
}

} // namespace lasnn::loihi::check
