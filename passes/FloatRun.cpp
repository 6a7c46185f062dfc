#include "passes/FloatRun.h"
#include "passes/SparseSynapse.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
namespace {

enum class What { Encode, Synapse, SumPool, MaxPool, AvgPool, Add, Flatten, BatchNorm, Relu, Neuron, Delay, Readout };

struct Node {
  Operation *op = nullptr;
  What what = What::Encode;
  std::vector<int> inputs;
  int result = -1;
  bool constant = false; ///< computed at step 0 only
  SynapseShape shape;    ///< of synapses and pools
  PackedWeights packed;
  // batch norm: y = scale*x + shift; encode: std and mean; neuron: constants, one a channel
  std::vector<float> scale, shift, threshold, rho, reset;
  float beta = 1, vMin = -INFINITY;
  bool leaks = false, ge = false;
  Reset mode = Reset::Zero;
  int64_t sMax = 1;
  ReadoutMode readout = ReadoutMode::Sum;
};

} // namespace

class FloatProgram {
public:
  std::vector<Node> nodes;
  std::vector<Pixels> zeros; ///< the values' shapes
  llvm::DenseMap<Value, int> slots;
  Encoding encoding = Encoding::Direct;
  int64_t timesteps = 1;
  size_t frame = 0;
  int output = -1;
};

namespace {

class Builder {
public:
  std::shared_ptr<FloatProgram> program = std::make_shared<FloatProgram>();

  int slotOf(Value value) {
    auto [it, isNew] = program->slots.try_emplace(value, program->zeros.size());
    if (isNew) {
      Pixels pixels;
      ArrayRef<int64_t> shape = tensorType(value).getShape();
      pixels.c = shape[0];
      if (shape.size() == 3) pixels.h = shape[1], pixels.w = shape[2];
      pixels.x.assign(tensorType(value).getNumElements(), 0.f);
      program->zeros.push_back(std::move(pixels));
      constant.push_back(false);
    }
    return it->second;
  }

  void add(Operation *op) {
    Node node;
    node.op = op;
    for (Value operand : op->getOperands())
      node.inputs.push_back(slotOf(operand));
    node.result = slotOf(op->getResult(0));
    node.constant = !getNeuron(op) && !isa<DelayOp, ReadoutOp>(op);
    if (auto encode = dyn_cast<EncodeOp>(op)) {
      program->encoding = encode.getEncoding();
      program->frame = tensorType(encode.getInput()).getNumElements();
      node.constant = encode.getEncoding() == Encoding::Direct;
      for (int64_t c = 0; c < channels(encode.getInput()); ++c) {
        bool direct = encode.getEncoding() == Encoding::Direct;
        float mean = encode.getMean() ? (*encode.getMean())[c] : 0.f, std = encode.getStd() ? (*encode.getStd())[c] : 1.f;
        node.scale.push_back(direct ? std : 1.f);
        node.shift.push_back(direct ? mean : 0.f);
      }
    } else {
      for (int slot : node.inputs)
        node.constant &= bool(constant[slot]);
    }
    constant[node.result] = node.constant;
    describe(node, op);
    program->nodes.push_back(std::move(node));
  }

private:
  void setShape(Node &node) {
    const Pixels &in = program->zeros[node.inputs[0]], &out = program->zeros[node.result];
    node.shape.c = in.c, node.shape.h = in.h, node.shape.w = in.w;
    node.shape.k = out.c, node.shape.oh = out.h, node.shape.ow = out.w;
  }

  template <typename PoolOp> void describePool(Node &node, PoolOp op, What what) {
    node.what = what;
    setShape(node);
    node.shape.kh = op.getKernel()[0], node.shape.kw = op.getKernel()[1];
    node.shape.sh = op.getStrides()[0], node.shape.sw = op.getStrides()[1];
    node.shape.top = op.getPads()[0], node.shape.left = op.getPads()[1];
  }

  void describe(Node &node, Operation *op) {
    auto weights = [&](ElementsAttr weight, std::optional<ElementsAttr> bias) {
      node.what = What::Synapse;
      setShape(node);
      if (bias)
        llvm::append_range(node.shift, floatValues(*bias));
      else
        node.shift.assign(node.shape.k, 0.f);
      return floatValues(weight);
    };
    if (auto conv = dyn_cast<Conv2DOp>(op)) {
      auto weight = weights(conv.getWeight(), conv.getBias());
      ArrayRef<int64_t> shape = conv.getWeight().getShapedType().getShape();
      SynapseShape &s = node.shape;
      s.kh = shape[2], s.kw = shape[3], s.groups = conv.getGroups();
      s.sh = conv.getStrides()[0], s.sw = conv.getStrides()[1];
      s.top = conv.getPads()[0], s.left = conv.getPads()[1];
      s.dh = conv.getDilations()[0], s.dw = conv.getDilations()[1];
      node.packed = packWeights(s, weight);
    } else if (auto linear = dyn_cast<LinearOp>(op)) {
      auto weight = weights(linear.getWeight(), linear.getBias());
      node.packed = packWeights(node.shape, weight);
    } else if (auto sum = dyn_cast<SumPoolOp>(op)) {
      describePool(node, sum, What::SumPool);
    } else if (auto max = dyn_cast<MaxPoolOp>(op)) {
      describePool(node, max, What::MaxPool);
    } else if (auto avg = dyn_cast<AvgPoolOp>(op)) {
      describePool(node, avg, What::AvgPool);
    } else if (auto norm = dyn_cast<BatchNormOp>(op)) {
      node.what = What::BatchNorm;
      auto gamma = floatValues(norm.getGamma()), beta = floatValues(norm.getBeta()), mean = floatValues(norm.getMean()),
           variance = floatValues(norm.getVariance());
      for (size_t c = 0; c < gamma.size(); ++c) {
        double scale = gamma[c] / std::sqrt(double(variance[c]) + norm.getEpsilon().convertToDouble());
        node.scale.push_back(float(scale));
        node.shift.push_back(float(beta[c] - mean[c] * scale));
      }
    } else if (NeuronView view = getNeuron(op)) {
      node.what = What::Neuron;
      int64_t c = channels(view.input);
      llvm::append_range(node.threshold, floatPerChannel(view.vThreshold, c));
      llvm::append_range(node.rho, view.rho ? floatPerChannel(view.rho, c) : floatPerChannel(view.vThreshold, c));
      if (view.vReset) llvm::append_range(node.reset, floatPerChannel(view.vReset, c));
      if (view.beta) node.beta = view.beta.getValue().convertToFloat(), node.leaks = true;
      if (view.vMin) node.vMin = cast<FloatAttr>(view.vMin).getValue().convertToFloat();
      node.ge = view.compare == Compare::Ge, node.mode = view.reset, node.sMax = view.sMax;
    } else if (isa<AddOp>(op)) {
      node.what = What::Add;
    } else if (isa<FlattenOp>(op)) {
      node.what = What::Flatten;
    } else if (isa<ReluOp>(op)) {
      node.what = What::Relu;
    } else if (isa<DelayOp>(op)) {
      node.what = What::Delay;
    } else if (auto readout = dyn_cast<ReadoutOp>(op)) {
      node.what = What::Readout;
      node.readout = readout.getMode();
    }
  }

  std::vector<bool> constant; ///< of slots
};

} // namespace

llvm::Expected<std::shared_ptr<const FloatProgram>> makeFloatProgram(NetworkOp network) {
  if (network.isInteger()) return llvm::createStringError("the network is in integer form, expected float");
  Builder builder;
  FloatProgram &program = *builder.program;
  program.timesteps = int64_t(network.getTimesteps());
  for (Operation *op : executionOrder(network)) {
    if (auto input = dyn_cast<InputOp>(op)) {
      if (tensorType(input.getResult()).getElementType().isF32()) return llvm::createStringError("the input is f32, expected bytes");
      builder.slotOf(input.getResult());
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      if (program.output < 0) program.output = builder.slotOf(output.getValue());
    } else if (auto layer = dyn_cast<LayerOp>(op)) {
      Block &body = layer.getBody().front();
      for (auto [argument, operand] : llvm::zip(body.getArguments(), layer.getInputs()))
        program.slots[argument] = builder.slotOf(operand);
      // The layer's slot may be known already, by a delay that stands before it: its yield's operand takes that slot.
      Operation *end = cast<YieldOp>(body.back()).getValue().getDefiningOp();
      program.slots[end->getResult(0)] = builder.slotOf(layer.getResult());
      for (Operation &inner : body.without_terminator())
        builder.add(&inner);
    } else {
      builder.add(op);
    }
  }
  return std::shared_ptr<const FloatProgram>(builder.program);
}

size_t inputSize(const FloatProgram &program) { return program.frame * (program.encoding == Encoding::Events ? program.timesteps : 1); }

struct FloatRun::State {
  std::vector<Pixels> values;
  std::vector<std::vector<float>> membranes; ///< of nodes: of neurons, the sum of read-outs, what a delay holds
  SynapseScratch scratch;
};

FloatRun::FloatRun(std::shared_ptr<const FloatProgram> program) : program(std::move(program)), state(std::make_unique<State>()) {
  state->values = this->program->zeros;
  for (const Node &node : this->program->nodes) {
    bool keeps = node.what == What::Neuron || node.what == What::Readout || node.what == What::Delay;
    state->membranes.emplace_back(keeps ? this->program->zeros[node.result].x.size() : 0, 0.f);
  }
}
FloatRun::~FloatRun() = default;

llvm::ArrayRef<float> FloatRun::output() const { return state->values[program->output].x; }
const Pixels &FloatRun::value(Value value) const { return state->values[program->slots.lookup(value)]; }

namespace {

/// N2..N8, in float form.
void stepNeuron(const Node &node, const Pixels &in, std::vector<float> &membrane, Pixels &out) {
  const int64_t c = in.c, positions = in.positions();
  const float *threshold = node.threshold.data(), *rho = node.rho.data();
  if (!node.leaks && !node.ge && node.mode == Reset::Subtract && node.sMax == 1 &&
      node.vMin == -INFINITY) { // conversion's: without branches
    for (int64_t p = 0; p < positions; ++p) {
      float *v = membrane.data() + p * c, *s = out.x.data() + p * c;
      const float *i = in.x.data() + p * c;
      for (int64_t k = 0; k < c; ++k) {
        float u = v[k] + i[k];
        s[k] = u > threshold[k] ? 1.f : 0.f;
        v[k] = u > threshold[k] ? u - rho[k] : u;
      }
    }
    return;
  }
  for (int64_t e = 0; e < positions * c; ++e) {
    int64_t k = e % c;
    float v = std::max((node.leaks ? node.beta * membrane[e] : membrane[e]) + in.x[e], node.vMin);
    int64_t s = 0;
    while (s < node.sMax && (node.ge ? v >= threshold[k] + float(s) * rho[k] : v > threshold[k] + float(s) * rho[k]))
      ++s;
    if (s > 0) {
      if (node.mode == Reset::Zero)
        v = 0;
      else if (node.mode == Reset::Value)
        v = node.reset[k];
      else if (node.mode == Reset::Subtract)
        v = std::max(v - float(s) * rho[k], node.vMin);
    }
    membrane[e] = v;
    out.x[e] = float(s);
  }
}

void encode(const Node &node, bool events, ArrayRef<uint8_t> bytes, Pixels &out) {
  const int64_t positions = out.positions();
  for (int64_t c = 0; c < out.c; ++c)
    for (int64_t p = 0; p < positions; ++p)
      out.x[p * out.c + c] =
          events ? float(bytes[c * positions + p]) : (float(bytes[c * positions + p]) / 255.f - node.shift[c]) / node.scale[c]; // E1, E3
}

/// P1 to P3.
void pool(const SynapseShape &s, const Pixels &in, Pixels &out, What what) {
  const float factor = what == What::AvgPool ? 1.f / float(s.kh * s.kw) : 1.f;
  for (int64_t oy = 0; oy < s.oh; ++oy)
    for (int64_t ox = 0; ox < s.ow; ++ox) {
      float *to = out.x.data() + (oy * s.ow + ox) * s.c;
      std::fill(to, to + s.c, what == What::MaxPool ? -INFINITY : 0.f);
      for (int64_t y = std::max<int64_t>(0, oy * s.sh - s.top); y < std::min(s.h, oy * s.sh - s.top + s.kh); ++y)
        for (int64_t x = std::max<int64_t>(0, ox * s.sw - s.left); x < std::min(s.w, ox * s.sw - s.left + s.kw); ++x) {
          const float *from = in.x.data() + (y * s.w + x) * s.c;
          if (what == What::MaxPool)
            for (int64_t c = 0; c < s.c; ++c)
              to[c] = std::max(to[c], from[c]);
          else
            for (int64_t c = 0; c < s.c; ++c)
              to[c] += from[c];
        }
      for (int64_t c = 0; c < s.c; ++c)
        to[c] *= factor;
    }
}

} // namespace

void FloatRun::run(ArrayRef<uint8_t> sample, int64_t steps, const Observer &observe, Operation *until) {
  for (auto &membrane : state->membranes)
    std::fill(membrane.begin(), membrane.end(), 0.f);
  const bool events = program->encoding == Encoding::Events;
  for (int64_t t = 0; t < steps; ++t) {
    for (size_t n = 0; n < program->nodes.size(); ++n) {
      const Node &node = program->nodes[n];
      Pixels &out = state->values[node.result];
      std::vector<float> &held = state->membranes[n];
      if (node.constant && t > 0) {
        if (node.op == until) break;
        continue;
      }
      const Pixels &in = state->values[node.inputs[0]];
      switch (node.what) {
      case What::Encode:
        encode(node, events, events ? sample.slice(t * program->frame, program->frame) : sample, out);
        break;
      case What::Synapse:
        runSynapse(node.shape, node.packed, in.x, node.shift, out.x, state->scratch);
        break;
      case What::SumPool:
      case What::MaxPool:
      case What::AvgPool:
        pool(node.shape, in, out, node.what);
        break;
      case What::Add: {
        const Pixels &rhs = state->values[node.inputs[1]];
        for (size_t e = 0; e < in.x.size(); ++e)
          out.x[e] = in.x[e] + rhs.x[e];
        break;
      }
      case What::Flatten:
        for (int64_t c = 0; c < in.c; ++c)
          for (int64_t p = 0; p < in.positions(); ++p)
            out.x[c * in.positions() + p] = in.x[p * in.c + c];
        break;
      case What::BatchNorm:
        for (size_t e = 0; e < in.x.size(); ++e)
          out.x[e] = in.x[e] * node.scale[e % in.c] + node.shift[e % in.c];
        break;
      case What::Relu:
        for (size_t e = 0; e < in.x.size(); ++e)
          out.x[e] = std::max(in.x[e], 0.f);
        break;
      case What::Neuron:
        stepNeuron(node, in, held, out);
        break;
      case What::Delay:
        out.x = held;
        break; // D1; takes its operand below
      case What::Readout:
        for (size_t e = 0; e < in.x.size(); ++e) {
          held[e] = node.readout == ReadoutMode::Last ? in.x[e] : held[e] + in.x[e];
          out.x[e] = node.readout == ReadoutMode::Mean ? held[e] / float(t + 1) : held[e];
        }
        break;
      }
      if (observe) observe(node.op, t, out);
      if (node.op == until) break;
    }
    for (size_t n = 0; n < program->nodes.size(); ++n)
      if (program->nodes[n].what == What::Delay) state->membranes[n] = state->values[program->nodes[n].inputs[0]].x;
  }
}

void forEachSample(size_t count, const std::function<void(size_t, size_t, size_t)> &body) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t part; (part = next++) < kParts;)
      if (size_t first = count * part / kParts, last = count * (part + 1) / kParts; first < last) body(first, last, part);
  };
  std::vector<std::thread> threads;
  const size_t cores = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kParts);
  for (size_t i = 1; i < cores; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace lasnn
