#include "passes/Support.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_FUSELAYERS
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::Kind;
using lasnn::Kinds;
using lasnn::problem;

/// What stands in the way of fusing this operation; reports it and returns true.
bool refuses(Kinds &kinds, Operation *op) {
  Kind in = op->getNumOperands() ? kinds.of(op->getOperand(0)) : Kind::Pixels;
  if (isa<ReluOp>(op))
    return failed(problem(op) << "relu is an ANN's activation, which does not spike; distil a spiking student from this network, or convert it (snn-convert, lasnn-compile --convert)");
  if (in == Kind::Ann) return false; // its relu is reported
  if (isa<BatchNormOp>(op) && op->getOperand(0).getDefiningOp<MaxPoolOp>())
    return failed(problem(op) << "batch_norm behind a max_pool of currents has a negative scale (gamma), which turns the maximum into a minimum; "
                                    "put it between the convolution and the pool, or train with scales of 0 and above");
  if (isa<BatchNormOp>(op))
    return failed(problem(op) << "batch_norm is not next to a synapse that can take it: its operand has other uses, or its shift would "
                                    "meet a convolution's padding; put it behind the convolution, or set its pads to 0");
  if (isa<DelayOp>(op) && in != Kind::Spikes)
    return failed(problem(op) << "rule D2: delays " << (in == Kind::Current ? "currents" : in == Kind::Analog ? "the analog input" : "the result of a read-out")
                                 << ", expected spikes; delay what a neuron fires");
  if (isa<AvgPoolOp>(op) && in == Kind::Spikes)
    return failed(problem(op) << "avg_pool of spikes has no integer form; run snn-fold-pool-scale first");
  if (isa<AvgPoolOp, SumPoolOp>(op) && in == Kind::Current)
    return failed(problem(op) << op->getName().stripDialect() << " of currents that are no convolution's alone, or with pads, cannot be "
                                    "composed with it; move the pool behind the neuron");
  if (isa<AvgPoolOp, SumPoolOp>(op) && in == Kind::Analog)
    return failed(problem(op) << "pools the analog input, whose sum does not fit 8 bits; resize the images before, or make it a convolution");
  if (isa<Conv2DOp, LinearOp>(op) && in == Kind::Current && !op->getOperand(0).getDefiningOp<BatchNormOp>()) // that is reported
    return failed(problem(op) << "the synapse is fed by currents of '" << nameOf(op->getOperand(0).getDefiningOp())
                                 << "', expected spikes or the analog input; put a neuron between them");
  if (isa<AddOp>(op)) {
    for (Value operand : op->getOperands())
      if (kinds.of(operand) == Kind::Result) return failed(problem(op) << "adds the result of a read-out, expected spikes or currents");
    if (kinds.of(op->getResult(0)) == Kind::Current && kinds.of(op->getOperand(0)) == Kind::Analog && kinds.of(op->getOperand(1)) == Kind::Analog)
      for (Operation *user : op->getUsers())
        if (isa<Conv2DOp, LinearOp, MaxPoolOp>(user)) return failed(problem(op) << "adds the analog input to itself, expected a synapse first");
  } else if (in == Kind::Result && !isa<OutputOp>(op)) {
    return failed(problem(op) << "takes the result of a read-out, which only an output may");
  }
  if (in == Kind::Pixels && !isa<InputOp, EncodeOp>(op)) return failed(problem(op) << "takes the input itself, expected it behind snn.encode");
  if (isa<OutputOp>(op) && in != Kind::Result)
    return failed(problem(op) << "rule S6: the output takes " << (in == Kind::Spikes ? "spikes" : "currents")
                                 << ", expected the result of a read-out; add snn.readout");
  for (Value result : op->getResults())
    if (kinds.isCurrent(result) && !result.hasOneUse() && !result.use_empty()) {
      InFlightDiagnostic report = problem(op) << "its current has " << std::distance(result.use_begin(), result.use_end())
                                              << " uses, expected 1: a shortcut between membranes is not supported; use spikes for the shortcut";
      for (Operation *user : result.getUsers()) report.attachNote(user->getLoc()) << "used by '" << nameOf(user) << "'";
      return failed(LogicalResult(report));
    }
  return false;
}

/// Builds one layer around `end`, a neuron or a read-out.
class LayerBuilder {
public:
  LayerBuilder(Kinds &kinds, Operation *end) : kinds(kinds), end(end), builder(end) {}

  LogicalResult build(StringRef name) {
    OperationState state(end->getLoc(), LayerOp::getOperationName());
    state.addAttribute("name", builder.getStringAttr(name));
    state.addTypes(end->getResultTypes());
    state.addRegion()->emplaceBlock();
    layer = cast<LayerOp>(builder.create(state));
    block = &layer.getBody().front();
    builder.setInsertionPointToEnd(block);
    FailureOr<Value> current = currentOf(end->getOperand(0));
    if (failed(current)) return failure();
    Operation *inside = builder.clone(*end);
    inside->setOperand(0, *current);
    builder.create<YieldOp>(end->getLoc(), inside->getResult(0));
    end->getResult(0).replaceAllUsesWith(layer.getResult());
    return success();
  }

private:
  /// The body's value for a current, its operations copied; signals get the synapse that passes them on.
  FailureOr<Value> currentOf(Value value) {
    if (kinds.isSignal(value))
      return lasnn::makeIdentity(builder, value.getLoc(), argumentFor(value), SmallVector<double>(channels(value), 1.0), {});
    Operation *op = value.getDefiningOp();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> inside = isa<AddOp, FlattenOp, MaxPoolOp>(op) ? currentOf(operand) : FailureOr<Value>(signalOf(operand));
      if (failed(inside)) return failure();
      operands.push_back(*inside);
    }
    Operation *copy = builder.clone(*op);
    copy->setOperands(operands);
    return copy->getResult(0);
  }

  /// A synapse's operand: a flatten moves inside.
  Value signalOf(Value value) {
    auto flatten = value.getDefiningOp<FlattenOp>();
    if (!flatten) return argumentFor(value);
    Value image = argumentFor(flatten.getInput());
    Operation *copy = builder.clone(*flatten);
    copy->setOperand(0, image);
    return copy->getResult(0);
  }

  Value argumentFor(Value value) {
    for (auto [argument, operand] : llvm::zip(block->getArguments(), layer.getInputs()))
      if (operand == value) return argument;
    layer->insertOperands(layer->getNumOperands(), value);
    return block->addArgument(value.getType(), value.getLoc());
  }

  Kinds &kinds;
  Operation *end;
  OpBuilder builder;
  LayerOp layer;
  Block *block = nullptr;
};

struct FuseLayers : lasnn::impl::FuseLayersBase<FuseLayers> {
  void runOnOperation() override {
    SmallVector<Operation *> order = executionOrder(getOperation());
    Kinds kinds;
    llvm::StringSet<> names;
    SmallVector<std::pair<Operation *, std::string>> ends; // names first: they count positions
    bool broken = false;
    for (Operation *op : order) {
      broken |= refuses(kinds, op);
      if (auto layer = dyn_cast<LayerOp>(op)) names.insert(layer.getName());
      if (getNeuron(op)) ends.emplace_back(op, nameOf(op));
      if (isa<ReadoutOp>(op)) {
        Operation *synapse = op->getOperand(0).getDefiningOp();
        ends.emplace_back(op, nameOf(synapse && isa<Conv2DOp, LinearOp>(synapse) ? synapse : op));
      }
    }
    if (broken) return signalPassFailure();
    for (auto &[end, name] : ends) {
      std::string unique = name;
      for (int i = 2; !names.insert(unique).second; ++i) unique = name + "_" + std::to_string(i);
      if (failed(LayerBuilder(kinds, end).build(unique))) return signalPassFailure();
      kinds = {}; // the neuron's uses are the layer's now
    }
    lasnn::tidy(getOperation());
  }
};
} // namespace
