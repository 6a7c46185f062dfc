// As neuron_loops.cpp: blocks of neurons go through all T steps while their membranes stay in the first-level cache.
#include "distill/integer_loops.h"
#include "distill/surrogate.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace lasnn::distill {
namespace {

constexpr int64_t block = 512;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LASNN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LASNN_CLONES
#endif

/// N2: sign(v) * ((|v| * keep) >> 12). With |v| = 4096 a + b the product's high part is a * keep + (b * keep >> 12), which fits 32 bits.
LASNN_INLINE int32_t leak(int32_t v, int32_t keep) {
  const int32_t m = std::abs(v);
  const int32_t kept = (m >> 12) * keep + (((m & 4095) * keep) >> 12);
  return v < 0 ? -kept : kept;
}

/// N6, N7.
template <bool subtract> LASNN_INLINE int32_t afterSpike(int32_t u, bool s, int32_t rho, int32_t lo, int32_t hi) {
  if constexpr (subtract)
    return s ? std::clamp(u - rho, lo, hi) : u;
  else
    return s ? 0 : u;
}

template <typename T, bool subtract>
LASNN_INLINE void forward(const IntegerShape &shape, const IntegerNeuron &n, const T *current, float *spikes, int64_t begin, int64_t end) {
  int32_t v[block];
  const int64_t row = shape.batch * shape.size;
  for (int64_t sample = begin; sample < end; ++sample)
    for (int64_t at = 0; at < shape.size; at += block) {
      const int64_t size = std::min(block, shape.size - at), from = sample * shape.size + at;
      const int32_t *threshold = n.threshold + at, *rho = n.rho + at;
      std::fill(v, v + size, 0);
      for (int64_t t = 0; t < shape.steps; ++t) {
        const T *in = current + (shape.given == 1 ? 0 : t * row) + from;
        float *out = spikes + t * row + from;
        for (int64_t i = 0; i < size; ++i) {
          const int32_t u = std::clamp(leak(v[i], n.keep) + int32_t(in[i]), n.lo, n.hi); // N2..N4
          const bool s = u > threshold[i];                                              // N5
          v[i] = afterSpike<subtract>(u, s, rho[i], n.lo, n.hi);
          out[i] = s ? 1.0f : 0.0f;
        }
      }
    }
}

template <typename T, bool subtract, int surrogate>
LASNN_INLINE double backward(const IntegerShape &shape, const IntegerNeuron &n, const T *current, const float *spikeGrad, float *currentGrad,
                             int64_t begin, int64_t end) {
  std::vector<int32_t> membranes(size_t(shape.steps * block));
  int32_t v[block];
  float gv[block], sum[block];
  const int64_t row = shape.batch * shape.size;
  const bool once = shape.given == 1;
  const float beta = float(n.keep) / 4096, reset = n.detachReset ? 0.0f : 1.0f;
  double betaGrad = 0;
  for (int64_t sample = begin; sample < end; ++sample)
    for (int64_t at = 0; at < shape.size; at += block) {
      const int64_t size = std::min(block, shape.size - at), from = sample * shape.size + at;
      const int32_t *threshold = n.threshold + at, *rho = n.rho + at;
      const float *unit = n.unit + at;
      std::fill(v, v + size, 0);
      for (int64_t t = 0; t < shape.steps; ++t) {
        const T *in = current + (once ? 0 : t * row) + from;
        int32_t *us = membranes.data() + t * block;
        for (int64_t i = 0; i < size; ++i) {
          us[i] = std::clamp(leak(v[i], n.keep) + int32_t(in[i]), n.lo, n.hi);
          v[i] = afterSpike<subtract>(us[i], us[i] > threshold[i], rho[i], n.lo, n.hi);
        }
      }
      std::fill(gv, gv + size, 0.0f);
      std::fill(sum, sum + size, 0.0f);
      for (int64_t t = shape.steps - 1; t >= 0; --t) {
        const int32_t *us = membranes.data() + t * block, *before = t ? us - block : us;
        const float *gs = spikeGrad + t * row + from;
        const float alive = t ? 1.0f : 0.0f;
        float *out = currentGrad + (once ? 0 : t * row) + from;
        float stepBeta = 0;
        for (int64_t i = 0; i < size; ++i) {
          const float e = unit[i];
          const float s = us[i] > threshold[i] ? 1.0f : 0.0f;
          const float d = slope<surrogate>((float(us[i] - threshold[i]) - 0.5f) * e, n.width);
          // As in neuron_loops.cpp, in real currents: u e, rho e.
          const float through = subtract ? 1 - reset * float(rho[i]) * e * d : (1 - s) - reset * float(us[i]) * e * d;
          const float gu = gs[i] * d + gv[i] * through;
          gv[i] = beta * gu;
          sum[i] += gu;
          if (!once)
            out[i] = gu * e;
          const int32_t was = afterSpike<subtract>(before[i], before[i] > threshold[i], rho[i], n.lo, n.hi);
          stepBeta += alive * gu * float(was) * e;
        }
        betaGrad += double(stepBeta);
      }
      if (once)
        for (int64_t i = 0; i < size; ++i)
          currentGrad[from + i] = sum[i] * unit[i];
    }
  return betaGrad;
}

template <typename T, bool subtract>
LASNN_INLINE double backwardBy(const IntegerShape &a, const IntegerNeuron &n, const T *b, const float *c, float *d, int64_t e, int64_t f) {
  switch (n.surrogate) {
  case 0: return backward<T, subtract, 0>(a, n, b, c, d, e, f);
  case 1: return backward<T, subtract, 1>(a, n, b, c, d, e, f);
  case 2: return backward<T, subtract, 2>(a, n, b, c, d, e, f);
  default: return backward<T, subtract, 3>(a, n, b, c, d, e, f);
  }
}

#define LASNN_LOOPS(T, NAME)                                                                                                         \
  LASNN_CLONES void forward##NAME(const IntegerShape &a, const IntegerNeuron &n, const T *b, float *c, int64_t e, int64_t f) {       \
    n.subtract ? forward<T, true>(a, n, b, c, e, f) : forward<T, false>(a, n, b, c, e, f);                                           \
  }                                                                                                                                  \
  LASNN_CLONES double backward##NAME(const IntegerShape &a, const IntegerNeuron &n, const T *b, const float *c, float *d, int64_t e, \
                                     int64_t f) {                                                                                    \
    return n.subtract ? backwardBy<T, true>(a, n, b, c, d, e, f) : backwardBy<T, false>(a, n, b, c, d, e, f);                        \
  }
LASNN_LOOPS(float, Float)
LASNN_LOOPS(double, Double)

} // namespace

template <> void integerForward(const IntegerShape &a, const IntegerNeuron &n, const float *b, float *c, int64_t e, int64_t f) {
  forwardFloat(a, n, b, c, e, f);
}
template <> void integerForward(const IntegerShape &a, const IntegerNeuron &n, const double *b, float *c, int64_t e, int64_t f) {
  forwardDouble(a, n, b, c, e, f);
}
template <> double integerBackward(const IntegerShape &a, const IntegerNeuron &n, const float *b, const float *c, float *d, int64_t e, int64_t f) {
  return backwardFloat(a, n, b, c, d, e, f);
}
template <> double integerBackward(const IntegerShape &a, const IntegerNeuron &n, const double *b, const float *c, float *d, int64_t e, int64_t f) {
  return backwardDouble(a, n, b, c, d, e, f);
}

} // namespace lasnn::distill
