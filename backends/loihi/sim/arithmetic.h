// The chip's arithmetic on one compartment, in the order of a step: q -> u -> v -> clip -> refractory -> compare -> reset. Each rule is one
// function, so that it can be tested alone (docs/loihi-targets.md names the widths; three public emulators agree on them).
#pragma once

#include <algorithm>
#include <cstdint>

namespace lasnn::loihi {

/// sign(x) * ((|x| * (4096 - d)) >> 12): what remains is cut towards zero. ir/spec.md N2.
inline int32_t decayed(int32_t x, uint32_t d) {
  const int64_t magnitude = x < 0 ? -int64_t(x) : int64_t(x);
  const int64_t rest = (magnitude * int64_t(4096 - d)) >> 12;
  return int32_t(x < 0 ? -rest : rest);
}

/// The current decays by one more than asked for where the chip says so: it can never be held.
inline int32_t decayedCurrent(int32_t u, uint32_t d, bool one_more) { return decayed(u, std::min<uint32_t>(4096, d + one_more)); }

/// To a register of `bits` with its sign: +-(2^(bits-1) - 1).
inline int32_t saturated(int64_t x, uint32_t bits, uint64_t &events) {
  const int64_t most = (int64_t(1) << (bits - 1)) - 1, kept = std::clamp(x, -most, most);
  events += kept != x;
  return int32_t(kept);
}

/// Modulo 2^bits, two's complement.
inline int32_t wrapped(int64_t x, uint32_t bits, uint64_t &events) {
  const int64_t kept = int64_t(uint64_t(x) << (64 - bits)) >> (64 - bits);
  events += kept != x;
  return int32_t(kept);
}

inline int32_t clipped(int64_t v, int32_t low, int32_t high, uint64_t &clips) {
  const int64_t kept = std::clamp<int64_t>(v, low, high);
  clips += kept != v;
  return int32_t(kept);
}

/// Spikes of a step: how many k in 1..s_max have v > theta + (k-1) * rho. ir/spec.md N5, strict.
inline uint32_t spikesOf(int32_t v, int32_t theta, int32_t rho, uint32_t s_max) {
  if (s_max == 1) return v > theta;
  uint32_t s = 0;
  while (s < s_max && int64_t(v) > theta + int64_t(s) * rho) ++s;
  return s;
}

/// What a stored weight adds: mantissa * 2^shift; below one, cut to minus infinity.
inline int32_t weightOf(int32_t mantissa, int32_t shift) {
  return shift >= 0 ? int32_t(uint32_t(mantissa) << shift) : mantissa >> std::min(31, -shift);
}

/// Whether `terms` bias registers of `bits`-bit mantissas and exponents 0..exponent_max add up to `value`.
inline bool biasFits(int64_t value, uint32_t terms, uint32_t bits, int32_t exponent_max) {
  if (value == 0) return true;
  if (terms == 0) return false;
  const int64_t high = (int64_t(1) << (bits - 1)) - 1, low = -high - 1;
  for (int32_t e = 0; e <= exponent_max; ++e)
    if (value % (int64_t(1) << e) == 0 && value / (int64_t(1) << e) >= low && value / (int64_t(1) << e) <= high) return true;
  if (terms == 1) return false;
  // one register takes as much as it can at the largest exponent, the others the rest
  const int64_t coarse = std::clamp(value >> exponent_max, low, high);
  return biasFits(value - coarse * (int64_t(1) << exponent_max), terms - 1, bits, exponent_max);
}

} // namespace lasnn::loihi
