// A mapped network computes what the network does: outputs equal the plain executor's after the mapping's latency, on random networks, on a
// small chip where every limit is near. LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks.
#include "backends/loihi/check/check.h"
#include "backends/loihi/map/map.h"
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

std::string joined(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines) text += line + "\n";
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
    for (size_t k = 0; k < layer.neuron.rho.size() && layer.neuron.has_v_min; ++k) layer.neuron.rho[k] = std::min(layer.neuron.rho[k], layer.neuron.v_threshold[k] + 1);
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
  std::printf("%llu mapped, %llu of them on several cores, %llu refused\n", static_cast<unsigned long long>(mapped), static_cast<unsigned long long>(several),
              static_cast<unsigned long long>(refused));
  EXPECT_GT(mapped, count * 3 / 4);
  EXPECT_GT(several, mapped / 2);
}

} // namespace
} // namespace lasnn::test
