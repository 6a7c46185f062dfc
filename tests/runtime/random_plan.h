// Random networks that reach every corner of the plan: one seed, one network.
#pragma once

#include "backends/plan/plan.h"

#include <cstdint>
#include <vector>

namespace lasnn::test {

plan::Network randomPlan(uint64_t seed);
/// The network of the same seed, to which delays were added: layers that hear themselves, longer loops, events and spikes that skip ahead a step
/// late, delays of delays, pools and sums of what is delayed.
plan::Network randomRecurrentPlan(uint64_t seed);
/// An input of lasnn_run's size.
std::vector<uint8_t> randomInput(const plan::Network &plan, uint64_t seed);

} // namespace lasnn::test
