// The checker: a good mapping passes; one damaged in one way is refused for that alone, with its numbers.
#include "backends/loihi/check/check.h"
#include "tests/backends/loihi/small_mapping.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

namespace lasnn::loihi {
namespace {

using check::Finding;

/// The figures that the file says about its cores, as the checker counts them: what is left is the damage itself.
void believe(lmap::Mapping &m, const Chip &chip) {
  const check::Result result = check::check(m, chip);
  for (size_t i = 0; i < result.cores.size(); ++i) {
    const check::CoreCount &n = result.cores[i];
    lmap::Resources *r = m.mutable_cores(int(i))->mutable_used();
    r->set_neurons(uint32_t(n.neurons)), r->set_compartments(uint32_t(n.compartments)), r->set_input_axons(uint32_t(n.input_axons)), r->set_output_entries(uint32_t(n.output_entries));
    r->set_synapse_words(uint32_t(n.synapse_words)), r->set_synapse_formats(uint32_t(n.synapse_formats)), r->set_compartment_profiles(uint32_t(n.compartment_profiles));
    r->set_threshold_profiles(uint32_t(n.threshold_profiles)), r->set_destination_groups(uint32_t(n.destination_groups)), r->set_longest_list(uint32_t(n.longest_list));
    r->set_largest_delay(uint32_t(n.largest_delay)), r->set_largest_cx_base(uint32_t(n.largest_cx_base));
  }
}

std::string codes(const check::Result &result) {
  std::string out;
  for (const Finding &f : result.findings) out += (out.empty() ? "" : " ") + f.code;
  return out;
}

TEST(LoihiCheck, AGoodMappingPasses) {
  const Chip chip = tinyChip();
  const check::Result result = check::check(smallMapping(chip), chip);
  EXPECT_TRUE(result.ok()) << result.text();
  ASSERT_EQ(result.cores.size(), 3u);
  EXPECT_EQ(result.cores[0].compartments, 10u);
  EXPECT_EQ(result.cores[2].layers.at(1).expanded, 36u);
  EXPECT_EQ(result.cores[2].layers.at(1).stored, 36u);
  EXPECT_TRUE(result.cores[2].layers.at(1).encodings[lmap::SPARSE] && result.cores[2].layers.at(1).encodings[lmap::RUNLENGTH]);
  // What the first core's lists hold: 4 of 4 + 6 + 9 * 8 bits (DENSE over the pairs' second compartments), 2 words each; 5 words of pairs
  EXPECT_EQ(result.cores[0].synapse_words, 4u * 2 + 5);
  EXPECT_EQ(result.cores[0].layers.at(0).bits.weights, 4u * 72);
  EXPECT_EQ(result.cores[0].layers.at(0).bits.prefixes, 4u * 10);
  EXPECT_EQ(result.cores[0].layers.at(0).bits.padding, 4u * (128 - 82));
  EXPECT_EQ(result.cores[0].layers.at(0).bits.soft_reset, 5u * 64);
}

// Each limit alone: a chip that has one less than the mapping needs.
struct LimitCase {
  const char *code;
  std::function<void(Chip &, uint64_t)> lower; ///< sets the limit
  uint64_t needed;
  const char *place;
};

class LoihiCheckLimit : public testing::TestWithParam<LimitCase> {};

TEST_P(LoihiCheckLimit, IsRefusedAlone) {
  Chip chip = tinyChip();
  const lmap::Mapping mapping = smallMapping(chip);
  const LimitCase &one = GetParam();
  one.lower(chip, one.needed);
  EXPECT_TRUE(check::check(mapping, chip).ok()) << "exactly enough is enough\n" << check::check(mapping, chip).text();
  one.lower(chip, one.needed - 1);
  const check::Result result = check::check(mapping, chip);
  ASSERT_EQ(codes(result), one.code) << result.text();
  EXPECT_EQ(result.findings[0].needed, one.needed);
  EXPECT_EQ(result.findings[0].allowed, one.needed - 1);
  EXPECT_NE(result.findings[0].place.find(one.place), std::string::npos) << result.findings[0].place;
  EXPECT_FALSE(result.findings[0].cure.empty());
}

const std::vector<LimitCase> kLimits{
    LimitCase{"compartments", [](Chip &c, uint64_t n) { c.limits.compartments.value = n; }, 10, "core 0.0.0 (hidden)"},
    LimitCase{"input-axons", [](Chip &c, uint64_t n) { c.limits.input_axons.value = n; }, 10, "core 1.0.1 (out)"},
    LimitCase{"output-entries", [](Chip &c, uint64_t n) { c.limits.output_entries.value = n; }, 15, "core 0.0.0 (hidden)"},
    LimitCase{"synapse-words", [](Chip &c, uint64_t n) { c.limits.synapse_words.value = n; }, 13, "core 0.0.0 (hidden)"},
    LimitCase{"synapses-per-entry", [](Chip &c, uint64_t n) { c.limits.synapses_per_entry.value = n; }, 9, "core 0.0.0 (hidden)"},
    LimitCase{"words-per-axon", [](Chip &c, uint64_t n) { c.limits.words_per_axon.value = n; }, 2, "core 0.0.0 (hidden)"},
    LimitCase{"synapse-formats", [](Chip &c, uint64_t n) { c.limits.synapse_formats.value = n; }, 2, "core 1.0.1 (out)"},
    LimitCase{"destination-groups", [](Chip &c, uint64_t n) { c.limits.destination_groups.value = n; }, 2, "core 0.0.0 (hidden)"},
    LimitCase{"cx-base", [](Chip &c, uint64_t n) { c.limits.cx_base.value = n; }, 4, "core 1.0.1 (out)"},
    LimitCase{"compartment-profiles", [](Chip &c, uint64_t n) { c.limits.compartment_profiles.value = n; }, 1, "core 0.0.0 (hidden)"},
    LimitCase{"threshold-profiles", [](Chip &c, uint64_t n) { c.limits.threshold_profiles.value = n; }, 1, "core 0.0.0 (hidden)"},
    LimitCase{"delay", [](Chip &c, uint64_t n) { c.limits.delay.value = n; }, 1, "core 1.0.1 (out)"},
    LimitCase{"delay-slots", [](Chip &c, uint64_t n) { c.limits.delay_slots.value = n; }, 14, "core 1.0.1 (out)"},
    LimitCase{"chips", [](Chip &c, uint64_t n) { c.mesh.chips = uint32_t(n); }, 2, "core 1.0.1 (out)"}};
INSTANTIATE_TEST_SUITE_P(All, LoihiCheckLimit, testing::ValuesIn(kLimits),
    [](const testing::TestParamInfo<LimitCase> &info) {
      std::string name = info.param.code;
      for (char &letter : name)
        if (letter == '-') letter = '_';
      return name;
    });

// Each rule alone: a mapping damaged in one way.
struct DamageCase {
  const char *name, *code;
  std::function<void(lmap::Mapping &)> damage;
};

class LoihiCheckDamage : public testing::TestWithParam<DamageCase> {};

TEST_P(LoihiCheckDamage, IsRefusedAlone) {
  const Chip chip = tinyChip();
  lmap::Mapping mapping = smallMapping(chip);
  GetParam().damage(mapping);
  if (std::string(GetParam().code) != "recorded") believe(mapping, chip);
  const check::Result result = check::check(mapping, chip);
  EXPECT_EQ(codes(result), GetParam().code) << result.text();
}

lmap::Core *core(lmap::Mapping &m, int i) { return m.mutable_cores(i); }
void flip(lmap::Mapping &m, int c, size_t bit) { (*core(m, c)->mutable_memory())[bit / 8] = char((*core(m, c)->mutable_memory())[bit / 8] ^ (1 << (bit % 8))); }

const std::vector<DamageCase> kDamages{
    DamageCase{"weight_bits", "weight-bits", [](lmap::Mapping &m) { core(m, 0)->add_formats()->set_weight_bits(7); }},
    DamageCase{"weight_exponent", "weight-exponent", [](lmap::Mapping &m) { core(m, 0)->mutable_formats(0)->set_exponent(8); }},
    DamageCase{"delay_bits", "delay-bits", [](lmap::Mapping &m) { core(m, 0)->add_formats()->set_delay_bits(7), core(m, 0)->mutable_formats(1)->set_weight_bits(8); }},
    DamageCase{"index_bits", "index-bits", [](lmap::Mapping &m) { core(m, 0)->add_formats()->set_index_bits(5), core(m, 0)->mutable_formats(1)->set_weight_bits(8); }},
    DamageCase{"skip_bits", "skip-bits", [](lmap::Mapping &m) { auto *f = core(m, 0)->add_formats(); f->set_encoding(lmap::RUNLENGTH), f->set_skip_bits(6), f->set_weight_bits(8); }},
    DamageCase{"list_too_short", "list memory-unused synapses", [](lmap::Mapping &m) { core(m, 0)->set_axon_length(0, 1); }},
    DamageCase{"list_beyond", "list memory-unused synapses", [](lmap::Mapping &m) { core(m, 0)->set_axon_word(3, 7); }},
    DamageCase{"list_format", "list synapses", [](lmap::Mapping &m) { flip(m, 0, 1); }},
    DamageCase{"synapse_lost", "synapses", [](lmap::Mapping &m) { // SPARSE: the first weight lies behind the format's id and the count
                 for (size_t bit = 10; bit < 18; ++bit)
                   if (core(m, 1)->memory()[bit / 8] >> bit % 8 & 1) flip(m, 1, bit); }},
    DamageCase{"synapse_target", "synapse-target synapses", [](lmap::Mapping &m) { core(m, 2)->set_axon_base(0, 5); }},
    DamageCase{"cx_base_multiple", "cx-base-multiple synapse-target synapses", [](lmap::Mapping &m) { core(m, 2)->set_axon_base(5, 6); }},
    DamageCase{"memory_unused", "memory-unused", [](lmap::Mapping &m) { core(m, 0)->mutable_memory()->append(8, '\0'); }},
    DamageCase{"threshold_missing", "threshold-missing", [](lmap::Mapping &m) { core(m, 0)->set_thresholds(0, 6); }},
    DamageCase{"threshold_range", "threshold-range", [](lmap::Mapping &m) { core(m, 2)->set_thresholds(0, 1 << 17); }},
    DamageCase{"threshold_grid", "threshold-grid", [](lmap::Mapping &m) { m.mutable_layers(0)->set_v_threshold(2, 5 * 64 + 1); }},
    DamageCase{"bias_range", "bias-registers", [](lmap::Mapping &m) { m.mutable_layers(0)->set_bias(1, 4096 * 128 + 1); }},
    DamageCase{"bias_nowhere", "bias-registers", [](lmap::Mapping &m) { core(m, 0)->mutable_groups(0)->set_bias_terms(0); }},
    DamageCase{"decay_range", "profile decay", [](lmap::Mapping &m) { core(m, 0)->mutable_profiles(0)->set_decay_v(4097); }},
    DamageCase{"refractory", "refractory", [](lmap::Mapping &m) { core(m, 0)->mutable_profiles(0)->set_refractory(64); }},
    DamageCase{"profile", "profile", [](lmap::Mapping &m) { core(m, 0)->mutable_groups(0)->set_profile(1); }},
    DamageCase{"reset", "profile", [](lmap::Mapping &m) { core(m, 0)->mutable_profiles(0)->set_reset(lmap::ZERO); }},
    DamageCase{"voltage_bounds", "voltage-bounds", [](lmap::Mapping &m) { core(m, 0)->mutable_profiles(0)->set_v_max_exponent(8); }},
    DamageCase{"pair_missing", "soft-reset", [](lmap::Mapping &m) { core(m, 0)->mutable_groups(0)->set_soft_reset(false); }},
    DamageCase{"one_compartment", "compartments-per-neuron synapse-target synapses", [](lmap::Mapping &m) { core(m, 0)->mutable_groups(0)->set_compartments_per_neuron(1); }},
    DamageCase{"compartment_twice", "compartment-twice synapse-target synapses", [](lmap::Mapping &m) { *core(m, 0)->add_groups() = core(m, 0)->groups(0); auto *g = core(m, 0)->mutable_groups(1); g->set_c0(4), g->set_base(8); core(m, 0)->mutable_groups(0)->set_c1(4); g->set_base(6); core(m, 0)->mutable_groups(0)->set_base(0); }},
    DamageCase{"neuron_twice", "neuron-twice neuron-missing", [](lmap::Mapping &m) { core(m, 1)->mutable_groups(0)->set_c0(4), core(m, 1)->mutable_groups(0)->set_c1(7); }},
    DamageCase{"group_outside", "group synapse-target output-table axon-unused synapses", [](lmap::Mapping &m) { core(m, 1)->mutable_groups(0)->set_c1(9); }},
    DamageCase{"route_to_nowhere", "route axon-unused synapses", [](lmap::Mapping &m) { core(m, 0)->set_out_axon(0, 10); }},
    DamageCase{"route_to_no_core", "route axon-unused synapses", [](lmap::Mapping &m) { core(m, 0)->set_out_core(0, 7); }},
    DamageCase{"route_twice", "route-twice synapses", [](lmap::Mapping &m) { core(m, 0)->set_out_counts(0, 2), core(m, 0)->mutable_out_core()->Add(9), core(m, 0)->mutable_out_axon()->Add(4); for (int i = 5; i > 0; --i) core(m, 0)->set_out_axon(i, uint32_t(i - 1)); }},
    DamageCase{"output_table", "output-table axon-unused synapses", [](lmap::Mapping &m) { core(m, 0)->set_out_counts(0, 3); }},
    DamageCase{"atom", "memory-unused atom synapses", [](lmap::Mapping &m) { core(m, 2)->set_axon_atoms(5, 2); }},
    DamageCase{"wrong_source", "source", [](lmap::Mapping &m) { m.mutable_layers(1)->set_sources(1, 0); }},
    DamageCase{"timing", "timing", [](lmap::Mapping &m) { m.mutable_layers(1)->set_start(2), m.mutable_header()->set_latency(2); }},
    DamageCase{"timing_late", "timing", [](lmap::Mapping &m) { m.mutable_layers(1)->add_source_steps(1), m.mutable_layers(1)->add_source_steps(0); }},
    DamageCase{"late_sources", "layer-sources", [](lmap::Mapping &m) { m.mutable_layers(1)->add_source_steps(0); }},
    DamageCase{"start", "start timing", [](lmap::Mapping &m) { m.mutable_layers(0)->set_start(1); }},
    DamageCase{"latency", "latency recorded", [](lmap::Mapping &m) { m.mutable_header()->set_latency(0); }},
    DamageCase{"synapse_count", "synapses", [](lmap::Mapping &m) { m.mutable_layers(0)->set_synapses(33); }},
    DamageCase{"outputs", "outputs", [](lmap::Mapping &m) { m.set_output_count(4); }},
    DamageCase{"sum_width", "sum-width", [](lmap::Mapping &m) { m.mutable_layers(0)->set_sum_high(1 << 15); }},
    DamageCase{"voltage_width", "voltage-width", [](lmap::Mapping &m) { m.mutable_layers(1)->set_v_high(1 << 17); }},
    DamageCase{"graded", "graded-spikes", [](lmap::Mapping &m) { m.mutable_layers(0)->set_s_max(2); }},
    DamageCase{"input_routes", "input-routes axon-unused synapses", [](lmap::Mapping &m) { m.mutable_input(0)->set_counts(0, 4); }},
    DamageCase{"input_neurons", "input-routes", [](lmap::Mapping &m) { m.set_input_channels(3); }},
    DamageCase{"core_twice", "core-twice", [](lmap::Mapping &m) { auto *c = m.add_cores(); c->set_address(0); }},
    DamageCase{"chip_text", "chip-text", [](lmap::Mapping &m) { m.mutable_header()->mutable_chip_text()->append("#"); }},
    DamageCase{"chip", "chip", [](lmap::Mapping &m) { m.mutable_header()->set_chip_name("loihi1"); }},
    DamageCase{"atoms", "atoms memory-unused atom synapses", [](lmap::Mapping &m) { core(m, 2)->set_axon_atoms(5, 513); }},
    DamageCase{"axon_table", "axon-table memory-unused synapses", [](lmap::Mapping &m) { core(m, 2)->mutable_axon_base()->RemoveLast(); }},
    DamageCase{"axon_strides", "axon-table route synapses", [](lmap::Mapping &m) { core(m, 2)->mutable_axon_stride()->RemoveLast(); }},
    DamageCase{"axon_unused", "axon-unused synapses", [](lmap::Mapping &m) { m.mutable_input(0)->set_counts(3, 2), m.mutable_input(0)->mutable_core()->RemoveLast(), m.mutable_input(0)->mutable_axon()->RemoveLast(); }},
    DamageCase{"host_layer", "host-layer", [](lmap::Mapping &m) { m.add_host()->set_layer(9); }},
    DamageCase{"host_weights", "host-layer", [](lmap::Mapping &m) { auto *h = m.add_host(); h->set_groups(1), h->set_kernel_h(1), h->set_kernel_w(1), h->set_weight("abc"); }},
    DamageCase{"layer_size", "layer-size outputs group synapse-target synapses", [](lmap::Mapping &m) { m.mutable_layers(1)->set_channels(0); }},
    DamageCase{"layer_vectors", "layer-vectors", [](lmap::Mapping &m) { m.mutable_layers(0)->add_bias(0); }},
    DamageCase{"reset_amounts", "layer-vectors", [](lmap::Mapping &m) { m.mutable_layers(0)->clear_rho(); }},
    DamageCase{"layer_sources", "layer-sources", [](lmap::Mapping &m) { m.mutable_layers(1)->add_synapse_names("more"); }},
    DamageCase{"source_is_no_layer", "layer-sources", [](lmap::Mapping &m) { m.mutable_layers(0)->add_sources(7), m.mutable_layers(0)->add_synapse_names("seven"); }},
    DamageCase{"memory", "memory", [](lmap::Mapping &m) { core(m, 0)->mutable_memory()->append(3, '\0'); }},
    DamageCase{"scale", "scale", [](lmap::Mapping &m) { m.mutable_layers(0)->set_scale_log2(31); }},
    DamageCase{"synapse_twice", "synapse-twice", [](lmap::Mapping &m) { flip(m, 1, 33); }}, // SPARSE: the second synapse's index, 2 to 0
    DamageCase{"timesteps", "timesteps", [](lmap::Mapping &m) { m.mutable_header()->set_timesteps(0); }},
    DamageCase{"recorded", "recorded", [](lmap::Mapping &m) { core(m, 0)->mutable_used()->set_synapse_words(9); }},
    DamageCase{"recorded_chips", "recorded", [](lmap::Mapping &m) { m.mutable_result()->set_chips(3); }}};
INSTANTIATE_TEST_SUITE_P(All, LoihiCheckDamage, testing::ValuesIn(kDamages),
    [](const testing::TestParamInfo<DamageCase> &info) { return std::string(info.param.name); });

std::string read(const std::filesystem::path &path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// One list of codes: what the checker's source can say is what is tested above, and what its manual explains.
TEST(LoihiCheck, EveryCodeIsTestedAndExplained) {
  std::set<std::string> said, tested;
  for (const auto &file : std::filesystem::directory_iterator(LASNN_SOURCE_DIR "/backends/loihi/check")) {
    const std::string text = read(file.path());
    const std::regex call("(?:rule|limit|equal|legal)\\(\"([a-z-]+)\"");
    for (std::sregex_iterator at(text.begin(), text.end(), call), end; at != end; ++at) said.insert((*at)[1]);
  }
  EXPECT_GT(said.size(), 60u);
  for (const LimitCase &one : kLimits) tested.insert(one.code);
  for (const DamageCase &one : kDamages) {
    std::istringstream words(one.code);
    for (std::string code; words >> code;) tested.insert(code);
  }
  const std::string manual = read(LASNN_SOURCE_DIR "/docs/loihi-reports.md");
  for (const std::string &code : said) {
    EXPECT_TRUE(tested.count(code)) << code << " has no damaged mapping";
    EXPECT_NE(manual.find("`" + code + "`"), std::string::npos) << code << " is not in docs/loihi-reports.md";
  }
  for (const std::string &code : tested) EXPECT_TRUE(said.count(code)) << code;
}

// Feedback: what comes late may start later, by as many steps and no more.
TEST(LoihiCheck, FeedbackMayStartLaterByItsDelays) {
  const Chip chip = tinyChip();
  lmap::Mapping m = smallMapping(chip);
  lmap::Layer *hidden = m.mutable_layers(0);
  hidden->add_sources(1), hidden->add_synapse_names("back"); // from 'out', which would have to fire
  m.mutable_layers(1)->set_kind(lmap::SPIKING);
  for (const uint32_t steps : {0u, 1u, 2u, 3u}) {
    hidden->clear_source_steps();
    hidden->add_source_steps(0), hidden->add_source_steps(steps);
    EXPECT_EQ(codes(check::check(m, chip)).find("start") != std::string::npos, steps < 2) << steps; // 'out' starts at 1: its spikes act 2 steps behind 'hidden'
  }
}

// No damage may end the checker: every byte of the message, changed.
TEST(LoihiCheck, SurvivesAnyBytes) {
  const Chip chip = tinyChip();
  const google::protobuf::LogSilencer silent; // about damaged text
  const std::string bytes = smallMapping(chip).SerializeAsString();
  size_t parsed = 0, refused = 0;
  for (size_t at = bytes.find("hidden") - 40; at < bytes.size(); ++at)
    for (uint8_t change : {0x01, 0x40, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = char(uint8_t(damaged[at]) ^ change);
      lmap::Mapping mapping;
      if (!mapping.ParseFromString(damaged)) continue;
      ++parsed, refused += !check::check(mapping, chip).ok();
    }
  EXPECT_GT(parsed, 300u);
  EXPECT_GT(refused, parsed / 2);
}

} // namespace
} // namespace lasnn::loihi
