#include "tests/conformance/build_network.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::test {
namespace {

struct NetworkBuilder {
  const NetworkSpec &spec;
  MLIRContext &context;
  bool integer;
  OpBuilder builder{&context};
  std::vector<ValueShape> shapesOf = shapes(spec);
  std::vector<Value> values = {};
  Type f32 = builder.getF32Type(), i8 = builder.getI8Type(), i32 = builder.getI32Type(),
       ui8 = builder.getIntegerType(8, /*isSigned=*/false);

  Location named(const std::string &name) { return NameLoc::get(builder.getStringAttr(name)); }
  RankedTensorType tensor(const ValueShape &s, Type element) {
    return s.vector ? RankedTensorType::get({s.c}, element) : RankedTensorType::get({s.c, s.h, s.w}, element);
  }
  template <typename T> DenseElementsAttr dense(ArrayRef<int64_t> shape, Type element, ArrayRef<T> data) {
    return DenseElementsAttr::get(RankedTensorType::get(shape, element), data);
  }
  DenseElementsAttr floats(ArrayRef<int64_t> shape, const std::vector<float> &data) { return dense<float>(shape, f32, data); }
  Type spikeType() { return integer ? ui8 : f32; }
  Type currentType() { return integer ? i32 : f32; }
  float unit(uint64_t seed, int index) { return float(perChannel(seed, 0, 1000, index)) / 1000.f; } ///< 0 .. 1

  Value flattened(Value value, const std::string &name) {
    RankedTensorType type = tensorType(value);
    if (type.getRank() == 1) return value;
    return builder.create<FlattenOp>(named(name + ".flatten"), RankedTensorType::get({type.getNumElements()}, type.getElementType()), value);
  }

  Value synapse(const LayerSpec &layer, size_t n, Value input, const ValueShape &in, const ValueShape &out, const std::string &name, ArrayRef<int32_t> bias) {
    const SynapseSpec &s = layer.synapses[n];
    int cg = s.linear ? in.c : in.c / s.groups, kh = s.linear ? in.h : s.kh, kw = s.linear ? in.w : s.kw;
    std::vector<int8_t> weights = weightsOf(layer, n, cg, kh, kw);
    std::vector<int64_t> shape = s.linear ? std::vector<int64_t>{layer.channels, in.size()} : std::vector<int64_t>{layer.channels, cg, kh, kw};
    ElementsAttr weight, biasAttr;
    if (integer) {
      weight = dense<int8_t>(shape, i8, weights);
      if (!bias.empty()) biasAttr = dense<int32_t>({layer.channels}, i32, bias);
    } else {
      float scale = 1.5f / (float(layer.weightLimit) * std::sqrt(float(cg * kh * kw)));
      std::vector<float> real(weights.begin(), weights.end()), realBias;
      for (float &w : real) w *= scale;
      weight = floats(shape, real);
      if (!bias.empty()) {
        for (int k = 0; k < layer.channels; ++k) realBias.push_back(unit(layer.seed + 2, k) - 0.5f);
        biasAttr = floats({layer.channels}, realBias);
      }
    }
    Location loc = named(name + ".s" + std::to_string(n));
    RankedTensorType type = tensor(out, currentType());
    if (s.linear) return builder.create<LinearOp>(loc, type, flattened(input, name), weight, biasAttr);
    return builder.create<Conv2DOp>(loc, type, input, weight, biasAttr, ArrayRef<int64_t>{s.sh, s.sw}, ArrayRef<int64_t>{s.top, s.left, s.bottom, s.right},
                                    ArrayRef<int64_t>{s.dh, s.dw}, uint64_t(s.groups));
  }

  Value batchNorm(Value input, uint64_t seed, const std::string &name) {
    int64_t c = channels(input);
    std::vector<float> gamma, beta, mean, variance;
    for (int k = 0; k < c; ++k) {
      gamma.push_back(unit(seed + 3, k) + 0.5f), beta.push_back(unit(seed + 4, k) - 0.4f);
      mean.push_back(0.3f * (unit(seed + 5, k) - 0.5f)), variance.push_back(unit(seed + 6, k) + 0.1f);
    }
    return builder.create<BatchNormOp>(named(name + ".bn"), input.getType(), input, floats({c}, gamma), floats({c}, beta), floats({c}, mean), floats({c}, variance),
                                       builder.getF32FloatAttr(1e-5f));
  }

  Value neuron(const LayerSpec &layer, Value current, const ValueShape &out, const std::string &name) {
    const NeuronSpec &n = layer.neuron;
    auto parameter = [&](uint64_t seed, int base, int spread, float realBase, float realSpread) -> ElementsAttr {
      int64_t count = n.perChannel ? layer.channels : 1;
      std::vector<int32_t> whole;
      std::vector<float> real;
      for (int k = 0; k < count; ++k) whole.push_back(perChannel(layer.seed + seed, base, spread, k)), real.push_back(realBase + realSpread * unit(layer.seed + seed, k));
      return integer ? dense<int32_t>({count}, i32, whole) : floats({count}, real);
    };
    static constexpr Reset resets[] = {Reset::Zero, Reset::Subtract, Reset::None, Reset::Value};
    Reset reset = resets[int(n.reset)];
    ElementsAttr theta = parameter(11, n.theta, n.thetaSpread, 0.4f, 0.6f), rho, vReset;
    if (reset == Reset::Subtract && (integer || n.rho % 2)) rho = parameter(12, n.rho, n.rhoSpread, 0.5f, 0.5f);
    if (reset == Reset::Value) vReset = parameter(13, n.vReset, n.vResetSpread, n.hasVMin && n.vMin == 0 ? 0.f : -0.2f, 0.3f); // N11: not below v_min
    TypedAttr vMin;
    if (n.hasVMin) vMin = integer ? TypedAttr(builder.getI32IntegerAttr(n.vMin)) : TypedAttr(builder.getF32FloatAttr(n.vMin == 0 ? 0.f : -1.5f));
    Compare compare = !integer && n.theta % 3 == 0 ? Compare::Ge : Compare::Gt;
    uint64_t bits = integer ? n.stateBits : 24;
    Location loc = named(name);
    RankedTensorType type = tensor(out, spikeType());
    if (!n.leaky) return builder.create<IFOp>(loc, type, current, theta, reset, rho, vReset, compare, uint64_t(n.sMax), vMin, bits);
    FloatAttr beta = integer ? FloatAttr() : builder.getF32FloatAttr(float(4096 - n.decay) / 4096.f);
    IntegerAttr decay = integer ? builder.getI32IntegerAttr(n.decay) : IntegerAttr();
    return builder.create<LIFOp>(loc, type, current, beta, decay, theta, reset, rho, vReset, compare, uint64_t(n.sMax), vMin, bits);
  }

  Value maximum(const LayerSpec &layer, Value input, RankedTensorType type, const std::string &name) {
    SmallVector<int64_t> k{layer.kh, layer.kw}, s{layer.sh, layer.sw}, p{layer.top, layer.left, layer.bottom, layer.right};
    return builder.create<MaxPoolOp>(named(name), type, input, k, s, p);
  }

  /// Synapses, their sum and its pool, then neuron or read-out; `inputs` are one value a synapse.
  Value layerBody(size_t index, ArrayRef<Value> inputs, const std::string &name) {
    const LayerSpec &layer = spec.layers[index];
    const ValueShape &out = shapesOf[index + 1];
    ValueShape current = out;
    current.h = out.currentH, current.w = out.currentW;
    Currents currents = currentsOf(spec, shapesOf, index);
    Value sum;
    for (size_t n = 0; n < layer.synapses.size(); ++n) {
      // The bias belongs to the first synapse, or is split in two: backends add up what they find.
      std::vector<int32_t> bias;
      bool split = integer && layer.synapses.size() > 1 && layer.seed % 2;
      if (layer.bias != BiasKind::None && (n == 0 || (n == 1 && split))) {
        bias = currents.bias;
        if (split)
          for (int32_t &b : bias) b = n == 0 ? b / 3 : b - b / 3;
      }
      Value part = synapse(layer, n, inputs[n], shapesOf[layer.synapses[n].input], current, name, bias);
      if (!integer && (layer.seed >> n) % 2) part = batchNorm(part, layer.seed + n * 100, name);
      sum = sum ? builder.create<AddOp>(named(name + ".sum"), sum.getType(), sum, part).getResult() : part;
    }
    if (layer.poolsCurrents) sum = maximum(layer, sum, tensor(out, currentType()), name + ".pool");
    if (layer.kind == LayerKind::Spiking) return neuron(layer, sum, out, name);
    ReadoutMode mode = layer.last ? ReadoutMode::Last : integer || layer.seed % 2 ? ReadoutMode::Sum : ReadoutMode::Mean;
    return builder.create<ReadoutOp>(named(name), sum.getType(), sum, mode, integer ? builder.getF32FloatAttr(0.125f) : FloatAttr());
  }

  void layer(size_t index) {
    const LayerSpec &layer = spec.layers[index];
    const ValueShape &out = shapesOf[index + 1];
    std::string name = "l" + std::to_string(index);
    if (layer.kind == LayerKind::SumPool || layer.kind == LayerKind::MaxPool) {
      SmallVector<int64_t> k{layer.kh, layer.kw}, s{layer.sh, layer.sw}, p{layer.top, layer.left, layer.bottom, layer.right};
      Value input = values[layer.inputs[0]];
      RankedTensorType type = tensor(out, spikeType());
      if (layer.kind == LayerKind::MaxPool) values[index + 1] = maximum(layer, input, type, name);
      else if (integer) values[index + 1] = builder.create<SumPoolOp>(named(name), type, input, k, s, p);
      else values[index + 1] = builder.create<AvgPoolOp>(named(name), type, input, k, s, p);
      return;
    }
    if (layer.kind == LayerKind::Delay) {
      values[index + 1].getDefiningOp()->setOperand(0, values[layer.inputs[0]]); // build() made it
      return;
    }
    if (layer.kind == LayerKind::Add) {
      Value lhs = values[layer.inputs[0]], rhs = values[layer.inputs[1]];
      values[index + 1] = builder.create<AddOp>(named(name), lhs.getType(), lhs, rhs);
      return;
    }
    SmallVector<Value> inputs;
    for (const SynapseSpec &s : layer.synapses) inputs.push_back(values[s.input]);
    if (!integer) {
      values[index + 1] = layerBody(index, inputs, name);
      return;
    }
    // One argument a distinct input, as the fusion makes them.
    SmallVector<Value> distinct, arguments;
    for (Value input : inputs)
      if (!llvm::is_contained(distinct, input)) distinct.push_back(input);
    RankedTensorType type = tensor(out, layer.kind == LayerKind::Spiking ? spikeType() : currentType());
    IntegerAttr bits = builder.getI64IntegerAttr(layer.claim16 && currentsOf(spec, shapesOf, index).fits16 ? 16 : 32);
    auto op = builder.create<LayerOp>(named(name), type, name, distinct, layer.seed % 8 == 1 && bits.getInt() == 32 ? IntegerAttr() : bits);
    OpBuilder::InsertionGuard guard(builder);
    Block *body = builder.createBlock(&op.getBody());
    for (Value input : distinct) body->addArgument(input.getType(), named(name));
    for (Value input : inputs) arguments.push_back(body->getArgument(llvm::find(distinct, input) - distinct.begin()));
    builder.create<YieldOp>(named(name), layerBody(index, arguments, name));
    values[index + 1] = op.getResult();
  }

  void encode() {
    const ValueShape &in = shapesOf[0];
    RankedTensorType bytes = tensor(in, ui8);
    Value input = builder.create<InputOp>(named("in"), bytes, "in");
    DenseF32ArrayAttr mean, std;
    ElementsAttr table;
    FloatAttr scale;
    if (!spec.events && integer) {
      std::vector<int8_t> entries;
      for (int c = 0; c < in.c; ++c)
        for (int p = 0; p < 256; ++p) entries.push_back(tableEntry(spec, c, p));
      table = dense<int8_t>({in.c, 256}, i8, entries);
      scale = builder.getF32FloatAttr(0.03125f);
    } else if (!spec.events && spec.seed % 2) {
      std::vector<float> means, stds;
      for (int c = 0; c < in.c; ++c) means.push_back(unit(spec.seed + 1, c)), stds.push_back(0.2f + unit(spec.seed + 2, c));
      mean = builder.getDenseF32ArrayAttr(means), std = builder.getDenseF32ArrayAttr(stds);
    }
    Type element = !integer ? f32 : spec.events ? ui8 : i8;
    values.push_back(builder.create<EncodeOp>(named("encode"), tensor(in, element), input, spec.events ? Encoding::Events : Encoding::Direct, mean, std, table, scale,
                                              spec.events ? uint64_t(spec.maxCount) : 1));
  }

  OwningOpRef<ModuleOp> build() {
    OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
    builder.setInsertionPointToStart(module->getBody());
    auto network = builder.create<NetworkOp>(named("random"), "random", uint64_t(spec.timesteps));
    Block *body = builder.createBlock(&network.getBody());
    encode();
    values.resize(spec.layers.size() + 1);
    for (size_t l = 0; l < spec.layers.size(); ++l) // what they delay may come later
      if (spec.layers[l].kind == LayerKind::Delay) values[l + 1] = builder.create<DelayOp>(named("l" + std::to_string(l)), tensor(shapesOf[l + 1], spikeType()), values[0]);
    for (size_t l = 0; l < spec.layers.size(); ++l) layer(l);
    int outputs = 0;
    for (size_t l = 0; l < spec.layers.size(); ++l)
      if (spec.layers[l].kind == LayerKind::Readout) builder.create<OutputOp>(named("out"), "out" + std::to_string(outputs++), values[l + 1]);
    if (spec.shuffled) { // all but the read-outs and the outputs, whose order is the order of the output's values
      SmallVector<Operation *> free;
      for (Operation &op : *body)
        if (!isa<OutputOp, ReadoutOp>(op) && !(isa<LayerOp>(op) && tensorType(op.getResult(0)).getElementType() == currentType())) free.push_back(&op);
      for (size_t i = 0; i < free.size(); ++i) free[i]->moveBefore(free[size_t(perChannel(spec.seed + 9, 0, int(free.size()) - 1, int(i)))]);
    }
    return module;
  }
};

} // namespace

OwningOpRef<ModuleOp> buildInteger(const NetworkSpec &spec, MLIRContext &context) { return NetworkBuilder{spec, context, true}.build(); }
OwningOpRef<ModuleOp> buildFloat(const NetworkSpec &spec, MLIRContext &context) { return NetworkBuilder{spec, context, false}.build(); }
NetworkOp networkOf(ModuleOp module) { return *module.getOps<NetworkOp>().begin(); }

std::string printed(Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream);
  return text;
}

} // namespace lasnn::test
