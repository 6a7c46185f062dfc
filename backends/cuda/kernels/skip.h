// The skip form: zeros cost nothing. A block owns one output position and 4 NT channels. It first lists the inputs that spike in any of TS steps, all
// threads at once, a word each; then 128 / NT streams of NT threads go through the list eight inputs at a time, a thread four channels. A weight row is
// read once for all steps, eight rows' loads on their way at once; four rows turned about are the right operands of four-way dot products, the steps'
// spikes their left ones.
//
// Four inputs for TS = 4 take a warp 4 loads of rows, 2 of the list and some 45 integer instructions for 128 channels: 2048 / 45 multiply-adds an
// instruction, of those that a spike asks for. Shared memory adds the streams up.
//
// Weights are [tap][word][32 channels][K to 4] bytes, zero beyond the last channel, so that a row's number is linear in the word's.
#pragma once

#include "four.h"

namespace lasnn::cuda {

constexpr uint32_t listEntries = threadsPerBlock * 32; // of a round: the bits of a word a thread

LASNN_DEVICE uint32_t skipSharedBytes(uint32_t steps) {
  const uint32_t list = listEntries * 2, sums = threadsPerBlock * steps * 16;
  return (list > sums ? list : sums) + warpsPerBlock * 4;
}

/// One input's share. Every thread of the block.
template <int TS, int NT>
LASNN_DEVICE void addListed(const LayerShape &l, const InputShape &in, const void *spikes, const void *weight, uint32_t n, uint32_t y, uint32_t x,
                            uint32_t base, uint32_t t0, int32_t (&sum)[TS][4]) {
  static_assert(TS <= 4, "an entry holds the row's number in a round in 12 bits and its spikes in 4");
  auto *list = reinterpret_cast<uint16_t *>(sharedMemory());
  auto *warp_events = reinterpret_cast<uint32_t *>(sharedMemory() + skipSharedBytes(TS)) - warpsPerBlock;
  const uint32_t columns = rounded(l.out_channels, 4), words = in.kernel_h * in.kernel_w * in.words, warp = threadIdx.x / 32;
  const uint32_t stream = threadIdx.x / NT, streams = threadsPerBlock / NT;
  const uint64_t frame = uint64_t(n) * l.timesteps * framePixels(in);
  LASNN_ROLLED
  for (uint32_t first = 0; first < words; first += threadsPerBlock) {
    const uint32_t number = first + threadIdx.x, tap = number / in.words;
    uint32_t bits[TS], any = 0, pixel = 0;
    const bool inside = number < words && under(in, y, x, tap / in.kernel_w, tap % in.kernel_w, pixel);
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t) {
      bits[t] = inside && t0 + t < l.timesteps ? wordAt(in, spikes, frame + uint64_t(t0 + t) * framePixels(in) + pixel, number % in.words) : 0;
      any |= bits[t];
    }
    const uint32_t events = bitCount(any), before = sumBefore(events);
    if (threadIdx.x % 32 == 31)
      warp_events[warp] = before + events;
    syncBlock();
    uint32_t at = before, total = 0;
    LASNN_UNROLL
    for (uint32_t w = 0; w < warpsPerBlock; ++w)
      at += w < warp ? warp_events[w] : 0, total += warp_events[w];
    LASNN_ROLLED
    for (; any; any &= any - 1) {
      const uint32_t bit = firstBit(any);
      uint32_t steps = 0;
      LASNN_UNROLL
      for (int t = 0; t < TS; ++t)
        steps |= ((bits[t] >> bit) & 1) << t;
      list[at++] = uint16_t(steps << 12 | threadIdx.x << 5 | bit);
    }
    if (threadIdx.x < 7 && total + threadIdx.x < rounded(total, 8))
      list[total + threadIdx.x] = 0; // a row without spikes
    syncBlock();

    const int8_t *rows = static_cast<const int8_t *>(weight) + uint64_t(first) * 32 * columns + base;
    LASNN_ROLLED
    for (uint32_t eight = stream; eight * 8 < total && base < l.out_channels; eight += streams) {
      const auto *entries = reinterpret_cast<const uint32_t *>(list + eight * 8); // two a word
      uint32_t w[8];
      LASNN_UNROLL
      for (uint32_t i = 0; i < 8; ++i)
        w[i] = loadOnce(reinterpret_cast<const uint32_t *>(rows + uint64_t(entries[i / 2] >> (i % 2 * 16) & 0xfff) * columns));
      LASNN_UNROLL
      for (uint32_t four = 0; four < 8; four += 4) {
        uint32_t column[4];
        transpose(w[four], w[four + 1], w[four + 2], w[four + 3], column);
        const uint32_t fired = bytesOf(entries[four / 2], entries[four / 2 + 1], 0x7531);
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t) {
          const uint32_t here = (fired >> (4 + t)) & 0x01010101u;
          LASNN_UNROLL
          for (uint32_t j = 0; j < 4; ++j)
            sum[t][j] = dot4(here, column[j], sum[t][j]);
        }
      }
    }
    syncBlock(); // before the next list
  }
}

template <int TS, int NT> LASNN_DEVICE void skipLayer(const LayerShape &l, const Pointers &p) {
  static_assert(NT >= 8 && threadsPerBlock % NT == 0, "whole words of channels, whole streams");
  const uint32_t columns = (l.out_words * 8 + NT - 1) / NT, row = blockIdx.x / columns;
  const uint32_t four = threadIdx.x % NT, base = (blockIdx.x % columns * NT + four) * 4, stream = threadIdx.x / NT;
  FourNeurons neurons(l, p, row, base, stream == 0);
  const uint32_t y = neurons.pixel / l.out_width, x = neurons.pixel % l.out_width;
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t sum[TS][4] = {};
    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count; ++i)
      addListed<TS, NT>(l, l.input[i], p.input[i], p.weight[i], neurons.n, y, x, base, t0, sum);

    // Streams added up: value (t, j) of a four lies at [stream][t][j][four].
    auto *partial = reinterpret_cast<int32_t *>(sharedMemory());
    constexpr uint32_t values = TS * 4 * NT;
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j)
        partial[stream * values + (t * 4 + j) * NT + four] = sum[t][j];
    syncBlock();
    LASNN_UNROLL
    for (uint32_t value = threadIdx.x; value < values; value += threadsPerBlock) {
      int32_t all = 0;
      LASNN_UNROLL
      for (uint32_t from = 0; from < threadsPerBlock / NT; ++from)
        all += partial[from * values + value];
      partial[value] = all; // read and written by this thread alone
    }
    syncBlock();
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t) {
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j)
        sum[t][j] = neurons.bias[j] + partial[(t * 4 + j) * NT + four];
      if (t0 + t < l.timesteps)
        neurons.step(l, p, t0 + t, sum[t]);
    }
    syncBlock(); // before the next list
  }
  neurons.end(l, p);
}

} // namespace lasnn::cuda
