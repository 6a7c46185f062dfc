// The primitives that the kernels are written over, in plain C++. lanes_avx2.h and lanes_avx512.h have the same functions.
//
// Lanes<H> is H*16 int16 lanes: one of the two lane groups of a block (low bytes or high bytes of its rows, see
// format/layout.h), with H = 2 for 64 channels and H = 1 for at most 32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#define LASNN_INLINE static inline __attribute__((always_inline))
#define LASNN_FORM inline                           // of members: not forced, for size
#define LASNN_LONG static __attribute__((noinline)) // of functions that the other ISAs force inline

namespace lasnn::runtime::LASNN_ISA {

/// int32 lanes of a wide membrane, one vector register. (gcc 12 turns comparisons of longer vectors into scalar code.)
constexpr int kWideLanes = 4;
constexpr int kWidePixels = 1; // pixels at once that registers are left for
typedef int32_t WideLanes __attribute__((vector_size(4 * kWideLanes)));
typedef uint32_t WideWords __attribute__((vector_size(4 * kWideLanes)));

template <int H> struct Lanes { int16_t v[16 * H]; };
template <int H> using Mask = Lanes<H>;

template <int H> LASNN_INLINE Lanes<H> load(const int16_t *p) {
  Lanes<H> r;
  memcpy(&r, p, sizeof r);
  return r;
}
template <int H> LASNN_INLINE void store(int16_t *p, const Lanes<H> &a) { memcpy(p, &a, sizeof a); }

template <int H, class F> LASNN_INLINE Lanes<H> each(F f) {
  Lanes<H> r;
  for (int i = 0; i < 16 * H; ++i)
    r.v[i] = int16_t(f(i));
  return r;
}
LASNN_INLINE int saturate16(int x) { return x > 32767 ? 32767 : x < -32768 ? -32768 : x; }

template <int H> LASNN_INLINE Lanes<H> broadcast(int16_t x) {
  return each<H>([&](int) { return x; });
}
template <int H> LASNN_INLINE Lanes<H> add(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return uint16_t(a.v[i]) + uint16_t(b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> sub(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return uint16_t(a.v[i]) - uint16_t(b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> addSaturated(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return saturate16(a.v[i] + b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> subSaturated(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return saturate16(a.v[i] - b.v[i]); });
}
template <int H> LASNN_INLINE Lanes<H> larger(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
template <int H> LASNN_INLINE Lanes<H> shiftLeft8(const Lanes<H> &a) {
  return each<H>([&](int i) { return uint16_t(a.v[i]) << 8; });
}
/// sign(v) * ((|v| * keep) >> 12), keep in 0..4095
template <int H> LASNN_INLINE Lanes<H> leak(const Lanes<H> &a, uint32_t keep) {
  return each<H>([&](int i) {
    const int x = a.v[i];
    return x < 0 ? -((-x * int(keep)) >> 12) : (x * int(keep)) >> 12;
  });
}
template <int H> LASNN_INLINE Mask<H> greater(const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return a.v[i] > b.v[i] ? -1 : 0; });
}
template <int H> LASNN_INLINE uint32_t bits(const Mask<H> &m) {
  uint32_t r = 0;
  for (int i = 0; i < 16 * H; ++i)
    r |= uint32_t(m.v[i] & 1) << i;
  return r;
}
/// m ? a : b
template <int H> LASNN_INLINE Lanes<H> select(const Mask<H> &m, const Lanes<H> &a, const Lanes<H> &b) {
  return each<H>([&](int i) { return m.v[i] ? a.v[i] : b.v[i]; });
}
template <int H> LASNN_INLINE Lanes<H> onlyWhere(const Mask<H> &m, const Lanes<H> &a) {
  return each<H>([&](int i) { return m.v[i] & a.v[i]; });
}
/// Lanes of (a, c) that differ from (b, d).
template <int H> LASNN_INLINE uint32_t differing(const Lanes<H> &a, const Lanes<H> &b, const Lanes<H> &c, const Lanes<H> &d) {
  uint32_t n = 0;
  for (int i = 0; i < 16 * H; ++i)
    n += uint32_t(a.v[i] != b.v[i]) + uint32_t(c.v[i] != d.v[i]);
  return n;
}

/// The bits of the two lane groups, as the bits of a block's channels.
template <int H> LASNN_INLINE uint64_t channelBits(uint32_t even, uint32_t odd) {
  return (even & 0xffff) | uint64_t(odd & 0xffff) << 16 | uint64_t(even >> 16) << 32 | uint64_t(odd >> 16) << 48;
}

/// The row of an entry, and four entries.
template <int H, class Entry> LASNN_INLINE Lanes<H> row(uintptr_t base, Entry entry) {
  return load<H>(reinterpret_cast<const int16_t *>(base + uintptr_t(entry) * (4 * H)));
}
template <class Entry> LASNN_INLINE void fourEntries(const Entry *e, uint64_t (&out)[4]) {
  for (int i = 0; i < 4; ++i)
    out[i] = e[i];
}

/// Bytes of words, for nibble rows.
template <int H, class F> LASNN_INLINE Lanes<H> eachByte(F f) {
  return each<H>([&](int i) { return (f(i, 8) & 255) << 8 | (f(i, 0) & 255); });
}
template <int H> LASNN_INLINE unsigned byteOf(const Lanes<H> &a, int i, int shift) { return (uint16_t(a.v[i]) >> shift) & 255u; }
template <int H> LASNN_INLINE Lanes<H> addBytes(const Lanes<H> &a, const Lanes<H> &b) {
  return eachByte<H>([&](int i, int s) { return byteOf<H>(a, i, s) + byteOf<H>(b, i, s); });
}
template <int H> LASNN_INLINE Lanes<H> subBytes(const Lanes<H> &a, const Lanes<H> &b) {
  return eachByte<H>([&](int i, int s) { return byteOf<H>(a, i, s) - byteOf<H>(b, i, s); });
}
template <int H> LASNN_INLINE Lanes<H> highNibbles(const Lanes<H> &a) {
  return eachByte<H>([&](int i, int s) { return byteOf<H>(a, i, s) >> 4; });
}
/// The sum of the high nibbles of two or four.
template <int H> LASNN_INLINE Lanes<H> sumHighNibbles(const Lanes<H> &a, const Lanes<H> &b) {
  return addBytes<H>(highNibbles<H>(a), highNibbles<H>(b));
}
template <int H> LASNN_INLINE Lanes<H> sumHighNibbles(const Lanes<H> &a, const Lanes<H> &b, const Lanes<H> &c, const Lanes<H> &d) {
  return addBytes<H>(sumHighNibbles<H>(a, b), sumHighNibbles<H>(c, d));
}
/// 16 times each byte, modulo 256.
template <int H> LASNN_INLINE Lanes<H> raiseNibbles(const Lanes<H> &a) {
  return eachByte<H>([&](int i, int s) { return byteOf<H>(a, i, s) << 4; });
}
template <int H> LASNN_INLINE Lanes<H> shiftRight8Unsigned(const Lanes<H> &a) {
  return each<H>([&](int i) { return uint16_t(a.v[i]) >> 8; });
}

/// f += row words, o += row words >> 8, for the rows that [e, end) names: a multiple of 4 of them.
/// Together: 2 for weights of 7 bits, 4 for those of 6: so many rows can be added before they are split.
template <int H, int Together, class Entry>
LASNN_INLINE void accumulate(const Entry *e, const Entry *end, uintptr_t base, Lanes<H> &f, Lanes<H> &o) {
  for (; e < end; ++e) {
    int16_t row[16 * H];
    memcpy(row, reinterpret_cast<const void *>(base + uintptr_t(*e) * (4 * H)), sizeof row);
    for (int i = 0; i < 16 * H; ++i) {
      f.v[i] = int16_t(uint16_t(f.v[i]) + uint16_t(row[i]));
      o.v[i] = int16_t(uint16_t(o.v[i]) + uint16_t(row[i] >> 8));
    }
  }
}

/// Appends base + 8*bit for every set bit.
template <class Entry> LASNN_INLINE Entry *appendEvents(Entry *p, uint64_t word, Entry base) {
  for (; word; word &= word - 1)
    *p++ = Entry(base + 8 * unsigned(__builtin_ctzll(word)));
  return p;
}

/// Bit i: p[i] >= level.
LASNN_INLINE uint64_t atLeast(const uint8_t *p, uint32_t level) {
  uint64_t word = 0;
  for (int i = 0; i < 64; ++i)
    word |= uint64_t(p[i] >= level) << i;
  return word;
}

/// Sums of 64 channels for `kPairPixels` pixels at once; w is [64][2], the two values of pixel i are at + i*stride.
constexpr bool kPairsPay = false;   // `accumulate` gains nothing from adding narrow rows before it splits them
constexpr bool kSinglePays = false; // a form of its own for layers of one synapse
constexpr int kPairPixels = 1;
template <int H> struct PairSums { int32_t v[32 * H]; };
template <int H> LASNN_INLINE void addPair(PairSums<H> *acc, int pixels, const uint8_t *w, const int16_t *at, size_t stride) {
  const auto *s = reinterpret_cast<const int8_t *>(w);
  for (int i = 0; i < pixels; ++i)
    for (int k = 0; k < 32 * H; ++k)
      acc[i].v[k] += s[2 * k] * at[i * stride] + s[2 * k + 1] * at[i * stride + 1];
}
template <int H> LASNN_INLINE void clearSums(PairSums<H> &acc) { memset(acc.v, 0, sizeof acc.v); }
template <int H> LASNN_INLINE void storeSums(int32_t *p, const PairSums<H> &acc) { memcpy(p, acc.v, sizeof acc.v); }

/// Comparisons of wide lanes, and what is done with them.
typedef WideLanes WideMask;
LASNN_INLINE WideMask wideGreater(const WideLanes &a, const WideLanes &b) { return a > b; }
LASNN_INLINE WideMask wideDiffers(const WideLanes &a, const WideLanes &b) { return a != b; }
LASNN_INLINE uint32_t wideBits(const WideMask &m) {
  uint32_t bits = 0;
  for (int l = 0; l < kWideLanes; ++l)
    bits |= uint32_t(m[l] & 1) << l;
  return bits;
}
LASNN_INLINE WideLanes wideSelect(const WideMask &m, const WideLanes &a, const WideLanes &b) { return m ? a : b; }

} // namespace lasnn::runtime::LASNN_ISA
