// Four channels of one position in a thread, eight threads side by side a word of 32: what the event, skip and depthwise forms do with their sums.
#pragma once

#include "neuron.h"

namespace lasnn::cuda {

LASNN_DEVICE int32_t byteOf(uint32_t word, uint32_t i) { return int32_t(int8_t(word >> (8 * i))); }

/// The four words of bytes a, b, c, d turned about: out[j] holds byte j of each.
LASNN_DEVICE void transpose(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t (&out)[4]) {
  const uint32_t ab = bytesOf(a, b, 0x5140), cd = bytesOf(c, d, 0x5140), ab2 = bytesOf(a, b, 0x7362), cd2 = bytesOf(c, d, 0x7362);
  out[0] = bytesOf(ab, cd, 0x5410), out[1] = bytesOf(ab, cd, 0x7632);
  out[2] = bytesOf(ab2, cd2, 0x5410), out[3] = bytesOf(ab2, cd2, 0x7632);
}

/// It holds no reference to the layer: with arrays beside it, that would hide the layer's constants from the optimizer until after it has looked at
/// the loops.
struct FourNeurons {
  uint32_t row, base; ///< position of all samples; first channel
  bool mine;          ///< else the thread only lends its lane to the warp
  uint32_t n, pixel;
  int32_t bias[4], theta[4], amount[4], v[4], total[4];
  uint32_t fired = 0, clips = 0;

  LASNN_DEVICE FourNeurons(const LayerShape &l, const Pointers &p, uint32_t position, uint32_t first_channel, bool owns)
      : row(position), base(first_channel), mine(owns) {
    const uint32_t pixels = l.out_height * l.out_width;
    n = row / pixels, pixel = row % pixels;
    LASNN_UNROLL
    for (uint32_t j = 0; j < 4; ++j) {
      const uint32_t k = base + j;
      const bool there = mine && k < l.out_channels;
      bias[j] = there ? p.bias[k] : 0;
      theta[j] = there && l.out_form != formReadout ? p.theta[k] : 0;
      amount[j] = there && l.out_form != formReadout ? p.amount[k] : 0;
      v[j] = there && p.state && p.load_state ? p.state[uint64_t(row) * l.out_channels + k] : 0;
      total[j] = 0;
    }
  }

  /// All lanes of the warp.
  LASNN_DEVICE void step(const LayerShape &l, const Pointers &p, uint32_t t, const int32_t (&sum)[4]) {
    if (l.out_form == formReadout) {
      LASNN_UNROLL
      for (uint32_t j = 0; j < 4; ++j)
        total[j] = l.readout_last ? sum[j] : total[j] + sum[j];
      return;
    }
    uint32_t s[4];
    LASNN_UNROLL
    for (uint32_t j = 0; j < 4; ++j) {
      s[j] = mine && base + j < l.out_channels ? neuronStep(l, v[j], sum[j], theta[j], amount[j], clips) : 0;
      fired += s[j];
    }
    const uint64_t to = (uint64_t(n) * l.timesteps + t) * l.out_height * l.out_width + pixel;
    if (l.out_form == formBits) {
      uint32_t word = (s[0] | s[1] << 1 | s[2] << 2 | s[3] << 3) << (base / 4 % 8 * 4);
      LASNN_UNROLL
      for (uint32_t mask = 1; mask < 8; mask *= 2)
        word |= shuffleXor(word, mask);
      if (mine && base / 4 % 8 == 0 && base / 32 < l.out_words)
        static_cast<uint32_t *>(p.out)[to * l.out_words + base / 32] = word;
    } else if (mine && base / 32 < l.out_words) {
      static_cast<uint32_t *>(p.out)[(to * l.out_words * 32 + base) / 4] = s[0] | s[1] << 8 | s[2] << 16 | s[3] << 24;
    }
  }

  /// All lanes of the warp.
  LASNN_DEVICE void end(const LayerShape &l, const Pointers &p) {
    LASNN_UNROLL
    for (uint32_t j = 0; j < 4; ++j) {
      if (!mine || base + j >= l.out_channels)
        break;
      if (l.out_form == formReadout) {
        int32_t &out = static_cast<int32_t *>(p.out)[uint64_t(n) * l.readout_stride + l.readout_offset + (base + j) * l.out_height * l.out_width + pixel];
        out = l.readout_last || !p.load_state ? total[j] : saturatedSum(out, total[j]);
      } else if (p.state) {
        p.state[uint64_t(row) * l.out_channels + base + j] = v[j];
      }
    }
    if (l.out_form != formReadout)
      addCounts(p, fired, clips);
  }
};

} // namespace lasnn::cuda
