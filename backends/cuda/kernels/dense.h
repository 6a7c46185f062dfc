// The dense form: an implicit matrix product on the int8 tensor cores, fused with the neuron. A warp owns 16 output positions (of any
// sample) and 8 NT channels for TS steps at a time: a weight fragment is read once and multiplied with the spikes of all steps, and the
// membrane goes from step to step in registers. Spike bits become bytes on the way into the multiplication, in registers too.
//
// Weights are [k step][channel tile of 8, in pairs][lane][4 words]: the two words of a lane's mma fragment for a pair of tiles, so that a lane
// reads 16 bytes at a time. K steps run over inputs, taps and words of 32 channels. Channels are padded to 32 with zero weights.
#pragma once

#include "neuron.h"

namespace lasnn::cuda {

/// Four bits, from bit `at` on, as four bytes.
LASNN_DEVICE uint32_t spread(uint32_t word, uint32_t at) { return (((word >> at) & 15u) * 0x00204081u) & 0x01010101u; }

template <int TS, int NT> LASNN_DEVICE void denseLayer(const LayerShape &l, const Pointers &p) {
  static_assert(NT % 4 == 0, "whole words of channels");
  const uint32_t lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
  const uint32_t pixels = l.out_height * l.out_width, rows = p.batch * pixels, tiles = l.out_words * 4, column_blocks = (tiles + NT - 1) / NT;
  const uint32_t item = blockIdx.x * warpsPerBlock + threadIdx.x / 32;
  const uint32_t first_row = item / column_blocks * 16, first_tile = item % column_blocks * NT;
  if (first_row >= rows)
    return; // the whole warp

  // The lane's two positions (rows g and g + 8 of the fragment).
  uint32_t n[2], pixel[2], y[2], x[2];
  bool there[2];
  LASNN_UNROLL
  for (int h = 0; h < 2; ++h) {
    const uint32_t row = first_row + g + 8 * h;
    there[h] = row < rows;
    n[h] = there[h] ? row / pixels : 0;
    pixel[h] = there[h] ? row % pixels : 0;
    y[h] = pixel[h] / l.out_width, x[h] = pixel[h] % l.out_width;
  }
  auto channel = [&](int tile, int i) { return (first_tile + tile) * 8 + 2 * q + (i & 1); };

  int32_t v[NT][4], total[NT][4];
  LASNN_UNROLL
  for (int b = 0; b < NT; ++b)
    LASNN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint32_t k = channel(b, i);
      v[b][i] = p.state && p.load_state && there[i / 2] && k < l.out_channels ? p.state[uint64_t(first_row + g + i / 2 * 8) * l.out_channels + k] : 0;
      total[b][i] = 0;
    }

  uint32_t fired = 0, clips = 0;
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t sum[TS][NT][4];
    LASNN_UNROLL
    for (int b = 0; b < NT; ++b)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i) {
        const uint32_t k = channel(b, i);
        const int32_t bias = k < l.out_channels ? p.bias[k] : 0;
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t)
          sum[t][b][i] = bias;
      }

    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count; ++i) {
      const InputShape &in = l.input[i];
      const uint32_t in_pixels = in.height * in.width;
      const auto *weight = static_cast<const uint32_t *>(p.weight[i]);
      LASNN_ROLLED
      for (uint32_t ky = 0; ky < in.kernel_h; ++ky)
        LASNN_ROLLED
        for (uint32_t kx = 0; kx < in.kernel_w; ++kx) {
          uint32_t from[2];
          bool inside[2];
          LASNN_UNROLL
          for (int h = 0; h < 2; ++h)
            inside[h] = under(in, y[h], x[h], ky, kx, from[h]) && there[h];
          LASNN_ROLLED
          for (uint32_t w = 0; w < in.words; ++w, weight += tiles * 64) {
            uint32_t a[TS][4];
            LASNN_UNROLL
            for (int t = 0; t < TS; ++t)
              LASNN_UNROLL
              for (int h = 0; h < 2; ++h) {
                const bool load = inside[h] && t0 + t < l.timesteps;
                const uint64_t at = ((uint64_t(n[h]) * l.timesteps + t0 + t) * in_pixels + from[h]) * in.words + w;
                if (in.form == formBits) {
                  const uint32_t word = load ? static_cast<const uint32_t *>(p.input[i])[at] : 0;
                  a[t][h] = spread(word, 4 * q), a[t][h + 2] = spread(word, 16 + 4 * q);
                } else {
                  const uint32_t *bytes = static_cast<const uint32_t *>(p.input[i]) + at * 8;
                  a[t][h] = load ? bytes[q] : 0, a[t][h + 2] = load ? bytes[4 + q] : 0;
                }
              }
            uint32_t b[NT][2];
            LASNN_UNROLL
            for (int tile = 0; tile < NT; ++tile) {
              const uint32_t *fragment = weight + ((first_tile + tile) / 2 * 32 + lane) * 4 + (first_tile + tile) % 2 * 2;
              const bool load = first_tile + tile < tiles;
              b[tile][0] = load ? loadOnce(fragment) : 0, b[tile][1] = load ? loadOnce(fragment + 1) : 0;
            }
            multiplyAdd(sum, a, b);
          }
        }
    }

    LASNN_UNROLL
    for (int t = 0; t < TS; ++t) {
      if (t0 + t >= l.timesteps)
        break;
      LASNN_UNROLL
      for (int b = 0; b < NT; ++b)
        LASNN_UNROLL
        for (int i = 0; i < 4; ++i) {
          const uint32_t k = channel(b, i);
          if (k >= l.out_channels || !there[i / 2]) {
            sum[t][b][i] = 0;
          } else if (l.out_form == formReadout) {
            total[b][i] = l.readout_last ? sum[t][b][i] : total[b][i] + sum[t][b][i];
          } else {
            sum[t][b][i] = int32_t(neuronStep(l, v[b][i], sum[t][b][i], p.theta[k], p.amount[k], clips));
            fired += uint32_t(sum[t][b][i]);
          }
        }
      if (l.out_form == formReadout)
        continue;
      LASNN_UNROLL
      for (int h = 0; h < 2; ++h) {
        const uint64_t to = (uint64_t(n[h]) * l.timesteps + t0 + t) * pixels + pixel[h];
        if (l.out_form == formBits) {
          LASNN_UNROLL
          for (int four = 0; four < NT; four += 4) {
            uint32_t word = 0;
            LASNN_UNROLL
            for (int b = 0; b < 4; ++b)
              word |= (uint32_t(sum[t][four + b][2 * h]) | uint32_t(sum[t][four + b][2 * h + 1]) << 1) << (8 * b + 2 * q);
            word |= shuffleXor(word, 1);
            word |= shuffleXor(word, 2);
            if (q == 0 && there[h] && first_tile + four < tiles)
              static_cast<uint32_t *>(p.out)[to * l.out_words + (first_tile + four) / 4] = word;
          }
        } else {
          LASNN_UNROLL
          for (int b = 0; b < NT; ++b)
            if (there[h] && first_tile + b < tiles)
              static_cast<uint16_t *>(p.out)[(to * l.out_words * 32 + channel(b, 0)) / 2] = uint16_t(sum[t][b][2 * h] | sum[t][b][2 * h + 1] << 8);
        }
      }
    }
  }

  LASNN_UNROLL
  for (int b = 0; b < NT; ++b)
    LASNN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint32_t k = channel(b, i);
      if (k >= l.out_channels || !there[i / 2])
        continue;
      if (l.out_form == formReadout) {
        int32_t &out = static_cast<int32_t *>(p.out)[uint64_t(n[i / 2]) * l.readout_stride + l.readout_offset + k * pixels + pixel[i / 2]];
        out = l.readout_last || !p.load_state ? total[b][i] : out + total[b][i];
      } else if (p.state) {
        p.state[uint64_t(first_row + g + i / 2 * 8) * l.out_channels + k] = v[b][i];
      }
    }
  if (l.out_form != formReadout)
    addCounts(p, fired, clips);
}

} // namespace lasnn::cuda
