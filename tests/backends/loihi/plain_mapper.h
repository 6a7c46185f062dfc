// The plainest way to a mapping, for tests: neurons dealt at random to random cores, every synapse list written by itself in a random
// encoding. Shares nothing with the mapper but the format, so the two check each other.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"
#include "backends/plan/plan.h"

#include <cstdint>

namespace lasnn::test {

/// A network without pools whose neurons suit the chip: leaky ones have thresholds that are multiples of 64.
plan::Network randomChipPlan(uint64_t seed);

struct PlainOptions {
  uint32_t most_chips = 1;
  bool slack = true; ///< layers may start later than they have to
  bool plain = false; ///< one compartment a neuron, one layer a core, one encoding a layer
};
loihi::lmap::Mapping plainMapping(const plan::Network &plan, const loihi::Chip &chip, uint64_t seed, const PlainOptions &options);

} // namespace lasnn::test
