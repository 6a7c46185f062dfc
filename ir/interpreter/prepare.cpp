// From IR to the interpreter's program: order, value slots, weights laid out for evaluation, neuron constants.
#include "ir/interpreter/program.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace lasnn::snn {
namespace {

llvm::Error fail(Operation *op, const llvm::Twine &text) {
  return llvm::createStringError("'" + nameOf(op) + "': " + text);
}

/// [K][C/G][KH][KW] to [G][C/G][KH][KW][K/G]: one input value then meets a contiguous run of output channels.
template <typename T> std::vector<T> transpose(ArrayRef<T> weight, const Window &w) {
  int64_t cg = w.c / w.groups, kg = w.k / w.groups, taps = w.kh * w.kw;
  std::vector<T> out(weight.size());
  for (int64_t k = 0; k < w.k; ++k)
    for (int64_t c = 0; c < cg; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        out[((k / kg * cg + c) * taps + tap) * kg + k % kg] = weight[(k * cg + c) * taps + tap];
  return out;
}

void setShape(Window &w, Value input, Value result) {
  ArrayRef<int64_t> in = tensorType(input).getShape(), out = tensorType(result).getShape();
  w.c = in[0], w.k = out[0];
  if (in.size() == 3) w.h = in[1], w.w = in[2];
  if (out.size() == 3) w.oh = out[1], w.ow = out[2];
}

template <typename SynapseOp> llvm::Error setWeights(Node &node, SynapseOp op) {
  Window &w = node.window;
  if (isa<FloatType>(op.getWeight().getElementType())) {
    node.weightF = transpose<float>(floatValues(op.getWeight()), w);
    node.biasF.assign(w.k, 0.f);
    if (op.getBias()) {
      auto bias = floatValues(*op.getBias());
      node.biasF.assign(bias.begin(), bias.end());
    }
    return llvm::Error::success();
  }
  auto weight = intValues(op.getWeight());
  node.weightI = transpose<int32_t>(weight, w);
  node.biasI.assign(w.k, 0);
  if (op.getBias()) {
    auto bias = intValues(*op.getBias());
    node.biasI.assign(bias.begin(), bias.end());
  }
  bool spikes = tensorType(op.getInput()).getElementType().isUnsignedInteger(8);
  node.countSynops = spikes;
  // K1, with the widest values the types allow: from here on 32-bit sums cannot overflow.
  int64_t perChannel = weight.size() / w.k;
  for (int64_t k = 0; k < w.k; ++k) {
    int64_t bound = std::abs(int64_t(node.biasI[k]));
    for (int64_t i = 0; i < perChannel; ++i) bound += std::abs(weight[k * perChannel + i]) * int64_t(spikes ? 255 : 128);
    if (bound > (int64_t(1) << 30))
      return fail(op, llvm::formatv("rule K1: the current of channel {0} can reach {1}, expected at most {2}; use fewer weight bits", k,
                                    bound, int64_t(1) << 30).str());
  }
  return llvm::Error::success();
}

template <typename PoolOp> void setPool(Node &node, PoolOp op) {
  Window &w = node.window;
  setShape(w, op.getInput(), op.getResult());
  w.kh = op.getKernel()[0], w.kw = op.getKernel()[1];
  w.sh = op.getStrides()[0], w.sw = op.getStrides()[1];
  w.top = op.getPads()[0], w.left = op.getPads()[1];
}

template <typename T> void assign(std::vector<T> &to, llvm::SmallVector<T> from) { to.assign(from.begin(), from.end()); }

NeuronState prepareNeuron(const NeuronView &view, bool integer) {
  NeuronState state;
  state.view = view;
  int64_t c = channels(view.input), elements = tensorType(view.input).getNumElements();
  state.perChannel = elements / c;
  state.hasVMin = bool(view.vMin);
  if (integer) {
    assign(state.thresholdI, intPerChannel(view.vThreshold, c));
    if (view.rho) assign(state.rhoI, intPerChannel(view.rho, c));
    if (view.vReset) assign(state.resetI, intPerChannel(view.vReset, c));
    state.vI.assign(elements, 0);
    if (view.decay) state.keep = 4096 - view.decay.getInt();
    state.hi = (int64_t(1) << (view.stateBits - 1)) - 1;
    state.lo = -state.hi - 1;
    if (view.vMin) state.lo = std::max(state.lo, cast<IntegerAttr>(view.vMin).getInt());
  } else {
    assign(state.thresholdF, floatPerChannel(view.vThreshold, c));
    assign(state.rhoF, view.rho ? floatPerChannel(view.rho, c) : floatPerChannel(view.vThreshold, c));
    if (view.vReset) assign(state.resetF, floatPerChannel(view.vReset, c));
    state.vF.assign(elements, 0.f);
    if (view.beta) state.betaF = view.beta.getValue().convertToFloat();
    if (view.vMin) state.vMinF = cast<FloatAttr>(view.vMin).getValue().convertToFloat();
  }
  return state;
}

struct Preparer {
  Program program;
  llvm::DenseMap<Value, int> slots;

  int slotOf(Value value) {
    auto [it, isNew] = slots.try_emplace(value, program.values.size());
    if (isNew) {
      Tensor tensor;
      RankedTensorType type = tensorType(value);
      tensor.shape.assign(type.getShape().begin(), type.getShape().end());
      tensor.isFloat = type.getElementType().isF32();
      if (tensor.isFloat) tensor.f.assign(type.getNumElements(), 0.f);
      else tensor.i.assign(type.getNumElements(), 0);
      program.values.push_back(std::move(tensor));
    }
    return it->second;
  }

  llvm::Error addNode(Operation *op, StringRef layerName) {
    Node node;
    node.op = op;
    for (Value operand : awaited(op)) node.inputs.push_back(slotOf(operand));
    node.result = slotOf(op->getResult(0));
    program.readoutNodes.push_back(-1);

    if (auto encode = dyn_cast<EncodeOp>(op)) {
      program.encoding = encode.getEncoding();
      program.floatInput = tensorType(encode.getInput()).getElementType().isF32();
      node.constant = encode.getEncoding() == Encoding::Direct;
    } else {
      node.constant = !getNeuron(op) && !isa<DelayOp, ReadoutOp>(op) &&
                      llvm::all_of(node.inputs, [&](int slot) { return constantSlots.contains(slot); });
    }
    if (node.constant) constantSlots.insert(node.result);

    llvm::Error error = llvm::Error::success();
    if (auto conv = dyn_cast<Conv2DOp>(op)) {
      Window &w = node.window;
      setShape(w, conv.getInput(), conv.getResult());
      ArrayRef<int64_t> weight = conv.getWeight().getShapedType().getShape();
      w.kh = weight[2], w.kw = weight[3];
      w.sh = conv.getStrides()[0], w.sw = conv.getStrides()[1];
      w.top = conv.getPads()[0], w.left = conv.getPads()[1];
      w.dh = conv.getDilations()[0], w.dw = conv.getDilations()[1];
      w.groups = conv.getGroups();
      error = setWeights(node, conv);
    } else if (auto linear = dyn_cast<LinearOp>(op)) {
      setShape(node.window, linear.getInput(), linear.getResult());
      error = setWeights(node, linear);
    } else if (auto pool = dyn_cast<SumPoolOp>(op)) {
      setPool(node, pool);
    } else if (auto pool = dyn_cast<MaxPoolOp>(op)) {
      setPool(node, pool);
    } else if (auto pool = dyn_cast<AvgPoolOp>(op)) {
      setPool(node, pool);
    } else if (NeuronView view = getNeuron(op)) {
      node.neuron = program.neurons.size();
      program.neurons.push_back(prepareNeuron(view, program.integer));
      NeuronStats stats;
      stats.op = op;
      stats.name = layerName.empty() ? nameOf(op) : layerName.str();
      stats.neurons = tensorType(view.input).getNumElements();
      stats.maxAbsV.assign(channels(view.input), 0.0);
      program.stats.push_back(std::move(stats));
    } else if (isa<DelayOp>(op)) {
      node.delay = program.delays.size();
      program.delays.push_back({-1, program.values[node.result]}); // zeros
      delayed.push_back(op->getOperand(0));
    } else if (auto readout = dyn_cast<ReadoutOp>(op)) {
      program.readoutNodes.back() = program.readouts.size();
      ReadoutState state;
      state.mode = readout.getMode();
      if (readout.getScale()) state.scale = readout.getScale()->convertToFloat();
      int64_t elements = tensorType(readout.getInput()).getNumElements();
      if (program.integer) state.sumI.assign(elements, 0);
      else state.sumF.assign(elements, 0.f);
      program.readouts.push_back(std::move(state));
    }
    program.nodes.push_back(std::move(node));
    return error;
  }

  /// Synaptic operations belong to the neuron that the synapse feeds, through adds, maxima and flattens.
  void assignSynapses() {
    llvm::DenseMap<int, int> neuronOfSlot;
    for (Node &node : llvm::reverse(program.nodes)) {
      if (getNeuron(node.op)) {
        neuronOfSlot[node.inputs[0]] = node.neuron;
        continue;
      }
      auto it = neuronOfSlot.find(node.result);
      if (it == neuronOfSlot.end()) continue;
      node.neuron = it->second;
      if (isa<AddOp, FlattenOp, MaxPoolOp>(node.op))
        for (int slot : node.inputs) neuronOfSlot[slot] = node.neuron;
    }
  }

  /// A delay's operand may come later, and be the result of a layer, whose slot is known once its body is prepared.
  void findDelayed() {
    for (auto [delay, value] : llvm::zip(program.delays, delayed)) delay.input = slotOf(value);
  }

  llvm::DenseSet<int> constantSlots;
  llvm::SmallVector<Value> delayed; ///< of each delay, its operand
};

} // namespace

llvm::Expected<Program> prepare(NetworkOp network) {
  Preparer preparer;
  Program &program = preparer.program;
  program.network = network;
  program.integer = network.isInteger();
  program.timesteps = network.getTimesteps();
  for (Operation *op : executionOrder(network)) {
    if (auto input = dyn_cast<InputOp>(op)) {
      ArrayRef<int64_t> shape = tensorType(input.getResult()).getShape();
      program.inputShape.assign(shape.begin(), shape.end());
      preparer.slotOf(input.getResult());
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      if (!isa_and_nonnull<ReadoutOp, LayerOp>(output.getValue().getDefiningOp()))
        return fail(op, "rule S6: an output takes the result of a read-out");
      program.outputs.push_back(preparer.slotOf(output.getValue()));
    } else if (auto layer = dyn_cast<LayerOp>(op)) {
      Block &body = layer.getBody().front();
      for (auto [argument, operand] : llvm::zip(body.getArguments(), layer.getInputs()))
        preparer.slots[argument] = preparer.slotOf(operand);
      for (Operation &inner : body) {
        if (auto yield = dyn_cast<YieldOp>(inner)) {
          preparer.slots[layer.getResult()] = preparer.slotOf(yield.getValue());
          continue;
        }
        if (llvm::Error error = preparer.addNode(&inner, layer.getName())) return error;
      }
    } else if (llvm::Error error = preparer.addNode(op, "")) {
      return error;
    }
  }
  preparer.findDelayed();
  preparer.assignSynapses();
  return program;
}

} // namespace lasnn::snn
