// A neuron's step in integers, N2 to N7.
#pragma once

#include "shape.h"

namespace lasnn::cuda {

/// N2: sign(v) (|v| (4096 - decay) >> 12), which is a division that rounds to 0. Of 16 bits of state the product fits 32, and is four instructions.
LASNN_DEVICE int32_t leaked(const LayerShape &l, int32_t v) {
  if (l.state_bits <= 16)
    return v * int32_t(4096 - l.decay) / 4096;
  const uint32_t size = uint32_t(v < 0 ? -int64_t(v) : int64_t(v)), left = uint32_t(uint64_t(size) * (4096 - l.decay) >> 12);
  return int32_t(v < 0 ? 0 - left : left);
}

/// N4. Integer is int32_t where 24 bits of state leave room for every sum (K1), else int64_t.
template <typename Integer> LASNN_DEVICE Integer clamped(const LayerShape &l, Integer v, uint32_t &clips) {
  const auto high = Integer((int64_t(1) << (l.state_bits - 1)) - 1), low = Integer(l.v_low);
  const Integer within = v < low ? low : v > high ? high : v;
  clips += within != v;
  return within;
}

template <typename Integer> LASNN_DEVICE uint32_t stepIn(const LayerShape &l, int32_t &state, int32_t I, int32_t theta, int32_t amount, uint32_t &clips) {
  Integer v = state;
  if (l.decay > 0)
    v = leaked(l, state);
  v = clamped<Integer>(l, v + I, clips);
  uint32_t s = v > theta;
  for (uint32_t k = 1; k < l.s_max; ++k)
    s += v > Integer(theta) + Integer(k) * amount;
  if (l.reset == resetAssign)
    v = s > 0 ? Integer(amount) : v;
  if (l.reset == resetSubtract)
    v = clamped<Integer>(l, v - Integer(s) * amount, clips);
  state = int32_t(v);
  return s;
}

/// One step with current I; returns the spikes. Thresholds and amounts of a state of 24 bits or fewer are within +-2^26 (program.cpp limits them,
/// which changes no result), and with one spike a step no sum passes 2^31.
LASNN_DEVICE uint32_t neuronStep(const LayerShape &l, int32_t &state, int32_t I, int32_t theta, int32_t amount, uint32_t &clips) {
  return l.state_bits <= 24 && l.s_max == 1 ? stepIn<int32_t>(l, state, I, theta, amount, clips) : stepIn<int64_t>(l, state, I, theta, amount, clips);
}

/// Adds a thread's counts to the layer's, once a warp.
LASNN_DEVICE void addCounts(const Pointers &p, uint32_t spikes, uint32_t clips) {
  if (!p.counts)
    return;
  for (uint32_t mask = 16; mask > 0; mask /= 2)
    spikes += shuffleXor(spikes, mask), clips += shuffleXor(clips, mask);
  if (threadIdx.x % 32 == 0)
    addTo(p.counts, spikes), addTo(p.counts + 1, clips);
}

} // namespace lasnn::cuda
