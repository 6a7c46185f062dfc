// Verifiers of the network, its ends, its delays and its fused layers: spec.md rules S, T1, E, D, Y.
#include "ir/Verify.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace lasnn::snn;

/// No cycle but through operations that `cuts` names. Depth-first over operands; `open` holds the path.
static LogicalResult verifyCycles(NetworkOp network, llvm::function_ref<bool(Operation *)> cuts, StringRef rule, StringRef message) {
  llvm::DenseSet<Operation *> done, open;
  // An explicit stack: a hostile file may be deep.
  for (Operation &root : network.getBody().front()) {
    SmallVector<std::pair<Operation *, unsigned>> stack{{&root, 0}};
    while (!stack.empty()) {
      auto &[op, next] = stack.back();
      if (next == 0) {
        if (done.contains(op)) {
          stack.pop_back();
          continue;
        }
        open.insert(op);
      }
      if (next == op->getNumOperands() || cuts(op)) {
        open.erase(op);
        done.insert(op);
        stack.pop_back();
        continue;
      }
      Operation *producer = op->getOperand(next++).getDefiningOp();
      if (producer && open.contains(producer))
        return broken(producer, rule) << message;
      if (producer && !done.contains(producer)) stack.emplace_back(producer, 0);
    }
  }
  return success();
}

/// A read-out, or the layer that ends in one.
static bool isReadout(Operation *op) {
  if (auto layer = dyn_cast_or_null<LayerOp>(op)) {
    auto yield = layer.getBody().front().empty() ? YieldOp() : dyn_cast<YieldOp>(layer.getBody().front().back());
    return yield && isa_and_nonnull<ReadoutOp>(yield.getValue().getDefiningOp());
  }
  return isa_and_nonnull<ReadoutOp>(op);
}

LogicalResult NetworkOp::verify() {
  if (int64_t(getTimesteps()) < 1 || getTimesteps() > 65535)
    return broken(*this, "S1") << "timesteps is " << int64_t(getTimesteps()) << ", expected 1 to 65535";
  unsigned inputs = 0, outputs = 0;
  llvm::StringSet<> names, layers;
  for (Operation &op : getBody().front()) {
    if (op.getDialect() != (*this)->getDialect())
      return op.emitOpError() << "rule S5: the operation is not of dialect snn, expected only snn operations in a network";
    if (isa<NetworkOp, YieldOp>(op))
      return broken(&op, "S5") << "the operation stands in a network, expected " << (isa<YieldOp>(op) ? "it in a layer" : "no network in a network");
    StringRef name;
    if (auto input = dyn_cast<InputOp>(op)) {
      ++inputs;
      name = input.getName();
      unsigned uses = std::distance(op.getUses().begin(), op.getUses().end());
      if (inputs == 1 && (uses != 1 || !isa<EncodeOp>(*op.getUsers().begin())))
        return broken(&op, "S2") << "the input has " << uses << " uses, expected one snn.encode";
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      ++outputs;
      name = output.getName();
      if (!isReadout(output.getValue().getDefiningOp()))
        return broken(&op, "S6") << "the output takes the result of '" << output.getValue().getDefiningOp()->getName()
                                 << "', expected a read-out";
    } else {
      if (auto layer = dyn_cast<LayerOp>(op); layer && (layer.getName().empty() || !layers.insert(layer.getName()).second))
        return broken(&op, "Y4") << "the name \"" << layer.getName() << "\" is " << (layer.getName().empty() ? "empty" : "taken")
                                 << ", expected a name of its own";
      continue;
    }
    if (name.empty() || !names.insert(name).second)
      return broken(&op, "S3") << "the name \"" << name << "\" is " << (name.empty() ? "empty" : "taken") << ", expected a name of its own";
  }
  if (inputs != 1) return broken(*this, "S2") << "the network has " << inputs << " inputs, expected 1";
  if (outputs < 1) return broken(*this, "S2") << "the network has no output, expected at least 1";
  if (failed(verifyCycles(*this, [](Operation *op) { return isa<DelayOp>(op); }, "S4",
                          "the operation depends on its own result of the same step, expected a snn.delay on every cycle")))
    return failure();
  return verifyCycles(*this, [](Operation *op) { return getNeuron(op) || (isa<LayerOp>(op) && !isReadout(op)); }, "D3",
                      "the operation feeds back to itself without a neuron, expected one on every cycle: nothing else bounds its counts");
}

LogicalResult DelayOp::verify() {
  if (failed(verifyShapes(*this))) return failure();
  Type element = tensorType(getInput()).getElementType();
  if (getInput().getType() != getResult().getType() || !(element.isF32() || element.isUnsignedInteger(8)))
    return broken(*this, "D2") << "types (operand, result) are (" << getInput().getType() << ", " << getResult().getType()
                               << "), expected one type of f32 or ui8 elements: spikes";
  return success();
}

/// T1, where the forms could mix: currents never meet spikes except through a synapse. Element types are checked by each op.
LogicalResult EncodeOp::verify() {
  if (failed(verifyShapes(*this))) return failure();
  if (!getInput().getDefiningOp<InputOp>())
    return broken(*this, "S2") << "the operand is not an input, expected the result of snn.input";
  RankedTensorType in = tensorType(getInput()), out = tensorType(getResult());
  if (in.getShape() != out.getShape())
    return broken(*this, "E1") << "result shape is " << shapeText(out.getShape()) << ", expected the input's " << shapeText(in.getShape());
  int64_t c = channels(getInput());
  if (getEncoding() == Encoding::Events) {
    if (getMean() || getStd() || getTable()) return broken(*this, "E3") << "mean, std or table is given, expected none with events";
    bool ok = in.getElementType().isUnsignedInteger(8) && (out.getElementType().isF32() || out.getElementType().isUnsignedInteger(8));
    if (!ok) return broken(*this, "E3") << "types (input, result) are (" << in << ", " << out << "), expected (ui8, f32) or (ui8, ui8)";
    if (getMaxCount() < 1 || getMaxCount() > 255)
      return broken(*this, "E3") << "max_count is " << int64_t(getMaxCount()) << ", expected 1 to 255";
    return success();
  }
  if (out.getElementType().isSignlessInteger(8)) {
    if (!getTable() || getTable()->getShapedType().getShape() != ArrayRef<int64_t>{c, 256} ||
        !getTable()->getElementType().isSignlessInteger(8))
      return broken(*this, "E2") << "table is " << (getTable() ? "of another type" : "absent") << ", expected i8 [" << c << ",256]";
    if (!getScale() || !getScale()->isFinite() || !(getScale()->convertToFloat() > 0))
      return broken(*this, "E2") << "scale is absent or not positive, expected a finite value above 0";
    return success();
  }
  if (!out.getElementType().isF32()) return broken(*this, "E1") << "result is " << out << ", expected f32 elements, or i8 with a table";
  if (getTable()) return broken(*this, "E1") << "table is given with an f32 result, expected it in integer form only";
  if (in.getElementType().isF32() && (getMean() || getStd()))
    return broken(*this, "E1") << "mean or std is given for a float input, expected a ui8 input";
  for (auto [name, values] : {std::pair{"mean", getMean()}, std::pair{"std", getStd()}}) {
    if (!values) continue;
    if (int64_t(values->size()) != c)
      return broken(*this, "E1") << name << " has " << values->size() << " entries, expected " << c;
    for (float value : *values)
      if (!std::isfinite(value) || (StringRef(name) == "std" && !(value > 0)))
        return broken(*this, "E1") << llvm::formatv("{0} holds {1}, expected finite values{2}", name, value, StringRef(name) == "std" ? " above 0" : "").str();
  }
  return success();
}

LogicalResult LayerOp::verify() {
  Block &body = getBody().front();
  if (body.getNumArguments() != getInputs().size())
    return broken(*this, "Y1") << "the body has " << body.getNumArguments() << " arguments, expected " << getInputs().size();
  for (auto [i, pair] : llvm::enumerate(llvm::zip(body.getArguments(), getInputs())))
    if (std::get<0>(pair).getType() != std::get<1>(pair).getType())
      return broken(*this, "Y1") << "argument " << i << " is " << std::get<0>(pair).getType() << ", expected " << std::get<1>(pair).getType();
  unsigned ends = 0;
  for (Operation &op : body) {
    bool end = getNeuron(&op) || isa<ReadoutOp>(op);
    ends += end;
    if (isa<DelayOp>(op)) return broken(*this, "D4") << "the body holds a delay, expected it in the network, its result an input of the layer";
    if (!end && !isa<Conv2DOp, LinearOp, FlattenOp, AddOp, MaxPoolOp, YieldOp>(op))
      return broken(*this, "Y2") << "the body holds '" << op.getName() << "', expected conv2d, linear, flatten, add, max_pool, one neuron or read-out";
    if (isa<MaxPoolOp>(op) && isa<BlockArgument>(op.getOperand(0)))
      return broken(*this, "Y2") << "the body's max_pool takes an argument, expected a current; put pools of spikes between the layers";
    for (Value operand : op.getOperands())
      if (operand.getParentBlock() != &body)
        return broken(*this, "Y3") << "'" << op.getName() << "' uses a value from outside, expected arguments of the layer only";
  }
  auto yield = body.empty() ? YieldOp() : dyn_cast<YieldOp>(body.back());
  Operation *end = yield ? yield.getValue().getDefiningOp() : nullptr;
  if (ends != 1 || !end || !(getNeuron(end) || isa<ReadoutOp>(end)))
    return broken(*this, "Y2") << "the body has " << ends << " neurons and read-outs" << (yield ? "" : " and no yield at its end")
                               << ", expected one, yielded last";
  if (yield.getValue().getType() != getResult().getType())
    return broken(*this, "Y1") << "the result is " << getResult().getType() << ", expected " << yield.getValue().getType();
  if (auto bits = getCurrentBits(); bits && *bits != 16 && *bits != 32)
    return broken(*this, "K5") << "current_bits is " << *bits << ", expected 16 or 32";
  return success();
}
