#include "passes/Support.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_FOLDPOOLSCALE
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::Kinds;

//===--- pools on currents ---===//

/// True when every current that makes up `value` is a convolution of its own.
bool canCompose(Kinds &kinds, Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !kinds.isCurrent(value) || !value.hasOneUse()) return false;
  if (isa<Conv2DOp>(op)) return true;
  auto add = dyn_cast<AddOp>(op);
  return add && canCompose(kinds, add.getLhs()) && canCompose(kinds, add.getRhs());
}

/// conv <- pool(conv): out[Y] = factor * sum over i of conv[Y*q + i], and conv[y] reads in[y*s - top + j*d]: a dense
/// kernel with weight[j*d + i*s], i below the pool's window, and stride q*s. The bias is counted once a window element.
LogicalResult compose(Conv2DOp conv, ArrayRef<int64_t> window, ArrayRef<int64_t> strides, double factor, Operation *pool) {
  ArrayRef<int64_t> shape = conv.getWeight().getShapedType().getShape();
  int64_t kernel[2], stride[2], steps[2] = {conv.getStrides()[0], conv.getStrides()[1]};
  for (int axis : {0, 1}) {
    kernel[axis] = (window[axis] - 1) * steps[axis] + conv.getDilations()[axis] * (shape[2 + axis] - 1) + 1;
    stride[axis] = strides[axis] * steps[axis];
  }
  if (kernel[0] * kernel[1] > 4096 || stride[0] > 65535 || stride[1] > 65535)
    return lasnn::problem(pool) << "the pool on currents makes a kernel of " << kernel[0] << " x " << kernel[1]
                                << " with its convolution, expected at most 4096 weights; move the pool behind the neuron";
  SmallVector<float> weight = floatValues(conv.getWeight());
  int64_t maps = shape[0] * shape[1];
  std::vector<double> sum(maps * kernel[0] * kernel[1], 0.0);
  for (int64_t m = 0; m < maps; ++m)
    for (int64_t j = 0; j < shape[2]; ++j)
      for (int64_t k = 0; k < shape[3]; ++k)
        for (int64_t y = 0; y < window[0]; ++y)
          for (int64_t x = 0; x < window[1]; ++x)
            sum[(m * kernel[0] + j * conv.getDilations()[0] + y * steps[0]) * kernel[1] + k * conv.getDilations()[1] + x * steps[1]] +=
                double(weight[(m * shape[2] + j) * shape[3] + k]) * factor;
  std::vector<float> composed(sum.begin(), sum.end());
  conv.setWeightAttr(lasnn::f32Attr(conv.getContext(), {shape[0], shape[1], kernel[0], kernel[1]}, composed));
  if (conv.getBias()) {
    SmallVector<float> bias = floatValues(*conv.getBias());
    for (float &b : bias) b = float(b * factor * double(window[0] * window[1]));
    conv.setBiasAttr(lasnn::f32Attr(conv.getContext(), {shape[0]}, bias));
  }
  conv.setStrides({stride[0], stride[1]});
  conv.setDilations({1, 1});
  conv.getResult().setType(cast<RankedTensorType>(pool->getResult(0).getType()));
  lasnn::keepLocations(conv, pool);
  return success();
}

LogicalResult composeAll(Value value, ArrayRef<int64_t> window, ArrayRef<int64_t> strides, double factor, Operation *pool) {
  if (auto conv = value.getDefiningOp<Conv2DOp>()) return compose(conv, window, strides, factor, pool);
  auto add = value.getDefiningOp<AddOp>();
  if (failed(composeAll(add.getLhs(), window, strides, factor, pool)) || failed(composeAll(add.getRhs(), window, strides, factor, pool)))
    return failure();
  add.getResult().setType(cast<RankedTensorType>(pool->getResult(0).getType()));
  return success();
}

template <typename PoolOp> LogicalResult commute(Kinds &kinds, PoolOp pool) {
  if (!lasnn::hasNoPads(pool.getPads()) || !canCompose(kinds, pool.getInput())) return success();
  double factor = isa<AvgPoolOp>(pool) ? 1.0 / double(pool.getKernel()[0] * pool.getKernel()[1]) : 1.0;
  SmallVector<int64_t> window(pool.getKernel()), strides(pool.getStrides());
  if (failed(composeAll(pool.getInput(), window, strides, factor, pool))) return failure();
  pool.replaceAllUsesWith(pool.getInput());
  pool.erase(); // so that its operand has one use again
  kinds = {};
  return success();
}

//===--- pools on spikes ---===//

struct FoldPoolScale : lasnn::impl::FoldPoolScaleBase<FoldPoolScale> {
  Kinds kinds;
  /// A spike value is worth 1/divisor of what it was. Found from the value back to its neurons, not in order of execution: a delay
  /// stands before its operand.
  llvm::DenseMap<Value, int64_t> divisors;
  int64_t divisorOf(Value value) {
    auto it = divisors.find(value);
    if (it != divisors.end()) return it->second;
    Operation *op = value.getDefiningOp();
    if (kinds.of(value) != lasnn::Kind::Spikes || getNeuron(op) || isa<EncodeOp, LayerOp>(op)) return 1;
    int64_t divisor = divisorOf(op->getOperand(0)); // both of an add are equal, or refused
    if (auto pool = dyn_cast<AvgPoolOp>(op)) divisor *= pool.getKernel()[0] * pool.getKernel()[1];
    divisors[value] = divisor;
    return divisor;
  }

  LogicalResult visitSpikes(Operation *op) {
    Value result = op->getResult(0);
    if (auto add = dyn_cast<AddOp>(op)) {
      int64_t lhs = divisorOf(add.getLhs()), rhs = divisorOf(add.getRhs());
      if (lhs != rhs)
        return lasnn::problem(op) << "adds spikes averaged over " << lhs << " to spikes averaged over " << rhs
                                  << ", expected one factor on both sides; pool both with the same window, or add behind a convolution";
    } else if (auto pool = dyn_cast<AvgPoolOp>(op)) {
      OpBuilder builder(op);
      auto sum = builder.create<SumPoolOp>(op->getLoc(), result.getType(), pool.getInput(), pool.getKernel(), pool.getStrides(), pool.getPads());
      divisors[sum.getResult()] = divisorOf(result);
      result.replaceAllUsesWith(sum.getResult()); // the pool is removed at the end: `kinds` knows values by address
    }
    return success();
  }

  /// A synapse takes the factor into its weights; a place that takes currents gets a synapse.
  LogicalResult visitCurrents(Operation *op) {
    if (isa<Conv2DOp, LinearOp>(op)) {
      int64_t divisor = divisorOf(op->getOperand(0));
      if (divisor == 1) return success();
      auto weight = cast<ElementsAttr>(op->getAttr("weight"));
      SmallVector<float> values = floatValues(weight);
      for (float &value : values) value = float(value / double(divisor));
      op->setAttr("weight", lasnn::f32Attr(&getContext(), weight.getShapedType().getShape(), values));
      return success();
    }
    for (OpOperand &operand : op->getOpOperands()) {
      int64_t divisor = divisorOf(operand.get());
      if (divisor == 1) continue;
      OpBuilder builder(op);
      SmallVector<double> scale(channels(operand.get()), 1.0 / double(divisor));
      FailureOr<Value> synapse = lasnn::makeIdentity(builder, operand.get().getLoc(), operand.get(), scale, {});
      if (failed(synapse)) return failure();
      operand.set(*synapse);
    }
    return success();
  }

  void runOnOperation() override {
    bool broken = false;
    kinds = {};
    divisors.clear();
    for (Operation *op : executionOrder(getOperation())) {
      if (op->getNumResults() == 0) continue;
      Value result = op->getResult(0);
      bool pool = isa<AvgPoolOp, SumPoolOp>(op);
      if (pool && kinds.of(result) == lasnn::Kind::Analog) {
        broken |= failed(lasnn::problem(op) << "pools the analog input, whose sum does not fit 8 bits, expected a pool of spikes; "
                                                  "resize the images before, or make it a convolution");
        continue;
      }
      LogicalResult done = success();
      if (pool && kinds.isCurrent(result)) {
        if (auto avg = dyn_cast<AvgPoolOp>(op)) done = commute(kinds, avg);
        else done = commute(kinds, cast<SumPoolOp>(op));
      } else if (kinds.of(result) == lasnn::Kind::Spikes && !getNeuron(op) && !isa<EncodeOp, LayerOp>(op)) {
        done = visitSpikes(op);
      } else {
        done = visitCurrents(op);
      }
      broken |= failed(done);
    }
    if (broken) return signalPassFailure();
    lasnn::tidy(getOperation());
  }
};
} // namespace
