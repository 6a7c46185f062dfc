// A description as IR: in integer form, fused as the passes leave it, or in float form as an importer leaves it.
#pragma once

#include "tests/conformance/random_network.h"

#include "ir/Snn.h"
#include "mlir/IR/BuiltinOps.h"

namespace lasnn::test {

mlir::OwningOpRef<mlir::ModuleOp> buildInteger(const NetworkSpec &spec, mlir::MLIRContext &context);
/// The same shape of network, un-fused, with float weights, batch norms and average pools.
mlir::OwningOpRef<mlir::ModuleOp> buildFloat(const NetworkSpec &spec, mlir::MLIRContext &context);
snn::NetworkOp networkOf(mlir::ModuleOp module);
/// The module as text, without locations.
std::string printed(mlir::Operation *op);

} // namespace lasnn::test
