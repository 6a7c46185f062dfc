// What is not a synapse: the sample's way in (E2, E3), pools (P1, P2) and sums (A1). A thread makes 32 channels of one pixel and step.
#pragma once

#include "shape.h"

namespace lasnn::cuda {

/// 32 counts as a word of bits or 32 bytes, at `at` words from the start.
struct Packer {
  const LayerShape &l;
  void *out;
  uint64_t at;
  uint32_t bits = 0;
  LASNN_DEVICE void put(uint32_t channel, uint32_t count) {
    if (l.out_form == formBits)
      bits |= (count & 1) << channel;
    else
      static_cast<uint8_t *>(out)[at * 32 + channel] = uint8_t(count);
  }
  LASNN_DEVICE void end() {
    if (l.out_form == formBits)
      static_cast<uint32_t *>(out)[at] = bits;
  }
};

LASNN_DEVICE uint32_t threadOfAll() { return blockIdx.x * threadsPerBlock + threadIdx.x; }

/// E2: bytes [n][C][pixel] to [n][pixel][groups of four channels], through the table.
LASNN_DEVICE void encodeImage(const LayerShape &l, const Pointers &p) {
  const uint32_t pixels = l.out_height * l.out_width, fours = (l.out_channels + 3) / 4, item = threadOfAll();
  if (item >= p.batch * pixels * fours)
    return;
  const uint32_t c4 = item % fours * 4, pixel = item / fours % pixels, n = item / fours / pixels;
  const auto *image = static_cast<const uint8_t *>(p.input[0]) + uint64_t(n) * l.out_channels * pixels;
  uint32_t word = 0;
  for (uint32_t j = 0; j < 4 && c4 + j < l.out_channels; ++j)
    word |= uint32_t(uint8_t(p.table[(c4 + j) * 256 + image[(c4 + j) * pixels + pixel]])) << (8 * j);
  static_cast<uint32_t *>(p.out)[item] = word;
}

/// E3: counts [n][t][C][pixel] to spikes.
LASNN_DEVICE void encodeEvents(const LayerShape &l, const Pointers &p) {
  const uint32_t pixels = l.out_height * l.out_width, item = threadOfAll();
  if (item >= p.batch * l.timesteps * pixels * l.out_words)
    return;
  const uint32_t w = item % l.out_words, pixel = item / l.out_words % pixels;
  const uint64_t frame = item / l.out_words / pixels;
  const auto *counts = static_cast<const uint8_t *>(p.input[0]) + frame * l.out_channels * pixels;
  Packer packer = {l, p.out, item};
  LASNN_ROLLED
  for (uint32_t j = 0; j < 32; ++j)
    packer.put(j, w * 32 + j < l.out_channels ? counts[(w * 32 + j) * pixels + pixel] : 0);
  packer.end();
}

LASNN_DEVICE void poolLayer(const LayerShape &l, const Pointers &p) {
  const InputShape &in = l.input[0];
  const uint32_t pixels = l.out_height * l.out_width, item = threadOfAll();
  if (item >= p.batch * l.timesteps * pixels * l.out_words)
    return;
  const uint32_t w = item % l.out_words, pixel = item / l.out_words % pixels, y = pixel / l.out_width, x = pixel % l.out_width;
  const uint64_t frame = uint64_t(item / l.out_words / pixels) * in.height * in.width;
  Packer packer = {l, p.out, item};
  if (in.form == formBits && l.out_form == formBits && !l.pool_sum) { // the largest of bits is their union
    LASNN_ROLLED
    for (uint32_t ky = 0; ky < in.kernel_h; ++ky)
      LASNN_ROLLED
      for (uint32_t kx = 0; kx < in.kernel_w; ++kx)
        if (uint32_t from; under(in, y, x, ky, kx, from))
          packer.bits |= static_cast<const uint32_t *>(p.input[0])[(frame + from) * in.words + w];
    packer.end();
    return;
  }
  LASNN_ROLLED
  for (uint32_t j = 0; j < 32; ++j) {
    uint32_t value = 0;
    LASNN_ROLLED
    for (uint32_t ky = 0; ky < in.kernel_h && w * 32 + j < l.out_channels; ++ky)
      LASNN_ROLLED
      for (uint32_t kx = 0; kx < in.kernel_w; ++kx)
        if (uint32_t from; under(in, y, x, ky, kx, from)) {
          const uint32_t s = countAt(in, p.input[0], frame + from, w * 32 + j);
          value = l.pool_sum ? value + s : s > value ? s : value;
        }
    packer.put(j, value);
  }
  packer.end();
}

LASNN_DEVICE void addLayer(const LayerShape &l, const Pointers &p) {
  const uint32_t pixels = l.out_height * l.out_width, item = threadOfAll();
  if (item >= p.batch * l.timesteps * pixels * l.out_words)
    return;
  Packer packer = {l, p.out, item};
  LASNN_ROLLED
  for (uint32_t j = 0; j < 32; ++j) {
    uint32_t sum = 0;
    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count && item % l.out_words * 32 + j < l.out_channels; ++i)
      sum += countAt(l.input[i], p.input[i], item / l.out_words, item % l.out_words * 32 + j);
    packer.put(j, sum);
  }
  packer.end();
}

} // namespace lasnn::cuda
