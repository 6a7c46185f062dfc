#include "backends/loihi/check/parts.h"
#include "backends/loihi/check/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace lasnn::loihi::check {
namespace {

uint64_t mostOf(uint32_t bits) { return (uint64_t(1) << (bits - 1)) - 1; }

bool insideItsLayer(const lmap::Group &g, const lmap::Layer &layer) {
  if (g.neurons_size()) {
    for (uint32_t n : g.neurons())
      if (n >= sizeOf(layer)) return false;
    return true;
  }
  return g.c0() < g.c1() && g.y0() < g.y1() && g.x0() < g.x1() && g.c1() <= layer.channels() && g.y1() <= layer.height() && g.x1() <= layer.width();
}

/// What the bias of a layer's channel can be: its own, plus what the host's convolutions of the image add.
std::vector<std::pair<int64_t, int64_t>> biasRanges(const lmap::Mapping &mapping, uint32_t index) {
  const lmap::Layer &layer = mapping.layers(int(index));
  std::vector<std::pair<int64_t, int64_t>> ranges(layer.channels());
  for (uint32_t k = 0; k < layer.channels(); ++k)
    if (int(k) < layer.bias_size()) ranges[k] = {layer.bias(int(k)), layer.bias(int(k))};
  for (const lmap::HostLayer &host : mapping.host()) {
    if (host.layer() != index || host.groups() == 0 || layer.channels() == 0) continue;
    const uint64_t area = uint64_t(host.kernel_h()) * host.kernel_w(), own = mapping.input_channels() / host.groups();
    if (host.weight().size() != area * own * layer.channels() || mapping.encode_table().size() != uint64_t(mapping.input_channels()) * 256) continue;
    const uint64_t scale = uint64_t(1) << std::min(layer.scale_log2(), 30u);
    for (uint32_t k = 0; k < layer.channels(); ++k)
      for (uint64_t i = 0; i < own; ++i) {
        const uint64_t channel = uint64_t(k) * host.groups() / layer.channels() * own + i;
        int64_t low = 0, high = 0; // padding is 0
        for (int p = 0; p < 256; ++p) {
          const int64_t value = int8_t(mapping.encode_table()[channel * 256 + size_t(p)]);
          low = std::min(low, value), high = std::max(high, value);
        }
        for (uint64_t a = 0; a < area; ++a) {
          const int64_t w = int8_t(host.weight()[(uint64_t(k) * own + i) * area + a]) * int64_t(scale);
          ranges[k].first += std::min(w * low, w * high), ranges[k].second += std::max(w * low, w * high);
        }
      }
  }
  return ranges;
}

/// Registers (mantissa << exponent each) that hold every value of the range which is a multiple of `step`.
uint64_t biasTerms(int64_t low, int64_t high, uint32_t scale_log2, const Arithmetic &a) {
  if (low == 0 && high == 0) return 0;
  const uint64_t most = mostOf(a.bias_mantissa), largest = std::max(uint64_t(std::llabs(low)), uint64_t(std::llabs(high)));
  uint32_t exponent = std::min(scale_log2, uint32_t(a.bias_exponent_max));
  if (low == high)
    while (exponent < uint32_t(a.bias_exponent_max) && low % (int64_t(1) << (exponent + 1)) == 0) ++exponent;
  if (largest <= most << exponent) return 1;
  const uint64_t coarse = most << a.bias_exponent_max;
  return 1 + (largest - std::min(largest, most) + coarse - 1) / coarse;
}

void checkGroup(Context &c, uint32_t core, const lmap::Group &g, CoreCount &count, std::vector<int32_t> &taken) {
  const lmap::Core &file = c.mapping.cores(int(core));
  const std::string &place = c.places[core];
  if (g.layer() >= uint32_t(c.mapping.layers_size())) return c.found.rule("group", place, fmt::format("a group is of layer {}, which does not exist", g.layer()), kMapAgain);
  const lmap::Layer &layer = c.mapping.layers(int(g.layer()));
  if (!insideItsLayer(g, layer)) return c.found.rule("group", place, fmt::format("a group reaches outside its layer '{}'", layer.name()), kMapAgain);
  const uint64_t neurons = neuronsOf(g), each = g.compartments_per_neuron();
  count.neurons += neurons;
  count.layers[g.layer()].neurons += neurons;
  // A second compartment subtracts, or compares what the first one goes on to integrate.
  const bool keeps = layer.kind() == lmap::SPIKING && layer.reset() != lmap::ZERO, soft = layer.kind() == lmap::SPIKING && layer.reset() == lmap::SUBTRACT;
  const uint64_t pair = keeps ? c.chip.arithmetic.soft_reset_compartments : 1, bias = g.bias_terms() > 1 ? g.bias_terms() - 1 : 0;
  if (soft && c.chip.arithmetic.soft_reset_compartments > 1 && !g.soft_reset())
    c.found.rule("soft-reset", place, fmt::format("neurons of '{}' reset by subtraction without their second compartment's synapse", layer.name()), kMapAgain);
  c.found.equal("compartments-per-neuron", place, each, pair + bias, fmt::format("compartments of a neuron of '{}' for its reset and {} bias registers", layer.name(), g.bias_terms()), kMapAgain);
  const uint64_t end = g.base() + neurons * each;
  count.compartments = std::max(count.compartments, end);
  if (g.soft_reset()) count.input_axons += neurons, count.output_entries += neurons * c.chip.slots.discrete, count.synapse_words += neurons, count.layers[g.layer()].bits.soft_reset += neurons * 64;
  count.destination_groups += g.soft_reset() ? 2 : 1;

  if (end <= uint64_t(1) << 24) { // beyond it the limit below is broken anyway
    if (taken.size() < end) taken.resize(end, -2), c.layerAt[core].resize(end, -1);
    bool twice = false;
    for (uint64_t n = 0; n < neurons && each; ++n)
      for (uint64_t k = 0; k < each; ++k) {
        const uint64_t at = g.base() + n * each + k;
        twice = twice || taken[at] != -2;
        taken[at] = int32_t(g.layer());
        if (k == 0) c.layerAt[core][at] = int32_t(g.layer());
      }
    if (twice) c.found.rule("compartment-twice", place, fmt::format("compartments of a group of '{}' belong to another group too", layer.name()), kMapAgain);
  }

  if (g.profile() >= uint32_t(file.profiles_size())) c.found.limit("profile", place, g.profile() + 1, uint64_t(file.profiles_size()), fmt::format("the compartment profile of '{}' does not exist", layer.name()), kMapAgain);
  else {
    const lmap::CompartmentProfile &profile = file.profiles(int(g.profile()));
    if (profile.decay_v() != layer.decay() || profile.reset() != layer.reset())
      c.found.rule("profile", place, fmt::format("the profile of '{}' has another leak or reset than the layer", layer.name()), kMapAgain);
    auto bound = [&](bool clamps, int32_t exponent, int64_t chip, int64_t wanted, const char *what) {
      if (clamps && (exponent < 0 || chip != wanted)) c.found.rule("profile", place, fmt::format("the {} of '{}' is {}, the profile's {}", what, layer.name(), wanted, chip), kMapAgain);
    };
    bound(layer.clamp_low(), profile.v_min_exponent(), -(int64_t(1) << std::clamp(profile.v_min_exponent(), 0, 40)) + 1, layer.v_min(), "lowest voltage");
    bound(layer.clamp_high(), profile.v_max_exponent(), (int64_t(1) << (9 + 2 * std::clamp(profile.v_max_exponent(), 0, 20))) - 1, layer.v_max(), "highest voltage");
  }
  std::set<uint32_t> channels;
  const uint64_t pixels = std::max<uint64_t>(1, uint64_t(layer.height()) * layer.width());
  if (g.neurons_size()) for (uint32_t n : g.neurons()) channels.insert(uint32_t(n / pixels));
  else for (uint32_t k = g.c0(); k < g.c1(); ++k) channels.insert(k);
  const auto ranges = biasRanges(c.mapping, g.layer());
  uint64_t terms = 0;
  for (uint32_t k : channels) {
    if (k < ranges.size()) terms = std::max(terms, biasTerms(ranges[k].first, ranges[k].second, ranges[k].first == ranges[k].second ? 0 : layer.scale_log2(), c.chip.arithmetic));
    if (layer.kind() != lmap::SPIKING || int(k) >= layer.v_threshold_size()) continue;
    const int32_t mantissa = layer.v_threshold(int(k)) >> c.chip.arithmetic.threshold_shift;
    if (std::find(file.thresholds().begin(), file.thresholds().end(), mantissa) == file.thresholds().end())
      c.found.rule("threshold-missing", place, fmt::format("the threshold {} of '{}' is not among the core's", layer.v_threshold(int(k)), layer.name()), kMapAgain);
  }
  c.found.limit("bias-registers", place, terms, g.bias_terms(), fmt::format("bias registers of a neuron of '{}': {}-bit mantissa times 2^{}..{} each", layer.name(), c.chip.arithmetic.bias_mantissa, c.chip.arithmetic.bias_exponent_min,
                                                                           c.chip.arithmetic.bias_exponent_max), kMapAgain);
}

void checkProfiles(Context &c, uint32_t core) {
  const Arithmetic &a = c.chip.arithmetic;
  for (const lmap::CompartmentProfile &p : c.mapping.cores(int(core)).profiles()) {
    c.found.limit("decay", c.places[core], std::max(p.decay_u(), p.decay_v()), uint64_t(1) << a.decay, "a compartment profile's decay", "train with a leak between 0 and 1");
    c.found.limit("refractory", c.places[core], p.refractory(), a.refractory_max, "a compartment profile's refractory steps", "use a shorter refractory period");
    c.found.limit("voltage-bounds", c.places[core], uint64_t(std::max(0, p.v_min_exponent())), a.v_min_exponent_max, "the exponent of the lowest voltage", "state_bits = 24");
    c.found.limit("voltage-bounds", c.places[core], uint64_t(std::max(0, p.v_max_exponent())), a.v_max_exponent_max, "the exponent of the highest voltage", "state_bits = 24");
  }
  for (int32_t mantissa : c.mapping.cores(int(core)).thresholds())
    c.found.limit("threshold-range", c.places[core], uint64_t(std::abs(int64_t(mantissa))), mantissa < 0 ? 0 : (uint64_t(1) << a.threshold_mantissa) - 1, "a threshold's mantissa", "use a smaller scale: narrower weights");
}

void checkFormats(Context &c, uint32_t core) {
  const Arithmetic &a = c.chip.arithmetic;
  const std::string &place = c.places[core];
  auto legal = [&](const char *code, uint32_t bits, const std::vector<uint32_t> &all, const char *what, const char *cure) {
    if (std::find(all.begin(), all.end(), bits) != all.end()) return;
    std::string text;
    for (uint32_t one : all) text += fmt::format("{}{}", text.empty() ? "" : ", ", one);
    c.found.limit(code, place, std::max(bits, all.empty() ? 1 : all.back() + 1), all.empty() ? 0 : all.back(), fmt::format("a synapse format has {} bits of {}, legal are {}", bits, what, text), cure);
  };
  for (const lmap::SynapseFormat &f : c.mapping.cores(int(core)).formats()) {
    legal("weight-bits", f.weight_bits(), c.chip.bits.weight, "weight", "quantize to a width that the chip has: --weights");
    legal("index-bits", f.index_bits(), c.chip.bits.index, "index", "put fewer compartments between an axon's base and its targets");
    if (f.encoding() == lmap::RUNLENGTH) legal("skip-bits", f.skip_bits(), c.chip.bits.skip, "skip", "use SPARSE for lists with wide gaps");
    legal("delay-bits", f.delay_bits(), c.chip.bits.delay, "delay", "shorten the skip connection, or add a layer of relays");
    if (f.exponent() < a.weight_exponent_min || f.exponent() > a.weight_exponent_max)
      c.found.rule("weight-exponent", place, fmt::format("a synapse format has the exponent {}, the chip has {} to {}", f.exponent(), a.weight_exponent_min, a.weight_exponent_max), "use another scale: fewer weight bits");
  }
}

} // namespace

void checkCore(Context &c, uint32_t core, CoreCount &count) {
  const lmap::Core &file = c.mapping.cores(int(core));
  const Limits &limits = c.chip.limits;
  const std::string &place = c.places[core];
  std::vector<int32_t> taken;
  for (const lmap::Group &group : file.groups()) checkGroup(c, core, group, count, taken);
  checkProfiles(c, core);
  checkFormats(c, core);
  count.input_axons += uint64_t(file.axon_word_size());
  count.synapse_words += file.memory().size() / 8;
  count.synapse_formats = uint64_t(file.formats_size());
  count.compartment_profiles = uint64_t(file.profiles_size());
  count.threshold_profiles = uint64_t(std::set<int32_t>(file.thresholds().begin(), file.thresholds().end()).size());
  const uint32_t perChip = c.chip.mesh.cores_per_chip, chip = file.address() / perChip;
  auto slots = [&](uint32_t target, uint32_t own) { return own + (target / perChip != chip ? c.chip.slots.across_chips : 0); };
  for (uint32_t target : file.out_core()) count.output_entries += slots(target, c.chip.slots.discrete);
  for (const lmap::SharedAxon &shared : file.shared()) count.output_entries += slots(shared.core(), c.chip.slots.population);
  for (uint32_t base : file.axon_base()) count.largest_cx_base = std::max<uint64_t>(count.largest_cx_base, base);

  c.found.limit("compartments", place, count.compartments, limits.compartments, "compartments", "cut the layer into smaller tiles, one core more");
  c.found.limit("input-axons", place, count.input_axons, limits.input_axons, "input axons", "cut the layer so that a core sees fewer of its sources: smaller in height and width, or fewer groups of channels");
  c.found.limit("output-entries", place, count.output_entries, limits.output_entries, "entries of the output-axon table", "cut the following layer by height and width rather than by channels, so that its cores share fewer sources");
  c.found.limit("synapse-formats", place, count.synapse_formats, limits.synapse_formats, "synapse formats", "keep layers of other weight widths or delays off this core");
  c.found.limit("compartment-profiles", place, count.compartment_profiles, limits.compartment_profiles, "compartment profiles", "keep layers of other leaks or resets off this core");
  c.found.limit("threshold-profiles", place, count.threshold_profiles, limits.threshold_profiles, "distinct thresholds", "cut by channels, or train with one threshold a layer");
  c.found.limit("destination-groups", place, count.destination_groups, limits.destination_groups, "destination groups", "put fewer pieces of layers on this core");
  c.found.limit("cx-base", place, count.largest_cx_base, limits.cx_base, "an axon's cxBase", "put its targets at lower compartments, or use wider indices");
  if (file.axon_base_size() != file.axon_word_size() || file.axon_length_size() != file.axon_word_size())
    c.found.rule("axon-table", place, fmt::format("its input axons have {} words, {} lengths, {} bases", file.axon_word_size(), file.axon_length_size(), file.axon_base_size()), kMapAgain);
}

} // namespace lasnn::loihi::check
