// The checker on what the mapper makes of random networks: nothing to say about a mapping that the mapper calls good.
#include "backends/loihi/check/check.h"
#include "backends/loihi/map/map.h"
#include "tests/backends/loihi/plain_mapper.h"

#include <gtest/gtest.h>

namespace lasnn::test {
namespace {

using namespace loihi;

TEST(LoihiCheck, MappedRandomNetworksPass) {
  uint64_t mapped = 0, chips = 0;
  for (uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
    plan::Network plan = randomChipPlan(seed);
    for (plan::Layer &layer : plan.layers) layer.neuron.state_bits = 24;
    Chip chip = *loadChip(seed % 3 ? "tiny" : "loihi1").chip;
    if (seed % 3 == 1) chip.mesh = {64, 1, 1, 2, 2}; // two cores a chip: most spikes cross chips
    MapOptions options;
    options.seed = seed, options.threads = 1, options.baselines = false;
    const MapResult result = mapNetwork(plan, chip, options, {});
    if (!result.mapping) continue;
    const check::Result checked = check::check(*result.mapping, chip);
    EXPECT_EQ(checked.ok(), result.errors.empty()) << "seed " << seed << "\n" << checked.text() << (result.errors.empty() ? "" : result.errors[0]);
    mapped += checked.ok(), chips += result.mapping->result().chips() > 1;
  }
  EXPECT_GT(mapped, 70u);
  EXPECT_GT(chips, 5u);
}

} // namespace
} // namespace lasnn::test
