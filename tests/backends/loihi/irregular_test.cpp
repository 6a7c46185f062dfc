// Networks without a grid (pruned, random, small-world): the multilevel cut fits, the checker finds nothing, the chip computes what the
// network does, and never with more cores than boxes or neurons in order take. Its resource model is compared with exact builds.
#include "backends/loihi/check/check.h"
#include "backends/loihi/lower/lower.h"
#include "backends/loihi/map/irregular.h"
#include "backends/loihi/map/map.h"
#include "backends/loihi/map/multilevel.h"
#include "backends/loihi/map/parts.h"
#include "backends/loihi/map/sequential.h"
#include "backends/loihi/map/tiling.h"
#include "backends/loihi/map/traffic.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace lasnn::test {
namespace {

using namespace loihi;

enum class Shape { Uniform, Neighbours, Groups };

/// Two linear layers of `width` and a read-out. Each neuron hears `fan_in` of the layer before: any, those near it on a shuffled ring, or
/// those of its shuffled group. With `conv`, two pruned convolutions instead.
plan::Network sparse(uint64_t seed, Shape shape, uint32_t width, uint32_t fan_in, bool conv, plan::Reset reset) {
  std::mt19937_64 random(seed);
  plan::Network net;
  net.name = "sparse";
  net.timesteps = 4;
  net.encoding = plan::Encoding::Events;
  if (conv)
    net.buffers.push_back({"input", 4, 6, 6, 1});
  else
    net.buffers.push_back({"input", width, 1, 1, 1});
  std::vector<uint32_t> place(width); // where a neuron lies on the ring
  std::iota(place.begin(), place.end(), 0u);
  const auto add = [&](uint32_t channels, bool readout) {
    const plan::Buffer in = net.buffers.back();
    plan::Layer layer;
    layer.name = "layer" + std::to_string(net.layers.size());
    plan::Synapse s;
    s.name = layer.name;
    s.input = uint32_t(net.buffers.size()) - 1;
    s.kernel_h = s.kernel_w = conv && !readout ? 3 : in.height;
    s.pad_top = s.pad_left = conv && !readout ? 1 : 0;
    layer.out_channels = channels;
    layer.out_height = layer.out_width = conv && !readout ? in.height : 1;
    s.weight.assign(size_t(channels) * in.channels * s.kernel_h * s.kernel_w, 0);
    const auto weight = [&] { return int8_t(random() % 2 ? 1 + random() % 60 : -1 - int(random() % 60)); };
    if (conv || readout) {
      for (int8_t &w : s.weight)
        if (random() % 100 < (readout ? 20 : 25)) w = weight();
    } else {
      std::vector<uint32_t> old = place;
      std::shuffle(place.begin(), place.end(), random);
      std::vector<uint32_t> at(width); // who of the layer before lies there
      for (uint32_t n = 0; n < width; ++n)
        at[old[n]] = n;
      const uint32_t group = 3 * fan_in;
      for (uint32_t k = 0; k < channels; ++k)
        for (uint32_t i = 0; i < fan_in; ++i) {
          uint32_t from = uint32_t(random() % width);
          if (shape == Shape::Neighbours) from = at[(place[k] + random() % (2 * fan_in)) % width];
          if (shape == Shape::Groups) from = at[std::min<uint32_t>(width - 1, uint32_t(place[k] / group * group + random() % group))];
          s.weight[size_t(k) * in.channels + from] = weight();
        }
    }
    layer.synapses.push_back(std::move(s));
    layer.bias.assign(channels, 0);
    if (readout) {
      layer.kind = plan::LayerKind::Readout;
      net.output_count = channels;
    } else {
      layer.neuron.decay = 2048;
      layer.neuron.reset = reset;
      layer.neuron.state_bits = 24;
      for (uint32_t k = 0; k < channels; ++k)
        layer.neuron.v_threshold.push_back(64 << (random() % 2));
      if (reset == plan::Reset::Subtract) layer.neuron.rho = layer.neuron.v_threshold;
      layer.output = uint32_t(net.buffers.size());
      net.buffers.push_back({layer.name, channels, layer.out_height, layer.out_width, 1});
    }
    net.layers.push_back(std::move(layer));
  };
  add(conv ? 8 : width, false);
  add(conv ? 4 : width, false);
  add(4, true);
  return net;
}

const lmap::Score *scoreOf(const lmap::Mapping &mapping, const std::string &name) {
  for (const lmap::Score &s : mapping.result().scores())
    if (s.name() == name && s.cores() > 0) return &s;
  return nullptr;
}

void expectEqual(const plan::Network &plan, const lmap::Mapping &mapping) {
  std::vector<std::string> errors;
  const auto program = makeProgram(mapping, errors);
  ASSERT_TRUE(program) << errors[0];
  Simulator simulator(program, {});
  for (uint64_t sample = 0; sample < 2; ++sample) {
    const std::vector<uint8_t> input = randomInput(plan, sample + 5);
    std::vector<int32_t> outputs;
    simulator.run(input.data(), outputs);
    ASSERT_EQ(outputs, Reference(plan).run(input).outputs.back());
  }
  EXPECT_TRUE(simulator.statistics().events.exact());
}

MapResult mapped(const plan::Network &plan, const Chip &chip, const char *objective, uint64_t seed = 1) {
  MapOptions options;
  options.objective = *parseObjective(objective);
  options.objective_text = objective;
  options.seed = seed;
  options.threads = 1;
  return mapNetwork(plan, chip, options, {});
}

TEST(LoihiIrregular, SparseNetworksFitComputeTheSameAndBeatNeuronsInOrder) {
  const Chip chip = *loadChip("tiny").chip;
  double ours = 0, sequential = 0, our_cores = 0, sequential_cores = 0, local = 0, local_sequential = 0;
  for (uint64_t seed = 1; seed <= 12 && !HasFailure(); ++seed) {
    const Shape shape = Shape(seed % 3);
    const plan::Reset reset = seed % 4 ? plan::Reset::Zero : plan::Reset::Subtract;
    const plan::Network plan = sparse(seed, shape, 96 + 32 * uint32_t(seed % 2), 4, seed > 9, reset);
    for (const char *objective : {"cores", "energy"}) {
      const MapResult result = mapped(plan, chip, objective, seed);
      ASSERT_TRUE(result.mapping && result.errors.empty())
          << "seed " << seed << ", " << objective << ": " << (result.errors.empty() ? "" : result.errors[0]);
      const check::Result checked = check::check(*result.mapping, chip);
      EXPECT_TRUE(checked.ok()) << "seed " << seed << ": " << checked.text();
      expectEqual(plan, *result.mapping);
      const lmap::Score *now = scoreOf(*result.mapping, "this"), *plain = scoreOf(*result.mapping, "sequential");
      ASSERT_TRUE(now);
      if (!plain || std::string(objective) != "energy") continue;
      ours += now->packets(), sequential += plain->packets();
      our_cores += now->cores(), sequential_cores += plain->cores();
      if (shape != Shape::Uniform && seed <= 9) local += now->packets(), local_sequential += plain->packets();
      EXPECT_LE(now->packets(), plain->packets() + 1e-9) << "seed " << seed;
    }
  }
  std::printf("packets %.0f, neurons in order %.0f (%.0f %% fewer); cores %.0f and %.0f; where neurons have neighbours %.0f %% fewer\n",
              ours, sequential, 100 - 100 * ours / sequential, our_cores, sequential_cores, 100 - 100 * local / local_sequential);
  EXPECT_LT(ours, 0.8 * sequential);
  EXPECT_LT(local, 0.7 * local_sequential);
}

TEST(LoihiIrregular, TheSameSeedGivesTheSameBytes) {
  const Chip chip = *loadChip("tiny").chip;
  const plan::Network plan = sparse(3, Shape::Neighbours, 128, 4, false, plan::Reset::Zero);
  const MapResult a = mapped(plan, chip, "energy"), b = mapped(plan, chip, "energy");
  ASSERT_TRUE(a.mapping && b.mapping);
  EXPECT_EQ(writeLmap(*a.mapping), writeLmap(*b.mapping));
}

/// Every number that Parts keeps, and the words' model, against buildCore's.
TEST(LoihiIrregular, TheResourceModelIsExactAndBoundsTheWords) {
  const Chip chip = *loadChip("loihi1").chip;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const plan::Network plan = sparse(seed, Shape(seed % 3), 160, 6, seed % 2 == 0, seed % 4 ? plan::Reset::Zero : plan::Reset::Subtract);
    const LowerResult lowered = lower(plan, chip);
    ASSERT_TRUE(lowered.model) << lowered.errors[0];
    const Model &model = *lowered.model;
    const Population &p = model.populations[1];
    std::mt19937_64 random(seed);
    Atoms atoms(p.neurons());
    std::vector<uint64_t> entries(p.neurons());
    for (uint32_t n = 0; n < p.neurons(); ++n)
      atoms[n] = {n}, entries[n] = random() % 5;
    const auto graph = hypergraphOf(model, 1, atoms, entries, 1'000'000);
    ASSERT_TRUE(graph);
    PartLimits limits;
    limits.compartments = limits.axons = limits.entries = limits.words = limits.thresholds = UINT32_MAX;
    limits.words_of = {sparseWords(model.projections[p.projections[0]], chip)};
    limits.longest = {uint32_t(limits.words_of[0].size()) - 1};
    Parts parts(*graph, limits, 3);
    std::vector<std::vector<uint32_t>> members(3);
    for (uint32_t n = 0; n < p.neurons(); ++n)
      parts.insert(n, uint32_t(random() % 3));
    for (uint32_t move = 0; move < 500; ++move) { // there and back, so that nothing of what is counted depends on the way
      const uint32_t n = uint32_t(random() % p.neurons()), to = uint32_t(random() % 3);
      std::vector<double> gain;
      parts.gains(n, gain);
      const double before = parts.packets();
      parts.move(n, to);
      ASSERT_NEAR(before - parts.packets(), gain[to], 1e-6);
    }
    for (uint32_t n = 0; n < p.neurons(); ++n)
      members[parts.of(n)].push_back(n);
    double packets = 0;
    for (uint32_t k = 0; k < 3; ++k) {
      const CoreBuild build = buildCore(model, {tileOf(1, p, members[k], false)}, chip);
      const uint64_t own = p.soft_reset ? members[k].size() : 0;
      EXPECT_EQ(parts.compartments(k), build.used.compartments());
      packets += double(build.used.input_axons() - own) * model.populations[0].rate;
      EXPECT_GE(parts.modelWords(k) + own, build.used.synapse_words()) << "seed " << seed;
    }
    EXPECT_NEAR(parts.packets(), packets, 1e-6);
  }
}

TEST(LoihiIrregular, MultilevelCutsKeepEveryLimit) {
  const Chip chip = *loadChip("loihi1").chip;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const plan::Network plan = sparse(seed, Shape(seed % 3), 240, 5, false, plan::Reset::Zero);
    const LowerResult lowered = lower(plan, chip);
    ASSERT_TRUE(lowered.model);
    const Model &model = *lowered.model;
    const Population &p = model.populations[1];
    Atoms atoms(p.neurons());
    std::vector<uint64_t> entries(p.neurons());
    std::mt19937_64 random(seed);
    for (uint32_t n = 0; n < p.neurons(); ++n)
      atoms[n] = {n}, entries[n] = random() % 4;
    const auto graph = hypergraphOf(model, 1, atoms, entries, 1'000'000);
    ASSERT_TRUE(graph);
    PartLimits limits;
    limits.compartments = 50, limits.axons = 120 + 20 * seed, limits.entries = 90, limits.words = 400, limits.thresholds = seed % 2 ? 1 : 2;
    limits.words_of = {sparseWords(model.projections[p.projections[0]], chip)};
    limits.longest = {40};
    CutOptions options;
    options.fewer_parts = seed > 3;
    const Cut cut = multilevelCut(*graph, limits, options);
    ASSERT_FALSE(cut.part.empty());
    std::vector<uint32_t> size(cut.parts, 0), words(cut.parts, 0);
    std::vector<uint64_t> out(cut.parts, 0);
    std::vector<std::vector<uint32_t>> members(cut.parts);
    for (uint32_t n = 0; n < p.neurons(); ++n)
      members[cut.part[n]].push_back(n), out[cut.part[n]] += entries[n];
    double packets = 0;
    for (uint32_t k = 0; k < cut.parts; ++k) {
      ASSERT_FALSE(members[k].empty());
      const CoreBuild build = buildCore(model, {tileOf(1, p, members[k], false)}, chip);
      EXPECT_LE(build.used.compartments(), limits.compartments);
      EXPECT_LE(build.used.input_axons(), limits.axons);
      EXPECT_LE(build.used.synapse_words(), limits.words);
      EXPECT_LE(build.used.threshold_profiles(), limits.thresholds);
      EXPECT_LE(out[k], limits.entries);
      packets += build.used.input_axons();
    }
    EXPECT_NEAR(cut.packets, packets, 1e-6);
  }
}

} // namespace
} // namespace lasnn::test
