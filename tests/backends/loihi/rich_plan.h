// Random networks that reach every kind of thing the mapper has to deal with: pools, sums, skips, feedback, all resets, graded spikes,
// narrow weights. Small, so that many can be mapped; most of them suit the chips (leaky neurons have thresholds that are multiples of 64).
#pragma once

#include "backends/plan/plan.h"

#include <cstdint>

namespace lasnn::test {

struct RichOptions {
  bool graded = false;      ///< neurons may fire several spikes a step
  uint32_t weight_bits = 8; ///< 2, 4 or 8
  bool feedback = true;     ///< delays: from the layer itself, from later ones, and ahead
};

plan::Network richPlan(uint64_t seed, const RichOptions &options);

} // namespace lasnn::test
