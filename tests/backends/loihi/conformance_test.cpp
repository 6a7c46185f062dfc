// Over 1,000 random networks through the mapper: the checker has nothing to say, and the simulator's outputs and every spike are the plain
// executor's. What they reached is counted, kind by kind. LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks; a failure names its
// seed.
#include "backends/loihi/check/check.h"
#include "backends/loihi/map/map.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/rich_plan.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace lasnn::test {
namespace {

using namespace loihi;

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

using Reached = std::map<std::string, uint64_t>;

struct Case {
  uint64_t seed;
  std::string chip_name;
  Chip chip;
  RichOptions rich;
  plan::Network plan;
  MapOptions options;

  explicit Case(uint64_t number) : seed(number) {
    static const char *const kChips[] = {"tiny", "loihi1", "loihi2", "tiny", "tiny"};
    chip_name = kChips[seed % 5];
    chip = *loadChip(chip_name).chip;
    if (seed % 5 == 4) chip.mesh = {64, 1, 1, 2, 2}, chip_name = "tiny, two cores a chip";
    rich.graded = chip_name == "loihi2";
    static constexpr uint32_t kBits[] = {8, 4, 2};
    rich.weight_bits = kBits[seed / 5 % 3];
    rich.feedback = seed % 2;
    plan = richPlan(seed, rich);
    static const char *const kObjectives[] = {"cores", "energy", "latency", "1,1,1"};
    options.objective = *parseObjective(options.objective_text = kObjectives[seed / 15 % 4]);
    options.seed = seed, options.threads = 1, options.effort = uint32_t(seed % 3), options.baselines = false;
  }
};

void count(const Case &one, const lmap::Mapping &mapping, const Simulator &simulator, Reached &reached) {
  ++reached["on " + one.chip_name];
  ++reached["weights of " + std::to_string(one.rich.weight_bits) + " bits"];
  reached["several chips"] += mapping.result().chips() > 1;
  std::set<std::string> kinds; // of this network, each once
  for (int l = 0; l < mapping.layers_size(); ++l) {
    const lmap::Layer &layer = mapping.layers(l);
    static const char *const kResets[] = {"reset to zero", "reset by subtraction", "no reset"};
    if (layer.kind() == lmap::SPIKING) kinds.insert(kResets[layer.reset()]);
    if (layer.v_initial_size() > 0) kinds.insert("reset to a value");
    if (layer.type().rfind("or-pool", 0) == 0) kinds.insert("maximum pools");
    if (layer.decay() > 0 && layer.decay() < 4096) kinds.insert("leak");
    if (layer.clamp_low()) kinds.insert("clamp at zero");
    for (int i = 0; i < layer.source_steps_size(); ++i) {
      if (layer.source_steps(i) == 0) continue;
      if (layer.sources(i) == l)
        kinds.insert("layers that hear themselves");
      else if (layer.sources(i) > l)
        kinds.insert("loops of several layers");
      else
        kinds.insert("what is late, ahead");
    }
    if (const LayerCounts &counts = simulator.statistics().layers[size_t(l)]; counts.spikes > counts.firing)
      kinds.insert("several spikes a step");
  }
  for (const lmap::Core &core : mapping.cores()) {
    std::set<uint32_t> layers;
    for (const lmap::Group &g : core.groups()) {
      layers.insert(g.layer());
      if (g.soft_reset()) kinds.insert("pairs of compartments");
      if (g.bias_terms() > 1) kinds.insert("several bias registers");
    }
    if (layers.size() > 1) kinds.insert("several layers on a core");
    if (core.shared_size() > 0) kinds.insert("shared axons");
    for (const lmap::Projection &p : core.projections())
      if (p.delay() > 0) kinds.insert(p.source() < 0 ? "delayed input" : "delayed spikes");
  }
  static const char *const kEncodings[] = {"SPARSE", "RUNLENGTH", "DENSE"};
  const Counts total = simulator.statistics().total();
  for (int e = 0; e < 3; ++e)
    if (total.synops[e] > 0) kinds.insert(kEncodings[e]);
  for (const lmap::Rejection &r : mapping.result().rejections())
    kinds.insert("at the limit of " + r.limit());
  kinds.insert(mapping.input_direct() ? "images" : mapping.input_max_count() > 1 ? "counts" : "events");
  for (const std::string &kind : kinds)
    ++reached[kind];
}

void compare(uint64_t seed, Reached &reached) {
  const Case one(seed);
  const MapResult result = mapNetwork(one.plan, one.chip, one.options, {});
  if (!result.mapping) {
    ASSERT_FALSE(result.errors.empty()) << "seed " << seed;
    const bool loop =
        std::any_of(result.errors.begin(), result.errors.end(), [](const std::string &e) { return e.find("the loop '") != e.npos; });
    ++reached[loop ? "refused: a loop" : "refused"];
    return;
  }
  const check::Result checked = check::check(*result.mapping, one.chip);
  ASSERT_EQ(checked.ok(), result.errors.empty()) << "seed " << seed << " on " << one.chip_name << ", " << one.options.objective_text << "\n"
                                                 << checked.text();
  if (!result.errors.empty()) return void(++reached["cut, and found too large"]);
  std::vector<std::string> errors;
  const auto program = makeProgram(*result.mapping, errors);
  ASSERT_TRUE(program) << "seed " << seed << ": " << errors[0];
  SimulatorOptions with;
  with.record_spikes = true;
  Simulator simulator(program, with);
  std::map<std::string, size_t> layer_of;
  for (int l = 0; l < result.mapping->layers_size(); ++l)
    layer_of[result.mapping->layers(l).name()] = size_t(l);
  for (uint64_t sample = 0; sample < 2; ++sample) {
    const std::vector<uint8_t> input = randomInput(one.plan, seed + 1000 * sample);
    const ReferenceResult expected = Reference(one.plan).run(input);
    std::vector<int32_t> outputs;
    simulator.run(input.data(), outputs);
    size_t spiking = 0;
    for (const plan::Layer &layer : one.plan.layers) {
      if (layer.kind != plan::LayerKind::Spiking) continue;
      const ReferenceLayer &truth = expected.layers[spiking++];
      const std::vector<uint8_t> &spikes = simulator.spikes()[layer_of.at(layer.name)];
      for (uint32_t t = 0; t < one.plan.timesteps; ++t) {
        const auto at = spikes.begin() + std::ptrdiff_t(t * truth.spikes[t].size());
        ASSERT_TRUE(std::equal(truth.spikes[t].begin(), truth.spikes[t].end(), at))
            << "seed " << seed << ", sample " << sample << ", layer " << layer.name << ", step " << t;
      }
    }
    ASSERT_EQ(outputs, expected.outputs.back()) << "seed " << seed << " on " << one.chip_name << ", sample " << sample;
  }
  EXPECT_TRUE(simulator.statistics().events.exact()) << "seed " << seed << ": a register overflowed";
  ++reached["mapped"];
  count(one, *result.mapping, simulator, reached);
}

TEST(LoihiConformance, TheSimulatorEqualsTheReference) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 1120);
  Reached reached;
  for (uint64_t seed = first; seed < first + count && !HasFatalFailure(); ++seed)
    compare(seed, reached);
  std::string all;
  for (const auto &[kind, times] : reached)
    all += std::to_string(times) + " " + kind + "\n";
  if (first != 1 || count < 1120) return;
  EXPECT_GE(reached["mapped"], 1000u) << all;
  EXPECT_LE(reached["cut, and found too large"], 10u) << all;
  for (const char *kind : {"on tiny",
                           "on tiny, two cores a chip",
                           "on loihi1",
                           "on loihi2",
                           "weights of 2 bits",
                           "weights of 4 bits",
                           "weights of 8 bits",
                           "images",
                           "events",
                           "counts",
                           "delayed input",
                           "delayed spikes",
                           "layers that hear themselves",
                           "what is late, ahead",
                           "several chips",
                           "SPARSE",
                           "RUNLENGTH",
                           "DENSE",
                           "leak",
                           "reset to zero",
                           "reset by subtraction",
                           "no reset",
                           "pairs of compartments",
                           "several bias registers",
                           "several layers on a core",
                           "shared axons",
                           "maximum pools",
                           "clamp at zero",
                           "at the limit of threshold_profiles"})
    EXPECT_GE(reached[kind], 100u) << kind << "\n" << all;
  for (const char *kind : {"reset to a value", "several spikes a step", "at the limit of input_axons"})
    EXPECT_GE(reached[kind], 40u) << kind << "\n" << all;
  for (const char *kind : {"loops of several layers", "refused: a loop", "at the limit of output_entries"})
    EXPECT_GE(reached[kind], 15u) << kind << "\n" << all;
}

/// Whose first cut a bound had priced too low: shared axons that could not be shared, formats that differed, entries to another chip.
TEST(LoihiConformance, WhatTurnsOutTooLargeIsCutAgain) {
  for (const uint64_t seed : {63, 75, 109, 574, 39, 455, 513, 78, 799, 1444}) {
    const Case one(seed);
    const MapResult result = mapNetwork(one.plan, one.chip, one.options, {});
    ASSERT_TRUE(result.mapping && result.errors.empty()) << "seed " << seed;
    EXPECT_TRUE(check::check(*result.mapping, one.chip).ok()) << "seed " << seed;
  }
}

} // namespace
} // namespace lasnn::test
