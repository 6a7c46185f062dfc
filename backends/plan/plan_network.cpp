#include "backends/plan/plan_network.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::plan {
namespace {

struct Planner {
  Planner(NetworkOp network, llvm::StringRef backend) : network(network), backend(backend) {}

  NetworkOp network;
  llvm::StringRef backend;
  Network plan;
  llvm::DenseMap<Value, uint32_t> buffers; ///< network-level values (spikes, or the analog image) to buffer index
  llvm::SmallVector<DelayOp> delays;
  llvm::DenseMap<Value, uint64_t> counts; ///< of countOf
  bool failed = false;

  void refuse(Operation *op, const llvm::Twine &what, const llvm::Twine &fix) {
    op->emitError() << "backend " << backend << ": " << what << "; " << fix;
    failed = true;
  }

  uint32_t addBuffer(Value value, std::string name, uint64_t maxCount) {
    ArrayRef<int64_t> shape = tensorType(value).getShape();
    Buffer buffer;
    buffer.name = std::move(name);
    buffer.channels = shape[0];
    if (shape.size() == 3) buffer.height = shape[1], buffer.width = shape[2];
    buffer.max_count = uint32_t(std::min<uint64_t>(maxCount, 256));
    buffers[value] = plan.buffers.size();
    plan.buffers.push_back(std::move(buffer));
    return plan.buffers.size() - 1;
  }

  /// The largest spike count of a value. Found from the value back to its neurons, since a delay stands before its operand; ends by D3.
  uint64_t countOf(Value value) {
    auto it = counts.find(value);
    if (it != counts.end()) return it->second;
    Operation *op = value.getDefiningOp();
    uint64_t count = 0;
    if (auto encodeOp = dyn_cast<EncodeOp>(op)) {
      count = encodeOp.getMaxCount();
    } else if (auto layerOp = dyn_cast<LayerOp>(op)) {
      if (NeuronView view = getNeuron(cast<YieldOp>(layerOp.getBody().front().back()).getValue().getDefiningOp())) count = view.sMax;
    } else if (NeuronView view = getNeuron(op)) {
      count = view.sMax; // outside a layer: refused
    } else {
      for (Value operand : op->getOperands()) count += countOf(operand);
      if (auto sum = dyn_cast<SumPoolOp>(op)) count *= uint64_t(sum.getKernel()[0]) * uint64_t(sum.getKernel()[1]);
      count = std::min<uint64_t>(count, 1u << 20); // refused, and pools behind it do not overflow
    }
    counts[value] = count;
    return count;
  }

  void checkCount(Operation *op, uint64_t maxCount) {
    if (maxCount > 255)
      refuse(op, "rule K3: a spike count can reach " + llvm::Twine(maxCount) + ", at most 255 are counted", "use a smaller pool");
  }

  void encode(EncodeOp op) {
    plan.encoding = op.getEncoding() == snn::Encoding::Direct ? Encoding::Direct : Encoding::Events;
    addBuffer(op.getResult(), nameOf(op.getInput().getDefiningOp()), op.getMaxCount());
    if (op.getTable()) {
      auto table = cast<DenseElementsAttr>(*op.getTable()).getValues<int8_t>();
      plan.encode_table.assign(table.begin(), table.end());
    } else if (plan.encoding == Encoding::Direct) {
      refuse(op, "rule E2: a direct encoding has no table", "run snn-quantize first");
    }
  }

  template <typename PoolOp> static void window(Layer &layer, PoolOp op) {
    layer.kernel_h = op.getKernel()[0], layer.kernel_w = op.getKernel()[1];
    layer.stride_h = op.getStrides()[0], layer.stride_w = op.getStrides()[1];
    layer.pad_top = op.getPads()[0], layer.pad_left = op.getPads()[1];
  }

  template <typename PoolOp> void pool(PoolOp op, PoolKind kind) {
    auto input = buffers.find(op.getInput());
    if (input == buffers.end() || (input->second == 0 && plan.encoding == Encoding::Direct))
      return refuse(op, "a pool reads something other than spikes", "pool the spikes of a neuron layer");
    Layer layer;
    layer.kind = LayerKind::Pool;
    layer.name = nameOf(op);
    layer.inputs = {input->second};
    layer.pool = kind;
    window(layer, op);
    checkCount(op, countOf(op.getResult()));
    finish(std::move(layer), op.getResult(), countOf(op.getResult()));
  }

  void add(AddOp op) {
    Layer layer;
    layer.kind = LayerKind::Add;
    layer.name = nameOf(op);
    for (Value operand : op->getOperands()) {
      auto input = buffers.find(operand);
      if (input == buffers.end() || (input->second == 0 && plan.encoding == Encoding::Direct))
        return refuse(op, "an add outside a layer reads something other than spikes", "add currents inside a layer");
      layer.inputs.push_back(input->second);
    }
    checkCount(op, countOf(op.getResult()));
    finish(std::move(layer), op.getResult(), countOf(op.getResult()));
  }

  /// Its buffer now, for the layers that read it; where it comes from when all buffers are there.
  void delay(DelayOp op) {
    addBuffer(op.getResult(), nameOf(op), countOf(op.getInput()));
    delays.push_back(op);
  }

  void finishDelays() {
    for (DelayOp op : delays) {
      auto from = buffers.find(op.getInput());
      if (from != buffers.end()) plan.delays.push_back({from->second, buffers[op.getResult()]});
      else if (!failed) refuse(op, "a delay reads something other than spikes of the network", "delay the spikes of a neuron layer");
    }
  }

  void finish(Layer layer, Value result, uint64_t maxCount) {
    layer.output = addBuffer(result, layer.name, maxCount);
    const Buffer &buffer = plan.buffers.back();
    layer.out_channels = buffer.channels, layer.out_height = buffer.height, layer.out_width = buffer.width;
    plan.layers.push_back(std::move(layer));
  }

  /// Adds the synapses that feed `current` to `layer`.
  void synapses(Layer &layer, LayerOp op, Value current) {
    Operation *source = current.getDefiningOp();
    if (auto add = dyn_cast_or_null<AddOp>(source)) {
      synapses(layer, op, add.getLhs());
      synapses(layer, op, add.getRhs());
      return;
    }
    if (isa_and_nonnull<MaxPoolOp>(source))
      return refuse(source, "a max_pool of currents is not the last operation before the neuron", "add currents before the pool, or pool the spikes");
    if (!isa_and_nonnull<Conv2DOp, LinearOp>(source))
      return refuse(source ? source : op.getOperation(), "the current of layer \"" + op.getName() + "\" comes from no convolution or linear",
                    "put flatten and pools before the synapse");
    Value input = source->getOperand(0);
    if (auto flatten = input.getDefiningOp<FlattenOp>()) input = flatten.getInput();
    auto argument = dyn_cast<BlockArgument>(input);
    auto buffer = argument ? buffers.find(op.getInputs()[argument.getArgNumber()]) : buffers.end();
    if (buffer == buffers.end())
      return refuse(source, "a synapse reads the result of another synapse", "put a neuron between them");

    Synapse synapse;
    synapse.name = nameOf(source);
    synapse.input = buffer->second;
    std::optional<ElementsAttr> bias;
    ElementsAttr weight;
    if (auto conv = dyn_cast<Conv2DOp>(source)) {
      weight = conv.getWeight(), bias = conv.getBias();
      ArrayRef<int64_t> shape = weight.getShapedType().getShape();
      synapse.kernel_h = shape[2], synapse.kernel_w = shape[3];
      synapse.stride_h = conv.getStrides()[0], synapse.stride_w = conv.getStrides()[1];
      synapse.dilation_h = conv.getDilations()[0], synapse.dilation_w = conv.getDilations()[1];
      synapse.pad_top = conv.getPads()[0], synapse.pad_left = conv.getPads()[1];
      synapse.groups = conv.getGroups();
    } else {
      auto linear = cast<LinearOp>(source);
      weight = linear.getWeight(), bias = linear.getBias();
      synapse.kernel_h = plan.buffers[synapse.input].height, synapse.kernel_w = plan.buffers[synapse.input].width;
    }
    auto values = cast<DenseElementsAttr>(weight).getValues<int8_t>();
    synapse.weight.assign(values.begin(), values.end());
    if (bias)
      for (auto [to, value] : llvm::zip(layer.bias, intValues(*bias))) to += value;
    layer.synapses.push_back(std::move(synapse));
  }

  void neuron(Layer &layer, const NeuronView &view) {
    Neuron &neuron = layer.neuron;
    int64_t c = channels(view.input);
    auto perChannel = [&](ElementsAttr attr) {
      if (!attr) return std::vector<int32_t>(c, 0);
      auto values = intPerChannel(attr, c);
      return std::vector<int32_t>(values.begin(), values.end());
    };
    neuron.decay = view.decay ? view.decay.getInt() : 0;
    switch (view.reset) {
    case snn::Reset::Zero: neuron.reset = Reset::Zero; break;
    case snn::Reset::Subtract: neuron.reset = Reset::Subtract; break;
    case snn::Reset::None: neuron.reset = Reset::None; break;
    case snn::Reset::Value: neuron.reset = Reset::Value; break;
    }
    neuron.state_bits = view.stateBits;
    neuron.has_v_min = bool(view.vMin);
    if (view.vMin) neuron.v_min = cast<IntegerAttr>(view.vMin).getInt();
    neuron.s_max = view.sMax;
    neuron.v_threshold = perChannel(view.vThreshold);
    neuron.rho = perChannel(view.rho);
    neuron.v_reset = perChannel(view.vReset);
  }

  void layer(LayerOp op) {
    Operation *end = cast<YieldOp>(op.getBody().front().back()).getValue().getDefiningOp();
    Layer layer;
    layer.name = op.getName().str();
    layer.current_fits_int16 = op.getCurrentBits() == 16;
    ArrayRef<int64_t> shape = tensorType(op.getResult()).getShape();
    layer.bias.assign(shape[0], 0);
    layer.out_channels = shape[0];
    if (shape.size() == 3) layer.out_height = shape[1], layer.out_width = shape[2];
    Value current = end->getOperand(0);
    if (auto pool = current.getDefiningOp<MaxPoolOp>()) {
      window(layer, pool);
      layer.pool = PoolKind::Max;
      current = pool.getInput();
      ArrayRef<int64_t> before = tensorType(current).getShape();
      layer.current_height = before[1], layer.current_width = before[2];
    }
    synapses(layer, op, current);
    if (auto readout = dyn_cast<ReadoutOp>(end)) {
      layer.kind = LayerKind::Readout;
      layer.readout = readout.getMode() == ReadoutMode::Last ? Readout::Last : Readout::Sum;
      layer.output = plan.output_count;
      plan.output_count += layer.out_channels * layer.out_height * layer.out_width;
      float scale = readout.getScale()->convertToFloat();
      if (layer.output > 0 && scale != plan.output_scale)
        refuse(op, "rule R4: the scale of read-out \"" + op.getName() + "\" differs from the others', the artefact holds one", "give all read-outs one scale");
      plan.output_scale = scale;
      plan.layers.push_back(std::move(layer));
      return;
    }
    NeuronView view = getNeuron(end);
    neuron(layer, view);
    finish(std::move(layer), op.getResult(), view.sMax);
  }

  /// Only rule T1 keeps the forms apart: a float network has no current, weight or scale that the rest could read.
  void refuseFloats() {
    for (auto op : network.getOps<LayerOp>())
      refuse(op, "rule K4: layer \"" + op.getName() + "\" computes in f32, and targets compute in integers", "run snn-quantize first; lasnn-compile does");
    if (!failed) refuse(network, "rule K4: the network is in float form and not fused into layers", "run snn-fuse-layers and snn-quantize first; lasnn-compile does");
  }

  void run() {
    plan.name = network.getSymName().str();
    plan.timesteps = network.getTimesteps();
    llvm::SmallVector<Value> outputs;
    for (auto op : network.getOps<EncodeOp>()) encode(op); // buffer 0, although delays may stand before it
    for (Operation *op : executionOrder(network)) {
      if (auto sum = dyn_cast<SumPoolOp>(op)) pool(sum, PoolKind::Sum);
      else if (auto max = dyn_cast<MaxPoolOp>(op)) pool(max, PoolKind::Max);
      else if (auto addOp = dyn_cast<AddOp>(op)) add(addOp);
      else if (auto layerOp = dyn_cast<LayerOp>(op)) layer(layerOp);
      else if (auto delayOp = dyn_cast<DelayOp>(op)) delay(delayOp);
      else if (auto output = dyn_cast<OutputOp>(op)) outputs.push_back(output.getValue());
      else if (!isa<InputOp, EncodeOp>(op))
        refuse(op, "'" + op->getName().getStringRef() + "' does not run outside a layer", "run snn-fuse-layers and snn-quantize first");
    }
    finishDelays();
    llvm::SmallVector<Value> readouts;
    for (Operation *op : executionOrder(network))
      if (auto layerOp = dyn_cast<LayerOp>(op); layerOp && isa<ReadoutOp>(cast<YieldOp>(layerOp.getBody().front().back()).getValue().getDefiningOp()))
        readouts.push_back(layerOp.getResult());
    if (!failed && outputs != readouts)
      refuse(network, "rule S6: the outputs are not the network's read-outs in their order of execution", "give every read-out one output");
  }
};

} // namespace

llvm::FailureOr<Network> planNetwork(NetworkOp network, llvm::StringRef backend) {
  Planner planner(network, backend);
  if (network.isInteger()) planner.run();
  else planner.refuseFloats();
  if (planner.failed) return failure();
  return std::move(planner.plan);
}

} // namespace lasnn::plan
