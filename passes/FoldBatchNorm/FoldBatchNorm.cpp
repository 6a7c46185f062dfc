#include "passes/Support.h"

#include <cmath>

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_FOLDBATCHNORM
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::Kinds;

/// y = scale[c]*x + shift[c].
struct Affine {
  SmallVector<double> scale, shift;

  explicit Affine(BatchNormOp op) {
    auto gamma = floatValues(op.getGamma()), beta = floatValues(op.getBeta()), mean = floatValues(op.getMean()),
         variance = floatValues(op.getVariance());
    double epsilon = op.getEpsilon().convertToFloat();
    for (size_t c = 0; c < gamma.size(); ++c) {
      scale.push_back(gamma[c] / std::sqrt(double(variance[c]) + epsilon));
      shift.push_back(beta[c] - mean[c] * scale.back());
    }
  }
  bool keepsOrder() const {
    return llvm::all_of(scale, [](double g) { return g >= 0; });
  }
  bool onlyScales() const {
    return llvm::all_of(shift, [](double h) { return h == 0; });
  }
};

//===--- behind synapses ---===//

/// True when every current that makes up `value` can take a scale (`ordered`: of no negative number) and a shift.
bool canAbsorb(Kinds &kinds, Value value, bool ordered) {
  if (kinds.isSignal(value)) return true; // becomes a synapse of its own
  Operation *op = value.getDefiningOp();
  if (!op || !value.hasOneUse()) return false;
  if (isa<Conv2DOp, LinearOp>(op)) return true;
  if (auto add = dyn_cast<AddOp>(op)) return canAbsorb(kinds, add.getLhs(), ordered) && canAbsorb(kinds, add.getRhs(), ordered);
  if (!isa<AvgPoolOp, MaxPoolOp>(op) || kinds.isSignal(op->getOperand(0))) return false;
  bool passes = ordered; // max(g x) = g max(x)
  if (auto pool = dyn_cast<AvgPoolOp>(op)) passes = lasnn::hasNoPads(pool.getPads());
  return passes && canAbsorb(kinds, op->getOperand(0), ordered);
}

/// What canAbsorb() allowed. `operand` is the place that uses the value.
LogicalResult absorb(Kinds &kinds, OpOperand &operand, ArrayRef<double> scale, ArrayRef<double> shift, Operation *norm) {
  Value value = operand.get();
  if (kinds.isSignal(value)) {
    OpBuilder builder(operand.getOwner());
    FailureOr<Value> synapse = lasnn::makeIdentity(builder, norm->getLoc(), value, scale, shift);
    if (failed(synapse)) return failure();
    operand.set(*synapse);
    return success();
  }
  Operation *op = value.getDefiningOp();
  if (isa<Conv2DOp, LinearOp>(op)) {
    lasnn::scaleOutputs(op, scale, shift);
    lasnn::keepLocations(op, norm);
    return success();
  }
  if (failed(absorb(kinds, op->getOpOperand(0), scale, shift, norm))) return failure();
  return isa<AddOp>(op) ? absorb(kinds, op->getOpOperand(1), scale, {}, norm) : success();
}

//===--- before synapses ---===//

/// weight[o, i] *= scale[c(i)], bias[o] += sum over i of the old weight[o, i]*shift[c(i)]; `span` weights share a channel.
template <typename SynapseOp>
void scaleInputs(SynapseOp op, const Affine &affine, int64_t outputs, int64_t groups, int64_t span, Operation *norm) {
  SmallVector<float> weight = floatValues(op.getWeight());
  int64_t perOutput = weight.size() / outputs, perGroup = perOutput / span;
  SmallVector<float> bias(outputs, 0.f);
  if (op.getBias()) bias = floatValues(*op.getBias());
  for (int64_t o = 0; o < outputs; ++o) {
    double sum = bias[o];
    for (int64_t i = 0; i < perOutput; ++i) {
      int64_t c = o / (outputs / groups) * perGroup + i / span;
      float &w = weight[o * perOutput + i];
      sum += w * affine.shift[c];
      w = float(w * affine.scale[c]);
    }
    bias[o] = float(sum);
  }
  op.setWeightAttr(lasnn::f32Attr(op.getContext(), op.getWeight().getShapedType().getShape(), weight));
  if (op.getBias() || !affine.onlyScales()) op.setBiasAttr(lasnn::f32Attr(op.getContext(), {outputs}, bias));
  lasnn::keepLocations(op, norm);
}

/// True when this use of the norm's result can be folded into the operation behind it.
bool foldsForward(Operation *user, const Affine &affine) {
  if (isa<LinearOp>(user)) return true;
  if (auto conv = dyn_cast<Conv2DOp>(user)) return affine.onlyScales() || lasnn::hasNoPads(conv.getPads());
  if (auto flatten = dyn_cast<FlattenOp>(user))
    return llvm::all_of(flatten->getUsers(), [](Operation *behind) { return isa<LinearOp>(behind); });
  return getNeuron(user) || isa<AddOp, ReadoutOp>(user);
}

LogicalResult foldForward(BatchNormOp norm, const Affine &affine) {
  if (!llvm::all_of(norm->getUsers(), [&](Operation *user) { return foldsForward(user, affine); })) return success();
  for (OpOperand &use : llvm::make_early_inc_range(norm->getUses())) {
    Operation *user = use.getOwner();
    use.set(norm.getInput());
    if (auto conv = dyn_cast<Conv2DOp>(user)) {
      ArrayRef<int64_t> shape = conv.getWeight().getShapedType().getShape();
      scaleInputs(conv, affine, shape[0], conv.getGroups(), shape[2] * shape[3], norm);
    } else if (auto linear = dyn_cast<LinearOp>(user)) {
      scaleInputs(linear, affine, channels(linear.getResult()), 1, 1, norm);
    } else if (isa<FlattenOp>(user)) {
      int64_t span = tensorType(user->getResult(0)).getNumElements() / channels(norm.getInput());
      for (Operation *behind : user->getUsers())
        scaleInputs(cast<LinearOp>(behind), affine, channels(behind->getResult(0)), 1, span, norm);
    } else {
      OpBuilder builder(user);
      FailureOr<Value> synapse = lasnn::makeIdentity(builder, norm.getLoc(), norm.getInput(), affine.scale, affine.shift);
      if (failed(synapse)) return failure();
      use.set(*synapse);
    }
  }
  norm.erase();
  return success();
}

struct FoldBatchNorm : lasnn::impl::FoldBatchNormBase<FoldBatchNorm> {
  void runOnOperation() override {
    for (Operation *op : executionOrder(getOperation())) {
      auto norm = dyn_cast<BatchNormOp>(op);
      if (!norm) continue;
      Affine affine(norm);
      Kinds kinds;
      LogicalResult folded = success();
      if (kinds.isSignal(norm.getInput())) {
        folded = foldForward(norm, affine);
      } else if (canAbsorb(kinds, norm.getInput(), affine.keepsOrder())) {
        folded = absorb(kinds, norm->getOpOperand(0), affine.scale, affine.shift, norm);
        norm.replaceAllUsesWith(norm.getInput());
        norm.erase();
      }
      if (failed(folded)) return signalPassFailure();
    }
    lasnn::tidy(getOperation());
  }
};
} // namespace
