#include "tests/passes/random_network.h"

#include "passes/Support.h"

#include <cmath>

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::test {

struct RandomNetwork::Builder {
  RandomNetwork &net;
  OpBuilder builder;
  Location loc;
  NetworkOptions options;

  int pick(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(net.random); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  float real(float lo, float hi) { return std::uniform_real_distribution<float>(lo, hi)(net.random); }

  RankedTensorType f32(ArrayRef<int64_t> shape) { return RankedTensorType::get(shape, builder.getF32Type()); }
  ElementsAttr attr(ArrayRef<int64_t> shape, ArrayRef<float> values) { return f32Attr(builder.getContext(), shape, values); }
  NamedAttribute named(StringRef name, Attribute value) { return builder.getNamedAttr(name, value); }
  Value make(StringRef op, ArrayRef<Value> operands, RankedTensorType type, ArrayRef<NamedAttribute> attrs) {
    OperationState state(loc, op);
    state.addOperands(operands);
    state.addTypes(type);
    state.addAttributes(attrs);
    return builder.create(state)->getResult(0);
  }

  ElementsAttr weights(ArrayRef<int64_t> shape) {
    int64_t count = 1;
    for (int64_t dim : shape) count *= dim;
    int64_t perChannel = count / shape[0];
    std::vector<float> values(count);
    for (float &value : values)
      value = options.exactInt8 ? float(pick(-127, 127)) / 64 : options.dyadic ? float(pick(-8, 8)) / 16 : real(-1, 1) * 1.5f / std::sqrt(float(perChannel));
    if (options.exactInt8)
      for (int64_t k = 0; k < shape[0]; ++k) values[k * perChannel + pick(0, int(perChannel) - 1)] = chance(50) ? 127 / 64.f : -127 / 64.f;
    return attr(shape, values);
  }
  ElementsAttr perChannel(int64_t c, float lo, float hi, int denominator) {
    std::vector<float> values(c);
    for (float &value : values) value = options.dyadic ? std::round(real(lo, hi) * denominator) / denominator : real(lo, hi);
    return attr({c}, values);
  }

  Value conv(Value x, int64_t k) {
    ArrayRef<int64_t> in = tensorType(x).getShape();
    int64_t groups = chance(25) && in[0] % 2 == 0 && k % 2 == 0 ? 2 : 1;
    int64_t size = pick(1, 3), stride = pick(1, 2), dilation = chance(20) ? 2 : 1;
    SmallVector<int64_t> pads;
    for (int i = 0; i < 4; ++i) pads.push_back(pick(0, 2));
    int64_t span = dilation * (size - 1) + 1;
    SmallVector<int64_t> out{k};
    for (int axis : {0, 1}) {
      while (in[1 + axis] + pads[axis] + pads[2 + axis] < span) ++pads[axis];
      out.push_back((in[1 + axis] + pads[axis] + pads[2 + axis] - span) / stride + 1);
    }
    return synapse("snn.conv2d", x, {k, in[0] / groups, size, size}, f32(out),
                   {named("strides", builder.getDenseI64ArrayAttr({stride, stride})), named("pads", builder.getDenseI64ArrayAttr(pads)),
                    named("dilations", builder.getDenseI64ArrayAttr({dilation, dilation})), named("groups", builder.getI64IntegerAttr(groups))});
  }
  /// A convolution that keeps [C,H,W].
  Value sameConv(Value x) {
    int64_t c = channels(x);
    return synapse("snn.conv2d", x, {c, c, 3, 3}, tensorType(x), {named("pads", builder.getDenseI64ArrayAttr({1, 1, 1, 1}))});
  }
  Value linear(Value x, int64_t k) { return synapse("snn.linear", x, {k, channels(x)}, f32({k}), {}); }
  Value synapse(StringRef op, Value x, ArrayRef<int64_t> shape, RankedTensorType type, SmallVector<NamedAttribute> attrs) {
    attrs.push_back(named("weight", weights(shape)));
    if (chance(50)) attrs.push_back(named("bias", perChannel(shape[0], -1, 1, options.exactInt8 ? 64 : 16)));
    return make(op, x, type, attrs);
  }

  Value norm(Value x) {
    int64_t c = channels(x);
    std::vector<float> variance(c), gamma(c);
    for (int64_t i = 0; i < c; ++i) {
      variance[i] = options.dyadic ? std::exp2f(float(2 * pick(-1, 1))) : real(0.3f, 2);
      gamma[i] = options.dyadic ? std::exp2f(float(pick(-1, 1))) * (chance(20) ? -1 : 1) : real(0.5f, 1.5f);
    }
    return make("snn.batch_norm", x, tensorType(x),
                {named("gamma", attr({c}, gamma)), named("variance", attr({c}, variance)), named("beta", perChannel(c, -1, 1, 16)),
                 named("mean", perChannel(c, -1, 1, 16)), named("epsilon", builder.getF32FloatAttr(options.dyadic ? 0.f : 1e-5f))});
  }

  Value pool(StringRef op, Value x, bool pads) {
    ArrayRef<int64_t> in = tensorType(x).getShape();
    if (in[1] < 2 || in[2] < 2) return x;
    int64_t stride = pick(1, 2), pad = pads && chance(40) ? 1 : 0;
    auto size = [&](int64_t dim) { return (dim + 2 * pad - 2) / stride + 1; };
    return make(op, x, f32({in[0], size(in[1]), size(in[2])}),
                {named("kernel", builder.getDenseI64ArrayAttr({2, 2})), named("strides", builder.getDenseI64ArrayAttr({stride, stride})),
                 named("pads", builder.getDenseI64ArrayAttr({pad, pad, pad, pad}))});
  }

  Value neuron(Value x) {
    int64_t c = channels(x);
    bool leaks = !options.exactInt8 && chance(60);
    Reset reset = Reset(pick(0, 3));
    SmallVector<NamedAttribute> attrs;
    // thresholds between membranes: odd multiples of 1/512, membranes being multiples of 1/256 or more
    auto threshold = [&] {
      float value = options.dyadic ? float(pick(4, 40)) / 16 : real(0.3f, 1.5f);
      return options.thresholdsAsStates ? value : value + 1.f / 512;
    };
    std::vector<float> thresholds(chance(50) ? 1 : c);
    for (float &value : thresholds) value = threshold();
    attrs.push_back(named("v_threshold", attr({int64_t(thresholds.size())}, thresholds)));
    attrs.push_back(named("reset", ResetAttr::get(builder.getContext(), reset)));
    attrs.push_back(named("compare", CompareAttr::get(builder.getContext(), chance(50) ? Compare::Ge : Compare::Gt)));
    if (reset == Reset::Value) attrs.push_back(named("v_reset", perChannel(c, -0.5f, 0.25f, 16)));
    if (reset == Reset::Subtract) {
      if (chance(60) || !options.thresholdsAsStates) attrs.push_back(named("rho", perChannel(c, 0.5f, 2, 16)));
      if (chance(40)) attrs.push_back(named("s_max", builder.getI64IntegerAttr(pick(2, 4))));
    }
    if (chance(30)) attrs.push_back(named("v_min", builder.getF32FloatAttr(-float(pick(reset == Reset::Value ? 8 : 0, 32)) / 16))); // N11
    if (leaks) attrs.push_back(named("beta", builder.getF32FloatAttr(options.dyadic ? float(pick(1, 4)) / 4 : real(0.4f, 1))));
    return make(leaks ? "snn.lif" : "snn.if", x, tensorType(x), attrs);
  }

  /// `x` of the step before, or of the one before that.
  Value delayed(Value x) {
    for (int steps = chance(25) ? 2 : 1; steps > 0; --steps) x = make("snn.delay", x, tensorType(x), {});
    return x;
  }

  /// A neuron with this current, to which its own spikes, or what a pool makes of them, come back through `synapse`.
  Value recurrence(Value current, llvm::function_ref<Value(Value)> synapse) {
    Value late = delayed(current); // until the spikes are there
    Value fired = neuron(make("snn.add", {current, synapse(late)}, tensorType(current), {})), heard = fired;
    if (tensorType(fired).getRank() == 3 && chance(40))
      heard = make(options.exactInt8 ? "snn.max_pool" : "snn.avg_pool", fired, tensorType(fired),
                   {named("kernel", builder.getDenseI64ArrayAttr({2, 2})), named("pads", builder.getDenseI64ArrayAttr({1, 0, 0, 1}))});
    auto first = late.getDefiningOp<DelayOp>();
    while (auto before = first.getInput().getDefiningOp<DelayOp>()) first = before;
    first->setOperand(0, heard);
    return fired;
  }

  Value stage(Value x) {
    if (options.recurrent && chance(60)) return recurrence(conv(chance(30) ? delayed(x) : x, 2 * pick(1, 4)), [&](Value late) { return sameConv(late); });
    bool rounds = !options.exactInt8;
    int64_t k = 2 * pick(1, 4);
    switch (pick(0, 5)) {
    case 0: { // a residual block: currents meet currents or spikes
      Value a = sameConv(x), b = chance(50) ? sameConv(x) : x;
      Value sum = make("snn.add", {a, b}, tensorType(a), {});
      return neuron(rounds && chance(50) ? norm(sum) : sum);
    }
    case 1: { // spikes meet spikes
      Value first = neuron(conv(x, k)), second = neuron(sameConv(first));
      return make("snn.add", {first, second}, tensorType(first), {});
    }
    case 2: return pool("snn.max_pool", neuron(conv(x, k)), true);
    case 3: return neuron(conv(pool("snn.avg_pool", neuron(conv(x, k)), true), k));
    case 4: { // a pool of currents
      Value current = conv(x, k);
      if (rounds && chance(50)) current = norm(current);
      if (chance(50)) return neuron(pool("snn.max_pool", current, true));
      return neuron(rounds ? pool("snn.avg_pool", current, false) : current);
    }
    default: {
      Value current = conv(x, k);
      return neuron(rounds && chance(60) ? norm(current) : current);
    }
    }
  }

  void build(int64_t timesteps) {
    NetworkOp network;
    {
      OperationState state(loc, NetworkOp::getOperationName());
      state.addAttribute("sym_name", builder.getStringAttr("random"));
      state.addAttribute("timesteps", builder.getI64IntegerAttr(timesteps));
      state.addRegion()->emplaceBlock();
      network = cast<NetworkOp>(builder.create(state));
    }
    builder.setInsertionPointToEnd(&network.getBody().front());
    SmallVector<int64_t> shape{pick(1, 3), pick(4, 8), pick(4, 8)};
    net.inputSize = shape[0] * shape[1] * shape[2] * (options.events ? timesteps : 1);
    auto bytes = RankedTensorType::get(shape, builder.getIntegerType(8, false));
    Value input = make("snn.input", {}, bytes, {named("name", builder.getStringAttr("image"))});
    Encoding encoding = options.events ? Encoding::Events : Encoding::Direct;
    SmallVector<NamedAttribute> attrs{named("encoding", EncodingAttr::get(builder.getContext(), encoding))};
    if (options.events) attrs.push_back(named("max_count", builder.getI64IntegerAttr(net.maxCount = pick(1, 3))));
    if (!options.events && !options.dyadic) {
      attrs.push_back(named("mean", builder.getDenseF32ArrayAttr(SmallVector<float>(shape[0], real(0.2f, 0.6f)))));
      attrs.push_back(named("std", builder.getDenseF32ArrayAttr(SmallVector<float>(shape[0], real(0.2f, 0.6f)))));
    }
    Value x = make("snn.encode", input, f32(shape), attrs);
    x = neuron(conv(x, 2 * pick(1, 4)));
    for (int i = pick(1, 3); i > 0; --i) x = stage(x);
    bool factors = !(options.recurrent && options.exactInt8); // a layer that hears averages and spikes rounds one of them
    if (chance(30) && factors) x = pool("snn.avg_pool", x, false);
    x = make("snn.flatten", x, f32({tensorType(x).getNumElements()}), {});
    if (options.recurrent && chance(50)) {
      int64_t k = pick(2, 9);
      Value both = make("snn.add", {linear(x, k), linear(delayed(x), k)}, f32({k}), {}); // a delay behind a flatten
      x = recurrence(both, [&](Value late) { return linear(late, k); });
    } else if (chance(50)) {
      x = neuron(linear(x, pick(2, 9)));
    }
    x = linear(x, 5);
    auto mode = ReadoutMode(pick(0, 2));
    x = make("snn.readout", x, tensorType(x), {named("mode", ReadoutModeAttr::get(builder.getContext(), mode))});
    builder.create<OutputOp>(loc, "logits", x);
  }
};

RandomNetwork::RandomNetwork(MLIRContext &context, unsigned seed, NetworkOptions options) : random(seed), options(options) {
  Location loc = UnknownLoc::get(&context);
  owner = ModuleOp::create(loc);
  Builder builder{*this, OpBuilder::atBlockEnd(owner->getBody()), loc, options};
  builder.build(4);
}

std::vector<uint8_t> RandomNetwork::sample(bool saturated) {
  std::vector<uint8_t> bytes(inputSize);
  for (uint8_t &byte : bytes) {
    int value = std::uniform_int_distribution<int>(0, options.events ? maxCount : options.dyadic ? 1 : 255)(random);
    if (saturated) value = options.events ? maxCount : 255;
    byte = uint8_t(!options.events && options.dyadic && !saturated ? value * 255 : value);
  }
  return bytes;
}

} // namespace lasnn::test
