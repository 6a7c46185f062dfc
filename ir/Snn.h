// The dialect `snn`: its operations, and the few questions that passes, importers and backends all ask of them.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "ir/SnnDialect.h.inc"
#include "ir/SnnEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/SnnAttrs.h.inc"
#define GET_OP_CLASSES
#include "ir/SnnOps.h.inc"

namespace lasnn::snn {

/// The attributes of a neuron op, whichever it is. `op` is null when the operation is no neuron.
struct NeuronView {
  mlir::Operation *op = nullptr;
  mlir::Value input;
  mlir::FloatAttr beta;          ///< LIF, float form
  mlir::IntegerAttr decay;       ///< LIF, integer form
  mlir::ElementsAttr vThreshold; ///< [C] or [1]
  Reset reset = Reset::Zero;
  mlir::ElementsAttr rho, vReset; ///< may be null
  Compare compare = Compare::Gt;
  int64_t sMax = 1;
  mlir::TypedAttr vMin; ///< may be null
  int64_t stateBits = 24;
  explicit operator bool() const { return op != nullptr; }
};
NeuronView getNeuron(mlir::Operation *op);

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}
/// Size of the channel axis: the first one.
inline int64_t channels(mlir::Value value) { return tensorType(value).getDimSize(0); }

/// The values of an elements attribute as floats, or as integers. A splat is expanded.
llvm::SmallVector<float> floatValues(mlir::ElementsAttr attr);
llvm::SmallVector<int32_t> intValues(mlir::ElementsAttr attr);
/// The same broadcast to `channels` entries: a [1] tensor fills all.
llvm::SmallVector<float> floatPerChannel(mlir::ElementsAttr attr, int64_t channels);
llvm::SmallVector<int32_t> intPerChannel(mlir::ElementsAttr attr, int64_t channels);

/// What messages and reports call an operation: the name in its location (NameLoc), which importers fill from the source
/// file, else the operation's own name and result number.
std::string nameOf(mlir::Operation *op);

/// What has to be there before `op` is computed: its operands, but none of a delay's (S5).
inline mlir::OperandRange awaited(mlir::Operation *op) {
  return mlir::isa<DelayOp>(op) ? op->getOperands().take_front(0) : op->getOperands();
}

/// The operations of a network, operands first; among those that are ready, textual order decides, and a delay is always
/// ready (S5). Backends, reports and the interpreter all use this order. The network must be verified (S4).
llvm::SmallVector<mlir::Operation *> executionOrder(NetworkOp network);

} // namespace lasnn::snn
