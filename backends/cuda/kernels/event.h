// The event-driven form: work for spikes that are there, none for the others. A warp owns one output pixel and 128 channels, a lane four
// of them, for TS steps at a time: a weight row is read once for all steps in which its input spiked. For low rates and small batches,
// groups, and the first layer on the image (four products an instruction).
//
// Weights are [tap][input channel][K to 4] bytes; analog without groups: [tap][4 input channels][K to 4] words of 4 bytes; grouped: [tap][channel
// in its group][K to 4].
#pragma once

#include "neuron.h"

namespace lasnn::cuda {

LASNN_DEVICE int32_t byteOf(uint32_t word, uint32_t i) { return int32_t(int8_t(word >> (8 * i))); }

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
  const uint32_t columns = rounded(l.out_channels, 4), pixels = in.height * in.width, in_group = in.channels / in.groups;
  const auto *rows = static_cast<const int8_t *>(weight);
  overTaps(in, y, x, [&](uint32_t tap, uint32_t pixel) {
    const uint64_t at = uint64_t(n) * l.timesteps * pixels + pixel; // of step t: + t * pixels
    if (in.groups == 1 && in.form == formBits) {
      LASNN_ROLLED
      for (uint32_t w = 0; w < in.words; ++w) {
        uint32_t words[TS], any = 0;
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t) {
          words[t] = t0 + t < l.timesteps ? static_cast<const uint32_t *>(spikes)[(at + uint64_t(t0 + t) * pixels) * in.words + w] : 0;
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

template <int TS> LASNN_DEVICE void eventLayer(const LayerShape &l, const Pointers &p) {
  const uint32_t lane = threadIdx.x % 32, pixels = l.out_height * l.out_width, blocks = (l.out_channels + 127) / 128;
  const uint32_t item = blockIdx.x * warpsPerBlock + threadIdx.x / 32;
  if (item >= p.batch * pixels * blocks)
    return; // the whole warp
  const uint32_t row = item / blocks, base = item % blocks * 128 + lane * 4;
  const uint32_t n = row / pixels, pixel = row % pixels, y = pixel / l.out_width, x = pixel % l.out_width;
  const bool active = base < l.out_channels;

  int32_t start[4], theta[4], amount[4], v[4];
  LASNN_UNROLL
  for (uint32_t j = 0; j < 4; ++j) {
    const uint32_t k = base + j;
    const bool there = k < l.out_channels;
    start[j] = there ? p.bias[k] : 0;
    theta[j] = there && l.out_form != formReadout ? p.theta[k] : 0;
    amount[j] = there && l.out_form != formReadout ? p.amount[k] : 0;
    v[j] = there && p.state && p.load_state ? p.state[uint64_t(row) * l.out_channels + k] : 0;
  }
  if (l.compared.height == 0)
    addAllAnalog(l, p, n, y, x, base, active, start);

  int32_t total[4] = {0, 0, 0, 0};
  uint32_t fired = 0, clips = 0;
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t sum[TS][4];
    if (l.compared.height == 0)
      sumCurrents<TS>(l, p, n, y, x, base, t0, active, start, sum);
    else
      largestCurrents<TS>(l, p, n, y, x, base, t0, active, start, sum);
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t) {
      if (t0 + t >= l.timesteps)
        break;
      if (l.out_form == formReadout) {
        LASNN_UNROLL
        for (uint32_t j = 0; j < 4; ++j)
          total[j] = l.readout_last ? sum[t][j] : total[j] + sum[t][j];
        continue;
      }
      uint32_t s[4];
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j) {
        s[j] = base + j < l.out_channels ? neuronStep(l, v[j], sum[t][j], theta[j], amount[j], clips) : 0;
        fired += s[j];
      }
      const uint64_t to = (uint64_t(n) * l.timesteps + t0 + t) * pixels + pixel;
      if (l.out_form == formBits) {
        uint32_t word = (s[0] | s[1] << 1 | s[2] << 2 | s[3] << 3) << (lane % 8 * 4);
        for (uint32_t mask = 1; mask < 8; mask *= 2)
          word |= shuffleXor(word, mask);
        if (lane % 8 == 0 && base / 32 < l.out_words)
          static_cast<uint32_t *>(p.out)[to * l.out_words + base / 32] = word;
      } else if (base / 32 < l.out_words) {
        static_cast<uint32_t *>(p.out)[(to * l.out_words * 32 + base) / 4] = s[0] | s[1] << 8 | s[2] << 16 | s[3] << 24;
      }
    }
  }
  if (l.out_form == formReadout) {
    LASNN_UNROLL
    for (uint32_t j = 0; j < 4; ++j) {
      if (base + j >= l.out_channels)
        break;
      int32_t &out = static_cast<int32_t *>(p.out)[uint64_t(n) * l.readout_stride + l.readout_offset + (base + j) * pixels + pixel];
      out = l.readout_last || !p.load_state ? total[j] : out + total[j];
    }
    return;
  }
  LASNN_UNROLL
  for (uint32_t j = 0; j < 4; ++j)
    if (base + j < l.out_channels && p.state)
      p.state[uint64_t(row) * l.out_channels + base + j] = v[j];
  addCounts(p, fired, clips);
}

} // namespace lasnn::cuda
