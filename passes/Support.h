// What the passes share: what a value carries, weights as numbers, and the one way to report a problem.
#pragma once

#include "ir/Snn.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/DenseMap.h"

namespace lasnn {
#define GEN_PASS_DECL
#include "passes/AllPasses.h.inc"

/// What a value carries. In float form every tensor is f32, so that only its producers tell.
enum class Kind {
  Pixels,  ///< snn.input
  Spikes,  ///< of a neuron, of events; pooled, flattened, delayed, added to other spikes
  Analog,  ///< a direct encoding; pooled, flattened
  Current, ///< of a synapse; sums of those
  Ann,     ///< behind an ANN's activation
  Result,  ///< of a read-out
};
/// Answers of one network, remembered. Make a new one after changing the graph.
class Kinds {
public:
  Kind of(mlir::Value value);
  bool isCurrent(mlir::Value value) { return of(value) == Kind::Current; }
  /// Spikes or analog values: what a synapse takes.
  bool isSignal(mlir::Value value) { return of(value) == Kind::Spikes || of(value) == Kind::Analog; }

private:
  llvm::DenseMap<mlir::Value, Kind> known;
};

/// "'conv1': ..." at the operation's place. Does not print the operation, whose weights would fill the screen.
mlir::InFlightDiagnostic problem(mlir::Operation *op);

mlir::DenseElementsAttr f32Attr(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);
mlir::DenseElementsAttr i8Attr(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int8_t> values);
mlir::DenseElementsAttr i32Attr(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int32_t> values);

/// True when every window of the operation lies inside its input.
bool hasNoPads(llvm::ArrayRef<int64_t> pads);

/// weight[k, ...] *= scale[k] and bias[k] = bias[k]*scale[k] + shift[k], in double; `op` is a float conv2d or linear.
void scaleOutputs(mlir::Operation *op, llvm::ArrayRef<double> scale, llvm::ArrayRef<double> shift);

/// The synapse that passes a value on as a current: y[c] = scale[c]*x[c] + shift[c]. A depthwise 1x1 conv2d for
/// [C,H,W], a diagonal linear for [N]. `shift` may be empty (0). Fails, with a message, on a vector too long for a matrix.
mlir::FailureOr<mlir::Value> makeIdentity(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                                          llvm::ArrayRef<double> scale, llvm::ArrayRef<double> shift);

/// Both places, the first one naming the operation.
void keepLocations(mlir::Operation *op, mlir::Operation *folded);

/// What a neuron or read-out carries when its file was trained in integers: `snn.quantized = {weight_bits, unit}`.
struct Recorded {
  int weightBits;
  llvm::SmallVector<float> unit; ///< one a channel, or one for all
  bool rounded = false;          ///< by snn-round-weights, in place of a trainer: what was measured by calibration holds
};
std::optional<Recorded> getRecorded(mlir::Operation *op);

/// Removes operations that no output depends on, at whatever step, and orders the rest as they execute.
void tidy(snn::NetworkOp network);

} // namespace lasnn
