// What the simulator counts, costs, reports and refuses, on small mappings made by hand or broken on purpose.
#include "backends/loihi/sim/energy.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/plain_mapper.h"
#include "tests/runtime/random_plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace lasnn::test {
namespace {

using namespace loihi;

std::string all(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines) text += line + "\n";
  return text;
}

Chip chipOf(const std::string &name) { return *loadChip(name).chip; }

/// Two inputs -> 3 IF neurons on core 0 -> one on core 13 (tile 3: three hops north) and a read-out beside it. Weight 1 is 64 at the chip.
lmap::Mapping handMade() {
  lmap::Mapping m;
  lmap::Header &h = *m.mutable_header();
  h.set_chip_text(chipOf("loihi1").text), h.set_timesteps(4), h.set_latency(2);
  m.set_input_channels(2), m.set_input_height(1), m.set_input_width(1), m.set_input_max_count(1), m.set_output_count(1);
  const auto layer = [&](const char *name, uint32_t channels, uint32_t start, lmap::LayerKind kind) {
    lmap::Layer &l = *m.add_layers();
    l.set_name(name), l.set_channels(channels), l.set_height(1), l.set_width(1), l.set_start(start), l.set_kind(kind), l.set_scale_log2(6);
    l.set_reset(kind == lmap::SPIKING ? lmap::ZERO : lmap::NONE);
    for (uint32_t c = 0; c < channels && kind == lmap::SPIKING; ++c) l.add_v_threshold(5 * 64);
  };
  layer("hidden", 3, 0, lmap::SPIKING), layer("last", 1, 1, lmap::SPIKING), layer("out", 1, 2, lmap::READOUT_SUM);
  const auto core = [&](uint32_t address) -> lmap::Core & {
    lmap::Core &c = *m.add_cores();
    c.set_address(address);
    lmap::CompartmentProfile &p = *c.add_profiles();
    p.set_decay_u(4096), p.set_reset(lmap::ZERO);
    c.add_thresholds(5);
    lmap::SynapseFormat &f = *c.add_formats();
    f.set_encoding(lmap::DENSE), f.set_index_bits(6), f.set_weight_bits(8), f.set_exponent(-1);
    return c;
  };
  const auto list = [](lmap::Core &c, uint32_t index, const std::vector<int> &weights) { // one word: id 1, count, index, weights
    uint64_t word = 1 | uint64_t(weights.size()) << 4 | uint64_t(index) << 10;
    for (size_t i = 0; i < weights.size(); ++i) word |= uint64_t(uint8_t(weights[i])) << (16 + 8 * i);
    c.add_axon_word(uint32_t(c.memory().size() / 8)), c.add_axon_length(1), c.add_axon_base(0);
    for (int byte = 0; byte < 8; ++byte) c.mutable_memory()->push_back(char(word >> (8 * byte)));
  };
  const auto group = [](lmap::Core &c, uint32_t l, uint32_t base, uint32_t channels) {
    lmap::Group &g = *c.add_groups();
    g.set_layer(l), g.set_base(base), g.set_compartments_per_neuron(1), g.set_c1(channels), g.set_y1(1), g.set_x1(1);
  };
  lmap::Core &a = core(0);
  group(a, 0, 0, 3);
  list(a, 0, {6, 10, -3}), list(a, 0, {6, 5, 11});
  for (int i = 0; i < 3; ++i) a.add_out_counts(1), a.add_out_core(13), a.add_out_axon(uint32_t(i));
  lmap::Core &b = core(13);
  group(b, 1, 0, 1), group(b, 2, 1, 1);
  list(b, 0, {3}), list(b, 0, {2}), list(b, 0, {1}), list(b, 1, {7});
  b.add_out_counts(1), b.add_out_core(13), b.add_out_axon(3), b.add_out_counts(0);
  lmap::InputRoute &in = *m.add_input();
  for (uint32_t i = 0; i < 2; ++i) in.add_counts(1), in.add_core(0), in.add_axon(i);
  return m;
}

struct Ran {
  std::shared_ptr<const Program> program;
  std::unique_ptr<Simulator> simulator;
  std::vector<int32_t> outputs;
};
Ran ran(const lmap::Mapping &m, const std::vector<uint8_t> &input, unsigned threads = 1) {
  std::vector<std::string> errors;
  Ran r;
  r.program = makeProgram(m, errors);
  EXPECT_EQ(all(errors), "");
  if (!r.program) return r;
  EXPECT_EQ(input.size(), r.program->input_size);
  SimulatorOptions options;
  options.threads = threads;
  r.simulator = std::make_unique<Simulator>(r.program, options);
  r.simulator->run(input.data(), r.outputs);
  return r;
}

TEST(LoihiSim, EveryEventOfASmallNetworkCountedByHand) {
  // step 0: input 0: hidden gets 6, 10, -3 -> 0 and 1 spike (> 5). step 1: input 1: 6, 5, 11-3 -> 0 and 2 spike; last got 3+2 = 5: no.
  // step 2: nothing new for hidden (1 holds 5: no); last holds 5 and gets 3+1: 9 -> spikes. step 3: inputs 0 and 1: 12, 15+5, 8: all spike; out +7.
  const Ran r = ran(handMade(), {1, 0, 0, 1, 0, 0, 1, 1});
  ASSERT_TRUE(r.program);
  EXPECT_EQ(r.outputs, std::vector<int32_t>{14}); // step 4: last gets 3+2+1 = 6 -> spikes, out +7 in step 5
  const Statistics &s = r.simulator->statistics();
  ASSERT_EQ(s.steps.size(), 6u);
  const Counts zero = s.step(0), one = s.step(1), two = s.step(2), four = s.step(4);
  EXPECT_EQ(zero.accesses, 5u);
  EXPECT_EQ(zero.updates, 3u); // last and out do not run yet
  EXPECT_EQ(zero.spikes, 2u);
  EXPECT_EQ(zero.messages_out, 2u);
  EXPECT_EQ(zero.host_in, 1u);
  EXPECT_EQ(zero.messages_in, 3u);
  EXPECT_EQ(zero.synops[lmap::DENSE], 3u + 2u);
  EXPECT_EQ(zero.hops_ns, 6u);
  EXPECT_EQ(zero.hops_ew, 0u);
  EXPECT_EQ(one.updates, 3u + 1u);
  EXPECT_EQ(one.spikes, 2u);
  EXPECT_EQ(two.spikes, 1u);
  EXPECT_EQ(two.within_tile, 1u);
  EXPECT_EQ(four.spikes, 1u);
  EXPECT_EQ(s.total().spikes, 2u + 2u + 1u + 3u + 1u);
  EXPECT_EQ(s.layers[1].synops, 2u + 2u + 3u);
  const std::vector<LinkLoad> links = r.simulator->links();
  ASSERT_EQ(links.size(), 3u); // tile 0 -> 1 -> 2 -> 3
  for (const LinkLoad &link : links) EXPECT_EQ(link.messages, 7u);
  EXPECT_EQ(s.largest_v, 20 * 64);
}

TEST(LoihiSim, EnergyAndTimeOfAStepByHand) {
  const Ran r = ran(handMade(), {1, 0, 0, 1, 0, 0, 1, 1});
  ASSERT_TRUE(r.program);
  const Statistics &s = r.simulator->statistics();
  const Chip &chip = r.program->chip;
  ASSERT_EQ(chip.profiles[1].name, "nahuku");
  const StepCost &nahuku = s.cost[1][0];
  EXPECT_DOUBLE_EQ(nahuku.synapse_pj, 5 * 35.5);
  EXPECT_DOUBLE_EQ(nahuku.neuron_pj, 5 * 51.2 + 3 * 21.6 + 2 * 69.3);
  EXPECT_DOUBLE_EQ(nahuku.network_pj, 2 * 111 + 6 * 4.2);
  // core 0: neurons 3 * (6.0 + 3.7) + 2 * 30 + 2 messages * 5.1 beside 1 message in * 16 + 3 synapses * 3.8; two tiles: barrier 1000
  EXPECT_DOUBLE_EQ(nahuku.time_ns, 3 * 9.7 + 60 + 10.2 + 1000);
  EXPECT_EQ(nahuku.slowest_core, 0u);
  const StepCost &davies = s.cost[0][0];
  EXPECT_DOUBLE_EQ(davies.total_pj(), 5 * 23.6 + 5 * 52 + 3 * 29 + 6 * 4.0);
  EXPECT_DOUBLE_EQ(davies.time_ns, 3 * 8.4 + 465);
  const EnergyReport report = energyReport(chip, 0, 1, s), other = energyReport(chip, 1, 1, s);
  EXPECT_EQ(report.left_out, (std::vector<std::string>{"message_out.energy", "message_out.time", "message_in.energy", "message_in.time",
                                                       "barrier_energy", "static_power"}));
  EXPECT_EQ(other.left_out, std::vector<std::string>{"barrier_energy"});
  EXPECT_EQ(report.energy_error_percent, -1);
  EXPECT_EQ(other.energy_error_percent, 12);
  EXPECT_EQ(other.time_error_percent, 25);
  EXPECT_DOUBLE_EQ(other.static_pj, 104 * other.total.time_ns);
  EXPECT_FALSE(report.static_known);
}

TEST(LoihiSim, SameForAnyNumberOfThreads) {
  for (uint64_t seed : {3, 8, 21}) {
    const plan::Network plan = randomChipPlan(seed);
    PlainOptions options;
    options.most_chips = 2;
    const lmap::Mapping m = plainMapping(plan, chipOf("tiny"), seed, options);
    const std::vector<uint8_t> input = randomInput(plan, seed);
    const Ran one = ran(m, input);
    for (unsigned threads : {2u, 3u, 8u}) {
      const Ran many = ran(m, input, threads);
      EXPECT_EQ(many.outputs, one.outputs);
      const Statistics &a = one.simulator->statistics(), &b = many.simulator->statistics();
      for (size_t k = 0; k < a.steps.size(); ++k)
        for (size_t c = 0; c < a.steps[k].size(); ++c) {
          EXPECT_EQ(a.steps[k][c].synapticOperations(), b.steps[k][c].synapticOperations());
          EXPECT_EQ(a.steps[k][c].updates, b.steps[k][c].updates);
          EXPECT_EQ(a.cost[1][k].total_pj(), b.cost[1][k].total_pj()) << "sums in one order, whatever the threads";
          EXPECT_EQ(a.cost[1][k].time_ns, b.cost[1][k].time_ns);
        }
    }
  }
}

TEST(LoihiSim, ASpikeBeforeTheLayersStartIsCounted) {
  lmap::Mapping m = handMade();
  m.mutable_layers(1)->set_start(2), m.mutable_layers(2)->set_start(3), m.mutable_header()->set_latency(3);
  const Ran r = ran(m, {1, 0, 0, 1, 0, 0, 1, 1});
  ASSERT_TRUE(r.program);
  EXPECT_EQ(r.simulator->statistics().events.early_inputs, 1u);
  EXPECT_FALSE(r.simulator->statistics().events.exact());
}

TEST(LoihiSim, OverflowsAreCounted) {
  lmap::Mapping m = handMade();
  m.mutable_cores(0)->mutable_formats(0)->set_exponent(7); // 20 * 2^(6 + 7 + 1) = 5 * 2^16; ten of them pass 2^21
  m.set_input_max_count(255);
  const Ran r = ran(m, {200, 0, 0, 0, 0, 0, 0, 0});
  ASSERT_TRUE(r.program);
  EXPECT_EQ(r.simulator->statistics().events.input_overflows, 3u);
  m = handMade();
  for (int i = 0; i < 4; ++i) m.mutable_layers(0)->set_reset(lmap::NONE);
  m.mutable_cores(0)->mutable_profiles(0)->set_reset(lmap::NONE);
  m.mutable_layers(0)->set_clamp_high(true), m.mutable_layers(0)->set_v_max((1 << 9) - 1);
  const Ran clips = ran(m, {1, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(clips.simulator->statistics().layers[0].clips, 1u); // 10 * 64 > 511
}

TEST(LoihiSim, WhatPointsOutsideIsRefused) {
  const struct { std::function<void(lmap::Mapping &)> breakIt; const char *error; } cases[] = {
      {[](lmap::Mapping &m) { m.mutable_header()->set_chip_text("name: x"); }, "key 'title': is missing"},
      {[](lmap::Mapping &m) { m.mutable_header()->set_timesteps(0); }, "timesteps is 0, allowed 1..65535"},
      {[](lmap::Mapping &m) { m.mutable_header()->set_latency(1); }, "latency is 1, but a layer starts at step 2"},
      {[](lmap::Mapping &m) { m.mutable_layers(0)->mutable_v_threshold()->RemoveLast(); }, "v_threshold has 2 entries for 3 channels"},
      {[](lmap::Mapping &m) { m.mutable_layers(0)->set_v_threshold(0, 7 * 64); }, "the threshold 448 of layer 'hidden' is in none of its threshold profiles"},
      {[](lmap::Mapping &m) { m.mutable_layers(2)->add_bias(3); }, "the bias 3 of layer 'out' does not fit 0 bias registers"},
      {[](lmap::Mapping &m) { m.mutable_layers(2)->set_output_offset(1); }, "writes outputs 1..2 of 1"},
      {[](lmap::Mapping &m) { m.mutable_cores(1)->set_address(0); }, "core 0.0: appears twice"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->mutable_groups(0)->set_c1(9); }, "box lies outside layer 'hidden'"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->mutable_groups(0)->set_layer(5); }, "names layer 5 of 3"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->mutable_groups(0)->set_base(1022); }, "compartment 1024 is needed, 1024 exist"},
      {[](lmap::Mapping &m) { m.mutable_cores(1)->mutable_groups(1)->set_base(0); }, "compartment 0 belongs to two groups"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->set_axon_word(0, 900); }, "the list of axon 0 is damaged: words 900..901 of 2"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->clear_formats(); }, "is damaged: format 1 of 0"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->set_axon_base(0, 5); }, "axon 0 reaches compartment 7 of 3"},
      {[](lmap::Mapping &m) { (*m.mutable_cores(0)->mutable_memory())[0] = char(0xF1); }, "an entry of 126 bits where 54 are left"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->set_out_core(0, 77); }, "sends to core 77, which the mapping does not use"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->set_out_axon(0, 4); }, "sends to axon 4 of 4 on core 0.13"},
      {[](lmap::Mapping &m) { m.mutable_cores(0)->add_out_counts(1); }, "has output entries of 4 neurons, but 3 neurons"},
      {[](lmap::Mapping &m) { m.mutable_input(0)->set_axon(0, 9); }, "sends to axon 9"},
      {[](lmap::Mapping &m) { m.mutable_input(0)->set_first(1); }, "routes neurons that it does not have"},
  };
  for (const auto &[breakIt, error] : cases) {
    lmap::Mapping m = handMade();
    breakIt(m);
    std::vector<std::string> errors;
    EXPECT_FALSE(makeProgram(m, errors)) << error;
    EXPECT_NE(all(errors).find(error), std::string::npos) << error << "\n" << all(errors);
  }
}

/// Bytes changed at random: refused or run, never a crash (the sanitizers of the asan preset watch).
TEST(LoihiSim, DamagedMappingsDoNoHarm) {
  std::mt19937_64 random(5);
  PlainOptions options;
  uint64_t refused = 0, run = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const plan::Network plan = randomChipPlan(seed);
    lmap::Mapping whole = plainMapping(plan, chipOf("tiny"), seed, options);
    const std::string chip = whole.header().chip_text();
    whole.mutable_header()->clear_chip_text();
    const std::string bytes = whole.SerializeAsString();
    const std::vector<uint8_t> input = randomInput(plan, seed);
    for (int i = 0; i < 60; ++i) {
      std::string damaged = bytes;
      for (int n = 0; n < 1 + i % 3; ++n) damaged[random() % damaged.size()] = char(random());
      lmap::Mapping m;
      if (!m.ParseFromString(damaged)) continue;
      m.mutable_header()->set_chip_text(chip);
      std::vector<std::string> errors;
      const auto program = makeProgram(m, errors);
      if (!program) {
        EXPECT_FALSE(errors.empty());
        ++refused;
        continue;
      }
      if (program->steps > 100 || program->input_size > 1 << 20) continue;
      std::vector<uint8_t> sample = input;
      sample.resize(program->input_size);
      std::vector<int32_t> outputs;
      Simulator(program, {}).run(sample.data(), outputs);
      ++run;
    }
  }
  EXPECT_GT(refused, 20u);
  EXPECT_GT(run, 20u);
}

} // namespace
} // namespace lasnn::test
