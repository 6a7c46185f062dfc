// Random networks that reach every corner of the plan: one seed, one network.
#pragma once

#include "backends/x86/plan.h"

#include <cstdint>
#include <vector>

namespace lasnn::test {

x86::Plan randomPlan(uint64_t seed);
/// An input of lasnn_run's size.
std::vector<uint8_t> randomInput(const x86::Plan &plan, uint64_t seed);

} // namespace lasnn::test
