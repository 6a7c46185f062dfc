// The two kinds of packed rows (format/layout.h): how a stretch of a list becomes 16-bit sums of channels.
//
// Byte rows, 32*H channels: each word is hi*256 + lo + bias (lo unsigned). Over n rows, modulo 2^16, with f the sum of words and
// o the sum of words >> 8 (arithmetic):
//     high channel = o        low channel = f - 256*o - bias*n
//
// Nibble rows, 64*H channels: each byte is hi*16 + lo, both plus bias. Over at most kFlush rows, modulo 2^8, with a the sum of bytes and
// h the sum of their high nibbles (at most 255):
//     sums of high nibbles = h        of low nibbles = a - 16*h
// Both are then words of two channels, summed as those of byte rows are but with an unsigned shift; each channel minus bias*n.
//
// Together: so many rows are added before they are split, which narrow fields bear without a carry: 1 of 8 or 4 bits, 2 of 7 or 3, 4 of 6 or 2.
#pragma once

#include "kernels/gather/windows.h"

namespace lasnn::runtime::LASNN_ISA {

/// Half i of a block: its two lane groups begin at these elements of vectors in lane order (format::laneOf), and 32 behind.
/// A nibble row of 32 bytes has channels 0..31 of a block in its low nibbles and 32..63 in its high ones; one of 64 bytes has two blocks.
template <int H> constexpr int halfAt(int i) { return (H == 2 ? 64 : 16) * i; }

template <int H, int Together> struct ByteRows {
  static constexpr int kH = H, kHalves = 1, kChannels = 32 * H;
  static constexpr uint32_t kExactRows = 252; // low bytes reach 252*255 < 2^16 unsigned, high bytes stay within 252*128 < 2^15
  Lanes<H> f, o;

  LASNN_FORM void clear() { f = o = broadcast<H>(0); }
  template <class Entry> LASNN_FORM void sum(const Entry *e, const Entry *end, uintptr_t base, uint32_t) {
    accumulate<H, Together>(e, end, base, f, o);
  }
  LASNN_FORM Lanes<H> low(int, uint32_t bias) const { return sub<H>(sub<H>(f, shiftLeft8<H>(o)), broadcast<H>(int16_t(uint16_t(bias)))); }
  LASNN_FORM Lanes<H> high(int, uint32_t) const { return o; }
  /// Exact sums of at most kExactRows rows into 32 bits, the bias left in.
  LASNN_FORM void widen(uint32_t *sums) const {
    alignas(64) int16_t words[32], highs[32];
    store<H>(words, low(0, 0));
    store<H>(highs, o);
    for (int l = 0; l < 16 * H; ++l) {
      sums[l] += uint16_t(words[l]);
      sums[32 + l] += uint32_t(int32_t(highs[l]));
    }
  }
  LASNN_FORM static void removeBias(uint32_t *sums, uint32_t bias) {
    for (int l = 0; l < 16 * H; ++l)
      sums[l] -= bias;
  }
};

/// The number of rows that are added at a time is a field, not a template's argument: one branch a window instead of three kernels.
template <int H> struct NibbleRows {
  static constexpr int kH = H, kHalves = 2, kChannels = 64 * H;
  static constexpr uint32_t kExactRows = 4096; // 4096*15 < 2^16
  Lanes<H> f[2], o[2];

  LASNN_FORM void clear() { f[0] = o[0] = f[1] = o[1] = broadcast<H>(0); }

  template <class Entry> LASNN_FORM void sum(const Entry *e, const Entry *end, uintptr_t base, uint32_t together) {
    if (together == 1 || !kPairsPay)
      sumRows<1>(e, end, base);
    else if (together == 2)
      sumRows<2>(e, end, base);
    else
      sumRows<4>(e, end, base);
  }
  template <int Together, class Entry> LASNN_FORM void sumRows(const Entry *e, const Entry *end, uintptr_t base) {
    constexpr int kFlush = Together == 1 ? 16 : Together == 2 ? 36 : 84; // 15, 7, 3 times it are at most 255
    while (e < end) {
      const Entry *stop = end - e > kFlush ? e + kFlush : end;
      Lanes<H> all = broadcast<H>(0), highs = all;
#pragma GCC unroll 1
      for (; e < stop; e += 4) {
        uint64_t at[4];
        fourEntries(e, at);
        const Lanes<H> a = row<H>(base, at[0]), b = row<H>(base, at[1]), c = row<H>(base, at[2]), d = row<H>(base, at[3]);
        const Lanes<H> ab = addBytes<H>(a, b), cd = addBytes<H>(c, d), abcd = addBytes<H>(ab, cd);
        all = addBytes<H>(all, abcd);
        if constexpr (Together == 1)
          highs = addBytes<H>(highs, sumHighNibbles<H>(a, b, c, d));
        else if constexpr (Together == 2)
          highs = addBytes<H>(highs, sumHighNibbles<H>(ab, cd));
        else
          highs = addBytes<H>(highs, highNibbles<H>(abcd));
      }
      take(0, subBytes<H>(all, raiseNibbles<H>(highs)));
      take(1, highs);
    }
  }
  LASNN_FORM void take(int i, const Lanes<H> &bytes) {
    f[i] = add<H>(f[i], bytes);
    o[i] = add<H>(o[i], shiftRight8Unsigned<H>(bytes));
  }
  LASNN_FORM Lanes<H> low(int i, uint32_t bias) const {
    return sub<H>(sub<H>(f[i], shiftLeft8<H>(o[i])), broadcast<H>(int16_t(uint16_t(bias))));
  }
  LASNN_FORM Lanes<H> high(int i, uint32_t bias) const { return sub<H>(o[i], broadcast<H>(int16_t(uint16_t(bias)))); }
  LASNN_FORM void widen(uint32_t *sums) const {
    alignas(64) int16_t words[32], highs[32];
    for (int i = 0; i < 2; ++i) {
      store<H>(words, low(i, 0));
      store<H>(highs, o[i]);
      for (int l = 0; l < 16 * H; ++l) {
        sums[halfAt<H>(i) + l] += uint16_t(words[l]);
        sums[halfAt<H>(i) + 32 + l] += uint16_t(highs[l]);
      }
    }
  }
  LASNN_FORM static void removeBias(uint32_t *sums, uint32_t bias) {
    for (int l = 0; l < kChannels; ++l) // 64 or 128: every lane
      sums[l] -= bias;
  }
};

/// How many rows may be added before they are split, by the widest of a task's sources; `one`: the bias that allows no more than one.
LASNN_INLINE uint32_t together(const GatherTask &task, uint32_t one) {
  uint32_t widest = 0;
  for (uint32_t i = 0; i < task.source_count; ++i)
    widest = task.sources[i].bias > widest ? task.sources[i].bias : widest;
  return widest > one / 2 ? 1 : widest > one / 4 ? 2 : 4;
}

} // namespace lasnn::runtime::LASNN_ISA
