// The primitives of lanes_scalar.h in AVX2 with BMI2: H ymm registers.
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
constexpr int kWideLanes = 8;
constexpr int kWidePixels = 1; // pixels at once that registers are left for
typedef int32_t WideLanes __attribute__((vector_size(4 * kWideLanes)));
typedef uint32_t WideWords __attribute__((vector_size(4 * kWideLanes)));

template <int H> struct Lanes { __m256i v[H]; };
template <int H> using Mask = Lanes<H>;

template <int H, class F> LASNN_INLINE Lanes<H> each(F f) {
  if constexpr (H == 2)
    return {{f(0), f(1)}};
  else
    return {{f(0)}};
}
template <int H> LASNN_INLINE Lanes<H> load(const int16_t *p) {
  return each<H>([&](int i) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p + 16 * i)); });
}
template <int H> LASNN_INLINE void store(int16_t *p, const Lanes<H> &a) {
  for (int i = 0; i < H; ++i)
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p + 16 * i), a.v[i]);
}
template <int H> LASNN_INLINE Lanes<H> broadcast(int16_t x) {
  return each<H>([&](int) { return _mm256_set1_epi16(x); });
}
template <int H> LASNN_INLINE Lanes<H> add(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_add_epi16(a.v[i], b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> sub(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_sub_epi16(a.v[i], b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> addSaturated(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_adds_epi16(a.v[i], b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> subSaturated(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_subs_epi16(a.v[i], b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> larger(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_max_epi16(a.v[i], b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> shiftLeft8(const Lanes<H> &a) {
  return each<H>([&](int i) { return _mm256_slli_epi16(a.v[i], 8); });
}
template <int H> LASNN_INLINE Lanes<H> shiftRight8(const Lanes<H> &a) {
  return each<H>([&](int i) { return _mm256_srai_epi16(a.v[i], 8); });
}
/// (|v| * keep) >> 12 is the high half of |v| * 16*keep; |v| = 32768 is right as an unsigned 16-bit number.
template <int H> LASNN_INLINE Lanes<H> leak(const Lanes<H> &a, uint32_t keep) {
  const __m256i factor = _mm256_set1_epi16(int16_t(uint16_t(keep << 4)));
  return each<H>([&](int i) { return _mm256_sign_epi16(_mm256_mulhi_epu16(_mm256_abs_epi16(a.v[i]), factor), a.v[i]); });
}
template <int H> LASNN_INLINE Mask<H> greater(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_cmpgt_epi16(a.v[i], b.v[i]); });
}
/// A bit a lane: two vectors packed to bytes, the middle 64-bit quarters swapped back.
LASNN_INLINE uint32_t laneBits(__m256i a, __m256i b) {
  return uint32_t(_mm256_movemask_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8)));
}
template <int H> LASNN_INLINE uint32_t bits(const Mask<H> &m) {
  return H == 2 ? laneBits(m.v[0], m.v[H - 1]) : laneBits(m.v[0], _mm256_setzero_si256());
}
template <int H> LASNN_INLINE Lanes<H> select(const Mask<H> &m, const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_blendv_epi8(b.v[i], a.v[i], m.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> onlyWhere(const Mask<H> &m, const Lanes<H> &a) {
  return each<H>([&](int i) { return _mm256_and_si256(m.v[i], a.v[i]); });
}
template <int H> LASNN_INLINE uint32_t differing(const Lanes<H> &a, const Lanes<H> &b, const Lanes<H> &c, const Lanes<H> &d) {
  const auto equal = [](const Lanes<H> &x, const Lanes<H> &y) {
    return each<H>([&](int i) { return _mm256_cmpeq_epi16(x.v[i], y.v[i]); });
  };
  const Lanes<H> ab = equal(a, b), cd = equal(c, d);
  __m256i all = _mm256_and_si256(ab.v[0], cd.v[0]);
  if (H == 2) all = _mm256_and_si256(all, _mm256_and_si256(ab.v[H - 1], cd.v[H - 1]));
  if (__builtin_expect(_mm256_movemask_epi8(all) == -1, 1)) return 0; // clips are rare
  uint32_t same = 0;                                                  // two mask bits a lane
  for (int i = 0; i < H; ++i)
    same +=
        unsigned(__builtin_popcount(unsigned(_mm256_movemask_epi8(ab.v[i]))) + __builtin_popcount(unsigned(_mm256_movemask_epi8(cd.v[i]))));
  return 32 * H - same / 2;
}
template <int H> LASNN_INLINE uint64_t channelBits(uint32_t even, uint32_t odd) {
  if constexpr (H == 1) return (even & 0xffff) | odd << 16;
  return (even & 0xffff) | uint64_t(odd & 0xffff) << 16 | uint64_t(even >> 16) << 32 | uint64_t(odd >> 16) << 48;
}

/// The row of an entry. The empty asm keeps it in registers: gcc 12 otherwise loads it twice, once for each sum.
template <int H> LASNN_INLINE Lanes<H> row(uintptr_t base, uint64_t entry) {
  Lanes<H> r = load<H>(reinterpret_cast<const int16_t *>(base + entry * (4 * H)));
  for (__m256i &v : r.v)
    asm("" : "+x"(v));
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
  return each<H>([&](int i) { return _mm256_add_epi8(a.v[i], b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> subBytes(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_sub_epi8(a.v[i], b.v[i]); });
}
LASNN_INLINE __m256i keepHigh(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi8(int8_t(0xf0))); }
// A word's shift moves only zeroes across its bytes, since the low bits are zero.
template <int H> LASNN_INLINE Lanes<H> highNibbles(const Lanes<H> &a) {
  return each<H>([&](int i) { return _mm256_srli_epi16(keepHigh(a.v[i]), 4); });
}
// The mean of two bytes (x + y + 1) / 2 is exact for multiples of 16: 8 times the sum of their nibbles; of two such means 4 times it.
template <int H> LASNN_INLINE Lanes<H> sumHighNibbles(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return _mm256_srli_epi16(_mm256_avg_epu8(keepHigh(a.v[i]), keepHigh(b.v[i])), 3); });
}
template <int H> LASNN_INLINE Lanes<H> sumHighNibbles(const Lanes<H> &a, const Lanes<H> &b, const Lanes<H> &c, const Lanes<H> &d) {
  return each<H>([&](int i) {
    const __m256i ab = _mm256_avg_epu8(keepHigh(a.v[i]), keepHigh(b.v[i])), cd = _mm256_avg_epu8(keepHigh(c.v[i]), keepHigh(d.v[i]));
    return _mm256_srli_epi16(_mm256_avg_epu8(ab, cd), 2);
  });
}
template <int H> LASNN_INLINE Lanes<H> raiseNibbles(const Lanes<H> &a) {
  return each<H>([&](int i) { return keepHigh(_mm256_slli_epi16(a.v[i], 4)); });
}
template <int H> LASNN_INLINE Lanes<H> shiftRight8Unsigned(const Lanes<H> &a) {
  return each<H>([&](int i) { return _mm256_srli_epi16(a.v[i], 8); });
}

template <int H, int Together, class Entry>
LASNN_INLINE void accumulate(const Entry *e, const Entry *end, uintptr_t base, Lanes<H> &f, Lanes<H> &o) {
  const auto take = [&](const Lanes<H> &x) {
    f = add<H>(f, x);
    o = add<H>(o, shiftRight8<H>(x));
  };
#pragma GCC unroll 1
  for (; e < end; e += 4) {
    uint64_t at[4];
    fourEntries(e, at);
    if constexpr (Together == 4) {
      take(add<H>(add<H>(row<H>(base, at[0]), row<H>(base, at[1])), add<H>(row<H>(base, at[2]), row<H>(base, at[3]))));
    } else if constexpr (Together == 2) {
      take(add<H>(row<H>(base, at[0]), row<H>(base, at[1])));
      take(add<H>(row<H>(base, at[2]), row<H>(base, at[3])));
    } else {
      take(row<H>(base, at[0]));
      take(row<H>(base, at[1]));
      take(row<H>(base, at[2]));
      take(row<H>(base, at[3]));
    }
  }
}

/// For each byte, the numbers of its set bits.
struct BitTable {
  uint8_t numbers[256][8];
};
constexpr BitTable makeBitTable() {
  BitTable table = {};
  for (int byte = 0; byte < 256; ++byte)
    for (int bit = 0, n = 0; bit < 8; ++bit)
      if ((byte >> bit) & 1) table.numbers[byte][n++] = uint8_t(bit);
  return table;
}
static constexpr BitTable kBitTable = makeBitTable();

// All 8 bytes, always: an exit when the rest is zero mispredicts more than the empty bytes cost.
LASNN_INLINE uint16_t *appendEvents(uint16_t *p, uint64_t word, uint16_t base) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i, word >>= 8, base = uint16_t(base + 64)) {
    const auto numbers = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(kBitTable.numbers[word & 255]));
    const __m128i entries = _mm_add_epi16(_mm_slli_epi16(_mm_cvtepu8_epi16(numbers), 3), _mm_set1_epi16(int16_t(base)));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), entries);
    p += __builtin_popcount(unsigned(word & 255));
  }
  return p;
}
LASNN_INLINE uint32_t *appendEvents(uint32_t *p, uint64_t word, uint32_t base) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i, word >>= 8, base += 64) {
    const auto numbers = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(kBitTable.numbers[word & 255]));
    const __m256i entries = _mm256_add_epi32(_mm256_slli_epi32(_mm256_cvtepu8_epi32(numbers), 3), _mm256_set1_epi32(int32_t(base)));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), entries);
    p += __builtin_popcount(unsigned(word & 255));
  }
  return p;
}

LASNN_INLINE uint64_t atLeast(const uint8_t *p, uint32_t level) {
  const __m256i bound = _mm256_set1_epi8(int8_t(level));
  const auto half = [&](const uint8_t *q) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(q));
    return uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(x, bound), x)));
  };
  return half(p) | uint64_t(half(p + 32)) << 32;
}

constexpr bool kPairsPay = true;   // adding rows of 7 bits in pairs, of 6 in fours, is faster than one by one
constexpr bool kSinglePays = true; // a form of its own for layers of one synapse
constexpr int kPairPixels = 1;     // 8 sums and a weight leave too few of 16 registers for a second pixel
template <int H> struct PairSums { __m256i v[4 * H]; };
template <int H> LASNN_INLINE void addPair(PairSums<H> *acc, int pixels, const uint8_t *w, const int16_t *at, size_t stride) {
  for (int g = 0; g < 4 * H; ++g) {
    const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(w + 16 * g)));
    for (int i = 0; i < pixels; ++i) {
      int32_t pair;
      memcpy(&pair, at + i * stride, 4);
      acc[i].v[g] = _mm256_add_epi32(acc[i].v[g], _mm256_madd_epi16(wide, _mm256_set1_epi32(pair)));
    }
  }
}
template <int H> LASNN_INLINE void clearSums(PairSums<H> &acc) {
  for (__m256i &v : acc.v)
    v = _mm256_setzero_si256();
}
template <int H> LASNN_INLINE void storeSums(int32_t *p, const PairSums<H> &acc) {
  for (int g = 0; g < 4 * H; ++g)
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p + 8 * g), acc.v[g]);
}

/// Comparisons of wide lanes, and what is done with them.
typedef WideLanes WideMask;
LASNN_INLINE WideMask wideGreater(const WideLanes &a, const WideLanes &b) { return a > b; }
LASNN_INLINE WideMask wideDiffers(const WideLanes &a, const WideLanes &b) { return a != b; }
LASNN_INLINE uint32_t wideBits(const WideMask &m) { return uint32_t(_mm256_movemask_ps((__m256)m)); }
LASNN_INLINE WideLanes wideSelect(const WideMask &m, const WideLanes &a, const WideLanes &b) { return m ? a : b; }

} // namespace lasnn::runtime::LASNN_ISA
