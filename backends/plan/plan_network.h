// From an integer network (ir/spec.md, contract K1..K5) to plain data.
#pragma once

#include "backends/plan/plan.h"
#include "ir/Snn.h"

namespace lasnn::plan {

/// Diagnoses everything that has no place in a plan, each on its operation, in the name of `backend`.
llvm::FailureOr<Network> planNetwork(snn::NetworkOp network, llvm::StringRef backend);

/// As text: one line a buffer and a layer.
std::string printPlan(const Network &plan);

} // namespace lasnn::plan
