// The depthwise form: every channel has an input channel of its own. A thread makes four channels of a position, eight threads share the word that
// their spikes come in, and no lane is without work but for channels beyond the last. Taps go four at a time: four taps' spikes of a channel are the
// bytes of a dot product's left operand.
//
// Weights are [four taps][out_words 32 channels] words of a byte a tap.
#pragma once

#include "four.h"

namespace lasnn::cuda {

template <int TS>
LASNN_DEVICE void addTaps(const LayerShape &l, const InputShape &in, const void *spikes, const void *weight, const FourNeurons &at, uint32_t t0,
                          int32_t (&sum)[TS][4]) {
  const uint32_t taps = in.kernel_h * in.kernel_w, y = at.pixel / l.out_width, x = at.pixel % l.out_width;
  const uint64_t frame = uint64_t(at.n) * l.timesteps * framePixels(in);
  LASNN_ROLLED
  for (uint32_t first = 0; first < taps; first += 4) {
    uint32_t pixel[4], w[4];
    bool inside[4];
    LASNN_UNROLL
    for (uint32_t i = 0; i < 4; ++i) {
      inside[i] = first + i < taps && under(in, y, x, (first + i) / in.kernel_w, (first + i) % in.kernel_w, pixel[i]) && at.mine;
      w[i] = loadOnce(static_cast<const uint32_t *>(weight) + first / 4 * l.out_words * 32 + at.base + i);
    }
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t) {
      uint32_t s[4], fired[4];
      LASNN_UNROLL
      for (uint32_t i = 0; i < 4; ++i) {
        const uint64_t from = frame + uint64_t(t0 + t) * framePixels(in) + pixel[i];
        const bool load = inside[i] && t0 + t < l.timesteps;
        if (in.form == formBits)
          s[i] = load ? (wordAt(in, spikes, from, at.base / 32) >> (at.base % 32)) & 15u : 0;
        else
          s[i] = load ? static_cast<const uint32_t *>(spikes)[(from * in.words * 32 + at.base) / 4] : 0;
      }
      if (in.form == formBits) {
        const uint32_t all = s[0] | s[1] << 8 | s[2] << 16 | s[3] << 24;
        LASNN_UNROLL
        for (uint32_t j = 0; j < 4; ++j)
          fired[j] = (all >> j) & 0x01010101u;
      } else {
        transpose(s[0], s[1], s[2], s[3], fired);
      }
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j)
        sum[t][j] = dot4Counts(fired[j], w[j], sum[t][j]);
    }
  }
}

template <int TS, int> LASNN_DEVICE void depthwiseLayer(const LayerShape &l, const Pointers &p) {
  const uint32_t fours = l.out_words * 8, item = blockIdx.x * threadsPerBlock + threadIdx.x, rows = p.batch * l.out_height * l.out_width;
  const bool mine = item / fours < rows;
  FourNeurons neurons(l, p, mine ? item / fours : 0, item % fours * 4, mine);
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t sum[TS][4];
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j)
        sum[t][j] = neurons.bias[j];
    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count; ++i)
      addTaps<TS>(l, l.input[i], p.input[i], p.weight[i], neurons, t0, sum);
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      if (t0 + t < l.timesteps)
        neurons.step(l, p, t0 + t, sum[t]);
  }
  neurons.end(l, p);
}

} // namespace lasnn::cuda
