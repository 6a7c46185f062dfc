// Random networks that reach every corner of the plan: one seed, one network.
#pragma once

#include "backends/plan/plan.h"

#include <cstdint>
#include <vector>

namespace lasnn::test {

plan::Network randomPlan(uint64_t seed);
/// An input of lasnn_run's size.
std::vector<uint8_t> randomInput(const plan::Network &plan, uint64_t seed);

} // namespace lasnn::test
