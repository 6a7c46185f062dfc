// What the chip cannot compute is refused with the layer, the needed and the allowed numbers and a cure; what it can only just compute is
// not.
#include "backends/loihi/map/map.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/rich_plan.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

namespace lasnn::test {
namespace {

using namespace loihi;

Chip loihi1() { return *loadChip("loihi1").chip; }

/// Spikes of 4x4 pixels, one layer, a read-out.
struct Net {
  plan::Network plan;
  plan::Layer *layer() { return &plan.layers[0]; }

  Net() {
    plan.name = "net";
    plan.timesteps = 4;
    plan.encoding = plan::Encoding::Events;
    plan.buffers = {{"in", 2, 4, 4, 1}, {"hidden", 3, 4, 4, 1}};
    plan::Layer hidden;
    hidden.name = "hidden";
    hidden.synapses.push_back(synapse(0, 3, 2, 1, 1));
    hidden.out_channels = 3, hidden.out_height = hidden.out_width = 4;
    hidden.bias = {0, 3, -2};
    hidden.neuron.state_bits = 24;
    hidden.neuron.v_threshold = {64, 128, 64};
    hidden.output = 1;
    plan::Layer out;
    out.kind = plan::LayerKind::Readout;
    out.name = "out";
    out.synapses.push_back(synapse(1, 2, 3, 4, 4));
    out.out_channels = 2;
    out.bias = {1, 2};
    plan.layers = {hidden, out};
    plan.output_count = 2;
  }
  static plan::Synapse synapse(uint32_t input, uint32_t k, uint32_t c, uint32_t h, uint32_t w) {
    plan::Synapse s;
    s.name = "s";
    s.input = input, s.kernel_h = h, s.kernel_w = w;
    for (uint32_t i = 0; i < k * c * h * w; ++i)
      s.weight.push_back(int8_t(int(i * 37 % 101) - 50));
    return s;
  }
  std::string refusal(const Chip &chip = loihi1()) const {
    const LowerResult result = lower(plan, chip);
    std::string all;
    for (const std::string &error : result.errors)
      all += error + "\n";
    return all;
  }
  void expectSame(const Chip &chip = loihi1()) const {
    const MapResult mapped = mapNetwork(plan, chip, {}, {});
    ASSERT_TRUE(mapped.mapping && mapped.errors.empty()) << refusal(chip);
    std::vector<std::string> errors;
    Simulator simulator(makeProgram(*mapped.mapping, errors), {});
    for (uint64_t seed = 1; seed < 8; ++seed) {
      const std::vector<uint8_t> input = randomInput(plan, seed);
      std::vector<int32_t> outputs;
      simulator.run(input.data(), outputs);
      EXPECT_EQ(outputs, Reference(plan).run(input).outputs.back());
    }
  }
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << text

TEST(LoihiLower, LeakyThresholdsAreMultiplesOf64) {
  Net net;
  net.layer()->neuron.decay = 1024;
  net.expectSame();
  net.layer()->neuron.v_threshold[1] = 10;
  const std::string text = net.refusal();
  EXPECT_HAS(text, "layer 'hidden'");
  EXPECT_HAS(text, "threshold 10 (channel 1) is no multiple of 64");
  net.layer()->neuron.decay = 0; // without leak a larger scale holds any threshold
  net.expectSame();
  net.layer()->neuron.decay = 4096; // without memory the rest goes into the bias
  net.layer()->neuron.v_threshold[2] = -7;
  net.expectSame();
}

TEST(LoihiLower, WeightsWiderThanTheChipHolds) {
  Net net;
  Chip chip = loihi1();
  chip.bits.weight = {0, 1, 2, 3, 4};
  const std::string text = net.refusal(chip);
  EXPECT_HAS(text, "layer 'hidden': weights -50 .. 34 of 's' are too wide: a synapse of the chip has 4 bits, which hold -8 .. 7, or up to "
                   "15 of one sign; use narrower weights (--weights)\n");
  EXPECT_HAS(text, "layer 'out': weights"); // all of them at once
  for (plan::Layer &layer : net.plan.layers)
    for (int8_t &w : layer.synapses[0].weight)
      w = int8_t(w / 8);
  net.expectSame(chip);
}

TEST(LoihiLower, ANetworkThatCannotFitSaysWhichLimitByHowMuchAndWhatHelps) {
  const auto errorOf = [](const Net &net, const Chip &chip) {
    const MapResult mapped = mapNetwork(net.plan, chip, {}, {});
    return mapped.errors.empty() ? std::string() : mapped.errors[0];
  };
  Net net;
  Chip chip = loihi1();
  chip.limits.input_axons.value = 17;  // a hidden neuron hears 2 inputs, a read-out's all 48 hidden ones
  chip.slots.population_atom_bits = 0; // none share an axon
  std::string text = errorOf(net, chip);
  EXPECT_HAS(text, "layer 'out': no cut of it fits a core of chip 'loihi1', the least that cuts need: 48 input_axons, allowed 17 (");
  EXPECT_HAS(text, "a smaller kernel, fewer input channels, or groups");
  chip = loihi1();
  chip.limits.synapse_words.value = 1;
  EXPECT_HAS(errorOf(net, chip), "synapse_words, allowed 1 (");
  chip = loihi1();
  chip.limits.compartments.value = 8;
  chip.mesh.chips = 1, chip.mesh.cores_per_chip = 2;
  text = errorOf(net, chip);
  EXPECT_HAS(text, "chips, allowed 1 chips");
  EXPECT_HAS(text, "use fewer channels, or a board with more chips (mesh.chips of the chip's file)");
}

TEST(LoihiLower, MaximumPools) {
  Net net;
  net.plan.buffers.push_back({"pooled", 3, 2, 2, 1});
  plan::Layer pool;
  pool.kind = plan::LayerKind::Pool;
  pool.name = "pool";
  pool.pool = plan::PoolKind::Max;
  pool.inputs = {1};
  pool.kernel_h = pool.kernel_w = pool.stride_h = pool.stride_w = 2;
  pool.out_channels = 3, pool.out_height = pool.out_width = 2;
  pool.output = 2;
  net.plan.layers.insert(net.plan.layers.begin() + 1, pool);
  net.plan.layers[2].synapses[0] = Net::synapse(2, 2, 3, 2, 2);
  net.expectSame();                              // of binary spikes: OR neurons
  net.plan.layers[1].pool = plan::PoolKind::Sum; // part of the next synapse
  net.plan.buffers[2].max_count = 4;
  net.expectSame();
  EXPECT_EQ(lower(net.plan, loihi1()).model->populations.size(), 2u);
  net.layer()->current_height = net.layer()->current_width = 4;
  EXPECT_HAS(net.refusal(), "maximum over windows of currents");
  EXPECT_HAS(net.refusal(), "train with average pools");
}

TEST(LoihiLower, GradedSpikesAreLoihi2s) {
  Net net;
  net.layer()->neuron.reset = plan::Reset::Subtract;
  net.layer()->neuron.rho = {64, 128, 64};
  net.layer()->neuron.s_max = 3;
  net.plan.buffers[1].max_count = 3;
  EXPECT_HAS(net.refusal(), "up to 3 spikes a step, allowed 1");
  EXPECT_HAS(net.refusal(), "compile for loihi2");
  net.expectSame(*loadChip("loihi2").chip);
}

TEST(LoihiLower, NeuronsWithoutMemoryCountTheirSpikes) {
  Net net;
  net.layer()->neuron.decay = 4096; // nothing is left to reset, but the count still goes by rho
  net.layer()->neuron.reset = plan::Reset::Subtract;
  net.layer()->neuron.v_threshold = {10, 7, -3};
  net.layer()->neuron.rho = {20, 9, 31};
  net.layer()->neuron.s_max = 4;
  net.plan.buffers[1].max_count = 4;
  net.expectSame(*loadChip("loihi2").chip);
}

TEST(LoihiLower, ResetsCostWhatTheyCost) {
  Net net;
  EXPECT_EQ(lower(net.plan, loihi1()).model->populations[0].compartments, 1u);
  net.layer()->neuron.reset = plan::Reset::Subtract;
  net.layer()->neuron.rho = {64, 128, 64};
  EXPECT_EQ(lower(net.plan, loihi1()).model->populations[0].compartments, 2u);
  EXPECT_EQ(lower(net.plan, *loadChip("loihi2").chip).model->populations[0].compartments, 1u);
  net.expectSame();
  net.layer()->neuron.reset = plan::Reset::None;
  net.expectSame();
  net.layer()->neuron.reset = plan::Reset::Value;
  net.layer()->neuron.v_reset = {-64, 10, 0};
  net.expectSame(); // an offset, where nothing leaks
  net.layer()->neuron.decay = 100;
  EXPECT_HAS(net.refusal(), "reset to values other than 0");
}

TEST(LoihiLower, ClampsThatTheChipLacksMustNotAct) {
  Net net;
  net.layer()->neuron.has_v_min = true;
  net.layer()->neuron.v_min = 0;
  net.expectSame();
  net.layer()->neuron.v_min = -5;
  EXPECT_HAS(net.refusal(), "would be clamped to -5");
  net.layer()->neuron.v_min = -100000;
  net.expectSame();
}

TEST(LoihiLower, BiasOfManyBitsTakesRegisters) {
  Net net;
  net.layer()->neuron.decay = 1;
  net.layer()->bias = {4095, 40960, 12345};
  const LowerResult lowered = lower(net.plan, loihi1());
  ASSERT_TRUE(lowered.model);
  EXPECT_EQ(lowered.model->populations[0].bias_terms, 2u);
  EXPECT_EQ(lowered.model->populations[0].compartments, 2u);
  net.expectSame();
}

TEST(LoihiLower, WideLinearLayersShareAxons) {
  Net net;
  net.plan.buffers[0] = {"in", 2, 40, 40, 1};
  net.plan.buffers[1] = {"hidden", 3, 40, 40, 1};
  net.layer()->out_height = net.layer()->out_width = 40;
  net.plan.layers[1].synapses[0] = Net::synapse(1, 2, 3, 40, 40); // 4,800 sources, 4,096 axons
  net.expectSame();
  const MapResult mapped = mapNetwork(net.plan, loihi1(), {}, {});
  uint64_t shared = 0;
  for (const lmap::Core &core : mapped.mapping->cores())
    shared += uint64_t(core.shared_size());
  EXPECT_GT(shared, 4u);
}

/// `from` of the step before, `steps` times, into layer `to`.
void feed(Net &net, uint32_t from, size_t to, uint32_t steps) {
  const plan::Buffer in = net.plan.buffers[from];
  for (uint32_t i = 0; i < steps; ++i) {
    net.plan.buffers.push_back(in);
    net.plan.delays.push_back({i == 0 ? from : uint32_t(net.plan.buffers.size()) - 2, uint32_t(net.plan.buffers.size()) - 1});
  }
  plan::Synapse s = Net::synapse(uint32_t(net.plan.buffers.size()) - 1, net.plan.layers[to].out_channels, in.channels, 1, 1);
  s.name = "back";
  net.plan.layers[to].synapses.push_back(std::move(s));
}

TEST(LoihiLower, ALayerHearsItself) {
  for (const plan::Reset reset : {plan::Reset::Zero, plan::Reset::Subtract}) {
    Net net;
    net.layer()->neuron.reset = reset;
    net.layer()->neuron.rho = {64, 128, 64};
    feed(net, 1, 0, 1);
    const LowerResult lowered = lower(net.plan, loihi1());
    ASSERT_TRUE(lowered.model);
    EXPECT_EQ(lowered.model->projections[1].delay, 0u); // the step that every spike takes is the step of the network
    EXPECT_EQ(lowered.model->latency, 1u);
    net.expectSame();
  }
}

/// hidden, then `second`, then the read-out; `second` feeds hidden `steps` steps late.
Net loopOfTwo(uint32_t steps) {
  Net net;
  plan::Layer second = net.plan.layers[0];
  second.name = "second";
  second.synapses[0] = Net::synapse(1, 3, 3, 1, 1);
  second.output = 2;
  net.plan.buffers.push_back({"second", 3, 4, 4, 1});
  net.plan.layers.insert(net.plan.layers.begin() + 1, second);
  net.plan.layers[2].synapses[0].input = 2;
  feed(net, 2, 0, steps);
  return net;
}

TEST(LoihiLower, ALoopNeedsADelayForEachOfItsLayers) {
  const std::string text = loopOfTwo(1).refusal();
  EXPECT_HAS(text, "layer 'hidden'");
  EXPECT_HAS(text,
             "the loop 'hidden' -> 'second' -> 'hidden' takes 2 chip steps, one a layer, but its delays (snn.delay, rule D1) give 1 ");
  EXPECT_HAS(text, "delay it by 1 more");
  const Net two = loopOfTwo(2), five = loopOfTwo(5);
  two.expectSame();
  five.expectSame();
  EXPECT_EQ(lower(two.plan, loihi1()).model->projections[1].delay, 0u);
  EXPECT_EQ(lower(five.plan, loihi1()).model->projections[1].delay, 3u); // waits for the loop's other three
}

TEST(LoihiLower, WhatComesLateWaitsInTheDelayField) {
  Net net;
  feed(net, 1, 1, 3); // the read-out hears the hidden layer late
  net.expectSame();
  feed(net, 0, 0, 2); // and the hidden layer the input
  net.expectSame();
  EXPECT_EQ(lower(net.plan, loihi1()).model->latency, 1u);
  feed(net, 1, 0, 20);
  EXPECT_HAS(net.refusal(*loadChip("tiny").chip),
             "'back' comes 20 steps late (snn.delay) and needs a delay of 19 steps, allowed 14; delay it by 5 steps less");
  net.expectSame();
}

TEST(LoihiLower, RandomFeedbackIsMappedOrRefusedByName) {
  int mapped = 0, loops = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const plan::Network plan = seed % 2 ? randomRecurrentPlan(seed) : richPlan(seed, {true, 8, true});
    const LowerResult result = lower(plan, *loadChip("loihi2").chip);
    mapped += result.model && !plan.delays.empty();
    for (const std::string &error : result.errors) {
      EXPECT_HAS(error, "layer '");
      loops += error.find("the loop '") != std::string::npos;
    }
    ASSERT_NE(bool(result.model), !result.errors.empty()) << "seed " << seed;
  }
  EXPECT_GT(mapped, 2);
  EXPECT_GT(loops, 2);
}

TEST(LoihiLower, SkipsLongerThanTheDelayFieldAreRefused) {
  Net net;
  const plan::Layer hidden = net.plan.layers[0];
  plan::Layer out = net.plan.layers[1];
  net.plan.layers.pop_back();
  for (uint32_t i = 0; i < 20; ++i) {
    plan::Layer next = hidden;
    next.name = "deep" + std::to_string(i);
    next.synapses[0] = Net::synapse(uint32_t(net.plan.buffers.size()) - 1, 3, 3, 1, 1);
    next.output = uint32_t(net.plan.buffers.size());
    net.plan.buffers.push_back({next.name, 3, 4, 4, 1});
    net.plan.layers.push_back(next);
  }
  out.synapses.push_back(out.synapses[0]);
  out.synapses[0].input = uint32_t(net.plan.buffers.size()) - 1; // and the other, from the first layer, 20 steps early
  net.plan.layers.push_back(out);
  net.expectSame(); // 62 steps are allowed
  EXPECT_HAS(net.refusal(*loadChip("tiny").chip), "needs a delay of 20 steps, allowed 14");
}

TEST(LoihiMap, TheSameSeedGivesTheSameBytesForAnyThreads) {
  Net net;
  MapOptions one, many;
  one.threads = 1, many.threads = 5;
  EXPECT_EQ(writeLmap(*mapNetwork(net.plan, loihi1(), one, {}).mapping), writeLmap(*mapNetwork(net.plan, loihi1(), many, {}).mapping));
}

TEST(LoihiMap, BothFormsOfAFileReadBack) {
  Net net;
  const lmap::Mapping mapping = *mapNetwork(net.plan, loihi1(), {}, {}).mapping;
  const std::vector<uint8_t> bytes = writeLmap(mapping);
  lmap::Mapping binary, json;
  std::string error;
  ASSERT_TRUE(readLmap(bytes, binary, error)) << error;
  const std::string text = lmapToJson(mapping, error);
  ASSERT_TRUE(readLmap({text.begin(), text.end()}, json, error)) << error;
  EXPECT_EQ(writeLmap(binary), bytes);
  EXPECT_EQ(writeLmap(json), bytes);
  std::vector<uint8_t> damaged = bytes;
  damaged[damaged.size() / 2] ^= 4;
  EXPECT_FALSE(readLmap(damaged, binary, error));
}

} // namespace
} // namespace lasnn::test
