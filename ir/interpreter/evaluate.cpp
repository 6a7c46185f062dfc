// One function an operation, each the equation of its rule in ir/spec.md.
#include "ir/interpreter/program.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace lasnn::snn {
namespace {

/// E1..E3.
void encode(Program &p, Node &node, ArrayRef<uint8_t> bytes, ArrayRef<float> floats) {
  auto op = cast<EncodeOp>(node.op);
  Tensor &out = p.values[node.result];
  size_t size = out.isFloat ? out.f.size() : out.i.size(), perChannel = size / out.shape[0];
  if (p.floatInput) {
    std::copy(floats.begin(), floats.end(), out.f.begin());
  } else if (op.getEncoding() == Encoding::Events) {
    for (size_t i = 0; i < size; ++i)
      if (out.isFloat) out.f[i] = bytes[i];
      else out.i[i] = bytes[i];
  } else if (!out.isFloat) {
    auto table = cast<DenseElementsAttr>(*op.getTable()).getValues<int8_t>();
    for (size_t i = 0; i < size; ++i) out.i[i] = table[i / perChannel * 256 + bytes[i]];
  } else {
    for (size_t i = 0; i < size; ++i) {
      size_t c = i / perChannel;
      float mean = op.getMean() ? (*op.getMean())[c] : 0.f, std = op.getStd() ? (*op.getStd())[c] : 1.f;
      out.f[i] = (float(bytes[i]) / 255.f - mean) / std;
    }
  }
}

/// C1, L1. The sum runs over the inputs that are not 0: each adds its weights to the run of output channels it meets.
/// Returns the number of synaptic operations.
template <typename T>
uint64_t synapse(const Window &w, ArrayRef<T> in, const std::vector<T> &weight, const std::vector<T> &bias, std::vector<T> &out) {
  int64_t cg = w.c / w.groups, kg = w.k / w.groups, pixels = w.oh * w.ow;
  std::vector<T> sum(pixels * w.k); // [oh][ow][k]
  for (int64_t p = 0; p < pixels; ++p) std::copy(bias.begin(), bias.end(), sum.begin() + p * w.k);
  uint64_t operations = 0;
  for (int64_t c = 0; c < w.c; ++c)
    for (int64_t y = 0; y < w.h; ++y)
      for (int64_t x = 0; x < w.w; ++x) {
        T value = in[(c * w.h + y) * w.w + x];
        if (value == T(0)) continue;
        for (int64_t i = 0; i < w.kh; ++i) {
          int64_t oy = y + w.top - i * w.dh;
          if (oy < 0 || oy % w.sh || oy / w.sh >= w.oh) continue;
          for (int64_t j = 0; j < w.kw; ++j) {
            int64_t ox = x + w.left - j * w.dw;
            if (ox < 0 || ox % w.sw || ox / w.sw >= w.ow) continue;
            const T *row = &weight[((c * w.kh + i) * w.kw + j) * kg];
            T *to = &sum[(oy / w.sh * w.ow + ox / w.sw) * w.k + c / cg * kg];
            if (value == T(1))
              for (int64_t k = 0; k < kg; ++k) to[k] += row[k];
            else
              for (int64_t k = 0; k < kg; ++k) to[k] += row[k] * value;
            operations += uint64_t(kg) * uint64_t(std::abs(value));
          }
        }
      }
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t k = 0; k < w.k; ++k) out[k * pixels + p] = sum[p * w.k + k];
  return operations;
}

/// P1..P3: `max` or sum over the part of the window inside the image; the padding adds 0 and never wins.
template <typename T> void pool(const Window &w, ArrayRef<T> in, std::vector<T> &out, bool max, T divisor) {
  for (int64_t c = 0; c < w.c; ++c)
    for (int64_t oy = 0; oy < w.oh; ++oy)
      for (int64_t ox = 0; ox < w.ow; ++ox) {
        T value = T(0);
        bool first = true;
        for (int64_t y = std::max<int64_t>(0, oy * w.sh - w.top); y < std::min(w.h, oy * w.sh - w.top + w.kh); ++y)
          for (int64_t x = std::max<int64_t>(0, ox * w.sw - w.left); x < std::min(w.w, ox * w.sw - w.left + w.kw); ++x) {
            T element = in[(c * w.h + y) * w.w + x];
            value = !max ? value + element : first ? element : std::max(value, element);
            first = false;
          }
        out[(c * w.oh + oy) * w.ow + ox] = value / divisor;
      }
}

/// N5: spikes of a membrane. `above(x)` is v > x, or v >= x.
template <typename V, typename Above> int32_t spikes(int64_t sMax, V threshold, V rho, Above above) {
  int32_t count = 0;
  while (count < sMax && above(threshold + V(count) * rho)) ++count;
  return count;
}

/// N1..N8, float form.
void neuronFloat(NeuronState &n, NeuronStats &stats, ArrayRef<float> in, std::vector<float> &out) {
  bool ge = n.view.compare == Compare::Ge;
  for (size_t e = 0; e < in.size(); ++e) {
    size_t c = e / n.perChannel;
    float v = n.view.beta ? n.betaF * n.vF[e] : n.vF[e]; // N2
    v = v + in[e];                                       // N3
    stats.minI = std::min<double>(stats.minI, in[e]), stats.maxI = std::max<double>(stats.maxI, in[e]);
    stats.minV = std::min<double>(stats.minV, v), stats.maxV = std::max<double>(stats.maxV, v);
    stats.maxAbsV[c] = std::max<double>(stats.maxAbsV[c], std::fabs(v));
    if (n.hasVMin) v = std::max(v, n.vMinF); // N4
    if (!n.recorded.empty()) n.recorded[e] = v;
    int32_t s = spikes<float>(n.view.sMax, n.thresholdF[c], n.rhoF[c], [&](float x) { return ge ? v >= x : v > x; }); // N5
    if (s > 0) { // N6
      if (n.view.reset == Reset::Zero) v = 0.f;
      else if (n.view.reset == Reset::Value) v = n.resetF[c];
      else if (n.view.reset == Reset::Subtract) {
        v = v - float(s) * n.rhoF[c];
        if (n.hasVMin) v = std::max(v, n.vMinF); // N7
      }
    }
    n.vF[e] = v;
    out[e] = float(s);
    stats.spikes += s;
  }
}

/// N1..N8, integer form.
void neuronInteger(NeuronState &n, NeuronStats &stats, ArrayRef<int32_t> in, std::vector<int32_t> &out) {
  auto clamp = [&](int64_t v) {
    int64_t clamped = std::clamp(v, n.lo, n.hi);
    stats.clips += clamped != v;
    return clamped;
  };
  for (size_t e = 0; e < in.size(); ++e) {
    size_t c = e / n.perChannel;
    int64_t v = n.vI[e];
    int64_t leaked = (std::abs(v) * n.keep) >> 12; // N2
    v = (v < 0 ? -leaked : leaked) + in[e];        // N3
    stats.minI = std::min<double>(stats.minI, in[e]), stats.maxI = std::max<double>(stats.maxI, in[e]);
    stats.minV = std::min<double>(stats.minV, v), stats.maxV = std::max<double>(stats.maxV, v);
    stats.maxAbsV[c] = std::max<double>(stats.maxAbsV[c], std::abs(double(v)));
    v = clamp(v); // N4
    if (!n.recorded.empty()) n.recorded[e] = float(v);
    int64_t rho = n.rhoI.empty() ? 0 : n.rhoI[c];
    int32_t s = spikes<int64_t>(n.view.sMax, n.thresholdI[c], rho, [&](int64_t x) { return v > x; }); // N5, N14
    if (s > 0) {                                                                                      // N6
      if (n.view.reset == Reset::Zero) v = 0;
      else if (n.view.reset == Reset::Value) v = n.resetI[c];
      else if (n.view.reset == Reset::Subtract) v = clamp(v - s * rho); // N7
    }
    n.vI[e] = int32_t(v);
    out[e] = s;
    stats.spikes += s;
  }
}

/// R1..R3: the read-out as it stands after this step.
template <typename T, typename Sum>
void readout(ReadoutMode mode, bool first, int64_t steps, ArrayRef<T> in, std::vector<Sum> &sum, std::vector<T> &out) {
  for (size_t e = 0; e < in.size(); ++e) {
    sum[e] = mode == ReadoutMode::Last || first ? Sum(in[e]) : sum[e] + Sum(in[e]);
    if constexpr (std::is_same_v<T, float>) out[e] = mode == ReadoutMode::Mean ? sum[e] / float(steps) : sum[e];
    else out[e] = T(std::clamp<int64_t>(sum[e], INT32_MIN, INT32_MAX));
  }
}

void batchNorm(BatchNormOp op, const Tensor &in, Tensor &out) { // B1
  auto gamma = floatValues(op.getGamma()), beta = floatValues(op.getBeta()), mean = floatValues(op.getMean()),
       variance = floatValues(op.getVariance());
  float epsilon = op.getEpsilon().convertToFloat();
  size_t perChannel = in.f.size() / in.shape[0];
  for (size_t e = 0; e < in.f.size(); ++e) {
    size_t c = e / perChannel;
    out.f[e] = (in.f[e] - mean[c]) / std::sqrt(variance[c] + epsilon) * gamma[c] + beta[c];
  }
}

} // namespace

void evaluate(Program &p, size_t index, ArrayRef<uint8_t> bytes, ArrayRef<float> floats) {
  Node &node = p.nodes[index];
  Tensor &out = p.values[node.result];
  if (isa<EncodeOp>(node.op)) return encode(p, node, bytes, floats);
  if (node.delay >= 0) {
    out = p.delays[node.delay].held; // D1
    return;
  }
  const Tensor &in = p.values[node.inputs[0]];
  bool isFloat = in.isFloat;
  auto poolWith = [&](bool max, bool mean) {
    if (isFloat) pool<float>(node.window, in.f, out.f, max, mean ? float(node.window.kh * node.window.kw) : 1.f);
    else pool<int32_t>(node.window, in.i, out.i, max, 1);
  };
  if (isa<Conv2DOp, LinearOp>(node.op)) {
    uint64_t operations = isFloat ? synapse<float>(node.window, in.f, node.weightF, node.biasF, out.f)
                                  : synapse<int32_t>(node.window, in.i, node.weightI, node.biasI, out.i);
    if (node.countSynops && node.neuron >= 0) p.stats[node.neuron].synops += operations;
  } else if (isa<SumPoolOp>(node.op)) {
    poolWith(false, false);
  } else if (isa<MaxPoolOp>(node.op)) {
    poolWith(true, false);
  } else if (isa<AvgPoolOp>(node.op)) {
    poolWith(false, true);
  } else if (isa<AddOp>(node.op)) {
    const Tensor &rhs = p.values[node.inputs[1]];
    for (size_t e = 0; e < in.f.size(); ++e) out.f[e] = in.f[e] + rhs.f[e];
    for (size_t e = 0; e < in.i.size(); ++e) out.i[e] = in.i[e] + rhs.i[e];
  } else if (isa<FlattenOp>(node.op)) {
    out.f = in.f;
    out.i = in.i;
  } else if (auto op = dyn_cast<BatchNormOp>(node.op)) {
    batchNorm(op, in, out);
  } else if (isa<ReluOp>(node.op)) {
    for (size_t e = 0; e < in.f.size(); ++e) out.f[e] = std::max(in.f[e], 0.f);
  } else if (isa<ReadoutOp>(node.op)) {
    ReadoutState &state = p.readouts[p.readoutNodes[index]];
    if (isFloat) readout<float, float>(state.mode, p.step == 0, p.step + 1, in.f, state.sumF, out.f);
    else readout<int32_t, int64_t>(state.mode, p.step == 0, p.step + 1, in.i, state.sumI, out.i);
  } else if (isFloat) {
    neuronFloat(p.neurons[node.neuron], p.stats[node.neuron], in.f, out.f);
  } else {
    neuronInteger(p.neurons[node.neuron], p.stats[node.neuron], in.i, out.i);
  }
}

} // namespace lasnn::snn
