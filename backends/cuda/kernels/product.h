// What the tensor-core forms share: how spikes become the left operand of an int8 product, and in which order the products run over an input.
//
// A product is 16 positions by 32 values of K by 8 channels a warp (mma.m16n8k32). K runs over taps and 32-channel words, and within a product the
// order is free, as weights are packed to match. It is chosen so that a lane loads each spike once and needs one shift and one mask for four bytes:
// of G words side by side (G = 4, 2 or 1) lane quarter q takes the bits of word q G/4 from (q mod 4/G) 2G on, and value j of half h of product s
// is bit 2s + h + 8j of them. Counts: value j of half h is channel 8q + 4h + j of the word. The image: K runs over (tap, four channels); half h of
// lane quarter q is the four of number 8 s + 2q + h. pack.cpp writes the weights in this order:
//   [block of NT tiles][product step][tile of 8 channels][half][channel][q][j], 256 bytes a tile.
#pragma once

#include "neuron.h"

namespace lasnn::cuda {

constexpr uint32_t tileBytes = 256;

/// G: words of a pixel that one load of a lane covers.
LASNN_DEVICE uint32_t wordsTogether(const InputShape &in) { return in.form != formBits || in.words % 2 ? 1 : in.words % 4 ? 2 : 4; }

LASNN_DEVICE uint32_t foursOf(const InputShape &in) { return (in.channels + 3) / 4; }

/// Products along K.
LASNN_DEVICE uint32_t stepsOf(const InputShape &in) {
  const uint32_t taps = in.kernel_h * in.kernel_w;
  return in.form == formAnalog ? (taps * foursOf(in) + 7) / 8 : taps * in.words;
}

/// A lane's two positions, rows g and g + 8 of 16, from `first` on.
struct Positions {
  uint32_t n[2], pixel[2], y[2], x[2];
  bool there[2];
  LASNN_DEVICE Positions(const LayerShape &l, uint32_t batch, uint32_t first) {
    const uint32_t pixels = l.out_height * l.out_width;
    LASNN_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t row = first + threadIdx.x % 32 / 4 + 8 * h;
      there[h] = row < batch * pixels;
      n[h] = there[h] ? row / pixels : 0;
      pixel[h] = there[h] ? row % pixels : 0;
      y[h] = pixel[h] / l.out_width, x[h] = pixel[h] % l.out_width;
    }
  }
};

/// One input and where it is read. References only: a struct that held arrays as well would hide the layer's constants from the optimizer until
/// after it has looked at the loops.
struct SpikeSource {
  const LayerShape &l;
  const InputShape &in;
  const void *spikes;
  const Positions &at;
  uint32_t t0;
};

/// Walks over the groups of G products of an input, and loads a lane's share of one group's spikes for TS steps.
template <int TS> struct SpikeReader {
  uint32_t ky = 0, kx = 0, word = 0, step = 0;
  uint32_t from[2] = {0, 0};
  bool inside[2] = {false, false};

  LASNN_DEVICE void place(const SpikeSource &s) {
    LASNN_UNROLL
    for (int h = 0; h < 2; ++h)
      inside[h] = under(s.in, s.at.y[h], s.at.x[h], ky, kx, from[h]) && s.at.there[h];
  }

  LASNN_DEVICE void skip(const SpikeSource &s, uint32_t groups) {
    step += groups * wordsTogether(s.in);
    if (s.in.form == formAnalog)
      return;
    word += groups * wordsTogether(s.in);
    if (word < s.in.words)
      return;
    LASNN_ROLLED
    for (; word >= s.in.words; word -= s.in.words)
      if (++kx == s.in.kernel_w)
        kx = 0, ++ky;
    place(s);
  }

  /// Of a position h and step t: the word with the lane's bits, or the two halves' bytes. Nothing is computed from what is loaded, so that nothing
  /// waits for it before sharesOf().
  LASNN_DEVICE void load(const SpikeSource &s, uint32_t (&share)[TS][2][2]) const {
    const uint32_t q = threadIdx.x % 4, G = wordsTogether(s.in);
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      LASNN_UNROLL
      for (int h = 0; h < 2; ++h) {
        const bool here = inside[h] && s.t0 + t < s.l.timesteps;
        const uint64_t pixel = (uint64_t(s.at.n[h]) * s.l.timesteps + s.t0 + t) * framePixels(s.in) + from[h];
        if (s.in.form == formBits) {
          share[t][h][0] = here ? wordAt(s.in, s.spikes, pixel, word + q * G / 4) : 0;
        } else if (s.in.form == formCounts) {
          LASNN_UNROLL
          for (int half = 0; half < 2; ++half)
            share[t][h][half] = here ? static_cast<const uint32_t *>(s.spikes)[(pixel * s.in.words + word) * 8 + 2 * q + half] : 0;
        } else {
          LASNN_UNROLL
          for (int half = 0; half < 2; ++half)
            share[t][h][half] = fourAt(s, h, step * 8 + 2 * q + half);
        }
      }
  }

  LASNN_DEVICE uint32_t fourAt(const SpikeSource &s, int h, uint32_t number) const {
    const uint32_t fours = foursOf(s.in), tap = number / fours;
    uint32_t pixel;
    if (tap >= s.in.kernel_h * s.in.kernel_w || !s.at.there[h] ||
        !under(s.in, s.at.y[h], s.at.x[h], tap / s.in.kernel_w, tap % s.in.kernel_w, pixel))
      return 0;
    return static_cast<const uint32_t *>(s.spikes)[(uint64_t(s.at.n[h]) * s.in.height * s.in.width + pixel) * fours + number % fours];
  }
};

/// Loaded words with the lane's bits lowest.
template <int TS> LASNN_DEVICE void sharesOf(const InputShape &in, const uint32_t (&loaded)[TS][2][2], uint32_t (&share)[TS][2][2]) {
  const uint32_t G = wordsTogether(in);
  LASNN_UNROLL
  for (int t = 0; t < TS; ++t)
    LASNN_UNROLL
    for (int h = 0; h < 2; ++h)
      LASNN_UNROLL
      for (int half = 0; half < 2; ++half)
        share[t][h][half] = in.form == formBits ? loaded[t][h][half] >> (threadIdx.x % 4 % (4 / G) * 2 * G) : loaded[t][h][half];
}

/// The left operand of product number `step` of a group.
template <int TS> LASNN_DEVICE void spread(const InputShape &in, const uint32_t (&share)[TS][2][2], uint32_t step, uint32_t (&a)[TS][4]) {
  LASNN_UNROLL
  for (int t = 0; t < TS; ++t)
    LASNN_UNROLL
    for (int h = 0; h < 2; ++h)
      LASNN_UNROLL
      for (int half = 0; half < 2; ++half)
        a[t][h + 2 * half] = in.form == formBits ? (share[t][h][0] >> (2 * step + half)) & 0x01010101u : share[t][h][half];
}

} // namespace lasnn::cuda
