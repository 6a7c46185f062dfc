#include "passes/Bounds.h"

using namespace mlir;
using namespace lasnn;
using namespace lasnn::snn;

/// `input` per input channel; a weight w >= 0 turns [lo, hi] into [w*lo, w*hi], a negative one the other way round.
template <typename SynapseOp>
static SmallVector<CurrentRange> synapse(SynapseOp op, ArrayRef<Range> input, int64_t groups, int64_t taps) {
  int64_t k = channels(op.getResult());
  SmallVector<int32_t> weight = intValues(op.getWeight());
  SmallVector<int32_t> bias(k, 0);
  if (op.getBias()) bias = intValues(*op.getBias());
  int64_t perOutput = int64_t(weight.size()) / k, perGroup = perOutput / taps;
  SmallVector<CurrentRange> out(k);
  for (int64_t o = 0; o < k; ++o) {
    int64_t lo = 0, hi = 0; // sums of the terms below and above 0
    for (int64_t i = 0; i < perOutput; ++i) {
      Range x = input[o / (k / groups) * perGroup + i / taps];
      int64_t w = weight[o * perOutput + i], a = w * x.lo, b = w * x.hi;
      lo += std::min<int64_t>({a, b, 0});
      hi += std::max<int64_t>({a, b, 0});
    }
    int64_t b = bias[o];
    out[o].value = {b + lo, b + hi};
    out[o].partial = {std::min<int64_t>(b, 0) + lo, std::max<int64_t>(b, 0) + hi};
  }
  return out;
}

template <typename T> static SmallVector<T> flatten(ArrayRef<T> values, Value result) {
  SmallVector<T> out;
  int64_t span = tensorType(result).getNumElements() / int64_t(values.size());
  for (const T &value : values) out.append(span, value);
  return out;
}

SmallVector<CurrentRange> Bounds::currentOf(Operation *op) {
  Value operand = op->getOperand(0);
  if (auto conv = dyn_cast<Conv2DOp>(op)) {
    ArrayRef<int64_t> shape = conv.getWeight().getShapedType().getShape();
    return synapse(conv, lookup(operand), conv.getGroups(), shape[2] * shape[3]);
  }
  if (auto linear = dyn_cast<LinearOp>(op)) return synapse(linear, lookup(operand), 1, 1);
  SmallVector<CurrentRange> first = currents.find(operand)->second;
  if (isa<FlattenOp>(op)) return flatten<CurrentRange>(first, op->getResult(0));
  if (isa<MaxPoolOp>(op)) {
    for (CurrentRange &range : first) range.comparedFits16 &= range.value.fits16();
    return first;
  }
  const SmallVector<CurrentRange> &second = currents.find(cast<AddOp>(op).getRhs())->second;
  for (auto [a, b] : llvm::zip(first, second)) {
    a.value = {a.value.lo + b.value.lo, a.value.hi + b.value.hi};
    a.partial = {a.partial.lo + b.partial.lo, a.partial.hi + b.partial.hi};
    a.comparedFits16 &= b.comparedFits16;
  }
  return first;
}

void Bounds::capCounts(Operation *op, SmallVector<Range> &ranges) {
  bool reported = false;
  for (auto [c, range] : llvm::enumerate(ranges)) {
    if (range.hi <= 255) continue;
    if (!reported) overflows.push_back({op, int64_t(c), range.hi});
    reported = true;
    range.hi = 255;
  }
}

SmallVector<Range> Bounds::lookup(Value value) {
  auto it = signals.find(value);
  if (it != signals.end()) return it->second;
  SmallVector<Range> ranges = signalOf(value.getDefiningOp()); // ends at a neuron (D3), whose counts do not depend on what feeds it
  signals[value] = ranges;
  return ranges;
}

SmallVector<Range> Bounds::signalOf(Operation *op) {
  if (auto layer = dyn_cast<LayerOp>(op)) return signalOf(cast<YieldOp>(layer.getBody().front().back()).getValue().getDefiningOp());
  if (auto encode = dyn_cast<EncodeOp>(op)) {
    bool events = encode.getEncoding() == Encoding::Events;
    return SmallVector<Range>(channels(encode.getResult()), events ? Range{0, int64_t(encode.getMaxCount())} : Range{-128, 127});
  }
  if (NeuronView neuron = getNeuron(op)) return SmallVector<Range>(channels(neuron.input), Range{0, neuron.sMax});
  SmallVector<Range> ranges = lookup(op->getOperand(0));
  if (isa<FlattenOp>(op)) return flatten<Range>(ranges, op->getResult(0));
  if (auto pool = dyn_cast<SumPoolOp>(op)) {
    for (Range &range : ranges) range.hi *= pool.getKernel()[0] * pool.getKernel()[1];
    capCounts(op, ranges);
  } else if (auto add = dyn_cast<AddOp>(op)) {
    for (auto [a, b] : llvm::zip(ranges, lookup(add.getRhs()))) a.hi += b.hi;
    capCounts(op, ranges);
  }
  return ranges; // max_pool, delay: as its input
}

Bounds::Bounds(NetworkOp network) {
  for (Operation *op : executionOrder(network)) {
    if (isa<InputOp, OutputOp>(op)) continue;
    auto layer = dyn_cast<LayerOp>(op);
    if (!layer) {
      lookup(op->getResult(0));
      continue;
    }
    Block &body = layer.getBody().front();
    for (auto [argument, operand] : llvm::zip(body.getArguments(), layer.getInputs())) signals[argument] = lookup(operand);
    for (Operation &inner : body) {
      if (isa<YieldOp>(inner)) continue;
      Value result = inner.getResult(0);
      if (getNeuron(&inner) || isa<ReadoutOp>(inner)) {
        layers[op] = currents.find(inner.getOperand(0))->second;
        signals[layer.getResult()] = isa<ReadoutOp>(inner) ? SmallVector<Range>() : signalOf(&inner);
      } else if (isa<FlattenOp>(inner) && !tensorType(result).getElementType().isInteger(32)) {
        signals[result] = signalOf(&inner);
      } else {
        currents[result] = currentOf(&inner);
      }
    }
  }
}
