// One step of one neuron, forward and back: the equations of neuron.h, once for the CPU's loops and the GPU's kernels.
//
// Backward: with g_x the loss's derivative by x, taken from the last step to the first, s' = sigma'(u - theta), k = 1 where the
// reset is not detached (else 0), and d the part of v's reset that s multiplies (v = d u - ... below):
//
//   zero:      v = (1 - s) u                 dv/du = 1 - s   dv/ds = -u
//   subtract:  v = u - s theta               dv/du = 1       dv/ds = -theta
//   clif:      v = u - s (theta + S(m))      dv/du = 1       dv/ds = -(theta + S(m))      dv/dm = -s S(m) (1 - S(m))
//
//   g_m    = (from step t+1) + g_v dv/dm                                     clif only, as every line with m
//   g_s    = (from outside) + k g_v dv/ds + g_m
//   g_u    = g_v dv/du + g_s s' + g_m m[t-1] q (1 - q) (1 - beta)            q = S((1 - beta) u)
//   theta += -g_s s' - g_v s (not with reset zero)
//   beta  += g_u v[t-1] - g_m m[t-1] q (1 - q) u
//   g_i    = g_u + alpha (g_i of step t+1);   alpha += g_i i[t-1];   I: g_i   cuba; elsewhere g_i = g_u
//   g_v of step t-1 = beta g_u;   g_m of step t-1 = g_m q
//
// Batch normalisation before it (Ioffe, Szegedy 2015), for a channel of N values x over batch, steps given and positions, r the second
// current where there is one:
//
//   h = (x - mean) / std,  std = sqrt(var + epsilon)      I = gamma h + shift + r = scale x + offset + r
//   scale = gamma / std,   offset = shift - mean scale    mean, var: of these N values (training), or the running ones
//
// and back, with d = dL/dI, summed over the steps where x is the same at each:
//
//   dL/dshift = S1 = sum of d             dL/dgamma = S2 = sum of d h = (sum of d (x - mean)) / std             dL/dr = d
//   dL/dx = scale (d - S1/N - h S2/N)     training;     scale d     running statistics
//         = scale (d - share - (x - mean) slope),   share = S1/N, slope = S2/(N std);   both 0 with running statistics
//
// Two passes, since dL/dx needs both sums: the first makes d and the sums, the second dL/dx of d and x.
#pragma once

#include "distill/surrogate.h"

namespace lasnn::distill {

constexpr int somaLeaky = 0, somaCuba = 1, somaClif = 2;

struct NeuronNumbers {
  float beta, alpha, threshold;
};

struct NeuronState {
  float v = 0, i = 0, m = 0; // i: cuba's current; m: clif's memory
};

LASNN_INLINE float load(float x) { return x; }
LASNN_INLINE float load(uint16_t bits) { // bfloat16: the upper half of a float
  const uint32_t wide = uint32_t(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}
LASNN_INLINE void store(float &to, float x) { to = x; }
LASNN_INLINE void store(uint16_t &to, float x) { // round to nearest even; gradients and spikes are finite
#ifdef __CUDA_ARCH__
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to) : "f"(x));
#else
  uint32_t wide;
  std::memcpy(&wide, &x, 4);
  to = uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
#endif
}

/// Moves `x` on by one step and returns u; the spike is u > threshold.
template <int soma, bool subtract> LASNN_INLINE float neuronStep(NeuronState &x, float current, const NeuronNumbers &n) {
  x.i = soma == somaCuba ? n.alpha * x.i + current : current;
  const float u = n.beta * x.v + x.i;
  const float s = u > n.threshold ? 1.0f : 0.0f;
  if constexpr (soma == somaClif) {
    x.m = x.m * plainSigmoid((1 - n.beta) * u) + s;
    x.v = u - s * (n.threshold + plainSigmoid(x.m));
  } else {
    x.v = subtract ? u - s * n.threshold : (1 - s) * u;
  }
  return u;
}

/// What goes back from step t to t-1, and what the parameters gather on the way.
struct NeuronGrads {
  float v = 0, i = 0, m = 0;
  float beta = 0, alpha = 0, threshold = 0;
};

/// `before`: the state that step t started from; `m`: clif's after it; `spikeGrad`: g_s from outside; `slope`: s'.
/// Returns the current's gradient.
template <int soma, bool subtract>
LASNN_INLINE float neuronStepBack(NeuronGrads &g, const NeuronState &before, float u, float m, float spikeGrad, float slope, float keep,
                                  const NeuronNumbers &n) {
  const float s = u > n.threshold ? 1.0f : 0.0f;
  float du = 1, ds = -n.threshold, gs = spikeGrad;
  float memory = 0, qSlope = 0; // clif: g_m, and m[t-1] q (1 - q)
  if constexpr (soma == somaClif) {
    const float deep = plainSigmoid(m), q = plainSigmoid((1 - n.beta) * u);
    memory = g.m - g.v * s * deep * (1 - deep);
    qSlope = before.m * q * (1 - q);
    ds = -(n.threshold + deep);
    gs += memory;
    g.m = memory * q;
  } else if constexpr (!subtract) {
    du = 1 - s, ds = -u;
  }
  gs += keep * g.v * ds;
  float gu = g.v * du + gs * slope;
  g.threshold -= gs * slope + (soma == somaClif || subtract ? g.v * s : 0.0f);
  if constexpr (soma == somaClif)
    gu += memory * qSlope * (1 - n.beta);
  g.beta += gu * before.v - (soma == somaClif ? memory * qSlope * u : 0.0f);
  g.v = n.beta * gu;
  if constexpr (soma == somaCuba) {
    const float gi = gu + g.i;
    g.alpha += gi * before.i;
    g.i = n.alpha * gi;
    return gi;
  }
  return gu;
}

LASNN_INLINE float normaliseBackOne(float scale, float mean, float share, float slope, float x, float d) {
  return scale * ((d - share) - (x - mean) * slope);
}

} // namespace lasnn::distill
