// Each block of neurons goes through all T steps while its state stays in the first-level cache; inner loops run along
// neurons, so they vectorise. GCC builds every clone below from the same text and picks one when the program starts.
#include "distill/neuron_loops.h"
#include "distill/neuron_step.h"

#include <algorithm>
#include <vector>

namespace lasnn::distill {
namespace {

constexpr int64_t block = 512; // floats: 2 KiB a row, so T = 4 steps of three rows fit in 32 KiB

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LASNN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LASNN_CLONES
#endif

/// A row of float: the caller's own, or bfloat16 widened into `room`.
LASNN_INLINE const float *row(const float *from, float *, int64_t) { return from; }
LASNN_INLINE const float *row(const uint16_t *from, float *room, int64_t size) {
  for (int64_t i = 0; i < size; ++i)
    room[i] = load(from[i]);
  return room;
}

/// A channel's number for each of `size` neurons.
LASNN_INLINE void spread(const LoopShape &shape, const float *of, int64_t at, int64_t size, float *to) {
  if (shape.inner == 1) { // channels innermost
    for (int64_t i = 0, channel = at % shape.channels; i < size; ++i, channel = channel + 1 == shape.channels ? 0 : channel + 1)
      to[i] = of[channel];
    return;
  }
  for (int64_t i = 0; i < size;) { // runs of one channel
    const int64_t place = at + i, end = std::min(size, i + shape.inner - place % shape.inner);
    std::fill(to + i, to + end, of[(place / shape.inner) % shape.channels]);
    i = end;
  }
}

LASNN_INLINE void thresholds(const LoopShape &shape, const LoopNeuron &n, int64_t at, int64_t size, float *to) {
  if (n.perChannel)
    spread(shape, n.threshold, at, size, to);
  else
    std::fill(to, to + size, n.threshold[0]);
}

/// Normalisation's numbers for a block of neurons.
struct Affine {
  float scale[block], offset[block], mean[block], room[block], addedRoom[block];
  bool on;
  LASNN_INLINE void start(const LoopShape &shape, const LoopAffine &a, int64_t at, int64_t size) {
    on = a.scale != nullptr;
    if (on)
      spread(shape, a.scale, at, size, scale), spread(shape, a.offset, at, size, offset), spread(shape, a.mean, at, size, mean);
  }
};

LASNN_INLINE void moments(const float *x, const float *mean, const float *d, int64_t size, float *to) {
  for (int64_t k = 0; k < size; ++k)
    to[k] += d[k] * (x[k] - mean[k]);
}

/// The currents of a block: x itself where nothing is to be done with it.
template <typename T> LASNN_INLINE const float *currents(const LoopInput<T> &in, Affine &affine, int64_t at, int64_t size, float *room) {
  const float *x = row(in.x + at, room, size);
  if (affine.on) {
    for (int64_t k = 0; k < size; ++k)
      affine.room[k] = affine.scale[k] * x[k] + affine.offset[k];
    x = affine.room;
  }
  if (in.added) {
    const float *more = row(in.added + at, affine.addedRoom, size);
    for (int64_t k = 0; k < size; ++k)
      affine.room[k] = x[k] + more[k];
    x = affine.room;
  }
  return x;
}

template <int surrogate> LASNN_INLINE void slopes(const float *u, const float *threshold, float width, int64_t size, float *to) {
  for (int64_t i = 0; i < size; ++i)
    to[i] = slope<surrogate>(u[i] - threshold[i], width);
}

template <typename T, int soma, bool subtract>
LASNN_INLINE void forward(const LoopShape &shape, const LoopNeuron &n, const LoopInput<T> &input, T *spikes, int64_t begin, int64_t end) {
  Affine affine;
  float v[block], i[block], m[block], threshold[block], room[block];
  for (int64_t at = begin; at < end; at += block) {
    const int64_t size = std::min(block, end - at);
    thresholds(shape, n, at, size, threshold);
    affine.start(shape, n.affine, at, size);
    std::fill(v, v + size, 0.0f), std::fill(i, i + size, 0.0f), std::fill(m, m + size, 0.0f);
    for (int64_t t = 0; t < shape.steps; ++t) {
      const float *in = currents(input, affine, (shape.given == 1 ? 0 : t * shape.neurons) + at, size, room);
      T *out = spikes + t * shape.neurons + at;
      for (int64_t k = 0; k < size; ++k) {
        NeuronState x{v[k], i[k], m[k]};
        const float u = neuronStep<soma, subtract>(x, in[k], {n.beta, n.alpha, threshold[k]});
        v[k] = x.v, i[k] = x.i, m[k] = x.m;
        store(out[k], u > threshold[k] ? 1.0f : 0.0f);
      }
    }
  }
}

template <typename T, int soma, bool subtract, bool learned>
LASNN_INLINE void backward(const LoopShape &shape, const LoopNeuron &n, const LoopInput<T> &input, const T *spikeGrad, const LoopGrads<T> &grads,
                           int64_t begin, int64_t end) {
  Affine affine;
  constexpr int64_t extra = soma == somaLeaky ? 0 : 1;
  // Rows 0: u; 1 + t: v before step t; then i (cuba) or m (clif) before step t. Row T + ... after the last is m's own.
  std::vector<float> rows(size_t((2 * shape.steps + 1 + extra * (shape.steps + 1)) * block));
  float *us = rows.data(), *vs = us + shape.steps * block, *xs = vs + (shape.steps + 1) * block;
  float gv[block], gi[block], gm[block], gBeta[block], gAlpha[block], gThreshold[block], sum[block], now[block], moment[block], threshold[block], d[block], room[block];
  const float keep = n.detachReset ? 0.0f : 1.0f;
  const bool once = shape.given == 1;
  for (int64_t at = begin; at < end; at += block) {
    const int64_t size = std::min(block, end - at);
    thresholds(shape, n, at, size, threshold);
    affine.start(shape, n.affine, at, size);
    std::fill(vs, vs + size, 0.0f);
    if (extra)
      std::fill(xs, xs + size, 0.0f);
    for (int64_t t = 0; t < shape.steps; ++t) {
      const float *in = currents(input, affine, (once ? 0 : t * shape.neurons) + at, size, room);
      float *u = us + t * block, *v = vs + t * block, *x = xs + extra * t * block;
      for (int64_t k = 0; k < size; ++k) {
        NeuronState state{v[k], soma == somaCuba ? x[k] : 0.0f, soma == somaClif ? x[k] : 0.0f};
        u[k] = neuronStep<soma, subtract>(state, in[k], {n.beta, n.alpha, threshold[k]});
        v[k + block] = state.v;
        if constexpr (extra != 0)
          x[k + block] = soma == somaCuba ? state.i : state.m;
      }
    }
    for (float *zero : {gv, gi, gm, gBeta, gAlpha, gThreshold, sum, moment})
      std::fill(zero, zero + size, 0.0f);
    for (int64_t t = shape.steps - 1; t >= 0; --t) {
      const float *u = us + t * block, *v = vs + t * block, *x = xs + extra * t * block;
      switch (n.surrogate) {
      case 0: slopes<0>(u, threshold, n.width, size, d); break;
      case 1: slopes<1>(u, threshold, n.width, size, d); break;
      case 2: slopes<2>(u, threshold, n.width, size, d); break;
      default: slopes<3>(u, threshold, n.width, size, d); break;
      }
      const float *gs = row(spikeGrad + t * shape.neurons + at, room, size);
      T *out = grads.current + (once ? 0 : t * shape.neurons) + at;
      for (int64_t k = 0; k < size; ++k) {
        NeuronGrads g{gv[k], gi[k], gm[k], 0, 0, 0};
        const NeuronState before{v[k], soma == somaCuba ? x[k] : 0.0f, soma == somaClif ? x[k] : 0.0f};
        const float in = neuronStepBack<soma, subtract>(g, before, u[k], soma == somaClif ? x[k + block] : 0.0f, gs[k], d[k], keep,
                                                        {n.beta, n.alpha, threshold[k]});
        gv[k] = g.v;
        if constexpr (soma == somaCuba)
          gi[k] = g.i;
        if constexpr (soma == somaClif)
          gm[k] = g.m;
        if constexpr (learned)
          gBeta[k] += g.beta, gAlpha[k] += g.alpha, gThreshold[k] += g.threshold;
        sum[k] += in;
        now[k] = in;
        if (!once)
          store(out[k], in);
      }
      if (affine.on && !once)
        moments(row(input.x + t * shape.neurons + at, room, size), affine.mean, now, size, moment);
    }
    if (once) {
      for (int64_t k = 0; k < size; ++k)
        store(grads.current[at + k], sum[k]);
      if (affine.on)
        moments(row(input.x + at, room, size), affine.mean, sum, size, moment);
    }
    if (affine.on)
      std::copy(sum, sum + size, grads.sum + at), std::copy(moment, moment + size, grads.moment + at);
    if constexpr (learned) {
      auto keepRow = [&](float *to, const float *from) {
        if (to)
          std::copy(from, from + size, to + at);
      };
      keepRow(grads.beta, gBeta), keepRow(grads.alpha, gAlpha), keepRow(grads.threshold, gThreshold);
    }
  }
}

template <typename T>
LASNN_INLINE void normaliseBack(const LoopShape &shape, const LoopBack &b, const T *x, const T *d, T *to, int64_t begin, int64_t end) {
  float scale[block], mean[block], share[block], slope[block], xRoom[block], dRoom[block];
  for (int64_t at = begin; at < end; at += block) {
    const int64_t size = std::min(block, end - at);
    spread(shape, b.scale, at, size, scale), spread(shape, b.mean, at, size, mean);
    spread(shape, b.share, at, size, share), spread(shape, b.slope, at, size, slope);
    for (int64_t t = 0; t < shape.given; ++t) {
      const int64_t from = t * shape.neurons + at;
      const float *xs = row(x + from, xRoom, size), *ds = row(d + from, dRoom, size);
      for (int64_t k = 0; k < size; ++k)
        store(to[from + k], normaliseBackOne(scale[k], mean[k], share[k], slope[k], xs[k], ds[k]));
    }
  }
}
LASNN_CLONES void normaliseBackFloat(const LoopShape &a, const LoopBack &b, const float *x, const float *d, float *to, int64_t e, int64_t f) {
  normaliseBack(a, b, x, d, to, e, f);
}
LASNN_CLONES void normaliseBackBfloat(const LoopShape &a, const LoopBack &b, const uint16_t *x, const uint16_t *d, uint16_t *to, int64_t e, int64_t f) {
  normaliseBack(a, b, x, d, to, e, f);
}

// One function a neuron, so that a clone is one neuron's loops.
#define LASNN_LOOPS(T, NAME, SOMA, SUBTRACT)                                                                                   \
  LASNN_CLONES void forward##NAME(const LoopShape &a, const LoopNeuron &n, const LoopInput<T> &b, T *c, int64_t e, int64_t f) { \
    forward<T, SOMA, SUBTRACT>(a, n, b, c, e, f);                                                                              \
  }                                                                                                                            \
  LASNN_CLONES void backward##NAME(const LoopShape &a, const LoopNeuron &n, const LoopInput<T> &b, const T *c, const LoopGrads<T> &d, \
                                   int64_t e, int64_t f) {                                                                     \
    d.beta || d.alpha || d.threshold ? backward<T, SOMA, SUBTRACT, true>(a, n, b, c, d, e, f)                                  \
                                     : backward<T, SOMA, SUBTRACT, false>(a, n, b, c, d, e, f);                                \
  }
#define LASNN_TYPES(NAME, SOMA, SUBTRACT)                                                                                      \
  LASNN_LOOPS(float, NAME##Float, SOMA, SUBTRACT)                                                                              \
  LASNN_LOOPS(uint16_t, NAME##Bfloat, SOMA, SUBTRACT)
LASNN_TYPES(LeakyZero, somaLeaky, false)
LASNN_TYPES(LeakySubtract, somaLeaky, true)
LASNN_TYPES(CubaZero, somaCuba, false)
LASNN_TYPES(CubaSubtract, somaCuba, true)
LASNN_TYPES(Clif, somaClif, true)

} // namespace

#define LASNN_CHOOSE(WAY, TYPE, ...)                                                                                           \
  if (n.soma == somaClif)                                                                                                      \
    return WAY##Clif##TYPE(__VA_ARGS__);                                                                                       \
  if (n.soma == somaCuba)                                                                                                      \
    return n.subtract ? WAY##CubaSubtract##TYPE(__VA_ARGS__) : WAY##CubaZero##TYPE(__VA_ARGS__);                               \
  return n.subtract ? WAY##LeakySubtract##TYPE(__VA_ARGS__) : WAY##LeakyZero##TYPE(__VA_ARGS__)

template <> void forwardLoop(const LoopShape &a, const LoopNeuron &n, const LoopInput<float> &b, float *c, int64_t e, int64_t f) {
  LASNN_CHOOSE(forward, Float, a, n, b, c, e, f);
}
template <> void forwardLoop(const LoopShape &a, const LoopNeuron &n, const LoopInput<uint16_t> &b, uint16_t *c, int64_t e, int64_t f) {
  LASNN_CHOOSE(forward, Bfloat, a, n, b, c, e, f);
}
template <>
void backwardLoop(const LoopShape &a, const LoopNeuron &n, const LoopInput<float> &b, const float *c, const LoopGrads<float> &d, int64_t e, int64_t f) {
  LASNN_CHOOSE(backward, Float, a, n, b, c, d, e, f);
}
template <>
void backwardLoop(const LoopShape &a, const LoopNeuron &n, const LoopInput<uint16_t> &b, const uint16_t *c, const LoopGrads<uint16_t> &d, int64_t e, int64_t f) {
  LASNN_CHOOSE(backward, Bfloat, a, n, b, c, d, e, f);
}
template <> void normaliseBackLoop(const LoopShape &a, const LoopBack &b, const float *x, const float *d, float *to, int64_t e, int64_t f) {
  normaliseBackFloat(a, b, x, d, to, e, f);
}
template <> void normaliseBackLoop(const LoopShape &a, const LoopBack &b, const uint16_t *x, const uint16_t *d, uint16_t *to, int64_t e, int64_t f) {
  normaliseBackBfloat(a, b, x, d, to, e, f);
}

} // namespace lasnn::distill
