#include "passes/Bounds.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_VERIFYCONTRACT
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::CurrentRange;
using lasnn::problem;
using lasnn::Range;

int64_t magnitude(Range range) { return std::max(std::abs(range.lo), std::abs(range.hi)); }

struct VerifyContract : lasnn::impl::VerifyContractBase<VerifyContract> {
  bool broken = false;

  /// K4. The other rules need it.
  void checkForm(NetworkOp network) {
    for (Operation *op : executionOrder(network)) {
      if (isa<ReluOp, BatchNormOp, AvgPoolOp>(op))
        report(op) << "rule K4: " << op->getName().stripDialect() << " is left in the network, expected none; run the float pipeline before";
      else if (isa<Conv2DOp, LinearOp, ReadoutOp>(op) || getNeuron(op))
        report(op) << "rule K4: " << op->getName().stripDialect() << " stands outside a layer, expected fused layers; run snn-fuse-layers";
      else if (auto sum = dyn_cast<SumPoolOp>(op); sum && tensorType(sum.getInput()).getElementType().isSignlessInteger(8))
        report(op) << "rule K3: sums analog values in 8 bits, expected spike counts; make the pool a convolution";
      else if (auto add = dyn_cast<AddOp>(op); add && !tensorType(add.getResult()).getElementType().isUnsignedInteger(8))
        report(op) << "rule K4: add of " << tensorType(add.getResult()).getElementType() << " stands outside a layer, expected spike counts (ui8) there";
      for (Value result : op->getResults())
        if (tensorType(result).getElementType().isF32()) {
          report(op) << "rule K4: the result is f32, expected integer form; run snn-quantize";
          break;
        }
    }
  }

  void checkCurrents(LayerOp layer, ArrayRef<CurrentRange> currents, int64_t timesteps) {
    constexpr int64_t limit = int64_t(1) << 30; // K1
    Operation *end = cast<YieldOp>(layer.getBody().front().back()).getValue().getDefiningOp();
    NeuronView neuron = getNeuron(end);
    int64_t membrane = neuron ? int64_t(1) << (neuron.stateBits - 1) : 0;
    int64_t steps = neuron || cast<ReadoutOp>(end).getMode() == ReadoutMode::Last ? 1 : timesteps;
    bool fits16 = true;
    for (auto [c, current] : llvm::enumerate(currents)) {
      fits16 &= current.value.fits16() && current.comparedFits16;
      int64_t most = magnitude(current.partial);
      if (most > limit)
        report(layer) << "rule K1: the current of channel " << c << " can reach " << most << ", expected at most " << limit
                      << "; use fewer weight bits, or a smaller bias";
      else if (most + membrane > limit)
        report(layer) << "rule K1: membrane and current of channel " << c << " can reach " << most + membrane << ", expected at most " << limit
                      << "; use fewer weight bits, or state_bits = 16";
      if (int64_t sum = magnitude(current.value) * steps; sum > INT32_MAX)
        report(layer) << "rule K2: the read-out of channel " << c << " can reach " << sum << " in " << steps << " steps, expected at most "
                      << INT32_MAX << "; use fewer time-steps or fewer weight bits";
    }
    layer.setCurrentBits(fits16 ? 16 : 32); // K5
  }

  InFlightDiagnostic report(Operation *op) {
    broken = true;
    return problem(op);
  }

  void runOnOperation() override {
    NetworkOp network = getOperation();
    broken = false;
    checkForm(network);
    if (broken) return signalPassFailure();
    lasnn::Bounds bounds(network);
    for (auto [op, channel, count] : bounds.overflows)
      report(op) << "rule K3: a spike count of channel " << channel << " can reach " << count
                 << ", expected at most 255; use a smaller window, fewer spikes a step, or a neuron in between";
    for (auto layer : network.getOps<LayerOp>()) checkCurrents(layer, bounds.ofLayer(layer), int64_t(network.getTimesteps()));
    if (broken) return signalPassFailure();
  }
};
} // namespace
