#include "passes/Support.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_LEGALIZE
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::hasNoPads;

/// An operation that returns its operand.
bool isIdentity(Operation *op) {
  if (isa<FlattenOp>(op)) return op->getOperand(0).getType() == op->getResult(0).getType();
  auto pool = [](auto op) {
    return llvm::all_of(op.getKernel(), [](int64_t k) { return k == 1; }) &&
           llvm::all_of(op.getStrides(), [](int64_t s) { return s == 1; }); // pads are below the kernel (P4): 0
  };
  if (auto sum = dyn_cast<SumPoolOp>(op)) return pool(sum);
  if (auto max = dyn_cast<MaxPoolOp>(op)) return pool(max);
  if (auto avg = dyn_cast<AvgPoolOp>(op)) return pool(avg);
  return false;
}

/// N2 with beta = 1 or decay = 0 is the identity.
Operation *withoutLeak(LIFOp lif) {
  bool leaks = lif.getBeta() ? lif.getBeta()->convertToFloat() != 1.f : !lif.getDecay() || *lif.getDecay() != 0;
  if (leaks) return nullptr;
  OperationState state(lif.getLoc(), IFOp::getOperationName());
  state.addOperands(lif.getInput());
  state.addTypes(lif.getType());
  for (NamedAttribute attr : lif->getAttrs())
    if (attr.getName() != "beta" && attr.getName() != "decay") state.attributes.append(attr);
  OpBuilder builder(lif);
  Operation *neuron = builder.create(state);
  lif->replaceAllUsesWith(neuron);
  lif->erase();
  return neuron;
}

/// The first of two pools does not overlap and neither has pads, so that a window of windows is a window.
template <typename PoolOp> void mergePool(PoolOp outer) {
  auto inner = outer.getInput().template getDefiningOp<PoolOp>();
  if (!inner || inner.getKernel() != inner.getStrides() || !hasNoPads(inner.getPads()) || !hasNoPads(outer.getPads())) return;
  SmallVector<int64_t> kernel, strides;
  for (int axis : {0, 1}) {
    kernel.push_back(inner.getKernel()[axis] * outer.getKernel()[axis]);
    strides.push_back(inner.getStrides()[axis] * outer.getStrides()[axis]);
    if (kernel.back() > 65535 || strides.back() > 65535) return;
  }
  outer.setKernel(kernel);
  outer.setStrides(strides);
  outer->setOperand(0, inner.getInput());
  lasnn::keepLocations(outer, inner);
}

/// neuron(flatten(x)) is flatten(neuron(x)) when every element has the same constants.
void sinkFlatten(Operation *op) {
  NeuronView neuron = getNeuron(op);
  auto flatten = neuron.input.getDefiningOp<FlattenOp>();
  if (!flatten || !lasnn::Kinds().isCurrent(flatten.getInput())) return;
  for (ElementsAttr attr : {neuron.vThreshold, neuron.rho, neuron.vReset})
    if (attr && attr.getNumElements() != 1) return;
  OpBuilder builder(op);
  builder.setInsertionPointAfter(op);
  auto behind = builder.create<FlattenOp>(flatten.getLoc(), op->getResult(0).getType(), op->getResult(0));
  op->getResult(0).replaceAllUsesExcept(behind.getResult(), behind);
  op->getResult(0).setType(flatten.getInput().getType());
  op->setOperand(0, flatten.getInput());
}

/// delay(flatten(x)) is flatten(delay(x)). A delay behind it may have one in front now.
void sinkFlattens(NetworkOp network) {
  SmallVector<DelayOp> delays(network.getOps<DelayOp>());
  while (!delays.empty()) {
    DelayOp delay = delays.pop_back_val();
    auto flatten = delay.getInput().getDefiningOp<FlattenOp>();
    if (!flatten) continue;
    OpBuilder builder(delay);
    builder.setInsertionPointAfter(delay);
    auto behind = builder.create<FlattenOp>(flatten.getLoc(), delay.getType(), delay.getResult());
    delay.getResult().replaceAllUsesExcept(behind.getResult(), behind);
    delay.getResult().setType(tensorType(flatten.getInput()));
    delay->setOperand(0, flatten.getInput());
    for (Operation *user : behind->getUsers())
      if (auto next = dyn_cast<DelayOp>(user)) delays.push_back(next);
    delays.push_back(delay); // flatten of flatten
  }
}

struct Legalize : lasnn::impl::LegalizeBase<Legalize> {
  void runOnOperation() override {
    for (Operation *op : executionOrder(getOperation())) {
      if (isIdentity(op)) {
        op->getResult(0).replaceAllUsesWith(op->getOperand(0));
        continue;
      }
      if (auto lif = dyn_cast<LIFOp>(op))
        if (Operation *neuron = withoutLeak(lif)) op = neuron;
      if (getNeuron(op)) sinkFlatten(op);
      else if (auto sum = dyn_cast<SumPoolOp>(op)) mergePool(sum);
      else if (auto max = dyn_cast<MaxPoolOp>(op)) mergePool(max);
      else if (auto avg = dyn_cast<AvgPoolOp>(op)) mergePool(avg);
    }
    sinkFlattens(getOperation());
    lasnn::tidy(getOperation());
  }
};
} // namespace
