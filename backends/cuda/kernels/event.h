// The event form: the one that computes every layer. A warp owns one output pixel and 128 channels, a lane four of them, for TS steps at a time: a
// weight row is read once for all steps in which its input spiked, an input that never spikes costs nothing. For what no other form takes: groups,
// counts where channels are few, maxima over currents.
//
// Weights are [tap][input channel][K to 4] bytes; analog without groups: [tap][4 input channels][K to 4] words of 4 bytes; grouped: [tap][channel
// in its group][K to 4].
#pragma once

#include "four.h"

namespace lasnn::cuda {

/// body(tap, input pixel) for every tap that lies inside the image.
template <typename Body> LASNN_DEVICE void overTaps(const InputShape &in, uint32_t y, uint32_t x, const Body &body) {
  LASNN_ROLLED
  for (uint32_t ky = 0; ky < in.kernel_h; ++ky)
    LASNN_ROLLED
    for (uint32_t kx = 0; kx < in.kernel_w; ++kx) {
      uint32_t pixel;
      if (under(in, y, x, ky, kx, pixel))
        body(ky * in.kernel_w + kx, pixel);
    }
}

/// Currents of four channels from `base` on, the analog input's share: the same at every step.
LASNN_DEVICE void addAnalog(const LayerShape &l, const InputShape &in, const void *image, const void *weight, uint32_t n, uint32_t y, uint32_t x, uint32_t base,
                            int32_t (&sum)[4]) {
  const uint32_t columns = rounded(l.out_channels, 4), fours = (in.channels + 3) / 4, in_group = in.channels / in.groups;
  overTaps(in, y, x, [&](uint32_t tap, uint32_t pixel) {
    const uint64_t at = uint64_t(n) * in.height * in.width + pixel;
    if (in.groups == 1) {
      LASNN_ROLLED
      for (uint32_t c = 0; c < fours; ++c) {
        const uint32_t values = static_cast<const uint32_t *>(image)[at * fours + c];
        const uint32_t *row = static_cast<const uint32_t *>(weight) + uint64_t(tap * fours + c) * columns + base;
        LASNN_UNROLL
        for (uint32_t j = 0; j < 4; ++j)
          sum[j] = dot4(values, loadOnce(row + j), sum[j]);
      }
    } else {
      LASNN_ROLLED
      for (uint32_t c = 0; c < in_group; ++c) {
        const uint32_t row = loadOnce(reinterpret_cast<const uint32_t *>(static_cast<const int8_t *>(weight) + uint64_t(tap * in_group + c) * columns + base));
        LASNN_UNROLL
        for (uint32_t j = 0; j < 4; ++j) {
          if (base + j >= l.out_channels)
            break;
          const uint32_t channel = (base + j) / (l.out_channels / in.groups) * in_group + c;
          sum[j] += byteOf(row, j) * static_cast<const int8_t *>(image)[at * fours * 4 + channel];
        }
      }
    }
  });
}

/// The share of an input of spikes, over the steps t0 ... t0 + TS - 1.
template <int TS>
LASNN_DEVICE void addEvents(const LayerShape &l, const InputShape &in, const void *spikes, const void *weight, uint32_t n, uint32_t y, uint32_t x, uint32_t base,
                            uint32_t t0, bool active, int32_t (&sum)[TS][4]) {
  const uint32_t columns = rounded(l.out_channels, 4), pixels = framePixels(in), in_group = in.channels / in.groups;
  const auto *rows = static_cast<const int8_t *>(weight);
  overTaps(in, y, x, [&](uint32_t tap, uint32_t pixel) {
    const uint64_t at = uint64_t(n) * l.timesteps * pixels + pixel; // of step t: + t * pixels
    if (in.groups == 1 && in.form == formBits) {
      LASNN_ROLLED
      for (uint32_t w = 0; w < in.words; ++w) {
        uint32_t words[TS], any = 0;
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t) {
          words[t] = t0 + t < l.timesteps ? wordAt(in, spikes, at + uint64_t(t0 + t) * pixels, w) : 0;
          any |= words[t];
        }
        LASNN_ROLLED
        while (any) { // the same in all lanes
          const uint32_t bit = firstBit(any);
          any &= any - 1;
          const uint32_t row = active ? loadOnce(reinterpret_cast<const uint32_t *>(rows + uint64_t(tap * in.channels + w * 32 + bit) * columns + base)) : 0;
          LASNN_UNROLL
          for (int t = 0; t < TS; ++t) {
            const int32_t here = -int32_t((words[t] >> bit) & 1); // all ones where it spiked: no branch
            LASNN_UNROLL
            for (uint32_t j = 0; j < 4; ++j)
              sum[t][j] += byteOf(row, j) & here;
          }
        }
      }
    } else if (active) {
      LASNN_ROLLED
      for (uint32_t c = 0; c < in_group; ++c) {
        const uint32_t row = loadOnce(reinterpret_cast<const uint32_t *>(rows + uint64_t(tap * in_group + c) * columns + base));
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t)
          LASNN_UNROLL
          for (uint32_t j = 0; j < 4; ++j) {
            if (base + j >= l.out_channels || t0 + t >= l.timesteps)
              break;
            const uint32_t channel = (base + j) / (l.out_channels / in.groups) * in_group + c;
            sum[t][j] += byteOf(row, j) * int32_t(countAt(in, spikes, at + uint64_t(t0 + t) * pixels, channel));
          }
      }
    }
  });
}

/// The currents at one position, from `start` on.
template <int TS>
LASNN_DEVICE void sumCurrents(const LayerShape &l, const Pointers &p, uint32_t n, uint32_t y, uint32_t x, uint32_t base, uint32_t t0, bool active,
                              const int32_t (&start)[4], int32_t (&sum)[TS][4]) {
  LASNN_UNROLL
  for (int t = 0; t < TS; ++t)
    LASNN_UNROLL
    for (uint32_t j = 0; j < 4; ++j)
      sum[t][j] = start[j];
  LASNN_UNROLL
  for (uint32_t i = 0; i < l.input_count; ++i)
    if (l.input[i].form != formAnalog)
      addEvents<TS>(l, l.input[i], p.input[i], p.weight[i], n, y, x, base, t0, active, sum);
}

LASNN_DEVICE void addAllAnalog(const LayerShape &l, const Pointers &p, uint32_t n, uint32_t y, uint32_t x, uint32_t base, bool active, int32_t (&sum)[4]) {
  LASNN_UNROLL
  for (uint32_t i = 0; i < l.input_count; ++i)
    if (l.input[i].form == formAnalog && active)
      addAnalog(l, l.input[i], p.input[i], p.weight[i], n, y, x, base, sum);
}

/// The largest currents of the window at an output position.
template <int TS>
LASNN_DEVICE void largestCurrents(const LayerShape &l, const Pointers &p, uint32_t n, uint32_t y, uint32_t x, uint32_t base, uint32_t t0, bool active,
                                  const int32_t (&bias)[4], int32_t (&largest)[TS][4]) {
  LASNN_UNROLL
  for (int t = 0; t < TS; ++t)
    LASNN_UNROLL
    for (uint32_t j = 0; j < 4; ++j)
      largest[t][j] = -2147483647 - 1; // every window holds a current
  const InputShape &c = l.compared;
  LASNN_ROLLED
  for (uint32_t tap = 0; tap < c.kernel_h * c.kernel_w; ++tap) {
    uint32_t at;
    if (!under(c, y, x, tap / c.kernel_w, tap % c.kernel_w, at))
      continue;
    int32_t start[4] = {bias[0], bias[1], bias[2], bias[3]}, sum[TS][4];
    addAllAnalog(l, p, n, at / c.width, at % c.width, base, active, start);
    sumCurrents<TS>(l, p, n, at / c.width, at % c.width, base, t0, active, start, sum);
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j)
        largest[t][j] = sum[t][j] > largest[t][j] ? sum[t][j] : largest[t][j];
  }
}

template <int TS, int> LASNN_DEVICE void eventLayer(const LayerShape &l, const Pointers &p) {
  const uint32_t lane = threadIdx.x % 32, pixels = l.out_height * l.out_width, blocks = (l.out_channels + 127) / 128;
  const uint32_t item = blockIdx.x * warpsPerBlock + threadIdx.x / 32;
  if (item >= p.batch * pixels * blocks)
    return; // the whole warp
  const uint32_t row = item / blocks, base = item % blocks * 128 + lane * 4;
  const uint32_t n = row / pixels, pixel = row % pixels, y = pixel / l.out_width, x = pixel % l.out_width;
  const bool active = base < l.out_channels;
  FourNeurons neurons(l, p, row, base, true);
  int32_t start[4] = {neurons.bias[0], neurons.bias[1], neurons.bias[2], neurons.bias[3]};
  if (l.compared.height == 0)
    addAllAnalog(l, p, n, y, x, base, active, start);
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t sum[TS][4];
    if (l.compared.height == 0)
      sumCurrents<TS>(l, p, n, y, x, base, t0, active, start, sum);
    else
      largestCurrents<TS>(l, p, n, y, x, base, t0, active, start, sum);
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      if (t0 + t < l.timesteps)
        neurons.step(l, p, t0 + t, sum[t]);
  }
  neurons.end(l, p);
}

} // namespace lasnn::cuda
