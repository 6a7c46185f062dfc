// A mapped network computes what the network does: outputs equal the plain executor's after the mapping's latency, on random networks, on a
// small chip where every limit is near. LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks.
#include "backends/loihi/check/check.h"
#include "backends/loihi/lower/lower.h"
#include "backends/loihi/map/map.h"
#include "backends/loihi/map/tiling.h"
#include "backends/loihi/map/traffic.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/plain_mapper.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace lasnn::test {
namespace {

using namespace loihi;

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string joined(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line + "\n";
  return text;
}

/// A clamp that acts is mostly one that the chip does not have: most networks here go without, some keep theirs and are refused or exact.
plan::Network chipPlan(uint64_t seed) {
  plan::Network plan = randomChipPlan(seed);
  if (seed % 10 == 0) return plan;
  for (plan::Layer &layer : plan.layers) {
    layer.neuron.state_bits = 24;
    layer.neuron.has_v_min = layer.neuron.has_v_min && seed % 10 < 4;
    layer.neuron.v_min = 0;
    for (size_t k = 0; k < layer.neuron.rho.size() && layer.neuron.has_v_min; ++k)
      layer.neuron.rho[k] = std::min(layer.neuron.rho[k], layer.neuron.v_threshold[k] + 1);
  }
  return plan;
}

void expectEqual(const plan::Network &plan, const lmap::Mapping &mapping, const std::string &what) {
  std::vector<std::string> errors;
  const auto program = makeProgram(mapping, errors);
  ASSERT_TRUE(program) << what << ": " << joined(errors);
  Simulator simulator(program, {});
  for (uint64_t sample = 0; sample < 2; ++sample) {
    const std::vector<uint8_t> input = randomInput(plan, sample + 5);
    std::vector<int32_t> outputs;
    simulator.run(input.data(), outputs);
    ASSERT_EQ(outputs, Reference(plan).run(input).outputs.back()) << what << ", sample " << sample;
  }
  EXPECT_TRUE(simulator.statistics().events.exact()) << what;
}

TEST(LoihiMap, RandomNetworksComputeTheSameOnTheChip) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 300);
  uint64_t mapped = 0, several = 0;
  uint64_t refused = 0;
  for (uint64_t seed = first; seed < first + count && !HasFatalFailure(); ++seed) {
    const plan::Network plan = chipPlan(seed);
    const Chip chip = *loadChip(seed % 3 ? "tiny" : "loihi1").chip;
    MapOptions options;
    options.seed = seed;
    options.threads = 1;
    const MapResult result = mapNetwork(plan, chip, options, {});
    if (!result.mapping || !result.errors.empty()) {
      ++refused;
      EXPECT_FALSE(result.errors.empty());
      continue;
    }
    ++mapped;
    several += result.mapping->cores_size() > 1;
    const check::Result checked = check::check(*result.mapping, chip);
    EXPECT_TRUE(checked.ok()) << "seed " << seed << ": " << checked.text();
    expectEqual(plan, *result.mapping, "seed " + std::to_string(seed));
  }
  std::printf("%llu mapped, %llu of them on several cores, %llu refused\n", static_cast<unsigned long long>(mapped),
              static_cast<unsigned long long>(several), static_cast<unsigned long long>(refused));
  EXPECT_GT(mapped, count * 3 / 4);
  EXPECT_GT(several, mapped / 2);
}

/// A chain of convolutions and a read-out large enough that cores are full: lists of several entries, cxBase beyond its limit, packed
/// cores.
struct Conv {
  uint32_t channels, kernel, stride, pad;
};
plan::Network chain(uint64_t seed, uint32_t decay, plan::Reset reset, bool direct,
                    const std::vector<Conv> &convs = {{16, 3, 2, 1}, {32, 3, 2, 1}, {64, 4, 2, 1}}) {
  std::mt19937_64 random(seed);
  plan::Network net;
  net.name = "chain";
  net.timesteps = 4;
  net.encoding = direct ? plan::Encoding::Direct : plan::Encoding::Events;
  net.buffers.push_back({"input", 2, 28, 28, 1});
  if (direct)
    for (int i = 0; i < 512; ++i)
      net.encode_table.push_back(int8_t(int(random() % 21) - 10));
  const auto add = [&](uint32_t channels, uint32_t kernel, uint32_t stride, uint32_t pad, bool readout) {
    const plan::Buffer in = net.buffers.back();
    plan::Layer layer;
    layer.name = "layer" + std::to_string(net.layers.size());
    plan::Synapse s;
    s.name = layer.name;
    s.input = uint32_t(net.buffers.size()) - 1;
    s.kernel_h = readout ? in.height : kernel, s.kernel_w = readout ? in.width : kernel;
    s.stride_h = s.stride_w = stride;
    s.pad_top = s.pad_left = int32_t(pad);
    layer.out_channels = channels;
    layer.out_height = (in.height + 2 * pad - s.kernel_h) / stride + 1;
    layer.out_width = (in.width + 2 * pad - s.kernel_w) / stride + 1;
    s.weight.resize(size_t(channels) * in.channels * s.kernel_h * s.kernel_w);
    for (int8_t &w : s.weight)
      w = int8_t(int(random() % 255) - 120);
    layer.synapses.push_back(std::move(s));
    for (uint32_t k = 0; k < channels; ++k)
      layer.bias.push_back(int32_t(random() % 101) - 50);
    if (readout) {
      layer.kind = plan::LayerKind::Readout;
      net.output_count = channels;
    } else {
      layer.neuron.decay = decay;
      layer.neuron.reset = reset;
      layer.neuron.state_bits = 24;
      for (uint32_t k = 0; k < channels; ++k)
        layer.neuron.v_threshold.push_back(64 << (random() % 3));
      if (reset == plan::Reset::Subtract) layer.neuron.rho = layer.neuron.v_threshold;
      layer.output = uint32_t(net.buffers.size());
      net.buffers.push_back({layer.name, channels, layer.out_height, layer.out_width, 1});
    }
    net.layers.push_back(std::move(layer));
  };
  for (const Conv &c : convs)
    add(c.channels, c.kernel, c.stride, c.pad, false);
  add(10, 0, 1, 0, true);
  return net;
}

TEST(LoihiMap, FullCoresComputeTheSameOnTheChip) {
  const Chip chip = *loadChip("loihi1").chip;
  for (uint64_t seed = 1; seed <= 6 && !HasFatalFailure(); ++seed) {
    const plan::Network plan = chain(seed, seed % 3 == 0 ? 0 : 2048, seed % 2 ? plan::Reset::Zero : plan::Reset::Subtract, seed > 3);
    MapOptions options;
    options.effort = uint32_t(seed < 4 ? seed - 1 : 2);
    const MapResult result = mapNetwork(plan, chip, options, {});
    ASSERT_TRUE(result.mapping && result.errors.empty()) << joined(result.errors);
    const check::Result checked = check::check(*result.mapping, chip);
    EXPECT_TRUE(checked.ok()) << checked.text();
    expectEqual(plan, *result.mapping, "chain " + std::to_string(seed));
  }
}

/// Every search gives way; what fits at all is still found.
/// What a layer's cut costs in packets is known when the layer is cut: a narrow beam finds what a wide one finds.
TEST(LoihiMap, ANarrowSearchFindsTheQuietestBoxes) {
  const Chip chip = *loadChip("loihi1").chip;
  // Synapse memory binds: full depth in small boxes, or large boxes of few channels.
  const LowerResult lowered =
      lower(chain(1, 2048, plan::Reset::Zero, true, {{64, 3, 2, 1}, {64, 3, 1, 1}, {96, 3, 2, 1}, {128, 3, 1, 1}}), chip);
  ASSERT_TRUE(lowered.model);
  const auto packets = [&](uint32_t beam, uint32_t grids) {
    TilingOptions options;
    options.objective = *parseObjective("energy");
    options.beam = beam, options.grids = grids;
    const TilingResult cut = tile(*lowered.model, chip, options);
    EXPECT_LT(cut.failed, 0);
    Partition partition;
    std::vector<CoreBuild> builds;
    for (uint32_t p = 0; p < lowered.model->populations.size(); ++p)
      for (Tile &tile : tilesOf(p, lowered.model->populations[p], cut.grids[p])) {
        partition.cores.push_back({std::move(tile)});
        builds.push_back(buildCore(*lowered.model, partition.cores.back(), chip));
      }
    double sum = 0;
    for (const Traffic::Edge &e : trafficOf(*lowered.model, partition, builds).edges)
      sum += e.packets;
    return sum;
  };
  const double narrow = packets(4, 8), wide = packets(128, 64);
  EXPECT_EQ(narrow, wide);
  EXPECT_GT(wide, 0);
}

TEST(LoihiMap, NoTimeStillGivesAMappingThatFits) {
  const Chip chip = *loadChip("loihi1").chip;
  for (const char *objective : {"cores", "energy"}) {
    const plan::Network plan = chain(2, 2048, plan::Reset::Subtract, false);
    MapOptions options;
    options.objective = *parseObjective(objective);
    options.effort = 4;
    options.time_limit_s = 1e-6;
    const MapResult result = mapNetwork(plan, chip, options, {});
    ASSERT_TRUE(result.mapping && result.errors.empty()) << joined(result.errors);
    EXPECT_TRUE(check::check(*result.mapping, chip).ok());
    expectEqual(plan, *result.mapping, objective);
  }
}

} // namespace
} // namespace lasnn::test
