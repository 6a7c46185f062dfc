#include "backends/loihi/map/core_build.h"

#include <algorithm>
#include <map>

namespace lasnn::loihi {

namespace {

bool same(const lmap::CompartmentProfile &a, const lmap::CompartmentProfile &b) {
  return a.decay_v() == b.decay_v() && a.reset() == b.reset() && a.v_min_exponent() == b.v_min_exponent() &&
         a.v_max_exponent() == b.v_max_exponent();
}

lmap::CompartmentProfile profileOf(const Population &p) {
  lmap::CompartmentProfile profile;
  profile.set_decay_u(4096);
  profile.set_decay_v(p.decay);
  profile.set_reset(p.reset);
  profile.set_v_min_exponent(p.v_min_exponent);
  profile.set_v_max_exponent(p.v_max_exponent);
  return profile;
}

uint32_t formatId(const TileSynapses &synapses, const WeightFormat &weight, std::vector<lmap::SynapseFormat> &formats) {
  lmap::SynapseFormat f;
  f.set_encoding(synapses.format.encoding);
  f.set_index_bits(synapses.format.index_bits);
  f.set_skip_bits(synapses.format.skip_bits);
  f.set_weight_bits(synapses.format.weight_bits);
  f.set_delay_bits(synapses.format.delay_bits);
  f.set_exponent(weight.exponent);
  f.set_sign(weight.sign);
  for (size_t i = 0; i < formats.size(); ++i) {
    const lmap::SynapseFormat &g = formats[i];
    if (g.encoding() == f.encoding() && g.index_bits() == f.index_bits() && g.skip_bits() == f.skip_bits() &&
        g.weight_bits() == f.weight_bits() && g.delay_bits() == f.delay_bits() && g.exponent() == f.exponent() && g.sign() == f.sign())
      return uint32_t(i + 1);
  }
  formats.push_back(f);
  return uint32_t(formats.size());
}

bool tooMany(size_t formats, const Chip &chip) {
  return !chip.limits.synapse_formats.allows(formats) || formats >= size_t(1) << chip.bits.format_id;
}

/// Lists whose weights mean the same share one format, SPARSE and wide enough for all of them. It may cost words.
void shareFormats(const Model &model, const Chip &chip, CoreBuild &core) {
  std::map<WeightFormat, ListFormat> widest;
  for (const CoreProjection &made : core.projections) {
    ListFormat &f = widest[model.projections[made.projection].format];
    f.encoding = lmap::SPARSE;
    f.weight_bits = made.synapses.format.weight_bits;
    f.delay_bits = std::max(f.delay_bits, made.synapses.format.delay_bits);
    for (const std::vector<ListSynapse> &list : made.synapses.lists)
      f.index_bits = std::max(f.index_bits, legalBits(chip.bits.index, list.empty() ? 0 : list.back().index).value_or(0));
  }
  core.formats.clear();
  core.used.set_longest_list(0);
  for (CoreProjection &made : core.projections) {
    const WeightFormat &weight = model.projections[made.projection].format;
    const uint32_t before = made.synapses.words;
    setFormat(made.synapses, widest.at(weight), chip);
    made.format = formatId(made.synapses, weight, core.formats);
    core.used.set_synapse_words(core.used.synapse_words() - before + made.synapses.words);
    core.used.set_longest_list(std::max(core.used.longest_list(), made.synapses.longest));
  }
}

} // namespace

CoreBuild buildCore(const Model &model, const CoreTiles &tiles, const Chip &chip) {
  CoreBuild core;
  lmap::Resources &used = core.used;
  uint32_t compartment = 0, largest_base = 0;
  for (uint32_t t = 0; t < tiles.size(); ++t) {
    const Tile &tile = tiles[t];
    const Population &p = model.populations[tile.population];
    const uint32_t size = tile.size();
    core.base.push_back(compartment);
    used.set_neurons(used.neurons() + size);
    used.set_destination_groups(used.destination_groups() + (p.soft_reset ? 2 : 1));
    if (p.soft_reset) {
      used.set_input_axons(used.input_axons() + size);
      used.set_output_entries(used.output_entries() + size);
      used.set_synapse_words(used.synapse_words() + size);
    }
    const lmap::CompartmentProfile profile = profileOf(p);
    const auto known = std::find_if(core.profiles.begin(), core.profiles.end(), [&](const auto &other) { return same(other, profile); });
    core.profile.push_back(uint32_t(known - core.profiles.begin()));
    if (known == core.profiles.end()) core.profiles.push_back(profile);
    const auto threshold = [&](uint32_t channel) {
      const int32_t mantissa = int32_t(p.threshold[channel] >> chip.arithmetic.threshold_shift);
      if (std::find(core.thresholds.begin(), core.thresholds.end(), mantissa) == core.thresholds.end()) core.thresholds.push_back(mantissa);
    };
    if (tile.box())
      for (uint32_t c = tile.c0; c < tile.c1; ++c)
        threshold(c);
    else
      for (const uint32_t n : tile.neurons)
        threshold(n / p.pixels());
    for (const uint32_t i : p.projections) {
      const Projection &projection = model.projections[i];
      CoreProjection made;
      made.tile = t;
      made.projection = i;
      made.synapses = tileSynapses(projection, p, tile, compartment, chip);
      if (made.synapses.axons.empty()) continue;
      made.format = formatId(made.synapses, projection.format, core.formats);
      used.set_input_axons(used.input_axons() + uint32_t(made.synapses.axons.size()));
      used.set_synapse_words(used.synapse_words() + made.synapses.words);
      used.set_longest_list(std::max(used.longest_list(), made.synapses.longest));
      used.set_largest_delay(std::max(used.largest_delay(), projection.delay));
      for (const TileAxon &axon : made.synapses.axons)
        largest_base = std::max(largest_base, axon.cx_base);
      core.projections.push_back(std::move(made));
    }
    compartment += size * p.compartments;
  }
  if (tooMany(core.formats.size(), chip)) shareFormats(model, chip, core);
  used.set_compartments(compartment);
  used.set_synapse_formats(uint32_t(core.formats.size()));
  used.set_compartment_profiles(uint32_t(core.profiles.size()));
  used.set_threshold_profiles(uint32_t(core.thresholds.size()));
  used.set_largest_cx_base(largest_base);
  return core;
}

const char *brokenLimit(const lmap::Resources &u, uint64_t extra_outputs, const Chip &chip) {
  const Limits &l = chip.limits;
  if (!l.compartments.allows(u.compartments())) return "compartments";
  if (!l.input_axons.allows(u.input_axons())) return "input_axons";
  if (!l.output_entries.allows(u.output_entries() + extra_outputs)) return "output_entries";
  if (!l.synapse_words.allows(u.synapse_words())) return "synapse_words";
  if (!l.words_per_axon.allows(u.longest_list())) return "words_per_axon";
  if (!l.synapse_formats.allows(u.synapse_formats()) || u.synapse_formats() >= 1u << chip.bits.format_id) return "synapse_formats";
  if (!l.destination_groups.allows(u.destination_groups())) return "destination_groups";
  if (!l.compartment_profiles.allows(u.compartment_profiles())) return "compartment_profiles";
  if (!l.threshold_profiles.allows(u.threshold_profiles())) return "threshold_profiles";
  if (!l.delay_slots.allows(uint64_t(u.compartments()) * (u.largest_delay() + 1))) return "delay_slots";
  return nullptr;
}

std::pair<uint64_t, uint64_t> limitNumbers(const char *limit, const lmap::Resources &u, const Chip &chip) {
  const std::string name = limit;
  const Limits &l = chip.limits;
  if (name == "compartments") return {u.compartments(), l.compartments};
  if (name == "input_axons") return {u.input_axons(), l.input_axons};
  if (name == "output_entries") return {u.output_entries(), l.output_entries};
  if (name == "synapse_words") return {u.synapse_words(), l.synapse_words};
  if (name == "words_per_axon") return {u.longest_list(), l.words_per_axon};
  if (name == "synapse_formats") return {u.synapse_formats(), std::min<uint64_t>(l.synapse_formats, (1u << chip.bits.format_id) - 1)};
  if (name == "destination_groups") return {u.destination_groups(), l.destination_groups};
  if (name == "compartment_profiles") return {u.compartment_profiles(), l.compartment_profiles};
  if (name == "threshold_profiles") return {u.threshold_profiles(), l.threshold_profiles};
  return {uint64_t(u.compartments()) * (u.largest_delay() + 1), l.delay_slots};
}

} // namespace lasnn::loihi
