#include "tests/conformance/random_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lasnn::test {
namespace {

uint64_t mix(uint64_t x) { // splitmix64
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
uint64_t mix(uint64_t a, uint64_t b) { return mix(mix(a) ^ b); }

constexpr int64_t kMostOperations = 250000; // multiply-adds of one layer at one step, were every input to spike
constexpr int64_t kMostWeights = 40000, kMostElements = 6000;

struct Draw {
  uint64_t state;
  uint64_t next() { return state = mix(state); }
  int from(int lo, int hi) { return lo + int(next() % uint64_t(hi - lo + 1)); }
  bool chance(int percent) { return from(0, 99) < percent; }
  template <typename T> T of(std::initializer_list<T> list) { return list.begin()[next() % list.size()]; }
  /// Around the sizes where vectors of 8 to 64 channels end.
  int channels() {
    switch (from(0, 5)) {
    case 0: return from(1, 4);
    case 1: return from(1, 20);
    case 2: return of({15, 16, 17, 31, 32, 33});
    case 3: return of({63, 64, 65, 95, 96, 97});
    case 4: return of({32, 64, 96, 127, 128, 129, 130});
    default: return from(1, 130);
    }
  }
};

int windowSize(int in, int before, int after, int dilation, int kernel, int stride) {
  int span = in + before + after - dilation * (kernel - 1) - 1;
  return span < 0 ? 0 : span / stride + 1;
}

/// `shape` behind a layer's window; or what is wrong with it.
const char *pooled(const LayerSpec &layer, ValueShape &shape) {
  if (std::max(layer.top, layer.bottom) >= layer.kh || std::max(layer.left, layer.right) >= layer.kw) return "pads of the kernel's size";
  shape.h = windowSize(shape.h, layer.top, layer.bottom, 1, layer.kh, layer.sh);
  shape.w = windowSize(shape.w, layer.left, layer.right, 1, layer.kw, layer.sw);
  return shape.h < 1 || shape.w < 1 ? "a window larger than its input" : nullptr;
}

struct Drawer {
  Draw draw;
  NetworkSpec spec;
  std::vector<ValueShape> values;

  bool tryLayer(LayerSpec layer) {
    spec.layers.push_back(std::move(layer));
    std::vector<ValueShape> now = shapes(spec);
    if (now.empty()) {
      spec.layers.pop_back();
      return false;
    }
    values = std::move(now);
    return true;
  }

  /// The newest values are read most, so that networks get deep.
  int pickValue(auto &&accept) {
    std::vector<int> able;
    for (int v = 0; v < int(values.size()); ++v)
      if (values[v].isResult && accept(values[v])) able.push_back(v);
    if (able.empty()) return -1;
    return draw.chance(70) ? able.back() : able[draw.next() % able.size()];
  }

  SynapseSpec convolution(int input, int k) {
    const ValueShape &in = values[input];
    SynapseSpec s;
    s.input = input;
    if (in.vector || draw.chance(10)) {
      s.linear = true;
      return s;
    }
    if (!draw.chance(20)) s.kh = draw.from(1, 5), s.kw = draw.chance(60) ? s.kh : draw.from(1, 5); // else 1x1
    if (draw.chance(30)) s.sh = draw.from(1, 3), s.sw = draw.chance(60) ? s.sh : draw.from(1, 3);
    if (draw.chance(20)) s.dh = draw.from(1, 3), s.dw = draw.from(1, 3);
    if (draw.chance(50)) s.top = s.bottom = s.dh * (s.kh - 1) / 2, s.left = s.right = s.dw * (s.kw - 1) / 2;
    else if (draw.chance(60)) s.top = draw.from(0, 3), s.left = draw.from(0, 3), s.bottom = draw.from(0, 3), s.right = draw.from(0, 3);
    int common = std::gcd(in.c, k);
    if (draw.chance(35) && common > 1) {
      std::vector<int> divisors;
      for (int d = 2; d <= common; ++d)
        if (common % d == 0) divisors.push_back(d);
      s.groups = draw.chance(40) ? common : divisors[draw.next() % divisors.size()];
    }
    return s;
  }

  /// A second synapse from `input` whose result is [.,oh,ow]: stride first, then the pads that make the size come out.
  SynapseSpec matching(int input, int k, int oh, int ow) {
    const ValueShape &in = values[input];
    SynapseSpec s;
    s.input = input;
    auto axis = [&](int size, int out, int &kernel, int &stride, int &dilation, int &before, int &after) {
      stride = out > 1 ? std::max(1, draw.from(1, std::max(1, size / out))) : draw.from(1, 3);
      dilation = draw.chance(15) ? 2 : 1;
      kernel = draw.from(1, 3);
      int pads = (out - 1) * stride + dilation * (kernel - 1) + 1 - size;
      if (pads < 0 && dilation > 1) dilation = 1, pads = (out - 1) * stride + kernel - size;
      if (pads < 0 && -pads >= stride) kernel += -pads - (stride - 1), pads = 1 - stride; // a larger window reaches the end
      before = pads > 0 ? draw.from(0, pads) : 0, after = pads > 0 ? pads - before : 0;
    };
    axis(in.h, oh, s.kh, s.sh, s.dh, s.top, s.bottom);
    axis(in.w, ow, s.kw, s.sw, s.dw, s.left, s.right);
    if (int common = std::gcd(in.c, k); common > 1 && draw.chance(20)) s.groups = common;
    return s;
  }

  void weights(LayerSpec &layer) {
    layer.seed = draw.next();
    layer.weightLimit = draw.of({1, 3, 7, 31, 63, 63, 127, 127, 128});
    layer.weightShift = draw.chance(50) ? 0 : draw.from(-layer.weightLimit / 4, layer.weightLimit / 2);
    layer.zeroPercent = draw.of({0, 0, 0, 30, 90, 100});
    if (layer.zeroPercent == 100 && !draw.chance(20)) layer.zeroPercent = 0;
    layer.bias = draw.chance(12) ? (draw.chance(50) ? BiasKind::MaxFits16 : BiasKind::MinFits16) : draw.chance(60) ? BiasKind::Spread : BiasKind::None;
    layer.claim16 = !draw.chance(15);
  }

  void neuron(LayerSpec &layer) {
    NeuronSpec &n = layer.neuron;
    n.leaky = draw.chance(60);
    n.decay = !n.leaky ? 0 : draw.chance(15) ? draw.of({0, 1, 4095, 4096}) : draw.from(0, 4096);
    n.reset = draw.of({ResetKind::Zero, ResetKind::Subtract, ResetKind::Subtract, ResetKind::None, ResetKind::Value});
    n.stateBits = draw.chance(50) ? 16 : 24;
    n.perChannel = draw.chance(60);
    // What a current looks like, roughly: a third of the inputs spike.
    double mean = 0, variance = 1;
    for (const SynapseSpec &s : layer.synapses) {
      const ValueShape &in = values[s.input];
      double taps = s.linear ? double(in.size()) : double(in.c / s.groups) * s.kh * s.kw;
      double rate = in.analog ? 1 : 0.3 * (in.maxCount + 1) / 2, weight = (100 - layer.zeroPercent) / 100.0;
      mean += in.analog ? 0 : taps * rate * weight * layer.weightShift;
      variance += taps * rate * weight * std::pow(layer.weightLimit, 2) / 3 * (in.analog ? 64 * 64 : rate);
    }
    double deviation = std::sqrt(variance);
    layer.biasSpread = std::max(1, int(deviation * draw.of({0.1, 0.5, 2.0})));
    double z = draw.from(-150, 200) / 100.0;
    if (draw.chance(10)) z *= 10; // always, or never
    n.theta = int(std::clamp(mean + z * deviation, -8e6, 8e6));
    if (draw.chance(4)) n.theta = draw.of({0, -1, 32766, 32767, 40000, -32768, -40000, 8388607});
    n.thetaSpread = n.perChannel ? int(deviation / 2) + 1 : 0;
    n.rho = std::max(1, int(draw.chance(50) ? std::abs(n.theta) : deviation * draw.of({0.1, 0.5, 1.0, 4.0})));
    if (draw.chance(5)) n.rho = draw.of({0, 1, 65535, 20000000});
    n.rhoSpread = n.perChannel ? std::min(n.rho, 1 << 20) / 4 : 0;
    if (n.reset == ResetKind::Subtract && draw.chance(35)) n.sMax = draw.chance(60) ? draw.from(2, 4) : draw.of({7, 15, 16, 100, 254, 255}), n.rho = std::max(n.rho, 1);
    n.hasVMin = draw.chance(30);
    int lo = -(1 << (n.stateBits - 1));
    n.vMin = draw.chance(30) ? 0 : draw.chance(15) ? lo : std::max(lo, -int(deviation * draw.of({0.5, 1.0, 3.0})));
    int floor = n.hasVMin ? n.vMin : lo, ceiling = -lo - 1;
    n.vResetSpread = n.perChannel ? std::min(100, ceiling - floor) : 0;
    n.vReset = std::clamp(draw.from(-200, 200), floor, ceiling - n.vResetSpread);
  }

  LayerSpec synaptic(LayerKind kind, int k) {
    LayerSpec layer;
    layer.kind = kind;
    layer.channels = k;
    weights(layer);
    layer.synapses.push_back(convolution(pickValue([](const ValueShape &) { return true; }), k));
    return layer;
  }

  /// More synapses into the layer at the end of the network, where other values can be made to fit.
  void addResiduals(int count) {
    for (int i = 0; i < count; ++i) {
      LayerSpec layer = spec.layers.back();
      ValueShape out = values.back();
      spec.layers.pop_back();
      values.pop_back();
      LayerSpec more = layer;
      int input = draw.chance(30) ? int(draw.next() % values.size()) : pickValue([](const ValueShape &) { return true; });
      if (values[input].isResult && !(out.vector ? false : values[input].vector)) {
        if (out.vector) {
          SynapseSpec s;
          s.linear = true, s.input = input;
          more.synapses.push_back(s);
        } else {
          more.synapses.push_back(matching(input, layer.channels, out.h, out.w));
        }
      }
      if (!tryLayer(std::move(more))) tryLayer(std::move(layer));
    }
  }

  void spiking() {
    LayerSpec layer = synaptic(LayerKind::Spiking, draw.channels());
    neuron(layer);
    if (!tryLayer(std::move(layer))) return;
    if (draw.chance(25)) addResiduals(draw.from(1, 2));
    if (draw.chance(20)) poolCurrents();
  }

  /// The layer at the end of the network pools its currents.
  void poolCurrents() {
    LayerSpec plain = spec.layers.back();
    spec.layers.pop_back();
    values.pop_back();
    LayerSpec pooling = plain;
    pooling.poolsCurrents = true;
    window(pooling);
    if (!tryLayer(std::move(pooling))) tryLayer(std::move(plain));
  }

  void window(LayerSpec &layer) {
    layer.kh = draw.from(1, 4), layer.kw = draw.chance(60) ? layer.kh : draw.from(1, 4);
    layer.sh = draw.chance(60) ? layer.kh : draw.from(1, 3), layer.sw = draw.chance(60) ? layer.kw : draw.from(1, 3);
    if (draw.chance(40)) layer.top = draw.from(0, layer.kh - 1), layer.bottom = draw.from(0, layer.kh - 1), layer.left = draw.from(0, layer.kw - 1), layer.right = draw.from(0, layer.kw - 1);
  }

  void pool() {
    int input = pickValue([](const ValueShape &v) { return !v.vector && !v.analog && v.h * v.w > 1; });
    if (input < 0) return;
    LayerSpec layer;
    layer.kind = draw.chance(50) ? LayerKind::SumPool : LayerKind::MaxPool;
    layer.inputs = {input};
    window(layer);
    tryLayer(std::move(layer));
  }

  /// SEW: a layer that keeps its input's shape, and the sum of the two.
  void spikeAdd() {
    int input = pickValue([](const ValueShape &v) { return !v.analog; });
    if (input < 0) return;
    const ValueShape in = values[input];
    LayerSpec layer = synaptic(LayerKind::Spiking, in.c);
    SynapseSpec s;
    s.input = input;
    if (in.vector) s.linear = true;
    else if (draw.chance(70)) s.kh = s.kw = 3, s.top = s.left = s.bottom = s.right = 1;
    layer.synapses = {s};
    neuron(layer);
    if (!tryLayer(std::move(layer))) return;
    LayerSpec add;
    add.kind = LayerKind::Add;
    add.inputs = {input, int(values.size()) - 1};
    if (draw.chance(50)) std::swap(add.inputs[0], add.inputs[1]);
    tryLayer(std::move(add));
  }

  void readout() {
    for (int attempt = 0; attempt < 50; ++attempt) {
      LayerSpec layer = synaptic(LayerKind::Readout, draw.chance(70) ? draw.from(1, 12) : draw.channels());
      layer.last = draw.chance(30);
      layer.biasSpread = draw.of({1, 1000, 100000});
      if (attempt > 20) layer.synapses[0] = SynapseSpec(), layer.synapses[0].linear = true, layer.channels = 1; // always small enough
      if (!tryLayer(std::move(layer))) continue;
      if (draw.chance(20)) addResiduals(1);
      if (draw.chance(10)) poolCurrents();
      return;
    }
  }

  /// Some value comes back a step later into a layer that has neurons or a read-out, wherever that stands. The delay itself stands last.
  void delay() {
    NetworkSpec before = spec;
    LayerSpec late;
    late.kind = LayerKind::Delay;
    std::vector<int> spikes, readers;
    for (int v = 0; v < int(values.size()); ++v)
      if (values[v].isResult && !values[v].analog) spikes.push_back(v);
    for (int l = 0; l < int(spec.layers.size()); ++l)
      if (!spec.layers[l].synapses.empty()) readers.push_back(l);
    if (spikes.empty()) return;
    late.inputs = {spikes[draw.next() % spikes.size()]};
    if (!tryLayer(late)) return;
    int reader = readers[draw.next() % readers.size()], value = int(values.size()) - 1;
    const ValueShape out = values[reader + 1];
    SynapseSpec s;
    if (out.vector) s.linear = true, s.input = value;
    else if (values[value].vector) return restore(before);
    else s = matching(value, spec.layers[reader].channels, out.currentH, out.currentW);
    spec.layers[reader].synapses.push_back(s);
    std::vector<ValueShape> now = shapes(spec);
    if (now.empty()) return restore(before);
    values = std::move(now);
  }
  void restore(NetworkSpec &before) { spec = std::move(before), values = shapes(spec); }

  void run() {
    spec.seed = draw.next();
    spec.timesteps = draw.from(1, 8);
    spec.samples = 2;
    spec.events = draw.chance(60);
    spec.vectorInput = draw.chance(15);
    do {
      spec.c = draw.chance(60) ? draw.from(1, 4) : draw.channels();
      spec.h = spec.vectorInput ? 1 : draw.from(1, 20), spec.w = spec.vectorInput ? 1 : draw.chance(50) ? spec.h : draw.from(1, 20);
    } while (int64_t(spec.c) * spec.h * spec.w > 4000);
    if (spec.events && draw.chance(35)) spec.maxCount = draw.of({2, 3, 4, 15, 16, 127, 128, 255});
    spec.densityPercent = draw.of({0, 1, 5, 20, 20, 50, 90, 100});
    spec.shuffled = draw.chance(20);
    values = shapes(spec);
    int layers = draw.from(0, 6);
    for (int attempt = 0; attempt < 4 * layers && int(spec.layers.size()) < layers; ++attempt) {
      int what = draw.from(0, 99);
      if (what < 70) spiking();
      else if (what < 85) pool();
      else spikeAdd();
    }
    readout();
    if (draw.chance(15)) readout();
    if (draw.chance(35))
      for (int i = draw.from(1, 3); i > 0; --i) delay();
  }
};

} // namespace

NetworkSpec drawNetwork(uint64_t seed) {
  Drawer drawer{{mix(seed ^ 0x1a5bb)}, {}, {}};
  drawer.run();
  return drawer.spec;
}

/// What a delay gives is what the value it reads has, which may come later. So the values are visited until all of them are known, each
/// by the first thing it reads (the rest has to agree: shapes() sees to that). Empty when they need each other: a loop without a neuron.
static std::vector<ValueShape> delayedShapes(const NetworkSpec &spec) {
  std::vector<ValueShape> values(spec.layers.size() + 1);
  std::vector<bool> known(values.size());
  values[0] = {spec.c, spec.h, spec.w, spec.events ? spec.maxCount : 1, spec.vectorInput, !spec.events, true};
  known[0] = true;
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t l = 0; l < spec.layers.size(); ++l) {
      const LayerSpec &layer = spec.layers[l];
      const bool sums = !layer.synapses.empty();
      std::vector<int> needs = sums ? std::vector<int>{layer.synapses[0].input} : layer.inputs;
      if (known[l + 1] || needs.empty() || !std::all_of(needs.begin(), needs.end(), [&](int v) { return v >= 0 && v < int(values.size()) && known[size_t(v)]; })) continue;
      ValueShape out = values[size_t(needs[0])];
      if (sums) {
        const SynapseSpec &s = layer.synapses[0];
        out = {layer.channels, s.linear ? 1 : windowSize(out.h, s.top, s.bottom, s.dh, s.kh, s.sh), s.linear ? 1 : windowSize(out.w, s.left, s.right, s.dw, s.kw, s.sw),
               layer.neuron.sMax, s.linear, false, layer.kind == LayerKind::Spiking};
      }
      const bool pools = layer.kind == LayerKind::SumPool || layer.kind == LayerKind::MaxPool;
      if ((layer.poolsCurrents || pools) && pooled(layer, out)) return {};
      if (layer.kind == LayerKind::SumPool) out.maxCount *= layer.kh * layer.kw;
      if (layer.kind == LayerKind::Add)
        for (size_t i = 1; i < needs.size(); ++i) out.maxCount += values[size_t(needs[i])].maxCount;
      if (out.h < 1 || out.w < 1 || out.maxCount > 255) return {};
      values[l + 1] = out;
      known[l + 1] = progress = true;
    }
  }
  return std::find(known.begin(), known.end(), false) == known.end() ? values : std::vector<ValueShape>();
}

std::vector<ValueShape> shapes(const NetworkSpec &spec, std::string *why) {
  auto fail = [&](const char *reason) {
    if (why) *why = reason;
    return std::vector<ValueShape>();
  };
  const std::vector<ValueShape> late = delayedShapes(spec);
  if (late.empty()) return fail("values that need each other, or a window or count that does not fit");
  std::vector<ValueShape> values{{spec.c, spec.h, spec.w, spec.events ? spec.maxCount : 1, spec.vectorInput, !spec.events, true}};
  if (spec.vectorInput && spec.h * spec.w != 1) return fail("a vector input with an image's size");
  for (const LayerSpec &layer : spec.layers) {
    ValueShape out;
    auto readable = [&](int input) { // what is there, and what comes back from the step before
      if (input < 0 || input >= int(late.size()) || !late[input].isResult) return false;
      return input < int(values.size()) || layer.kind == LayerKind::Delay || spec.layers[input - 1].kind == LayerKind::Delay;
    };
    if (layer.kind == LayerKind::Spiking || layer.kind == LayerKind::Readout) {
      if (layer.synapses.empty()) return fail("no synapse");
      int64_t weights = 0, operations = 0;
      bool first = true;
      for (const SynapseSpec &s : layer.synapses) {
        if (!readable(s.input)) return fail("an input that is none");
        const ValueShape &in = late[s.input];
        ValueShape now{layer.channels, 1, 1, layer.kind == LayerKind::Spiking ? layer.neuron.sMax : 1, s.linear, false, layer.kind == LayerKind::Spiking};
        if (s.linear) {
          weights += layer.channels * in.size(), operations += layer.channels * in.size();
        } else {
          if (in.vector || s.groups < 1 || in.c % s.groups || layer.channels % s.groups) return fail("groups");
          now.h = windowSize(in.h, s.top, s.bottom, s.dh, s.kh, s.sh), now.w = windowSize(in.w, s.left, s.right, s.dw, s.kw, s.sw);
          int64_t kernel = int64_t(layer.channels) * (in.c / s.groups) * s.kh * s.kw;
          weights += kernel, operations += kernel * now.h * now.w;
        }
        if (now.h < 1 || now.w < 1) return fail("a window larger than its input");
        if (!first && (now.h != out.h || now.w != out.w || now.vector != out.vector)) return fail("synapses of different result shapes");
        out = now, first = false;
      }
      out.currentH = out.h, out.currentW = out.w;
      if (layer.poolsCurrents) {
        if (out.vector) return fail("a pool of a vector");
        if (const char *reason = pooled(layer, out)) return fail(reason);
      }
      if (weights > kMostWeights || operations > kMostOperations) return fail("too much work");
    } else {
      for (int input : layer.inputs)
        if (!readable(input) || late[input].analog) return fail("a pool, add or delay of something other than spikes");
      if (layer.inputs.empty()) return fail("no input");
      out = late[layer.inputs[0]];
      if (layer.kind == LayerKind::Add) {
        if (layer.inputs.size() != 2) return fail("an add of one");
        const ValueShape &other = late[layer.inputs[1]];
        if (other.c != out.c || other.h != out.h || other.w != out.w || other.vector != out.vector) return fail("an add of different shapes");
        out.maxCount += other.maxCount;
      } else if (layer.kind == LayerKind::Delay) {
        out.currentH = out.currentW = 0;
      } else {
        if (out.vector) return fail("a pool of a vector");
        if (const char *reason = pooled(layer, out)) return fail(reason);
        if (layer.kind == LayerKind::SumPool) out.maxCount *= layer.kh * layer.kw;
      }
      if (out.maxCount > 255) return fail("a count above 255");
    }
    if (out.size() > kMostElements) return fail("too much work");
    values.push_back(out);
  }
  return values;
}

int8_t weightOf(const LayerSpec &layer, size_t synapse, int k, int c, int i, int j) {
  uint64_t hash = mix(layer.seed + synapse * 7919, (uint64_t(k) << 40) | (uint64_t(c) << 16) | uint64_t(i * 256 + j));
  if (int(hash % 100) < layer.zeroPercent) return 0;
  int limit = layer.weightLimit, value = int((hash >> 20) % uint64_t(2 * limit + 1)) - limit + layer.weightShift;
  return int8_t(std::clamp(value, -std::min(limit, 128), std::min(limit, 127)));
}

std::vector<int8_t> weightsOf(const LayerSpec &layer, size_t synapse, int inChannels, int kh, int kw) {
  std::vector<int8_t> weights;
  weights.reserve(size_t(layer.channels) * inChannels * kh * kw);
  for (int k = 0; k < layer.channels; ++k)
    for (int c = 0; c < inChannels; ++c)
      for (int i = 0; i < kh; ++i)
        for (int j = 0; j < kw; ++j) weights.push_back(weightOf(layer, synapse, k, c, i, j));
  return weights;
}

Currents currentsOf(const NetworkSpec &spec, const std::vector<ValueShape> &values, size_t index) {
  const LayerSpec &layer = spec.layers[index];
  Currents currents;
  currents.fits16 = true;
  for (int k = 0; k < layer.channels; ++k) {
    int64_t lo = 0, hi = 0; // with every count at its bound and every analog value in -128..127
    for (size_t n = 0; n < layer.synapses.size(); ++n) {
      const SynapseSpec &s = layer.synapses[n];
      const ValueShape &in = values[s.input];
      int cg = s.linear ? in.c : in.c / s.groups, kh = s.linear ? in.h : s.kh, kw = s.linear ? in.w : s.kw;
      for (int c = 0; c < cg; ++c)
        for (int i = 0; i < kh; ++i)
          for (int j = 0; j < kw; ++j) {
            int64_t w = weightOf(layer, n, k, c, i, j);
            hi += in.analog ? std::max(127 * w, -128 * w) : std::max<int64_t>(0, w) * in.maxCount;
            lo += in.analog ? std::min(127 * w, -128 * w) : std::min<int64_t>(0, w) * in.maxCount;
          }
    }
    int64_t bias = layer.bias == BiasKind::MaxFits16   ? 32767 - hi
                   : layer.bias == BiasKind::MinFits16 ? -32768 - lo
                   : layer.bias == BiasKind::Spread    ? perChannel(layer.seed + 1, -layer.biasSpread, 2 * layer.biasSpread, k)
                                                       : 0;
    currents.bias.push_back(int32_t(bias));
    currents.fits16 &= bias + hi <= 32767 && bias + lo >= -32768;
  }
  return currents;
}

int32_t perChannel(uint64_t seed, int base, int spread, int channel) { return base + int32_t(mix(seed, uint64_t(channel)) % uint64_t(spread + 1)); }

int8_t tableEntry(const NetworkSpec &spec, int channel, int pixel) {
  uint64_t kind = mix(spec.seed, uint64_t(channel));
  if (kind % 4 == 0) return int8_t(mix(kind, uint64_t(pixel))); // any table at all, -128 as well
  int slope = int(kind >> 8 & 255) - 128, offset = int(kind >> 16 & 127) - 64;
  return int8_t(std::clamp(pixel * slope / 128 + offset, -127, 127));
}

std::vector<uint8_t> sampleOf(const NetworkSpec &spec, int index) {
  int frames = spec.events ? spec.timesteps : 1;
  std::vector<uint8_t> sample;
  for (int t = 0; t < frames; ++t)
    for (int c = 0; c < spec.c; ++c)
      for (int y = 0; y < spec.h; ++y)
        for (int x = 0; x < spec.w; ++x) {
          uint64_t hash = mix(spec.seed + uint64_t(index) * 31 + 5, (uint64_t(t) << 48) | (uint64_t(c) << 32) | (uint64_t(y) << 16) | uint64_t(x));
          if (!spec.events) sample.push_back(uint8_t(hash));
          else if (int(hash % 100) >= spec.densityPercent) sample.push_back(0);
          else sample.push_back(uint8_t((hash >> 10) % 4 ? 1 + (hash >> 20) % uint64_t(spec.maxCount) : uint64_t(spec.maxCount)));
        }
  return sample;
}

bool inject(NetworkSpec &spec, const std::string &mistake) {
  bool done = false;
  if (mistake == "delay") { // a step more
    for (size_t l = 0, layers = spec.layers.size(); l < layers; ++l) {
      if (spec.layers[l].kind != LayerKind::Delay) continue;
      spec.layers.push_back(spec.layers[l]);
      spec.layers[l].inputs = {int(spec.layers.size())}, done = true;
    }
  }
  for (LayerSpec &layer : spec.layers) {
    if (mistake == "threshold" && layer.kind == LayerKind::Spiking) {
      ++layer.neuron.theta, done = true;
    } else if (mistake == "reset" && layer.kind == LayerKind::Spiking && layer.neuron.reset != ResetKind::None) {
      layer.neuron.reset = ResetKind::None, layer.neuron.sMax = 1, done = true;
    } else if (mistake == "pad") {
      for (SynapseSpec &s : layer.synapses) {
        if (s.top + s.bottom > 0) (s.bottom ? (--s.bottom, ++s.top) : (++s.bottom, --s.top)), done = true;
      }
    }
  }
  return done;
}

} // namespace lasnn::test
