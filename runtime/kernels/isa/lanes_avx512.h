// The primitives of lanes_scalar.h in AVX-512 (F, DQ, BW, VL, VBMI, VBMI2, VNNI): H = 2 is one zmm, H = 1 one ymm.
// Cycle figures: AMD Zen 4, docs/runtime.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

#define LASNN_INLINE static inline __attribute__((always_inline))
#define LASNN_FORM inline __attribute__((always_inline)) // of members
#define LASNN_LONG LASNN_INLINE                          // of functions that the plain kernels share, for size

namespace lasnn::runtime::LASNN_ISA {

/// int32 lanes of a wide membrane, one vector register. (gcc 12 turns comparisons of longer vectors into scalar code.)
constexpr int kWideLanes = 16;
constexpr int kWidePixels = 2; // pixels at once that registers are left for
typedef int32_t WideLanes __attribute__((vector_size(4 * kWideLanes)));
typedef uint32_t WideWords __attribute__((vector_size(4 * kWideLanes)));

template <int H> struct Lanes;
template <> struct Lanes<2> { __m512i v; };
template <> struct Lanes<1> { __m256i v; };
template <int H> struct Mask { uint32_t bits; };

/// Picks the zmm or the ymm form of an expression over `H`.
#define LASNN_BOTH(zmm, ymm)                                                                                                               \
  if constexpr (H == 2)                                                                                                                    \
    return {zmm};                                                                                                                          \
  else                                                                                                                                     \
    return { ymm }

template <int H> LASNN_INLINE Lanes<H> load(const int16_t *p) {
  LASNN_BOTH(_mm512_loadu_si512(p), _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
}
template <int H> LASNN_INLINE void store(int16_t *p, const Lanes<H> &a) {
  if constexpr (H == 2)
    _mm512_storeu_si512(p, a.v);
  else
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), a.v);
}
template <int H> LASNN_INLINE Lanes<H> broadcast(int16_t x) { LASNN_BOTH(_mm512_set1_epi16(x), _mm256_set1_epi16(x)); }
template <int H> LASNN_INLINE Lanes<H> add(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_add_epi16(a.v, b.v), _mm256_add_epi16(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> sub(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_sub_epi16(a.v, b.v), _mm256_sub_epi16(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> addSaturated(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_adds_epi16(a.v, b.v), _mm256_adds_epi16(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> subSaturated(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_subs_epi16(a.v, b.v), _mm256_subs_epi16(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> larger(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_max_epi16(a.v, b.v), _mm256_max_epi16(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> shiftLeft8(const Lanes<H> &a) { LASNN_BOTH(_mm512_slli_epi16(a.v, 8), _mm256_slli_epi16(a.v, 8)); }
template <int H> LASNN_INLINE Lanes<H> shiftRight8(const Lanes<H> &a) { LASNN_BOTH(_mm512_srai_epi16(a.v, 8), _mm256_srai_epi16(a.v, 8)); }
/// (|v| * keep) >> 12 is the high half of |v| * 16*keep; |v| = 32768 is right as an unsigned 16-bit number.
template <int H> LASNN_INLINE Lanes<H> leak(const Lanes<H> &a, uint32_t keep) {
  const Lanes<H> zero = broadcast<H>(0), factor = broadcast<H>(int16_t(uint16_t(keep << 4)));
  if constexpr (H == 2) {
    const __m512i kept = _mm512_mulhi_epu16(_mm512_abs_epi16(a.v), factor.v);
    return {_mm512_mask_sub_epi16(kept, _mm512_movepi16_mask(a.v), zero.v, kept)};
  } else {
    const __m256i kept = _mm256_mulhi_epu16(_mm256_abs_epi16(a.v), factor.v);
    return {_mm256_mask_sub_epi16(kept, _mm256_movepi16_mask(a.v), zero.v, kept)};
  }
}
template <int H> LASNN_INLINE Mask<H> greater(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_cmpgt_epi16_mask(a.v, b.v), _mm256_cmpgt_epi16_mask(a.v, b.v));
}
template <int H> LASNN_INLINE uint32_t bits(const Mask<H> &m) { return m.bits; }
template <int H> LASNN_INLINE Lanes<H> select(const Mask<H> &m, const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_mask_mov_epi16(b.v, m.bits, a.v), _mm256_mask_mov_epi16(b.v, __mmask16(m.bits), a.v));
}
template <int H> LASNN_INLINE Lanes<H> onlyWhere(const Mask<H> &m, const Lanes<H> &a) {
  LASNN_BOTH(_mm512_maskz_mov_epi16(m.bits, a.v), _mm256_maskz_mov_epi16(__mmask16(m.bits), a.v));
}
template <int H> LASNN_INLINE uint32_t differing(const Lanes<H> &a, const Lanes<H> &b, const Lanes<H> &c, const Lanes<H> &d) {
  uint32_t ab, cd;
  if constexpr (H == 2)
    ab = _mm512_cmpneq_epi16_mask(a.v, b.v), cd = _mm512_cmpneq_epi16_mask(c.v, d.v);
  else
    ab = _mm256_cmpneq_epi16_mask(a.v, b.v), cd = _mm256_cmpneq_epi16_mask(c.v, d.v);
  if (__builtin_expect((ab | cd) == 0, 1)) return 0; // clips are rare
  return unsigned(__builtin_popcount(ab) + __builtin_popcount(cd));
}
template <int H> LASNN_INLINE uint64_t channelBits(uint32_t even, uint32_t odd) {
  if constexpr (H == 1) return even | odd << 16;
  return _pdep_u64(even, 0x0000ffff0000ffffu) | _pdep_u64(odd, 0xffff0000ffff0000u);
}

/// The row of an entry. The empty asm keeps it in a register: gcc 12 otherwise loads it twice, once for each sum, and W8
/// runs 1.3 to 1.6 times slower.
template <int H> LASNN_INLINE Lanes<H> row(uintptr_t base, uint64_t entry) {
  Lanes<H> r = load<H>(reinterpret_cast<const int16_t *>(base + entry * (4 * H)));
  asm("" : "+v"(r.v));
  return r;
}

/// Four entries as scalars: one or two 8-byte loads.
LASNN_INLINE void fourEntries(const uint16_t *e, uint64_t (&out)[4]) {
  uint64_t p;
  memcpy(&p, e, 8);
  out[0] = uint16_t(p), out[1] = uint16_t(p >> 16), out[2] = uint16_t(p >> 32), out[3] = p >> 48;
}
LASNN_INLINE void fourEntries(const uint32_t *e, uint64_t (&out)[4]) {
  uint64_t p, q;
  memcpy(&p, e, 8);
  memcpy(&q, e + 2, 8);
  out[0] = uint32_t(p), out[1] = p >> 32, out[2] = uint32_t(q), out[3] = q >> 32;
}

/// Bytes, for nibble rows.
template <int H> LASNN_INLINE Lanes<H> addBytes(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_add_epi8(a.v, b.v), _mm256_add_epi8(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> subBytes(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_sub_epi8(a.v, b.v), _mm256_sub_epi8(a.v, b.v));
}
template <int H> LASNN_INLINE Lanes<H> keepHigh(const Lanes<H> &a) {
  LASNN_BOTH(_mm512_and_si512(a.v, _mm512_set1_epi8(int8_t(0xf0))), _mm256_and_si256(a.v, _mm256_set1_epi8(int8_t(0xf0))));
}
template <int H> LASNN_INLINE Lanes<H> meanBytes(const Lanes<H> &a, const Lanes<H> &b) {
  LASNN_BOTH(_mm512_avg_epu8(a.v, b.v), _mm256_avg_epu8(a.v, b.v));
}
template <int H, int By> LASNN_INLINE Lanes<H> shiftRightWords(const Lanes<H> &a) {
  LASNN_BOTH(_mm512_srli_epi16(a.v, By), _mm256_srli_epi16(a.v, By));
}
// A word's shift moves only zeroes across its bytes, since the low bits are zero. (vgf2p8affineqb would do both at once, but asks for
// GFNI.)
template <int H> LASNN_INLINE Lanes<H> highNibbles(const Lanes<H> &a) { return shiftRightWords<H, 4>(keepHigh<H>(a)); }
// The mean of two bytes (x + y + 1) / 2 is exact for multiples of 16: 8 times the sum of their nibbles; of two such means 4 times it.
template <int H> LASNN_INLINE Lanes<H> sumHighNibbles(const Lanes<H> &a, const Lanes<H> &b) {
  return shiftRightWords<H, 3>(meanBytes<H>(keepHigh<H>(a), keepHigh<H>(b)));
}
template <int H> LASNN_INLINE Lanes<H> sumHighNibbles(const Lanes<H> &a, const Lanes<H> &b, const Lanes<H> &c, const Lanes<H> &d) {
  return shiftRightWords<H, 2>(meanBytes<H>(meanBytes<H>(keepHigh<H>(a), keepHigh<H>(b)), meanBytes<H>(keepHigh<H>(c), keepHigh<H>(d))));
}
template <int H> LASNN_INLINE Lanes<H> raiseNibbles(const Lanes<H> &a) {
  if constexpr (H == 2)
    return keepHigh<H>({_mm512_slli_epi16(a.v, 4)});
  else
    return keepHigh<H>({_mm256_slli_epi16(a.v, 4)});
}
template <int H> LASNN_INLINE Lanes<H> shiftRight8Unsigned(const Lanes<H> &a) { return shiftRightWords<H, 8>(a); }

template <int H, int Together, class Entry>
LASNN_INLINE void accumulate(const Entry *e, const Entry *end, uintptr_t base, Lanes<H> &f, Lanes<H> &o) {
  Lanes<H> f1 = broadcast<H>(0), o1 = f1; // two chains of sums, for latency
#pragma GCC unroll 1
  for (; e < end; e += 4) {
    uint64_t at[4];
    fourEntries(e, at);
    Lanes<H> a = row<H>(base, at[0]), b = row<H>(base, at[1]), c = row<H>(base, at[2]), d = row<H>(base, at[3]);
    if constexpr (Together == 4) {
      a = add<H>(add<H>(a, b), add<H>(c, d));
      f = add<H>(f, a), o = add<H>(o, shiftRight8<H>(a));
    } else if constexpr (Together == 2) {
      a = add<H>(a, b);
      c = add<H>(c, d);
      f = add<H>(f, a), o = add<H>(o, shiftRight8<H>(a));
      f1 = add<H>(f1, c), o1 = add<H>(o1, shiftRight8<H>(c));
    } else {
      f = add<H>(f, a), o = add<H>(o, shiftRight8<H>(a));
      f1 = add<H>(f1, b), o1 = add<H>(o1, shiftRight8<H>(b));
      f = add<H>(f, c), o = add<H>(o, shiftRight8<H>(c));
      f1 = add<H>(f1, d), o1 = add<H>(o1, shiftRight8<H>(d));
    }
  }
  f = add<H>(f, f1);
  o = add<H>(o, o1);
}

/// The numbers of the set bits, ascending, as bytes. (vpcompressb to memory costs 56 cycles on Zen 4, to a register 2.)
LASNN_INLINE __m512i bitNumbers(uint64_t word) {
  const __m512i iota = _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39,
                                       38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,
                                       13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_maskz_compress_epi8(word, iota);
}

LASNN_INLINE uint16_t *appendEvents(uint16_t *p, uint64_t word, uint16_t base) {
  const auto entries = [&](__m256i numbers) {
    return _mm512_add_epi16(_mm512_slli_epi16(_mm512_cvtepu8_epi16(numbers), 3), _mm512_set1_epi16(int16_t(base)));
  };
  const int count = __builtin_popcountll(word);
  const __m512i numbers = bitNumbers(word);
  const __m256i first = _mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm512_castsi512_si128(numbers)), 3);
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), _mm256_add_epi16(first, _mm256_set1_epi16(int16_t(base))));
  if (__builtin_expect(count > 16, 0)) {
    _mm512_storeu_si512(p, entries(_mm512_castsi512_si256(numbers)));
    if (count > 32) _mm512_storeu_si512(p + 32, entries(_mm512_extracti64x4_epi64(numbers, 1)));
  }
  return p + count;
}
LASNN_INLINE uint32_t *appendEvents(uint32_t *p, uint64_t word, uint32_t base) {
  const auto write = [&](int i, __m128i numbers) {
    const __m512i entries = _mm512_slli_epi32(_mm512_cvtepu8_epi32(numbers), 3);
    _mm512_storeu_si512(p + 16 * i, _mm512_add_epi32(entries, _mm512_set1_epi32(int32_t(base))));
  };
  const int count = __builtin_popcountll(word);
  const __m512i numbers = bitNumbers(word);
  write(0, _mm512_castsi512_si128(numbers));
  if (__builtin_expect(count > 16, 0)) {
    write(1, _mm512_extracti32x4_epi32(numbers, 1));
    if (count > 32) write(2, _mm512_extracti32x4_epi32(numbers, 2));
    if (count > 48) write(3, _mm512_extracti32x4_epi32(numbers, 3));
  }
  return p + count;
}

LASNN_INLINE uint64_t atLeast(const uint8_t *p, uint32_t level) {
  return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8(int8_t(level)));
}

/// Sums of 64 channels for `kPairPixels` pixels at once: each weight is widened once for all of them.
constexpr bool kPairsPay = true;   // adding rows of 7 bits in pairs, of 6 in fours, is faster than one by one
constexpr bool kSinglePays = true; // a form of its own for layers of one synapse
constexpr int kPairPixels = 4;
template <int H> struct PairSums { __m512i v[2 * H]; };
template <int H> LASNN_INLINE void addPair(PairSums<H> *acc, int pixels, const uint8_t *w, const int16_t *at, size_t stride) {
  for (int g = 0; g < 2 * H; ++g) {
    const __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(w + 32 * g)));
    for (int i = 0; i < pixels; ++i) {
      int32_t pair;
      memcpy(&pair, at + i * stride, 4);
      acc[i].v[g] = _mm512_dpwssd_epi32(acc[i].v[g], wide, _mm512_set1_epi32(pair));
    }
  }
}
template <int H> LASNN_INLINE void clearSums(PairSums<H> &acc) {
  for (__m512i &v : acc.v)
    v = _mm512_setzero_si512();
}
template <int H> LASNN_INLINE void storeSums(int32_t *p, const PairSums<H> &acc) {
  for (int g = 0; g < 2 * H; ++g)
    _mm512_storeu_si512(p + 16 * g, acc.v[g]);
}

/// Comparisons of wide lanes, and what is done with them.
typedef __mmask16 WideMask;
LASNN_INLINE WideMask wideGreater(const WideLanes &a, const WideLanes &b) { return _mm512_cmpgt_epi32_mask((__m512i)a, (__m512i)b); }
LASNN_INLINE WideMask wideDiffers(const WideLanes &a, const WideLanes &b) { return _mm512_cmpneq_epi32_mask((__m512i)a, (__m512i)b); }
LASNN_INLINE uint32_t wideBits(WideMask m) { return m; }
LASNN_INLINE WideLanes wideSelect(WideMask m, const WideLanes &a, const WideLanes &b) {
  return (WideLanes)_mm512_mask_mov_epi32((__m512i)b, m, (__m512i)a);
}

} // namespace lasnn::runtime::LASNN_ISA
