// Every kind of packed row on every ISA equals the plain executor, to the bit: each width, at every count of channels where a block
// or a row ends, with weights and spikes at their extremes, and currents that reach the int16 limits exactly.
#include "format/layout.h"
#include "lasnn_generated.h"
#include "tests/runtime/model.h"
#include "tests/runtime/reference.h"

#include <random>

namespace lasnn::test {
namespace {

enum class Weights { Random, Highest, Lowest, Alternating };
enum class Spikes { None, All, Alternating, Tenth, Half };

/// Frames of all steps.
std::vector<uint8_t> spikesOf(const plan::Network &plan, Spikes kind, std::mt19937_64 &random) {
  const plan::Buffer &in = plan.buffers[0];
  std::vector<uint8_t> input(size_t(in.channels) * in.height * in.width * plan.timesteps);
  for (size_t i = 0; i < input.size(); ++i)
    switch (kind) {
    case Spikes::None:
      break;
    case Spikes::All:
      input[i] = uint8_t(in.max_count);
      break;
    case Spikes::Alternating:
      input[i] = uint8_t(i % 2);
      break;
    case Spikes::Tenth:
      input[i] = random() % 10 == 0;
      break;
    case Spikes::Half:
      input[i] = random() % 2;
      break;
    }
  return input;
}

void fill(plan::Synapse &s, size_t size, uint32_t bits, Weights kind, std::mt19937_64 &random) {
  const int low = -(1 << (bits - 1)), high = -low - 1;
  s.weight.resize(size);
  for (size_t i = 0; i < size; ++i)
    s.weight[i] = int8_t(kind == Weights::Highest  ? high
                         : kind == Weights::Lowest ? low
                         : kind == Weights::Random ? low + int(random() % unsigned(high - low + 1))
                         : i % 2                   ? low
                                                   : high);
  s.weight[size - 1] = int8_t(low); // whatever else, the width is needed
}

/// Events -> one layer of neurons -> read-out of the same width.
struct Case {
  uint32_t bits, in_channels, size, out_channels, kernel, state_bits, max_count, s_max;
  Weights weights;
};

plan::Network makePlan(const Case &c, std::mt19937_64 &random) {
  plan::Network plan;
  plan.encoding = plan::Encoding::Events;
  plan.timesteps = 3;
  plan.buffers = {{"in", c.in_channels, c.size, c.size, c.max_count}, {"spikes", c.out_channels, c.size, c.size, c.s_max}};
  plan::Layer neurons, out;
  neurons.name = "neurons", neurons.output = 1;
  neurons.out_channels = c.out_channels, neurons.out_height = neurons.out_width = c.size;
  neurons.synapses.resize(1);
  plan::Synapse &s = neurons.synapses[0];
  s.kernel_h = s.kernel_w = c.kernel, s.pad_top = s.pad_left = int32_t(c.kernel / 2);
  const size_t each = size_t(c.in_channels) * c.kernel * c.kernel;
  fill(s, each * c.out_channels, c.bits, c.weights, random);
  neurons.current_fits_int16 = true;
  for (uint32_t k = 0; k < c.out_channels; ++k) {
    int64_t above = 0, below = 0;
    for (size_t i = 0; i < each; ++i)
      (s.weight[k * each + i] > 0 ? above : below) += int64_t(s.weight[k * each + i]) * c.max_count;
    // All on, the current of every other channel is 32767, of the others -32768, wherever the range allows.
    const int64_t bias = above - below > 65535 ? 0 : k % 2 ? 32767 - above : -32768 - below;
    neurons.current_fits_int16 = neurons.current_fits_int16 && above - below <= 65535;
    neurons.bias.push_back(int32_t(bias));
  }
  neurons.neuron.decay = 300;
  neurons.neuron.reset = c.s_max > 1 ? plan::Reset::Subtract : plan::Reset::Zero;
  neurons.neuron.state_bits = c.state_bits;
  neurons.neuron.s_max = c.s_max;
  for (uint32_t k = 0; k < c.out_channels; ++k) {
    neurons.neuron.v_threshold.push_back(int32_t(random() % 2000) - 1000);
    neurons.neuron.rho.push_back(int32_t(random() % 2000) + 1);
  }
  out.kind = plan::LayerKind::Readout, out.name = "out";
  out.out_channels = c.out_channels;
  out.bias.assign(c.out_channels, 3);
  out.synapses.resize(1);
  out.synapses[0].input = 1, out.synapses[0].kernel_h = out.synapses[0].kernel_w = c.size;
  fill(out.synapses[0], size_t(c.out_channels) * c.out_channels * c.size * c.size, c.bits, c.weights, random);
  plan.layers = {neurons, out};
  plan.output_count = c.out_channels;
  return plan;
}

uint32_t packedBits(const AlignedBytes &bytes) {
  return format::GetModel(bytes.data.get() + 64)->x86()->layers()->Get(0)->synapses()->Get(0)->weight_bits();
}

void compare(const Case &c, uint64_t seed) {
  std::mt19937_64 random(seed);
  const plan::Network plan = makePlan(c, random);
  const AlignedBytes bytes(fileOf(plan));
  const std::string where = "bits " + std::to_string(c.bits) + ", " + std::to_string(c.in_channels) + "->" +
                            std::to_string(c.out_channels) + ", kernel " + std::to_string(c.kernel) + ", state " +
                            std::to_string(c.state_bits) + ", weights " + std::to_string(int(c.weights));
  ASSERT_EQ(packedBits(bytes), c.out_channels <= 32 && c.bits < 6 ? 6 : c.bits == 5 ? 6 : c.bits) << where;
  for (Spikes kind : {Spikes::None, Spikes::All, Spikes::Alternating, Spikes::Tenth, Spikes::Half}) {
    const std::vector<uint8_t> input = spikesOf(plan, kind, random);
    const ReferenceResult expected = Reference(plan).run(input);
    for (lasnn_isa isa : availableIsas()) {
      const NetworkPtr net = create(bytes, isa);
      std::vector<int32_t> output(plan.output_count);
      ASSERT_EQ(lasnn_run(net.get(), input.data(), input.size(), output.data(), output.size()), LASNN_OK);
      for (uint32_t t = 0; t < plan.timesteps; ++t) {
        std::vector<uint8_t> spikes(expected.layers[0].spikes[t].size());
        ASSERT_EQ(lasnn_get_spikes(net.get(), 0, t, spikes.data(), spikes.size()), LASNN_OK);
        ASSERT_EQ(spikes, expected.layers[0].spikes[t])
            << where << ", spikes " << int(kind) << ", " << lasnn_isa_name(isa) << ", step " << t;
      }
      lasnn_layer_stats stats;
      lasnn_get_layer_stats(net.get(), 0, &stats);
      ASSERT_EQ(stats.clips, expected.layers[0].clips) << where << ", " << lasnn_isa_name(isa);
      ASSERT_EQ(output, expected.outputs.back()) << where << ", spikes " << int(kind) << ", " << lasnn_isa_name(isa);
    }
  }
}

const Weights kAllWeights[] = {Weights::Random, Weights::Highest, Weights::Lowest, Weights::Alternating};

TEST(Rows, EveryWidthAtEveryEndOfABlock) {
  uint64_t seed = 1;
  for (uint32_t bits = 2; bits <= 8; ++bits)
    for (uint32_t channels : {1u, 31u, 32u, 33u, 63u, 64u, 65u, 96u, 97u, 127u, 128u, 129u, 160u, 193u})
      for (uint32_t state_bits : {16u, 24u}) {
        compare({bits, uint32_t(seed % 2 ? 5 : 19), 2, channels, 3, state_bits, 1, 1, kAllWeights[seed % 4]}, seed);
        ++seed;
      }
}

/// Long windows: nibble sums are flushed many times, and all on reaches the limits of int16 where the width allows.
TEST(Rows, LongWindowsReachTheLimitsOfInt16) {
  uint64_t seed = 1000;
  for (uint32_t bits = 2; bits <= 8; ++bits)
    for (uint32_t in : {83u, 85u, 127u, 255u, 256u, 509u})
      for (uint32_t channels : {40u, 100u})
        for (Weights weights : kAllWeights)
          compare({bits, in, 1, channels, 1, 16, 1, 1, weights}, ++seed);
}

/// Counts repeat an event; wide windows are summed in stretches, of 252 byte rows and 4096 nibble rows.
TEST(Rows, CountsAndStretches) {
  uint64_t seed = 2000;
  for (uint32_t bits : {2u, 3u, 4u, 6u, 8u})
    for (uint32_t s_max : {1u, 4u})
      for (Weights weights : kAllWeights) {
        compare({bits, 37, 1, 70, 1, 32, 3, s_max, weights}, ++seed);
        compare({bits, 1400, 1, 66, 1, 24, 3, s_max, weights}, ++seed);
      }
}

/// Widths that meet in one layer: all nibbles, or none.
TEST(Rows, SynapsesOfOneLayerShareAKind) {
  for (uint32_t a : {2u, 3u, 4u, 6u, 8u})
    for (uint32_t b : {2u, 3u, 4u, 7u}) {
      std::mt19937_64 random(a * 10 + b);
      plan::Network plan = makePlan({a, 20, 3, 80, 3, 16, 1, 1, Weights::Random}, random);
      plan::Synapse second = plan.layers[0].synapses[0];
      fill(second, second.weight.size(), b, Weights::Random, random);
      plan.layers[0].synapses.push_back(second);
      plan.layers[0].bias.assign(80, 0);
      const AlignedBytes bytes(fileOf(plan));
      EXPECT_EQ(packedBits(bytes), b <= 4 ? a : std::max(a, 6u));
      const std::vector<uint8_t> input = spikesOf(plan, Spikes::Half, random);
      const ReferenceResult expected = Reference(plan).run(input);
      for (lasnn_isa isa : availableIsas()) {
        std::vector<int32_t> output(plan.output_count);
        ASSERT_EQ(lasnn_run(create(bytes, isa).get(), input.data(), input.size(), output.data(), output.size()), LASNN_OK);
        EXPECT_EQ(output, expected.outputs.back()) << a << " and " << b << " bits, " << lasnn_isa_name(isa);
      }
    }
}

} // namespace
} // namespace lasnn::test
