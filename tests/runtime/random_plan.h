// Random networks that reach every corner of the plan: one seed, one network.
#pragma once

#include "backends/x86/plan.h"

#include <cstdint>
#include <vector>

namespace lasnn::test {

/// `pool_currents`: some layers take a maximum over windows of currents.
x86::Plan randomPlan(uint64_t seed, bool pool_currents = true);
/// An input of lasnn_run's size.
std::vector<uint8_t> randomInput(const x86::Plan &plan, uint64_t seed);

} // namespace lasnn::test
