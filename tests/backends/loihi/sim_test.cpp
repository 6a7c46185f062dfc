// The simulator equals the plain executor: outputs, every spike, clips, on random networks mapped at random. LASNN_TEST_SEED and
// LASNN_TEST_COUNT choose the networks; a failure names its seed.
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/plain_mapper.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace lasnn::test {
namespace {

using namespace loihi;

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::shared_ptr<const Program> programOf(const lmap::Mapping &mapping) {
  std::vector<std::string> errors;
  auto program = makeProgram(mapping, errors);
  for (const std::string &error : errors) ADD_FAILURE() << error;
  return program;
}

/// What a network's random life reached, so that the test can say that it tests something.
struct Reached {
  uint64_t spikes = 0, clips = 0, delays = 0, chips = 0, synops[3] = {}, hops = 0, soft = 0;
};

void compare(uint64_t seed, Reached &reached) {
  const plan::Network plan = randomChipPlan(seed);
  const Chip chip = *loadChip(seed % 3 ? "tiny" : "loihi1").chip;
  PlainOptions options;
  options.most_chips = uint32_t(1 + seed % 4);
  const lmap::Mapping mapping = plainMapping(plan, chip, seed, options);
  auto program = programOf(mapping);
  ASSERT_TRUE(program) << "seed " << seed;
  SimulatorOptions with;
  with.threads = unsigned(1 + seed % 50 / 49), with.record_spikes = true;
  Simulator simulator(program, with);
  uint64_t clips = 0;
  for (uint64_t sample = 0; sample < 2; ++sample) {
    const std::vector<uint8_t> input = randomInput(plan, seed + 1000 * sample);
    const ReferenceResult expected = Reference(plan).run(input);
    std::vector<int32_t> outputs;
    ASSERT_EQ(input.size(), program->input_size);
    simulator.run(input.data(), outputs);
    for (size_t l = 0; l < expected.layers.size(); ++l) {
      const std::vector<uint8_t> &spikes = simulator.spikes()[l];
      const size_t neurons = expected.layers[l].spikes[0].size();
      for (uint32_t t = 0; t < plan.timesteps; ++t)
        ASSERT_EQ(std::vector<uint8_t>(spikes.begin() + std::ptrdiff_t(t * neurons), spikes.begin() + std::ptrdiff_t((t + 1) * neurons)),
                  expected.layers[l].spikes[t])
            << "seed " << seed << ", sample " << sample << ", layer " << l << ", step " << t;
      clips += expected.layers[l].clips;
    }
    ASSERT_EQ(outputs, expected.outputs.back()) << "seed " << seed << ", sample " << sample;
  }
  const Statistics &stats = simulator.statistics();
  EXPECT_TRUE(stats.events.exact()) << "seed " << seed;
  uint64_t counted = 0;
  for (const LayerCounts &layer : stats.layers) counted += layer.clips;
  EXPECT_EQ(counted, clips) << "seed " << seed;
  const Counts total = stats.total();
  uint64_t over_links = 0;
  for (const LinkLoad &link : simulator.links()) over_links += link.messages;
  EXPECT_EQ(over_links, total.hops() + total.hops_chip) << "seed " << seed;
  EXPECT_EQ(total.messages_in, total.messages_out + total.host_in) << "seed " << seed;
  reached.spikes += total.spikes, reached.clips += clips, reached.hops += total.hops(), reached.chips += program->chips > 1;
  for (int e = 0; e < 3; ++e) reached.synops[e] += total.synops[e];
  for (const CoreProgram &core : program->cores) {
    reached.delays += core.delay_steps > 2;
    for (const NeuronGroup &g : core.groups) reached.soft += g.soft_pair;
  }
}

TEST(LoihiSim, RandomNetworksEqualThePlainExecutor) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 1000);
  Reached reached;
  for (uint64_t seed = first; seed < first + count && !HasFatalFailure(); ++seed) compare(seed, reached);
  if (count < 1000) return;
  EXPECT_GT(reached.spikes, 10000u);
  EXPECT_GT(reached.clips, 100u);
  EXPECT_GT(reached.delays, 100u);
  EXPECT_GT(reached.chips, 100u);
  EXPECT_GT(reached.soft, 100u);
  EXPECT_GT(reached.hops, 1000u);
  for (uint64_t synops : reached.synops) EXPECT_GT(synops, 10000u);
}

} // namespace
} // namespace lasnn::test
