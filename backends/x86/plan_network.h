// From an integer network (ir/spec.md, contract K1..K5) to the x86 plan.
#pragma once

#include "backends/x86/plan.h"
#include "ir/Snn.h"

namespace lasnn::x86 {

/// Diagnoses everything the x86 backend cannot execute, each on its operation.
llvm::FailureOr<Plan> planNetwork(snn::NetworkOp network);

/// The plan as text: one line a buffer and a layer.
std::string printPlan(const Plan &plan);

} // namespace lasnn::x86
