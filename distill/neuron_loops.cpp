// Each block of neurons goes through all T steps while its membrane stays in the first-level cache; inner loops run along
// neurons, so they vectorise. GCC builds every clone below from the same text and picks one when the program starts.
#include "distill/neuron_loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace lasnn::distill {
namespace {

constexpr int64_t block = 512; // floats: 2 KiB a step, so T = 8 steps of membrane fit in 32 KiB with room to spare

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LASNN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LASNN_CLONES
#endif
#define LASNN_INLINE inline __attribute__((always_inline))

LASNN_INLINE float load(float x) { return x; }
LASNN_INLINE float load(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}
LASNN_INLINE void store(float &to, float x) { to = x; }
LASNN_INLINE void store(uint16_t &to, float x) { // round to nearest even; gradients and spikes are finite
  uint32_t wide;
  std::memcpy(&wide, &x, 4);
  to = uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
}

/// sigma'(x); see neuron_plain.cpp for the same four lines in tensors.
template <int surrogate> LASNN_INLINE float slope(float x, float w) {
  const float inverse = 1 / w;
  if constexpr (surrogate == 0)
    return std::max(0.0f, 1 - std::fabs(x) * inverse) * inverse;
  else if constexpr (surrogate == 1) {
    const float g = 1 / (1 + std::exp(-4 * inverse * x));
    return 4 * inverse * g * (1 - g);
  } else if constexpr (surrogate == 2) {
    const float z = float(M_PI) * inverse * x;
    return inverse / (1 + z * z);
  } else
    return std::fabs(x) < w / 2 ? inverse : 0.0f;
}

template <typename T, bool subtract>
LASNN_INLINE void forward(const LoopShape &shape, const LoopNeuron &n, const T *current, T *spikes, int64_t begin, int64_t end) {
  float v[block];
  const float beta = n.beta, threshold = n.threshold;
  for (int64_t at = begin; at < end; at += block) {
    const int64_t size = std::min(block, end - at);
    std::fill(v, v + size, 0.0f);
    for (int64_t t = 0; t < shape.steps; ++t) {
      const T *in = current + (shape.given == 1 ? 0 : t * shape.neurons) + at;
      T *out = spikes + t * shape.neurons + at;
      for (int64_t i = 0; i < size; ++i) {
        const float u = beta * v[i] + load(in[i]);
        const float s = u > threshold ? 1.0f : 0.0f;
        v[i] = subtract ? u - s * threshold : (1 - s) * u;
        store(out[i], s);
      }
    }
  }
}

template <typename T, bool subtract, int surrogate>
LASNN_INLINE double backward(const LoopShape &shape, const LoopNeuron &n, const T *current, const T *spikeGrad, T *currentGrad,
                             int64_t begin, int64_t end) {
  std::vector<float> membranes(size_t(shape.steps * block));
  float v[block], gv[block], sum[block];
  const float beta = n.beta, threshold = n.threshold, width = n.width;
  const float keep = n.detachReset ? 0.0f : 1.0f;
  const bool once = shape.given == 1;
  double betaGrad = 0;
  for (int64_t at = begin; at < end; at += block) {
    const int64_t size = std::min(block, end - at);
    std::fill(v, v + size, 0.0f);
    for (int64_t t = 0; t < shape.steps; ++t) {
      const T *in = current + (once ? 0 : t * shape.neurons) + at;
      float *us = membranes.data() + t * block;
      for (int64_t i = 0; i < size; ++i) {
        const float u = beta * v[i] + load(in[i]);
        const float s = u > threshold ? 1.0f : 0.0f;
        us[i] = u;
        v[i] = subtract ? u - s * threshold : (1 - s) * u;
      }
    }
    std::fill(gv, gv + size, 0.0f);
    std::fill(sum, sum + size, 0.0f);
    for (int64_t t = shape.steps - 1; t >= 0; --t) {
      const float *us = membranes.data() + t * block;
      const float *before = t ? us - block : us; // unused at t = 0
      const float alive = t ? 1.0f : 0.0f;
      const T *gs = spikeGrad + t * shape.neurons + at;
      T *out = currentGrad + (once ? 0 : t * shape.neurons) + at;
      float stepBeta = 0;
      for (int64_t i = 0; i < size; ++i) {
        const float u = us[i];
        const float s = u > threshold ? 1.0f : 0.0f;
        const float d = slope<surrogate>(u - threshold, width);
        // zero: dv/du = (1 - s) - u d; subtract: 1 - threshold d; the d terms go through the reset and may be detached.
        const float through = subtract ? 1 - keep * threshold * d : (1 - s) - keep * u * d;
        const float gu = load(gs[i]) * d + gv[i] * through;
        gv[i] = beta * gu;
        sum[i] += gu;
        if (!once)
          store(out[i], gu);
        const float p = before[i] > threshold ? 1.0f : 0.0f;
        const float vBefore = subtract ? before[i] - p * threshold : (1 - p) * before[i];
        stepBeta += alive * gu * vBefore;
      }
      betaGrad += stepBeta;
    }
    if (once)
      for (int64_t i = 0; i < size; ++i)
        store(currentGrad[at + i], sum[i]);
  }
  return betaGrad;
}

template <typename T, bool subtract>
LASNN_INLINE double backwardBy(const LoopShape &a, const LoopNeuron &n, const T *b, const T *c, T *d, int64_t e, int64_t f) {
  switch (n.surrogate) {
  case 0: return backward<T, subtract, 0>(a, n, b, c, d, e, f);
  case 1: return backward<T, subtract, 1>(a, n, b, c, d, e, f);
  case 2: return backward<T, subtract, 2>(a, n, b, c, d, e, f);
  default: return backward<T, subtract, 3>(a, n, b, c, d, e, f);
  }
}

#define LASNN_LOOPS(T, NAME)                                                                                                 \
  LASNN_CLONES void forward##NAME(const LoopShape &a, const LoopNeuron &n, const T *b, T *c, int64_t e, int64_t f) {         \
    n.subtract ? forward<T, true>(a, n, b, c, e, f) : forward<T, false>(a, n, b, c, e, f);                                   \
  }                                                                                                                          \
  LASNN_CLONES double backward##NAME(const LoopShape &a, const LoopNeuron &n, const T *b, const T *c, T *d, int64_t e,       \
                                     int64_t f) {                                                                            \
    return n.subtract ? backwardBy<T, true>(a, n, b, c, d, e, f) : backwardBy<T, false>(a, n, b, c, d, e, f);                \
  }
LASNN_LOOPS(float, Float)
LASNN_LOOPS(uint16_t, Bfloat)

} // namespace

template <> void forwardLoop(const LoopShape &a, const LoopNeuron &n, const float *b, float *c, int64_t e, int64_t f) {
  forwardFloat(a, n, b, c, e, f);
}
template <> void forwardLoop(const LoopShape &a, const LoopNeuron &n, const uint16_t *b, uint16_t *c, int64_t e, int64_t f) {
  forwardBfloat(a, n, b, c, e, f);
}
template <> double backwardLoop(const LoopShape &a, const LoopNeuron &n, const float *b, const float *c, float *d, int64_t e, int64_t f) {
  return backwardFloat(a, n, b, c, d, e, f);
}
template <> double backwardLoop(const LoopShape &a, const LoopNeuron &n, const uint16_t *b, const uint16_t *c, uint16_t *d, int64_t e, int64_t f) {
  return backwardBfloat(a, n, b, c, d, e, f);
}

} // namespace lasnn::distill
