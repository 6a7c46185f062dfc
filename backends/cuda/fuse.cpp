#include "backends/cuda/fuse.h"

#include <algorithm>

namespace lasnn::cuda {
namespace {

/// A sum pool fused repeats a synapse's taps this often at most, unless it has to: a launch saved is worth some work, not any.
constexpr uint32_t mostRepeats = 16;

struct Reader {
  size_t layer = 0, synapse = 0;
};

/// The only synapse that reads a buffer; false where another, a pool, a sum or a delay reads it too.
bool onlyReader(const plan::Network &plan, uint32_t buffer, Reader &reader) {
  size_t count = 0;
  if (std::any_of(plan.delays.begin(), plan.delays.end(), [&](const plan::Delay &delay) { return delay.from == buffer; }))
    return false;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const plan::Layer &layer = plan.layers[i];
    if (layer.kind == plan::LayerKind::Pool || layer.kind == plan::LayerKind::Add) {
      if (std::find(layer.inputs.begin(), layer.inputs.end(), buffer) != layer.inputs.end()) return false;
      continue;
    }
    for (size_t s = 0; s < layer.synapses.size(); ++s)
      if (layer.synapses[s].input == buffer) reader = {i, s}, ++count;
  }
  return count == 1;
}

bool sideBySide(const plan::Layer &pool, const plan::Buffer &in) {
  return pool.kernel_h == pool.stride_h && pool.kernel_w == pool.stride_w && pool.pad_top == 0 && pool.pad_left == 0 &&
         pool.out_height * pool.kernel_h == in.height && pool.out_width * pool.kernel_w == in.width;
}

bool fuseSum(plan::Layer &into, size_t synapse, const plan::Layer &add) {
  if (into.synapses.size() - 1 + add.inputs.size() > maxInputs) return false;
  const plan::Synapse original = into.synapses[synapse];
  into.synapses[synapse].input = add.inputs[0];
  for (size_t i = 1; i < add.inputs.size(); ++i) {
    into.synapses.push_back(original);
    into.synapses.back().input = add.inputs[i];
  }
  return true;
}

/// conv(sum_pool(x)) = conv'(x), its kernel as much larger: taps outside the pooled image lie outside the image as well, as windows fill
/// it.
bool fuseSumPool(plan::Synapse &s, const plan::Layer &pool, bool always) {
  const uint32_t ph = pool.kernel_h, pw = pool.kernel_w;
  if (s.dilation_h != 1 || s.dilation_w != 1 || (!always && ph * pw > mostRepeats)) return false;
  const uint32_t kh = s.kernel_h * ph, kw = s.kernel_w * pw;
  const size_t filters = s.weight.size() / (s.kernel_h * s.kernel_w);
  std::vector<int8_t> weight(filters * kh * kw);
  for (size_t filter = 0; filter < filters; ++filter)
    for (uint32_t y = 0; y < kh; ++y)
      for (uint32_t x = 0; x < kw; ++x)
        weight[(filter * kh + y) * kw + x] = s.weight[(filter * s.kernel_h + y / ph) * s.kernel_w + x / pw];
  s.weight = std::move(weight);
  s.input = pool.inputs[0];
  s.kernel_h = kh, s.kernel_w = kw, s.stride_h *= ph, s.stride_w *= pw;
  s.pad_top *= int32_t(ph), s.pad_left *= int32_t(pw);
  return true;
}

} // namespace

Fused fuse(const plan::Network &plan, bool always) {
  Fused fused = {plan, {}};
  plan::Network &network = fused.plan;
  for (uint32_t b = 0; b < network.buffers.size(); ++b)
    fused.views.push_back({b, 1, 1});
  // From the back, so that a pool of a sum finds the sum's reader already its own.
  for (size_t i = network.layers.size(); i-- > 0;) {
    const plan::Layer layer = network.layers[i];
    Reader reader;
    if ((layer.kind != plan::LayerKind::Pool && layer.kind != plan::LayerKind::Add) || !onlyReader(network, layer.output, reader)) continue;
    plan::Layer &into = network.layers[reader.layer];
    plan::Synapse &synapse = into.synapses[reader.synapse];
    const View view = fused.views[layer.output];
    bool done = false;
    if (layer.kind == plan::LayerKind::Add) {
      done = fuseSum(into, reader.synapse, layer);
    } else if (const plan::Buffer &in = network.buffers[layer.inputs[0]]; sideBySide(layer, in)) {
      if (layer.pool == plan::PoolKind::Sum)
        done = fuseSumPool(synapse, layer, always);
      else if (in.max_count == 1 && view.source == layer.output)
        fused.views[layer.output] = {layer.inputs[0], layer.kernel_h, layer.kernel_w}, done = true;
    }
    if (done) network.layers.erase(network.layers.begin() + std::ptrdiff_t(i));
  }
  return fused;
}

} // namespace lasnn::cuda
