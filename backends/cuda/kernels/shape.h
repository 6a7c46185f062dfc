// What a kernel is told of its layer. In device code a LayerShape is a constant written out by source.cpp, so that loops unroll and
// divisions vanish; on a CPU it is an ordinary value. Rule numbers are ir/spec.md's.
//
// Spikes lie with channels innermost: [n][t][pixel][word], 32 channels to a word of bits, or to 32 bytes of counts. Channels beyond the
// last are 0. The direct input is [n][pixel][4-byte groups of channels], the same at every step.
#pragma once

#include "device.h"

#ifdef __CUDACC_RTC__
#include "arguments.h"
#else
#include "cuda/arguments.h"
#endif

namespace lasnn::cuda {

enum BufferForm : uint32_t { formBits = 0, formCounts = 1, formAnalog = 2, formReadout = 3 };
enum ResetRule : uint32_t { resetNone = 0, resetAssign = 1, resetSubtract = 2 };

/// One synapse (C1), or one operand of a pool or sum.
struct InputShape {
  uint32_t form, channels, words, height, width;
  uint32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int32_t pad_top, pad_left;
  uint32_t groups;
  uint32_t pool_h, pool_w; ///< the buffer's pixels that make one of these by P2, in windows side by side; of bits only. 1, 1: the buffer as it is
};

struct LayerShape {
  uint32_t input_count;
  InputShape input[maxInputs];
  InputShape compared; ///< where the neuron gets the largest of a window of currents (Y2, P2): that window; height 0: none
  uint32_t out_form, out_channels, out_words, out_height, out_width;
  uint32_t timesteps;
  uint32_t readout_last, readout_offset, readout_stride; ///< R1 or R3; the read-out's place in a sample's outputs, and how many those are
  uint32_t pool_sum;                                    ///< P1, else P2
  uint32_t decay, reset, state_bits, s_max;             ///< N2, N6, N4, N5
  int32_t v_low;                                        ///< N4's lower bound
};

/// a + b, at the limits of 32 bits where it passes them: a stream that goes on beyond T may (lasnn_step).
LASNN_DEVICE int32_t saturatedSum(int32_t a, int32_t b) {
  const int64_t sum = int64_t(a) + b;
  return int32_t(sum > 2147483647 ? 2147483647 : sum < -2147483647 - 1 ? -2147483647 - 1 : sum);
}

LASNN_DEVICE uint32_t rounded(uint32_t value, uint32_t to) { return (value + to - 1) / to * to; }

/// Pixels of a step of the buffer itself.
LASNN_DEVICE uint32_t framePixels(const InputShape &in) { return in.height * in.pool_h * in.width * in.pool_w; }

/// 32 channels' bits, `pixel` being under()'s, frames before it included. The largest of bits is their union.
LASNN_DEVICE uint32_t wordAt(const InputShape &in, const void *spikes, uint64_t pixel, uint32_t w) {
  const auto *words = static_cast<const uint32_t *>(spikes);
  if (in.pool_h * in.pool_w == 1)
    return words[pixel * in.words + w];
  uint32_t all = 0;
  LASNN_UNROLL
  for (uint32_t y = 0; y < in.pool_h; ++y)
    LASNN_UNROLL
    for (uint32_t x = 0; x < in.pool_w; ++x)
      all |= words[(pixel + y * in.width * in.pool_w + x) * in.words + w];
  return all;
}

/// Spike count of one channel.
LASNN_DEVICE uint32_t countAt(const InputShape &in, const void *spikes, uint64_t pixel, uint32_t channel) {
  if (in.form == formBits)
    return (wordAt(in, spikes, pixel, channel / 32) >> (channel % 32)) & 1;
  return static_cast<const uint8_t *>(spikes)[pixel * in.words * 32 + channel];
}

/// The input position under one tap of the window at an output position; false outside the image.
LASNN_DEVICE bool under(const InputShape &in, uint32_t y, uint32_t x, uint32_t ky, uint32_t kx, uint32_t &pixel) {
  const int32_t iy = int32_t(y * in.stride_h + ky * in.dilation_h) - in.pad_top, ix = int32_t(x * in.stride_w + kx * in.dilation_w) - in.pad_left;
  pixel = uint32_t(iy) * in.pool_h * (in.width * in.pool_w) + uint32_t(ix) * in.pool_w;
  return iy >= 0 && ix >= 0 && iy < int32_t(in.height) && ix < int32_t(in.width);
}

} // namespace lasnn::cuda
