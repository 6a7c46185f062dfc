// The surrogates' slopes for loops, on a CPU and on a GPU; neuron_plain.cpp has the same four lines in tensors. Free of Torch.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define LASNN_INLINE __host__ __device__ __forceinline__
#else
#define LASNN_INLINE inline __attribute__((always_inline))
#endif

namespace lasnn::distill {

/// exp(x) within 2 ulp, by additions and multiplications alone: it vectorises, which libm's does not without -ffast-math, and
/// gives the same bits on every processor. 2^n e^r with x = n ln 2 + r, |r| <= ln 2 / 2, and Taylor's series for e^r.
LASNN_INLINE float plainExp(float x) {
  x = x > 88.0f ? 88.0f : x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f; // adding 1.5 * 2^23 rounds to a whole number
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; // ln 2 in two parts, the first of few bits
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const int32_t bits = (int32_t(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, 4);
  return p * scale;
}

LASNN_INLINE float plainSigmoid(float x) { return 1.0f / (1.0f + plainExp(-x)); }

/// sigma'(x) of width w: peak 1/w, area 1.
template <int surrogate> LASNN_INLINE float slope(float x, float w) {
  const float inverse = 1 / w;
  const float size = x < 0 ? -x : x;
  if constexpr (surrogate == 0) {
    const float height = 1 - size * inverse;
    return (height > 0 ? height : 0.0f) * inverse;
  } else if constexpr (surrogate == 1) {
    const float g = plainSigmoid(4 * inverse * x);
    return 4 * inverse * g * (1 - g);
  } else if constexpr (surrogate == 2) {
    const float z = 3.14159265f * inverse * x;
    return inverse / (1 + z * z);
  } else {
    return size < w / 2 ? inverse : 0.0f;
  }
}

LASNN_INLINE float slopeOf(int surrogate, float x, float w) {
  switch (surrogate) {
  case 0: return slope<0>(x, w);
  case 1: return slope<1>(x, w);
  case 2: return slope<2>(x, w);
  default: return slope<3>(x, w);
  }
}

} // namespace lasnn::distill
