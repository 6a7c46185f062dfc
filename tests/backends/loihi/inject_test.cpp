// What reaches a chip from outside, and how, counted by hand: biases of the image and of the layers, spikes, counts, graded spikes.
#include "backends/loihi/map/map.h"
#include "backends/loihi/sim/simulator.h"

#include <gtest/gtest.h>

namespace lasnn::test {
namespace {

using namespace loihi;

plan::Synapse weights(uint32_t input, std::vector<int8_t> values) {
  plan::Synapse s;
  s.name = "s", s.input = input, s.weight = std::move(values);
  return s;
}

/// One neuron without leak.
plan::Layer neuron(const std::string &name, uint32_t output, std::vector<plan::Synapse> synapses, int32_t bias, int32_t threshold) {
  plan::Layer layer;
  layer.name = name, layer.output = output, layer.synapses = std::move(synapses);
  layer.out_channels = 1, layer.bias = {bias};
  layer.neuron.state_bits = 24, layer.neuron.v_threshold = {threshold}, layer.neuron.rho = {0}, layer.neuron.v_reset = {0};
  return layer;
}

plan::Network network(plan::Encoding encoding, uint32_t timesteps, uint32_t max_count, std::vector<plan::Layer> layers, int8_t readout) {
  plan::Network net;
  net.name = "inject", net.timesteps = timesteps, net.encoding = encoding, net.output_count = 1;
  net.buffers = {{"in", 1, 1, 1, max_count}};
  for (const plan::Layer &layer : layers)
    net.buffers.push_back({layer.name, 1, 1, 1, layer.neuron.s_max});
  plan::Layer out;
  out.kind = plan::LayerKind::Readout, out.name = "out", out.out_channels = 1, out.bias = {0};
  out.synapses = {weights(uint32_t(layers.size()), {readout})};
  net.layers = std::move(layers);
  net.layers.push_back(out);
  if (encoding == plan::Encoding::Direct)
    for (int p = 0; p < 256; ++p)
      net.encode_table.push_back(int8_t(p / 2));
  return net;
}

struct Ran {
  std::vector<int32_t> outputs;
  std::vector<std::vector<uint8_t>> spikes;
  Counts counts;
  lmap::Mapping mapping;
};

Ran run(const plan::Network &net, const char *chip, const std::vector<uint8_t> &sample) {
  const MapResult mapped = mapNetwork(net, *loadChip(chip).chip, {}, {});
  std::vector<std::string> errors = mapped.errors;
  const auto program = mapped.mapping ? makeProgram(*mapped.mapping, errors) : nullptr;
  Ran ran;
  for (const std::string &error : errors)
    ADD_FAILURE() << error;
  if (!program) return ran;
  SimulatorOptions options;
  options.record_spikes = true;
  Simulator simulator(program, options);
  simulator.run(sample.data(), ran.outputs);
  EXPECT_TRUE(simulator.statistics().events.exact());
  ran.spikes = simulator.spikes(), ran.counts = simulator.statistics().total(), ran.mapping = *mapped.mapping;
  return ran;
}

using Train = std::vector<uint8_t>;

TEST(LoihiInject, ABiasActsInTheLayersOwnStepsOnly) {
  // `late` starts a step behind: had its bias of 30 been on before, it would fire a step early.
  const plan::Network net = network(plan::Encoding::Events, 7, 1,
                                    {neuron("first", 1, {weights(0, {1})}, 0, 50), neuron("late", 2, {weights(1, {1})}, 30, 64)}, 5);
  const Ran ran = run(net, "loihi1", Train(7, 1));
  ASSERT_EQ(ran.mapping.layers(1).start(), 1u);
  EXPECT_EQ(ran.spikes[1], (Train{0, 0, 1, 0, 0, 1, 0})); // 30, 60, 90 > 64
  EXPECT_EQ(ran.outputs, (std::vector<int32_t>{10}));
  EXPECT_EQ(ran.counts.host_in, 7u);
}

TEST(LoihiInject, AnImageIsABiasOfEveryStep) {
  const plan::Network net = network(plan::Encoding::Direct, 5, 255, {neuron("stem", 1, {weights(0, {3})}, -11, 100)}, 1);
  const Ran ran = run(net, "loihi1", {40}); // 3 * 40/2 - 11 = 49
  EXPECT_EQ(ran.spikes[0], (Train{0, 0, 1, 0, 0}));
  EXPECT_EQ(ran.counts.host_in, 0u);
  for (const lmap::Core &core : ran.mapping.cores())
    for (const lmap::Group &group : core.groups())
      EXPECT_EQ(group.bias_terms(), group.layer() == 0 ? 1u : 0u); // up to 370 * 64: one register, whose exponent is 6
}

TEST(LoihiInject, ACountOfNIsNSpikes) {
  const plan::Network net = network(plan::Encoding::Events, 4, 3, {neuron("first", 1, {weights(0, {20})}, 0, 64)}, 7);
  const Ran ran = run(net, "loihi1", {3, 1, 2, 0}); // 60, 80 (fires), 40, 40
  EXPECT_EQ(ran.spikes[0], (Train{0, 1, 0, 0}));
  EXPECT_EQ(ran.outputs, (std::vector<int32_t>{7}));
  EXPECT_EQ(ran.counts.host_in, 6u);
}

TEST(LoihiInject, AGradedSpikeIsOneMessage) {
  plan::Layer first = neuron("first", 1, {weights(0, {100})}, 0, 64);
  first.neuron.reset = plan::Reset::Subtract, first.neuron.rho = {64}, first.neuron.s_max = 4;
  const plan::Network net = network(plan::Encoding::Events, 4, 2, {first}, -3);
  const Ran ran =
      run(net, "loihi2", {2, 2, 0, 1}); // 200 - 3*64 = 8; 208 - 192 = 16; 16; 116 - 64 = 52: 200 > 64, 128, 192; 208 likewise; 116 > 64
  EXPECT_EQ(ran.spikes[0], (Train{3, 3, 0, 1}));
  EXPECT_EQ(ran.outputs, (std::vector<int32_t>{-21}));
  EXPECT_EQ(ran.counts.messages_out, 3u);
  EXPECT_EQ(ran.counts.host_in, 5u);
}

} // namespace
} // namespace lasnn::test
