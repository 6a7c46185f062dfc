// One frame of an events input, [C][H][W] bytes, into a buffer's [y][x][word], 64 channels x 64 pixels at a time.
#pragma once

namespace lasnn::runtime::LASNN_ISA {

/// In place: bit j of row i becomes bit i of row j. Swaps the off-diagonal blocks of size 32, 16, … 1.
static void transposeBits(uint64_t *rows) {
  uint64_t mask = 0x00000000ffffffffu;
  for (int size = 32; size != 0; size >>= 1, mask ^= mask << size)
    for (int i = 0; i < 64; i = ((i | size) + 1) & ~size) {
      const uint64_t swap = ((rows[i] >> size) ^ rows[i + size]) & mask;
      rows[i] ^= swap << size;
      rows[i + size] ^= swap;
    }
}

LASNN_INLINE uint8_t largest(const uint8_t *p, size_t n) {
  uint8_t max = 0;
  for (size_t i = 0; i < n; ++i)
    max = p[i] > max ? p[i] : max;
  return max;
}

static void pack_bits_u8(const PackTask &task) {
  const size_t pixels = size_t(task.out.height) * task.out.width;
  if (largest(task.frame, pixels * task.out.channels) > 1) *task.too_large = true;
  for (uint32_t w = 0; w < wordCount(task.out.channels); ++w) {
    const uint32_t channels = task.out.channels - w * 64 < 64 ? task.out.channels - w * 64 : 64;
    for (size_t first = 0; first < pixels; first += 64) {
      const size_t count = pixels - first < 64 ? pixels - first : 64;
      uint64_t rows[64] = {};
      for (uint32_t c = 0; c < channels; ++c) {
        const uint8_t *line = task.frame + (size_t(w) * 64 + c) * pixels + first;
        uint8_t tail[64] = {};
        if (count < 64) {
          memcpy(tail, line, count);
          line = tail;
        }
        rows[c] = atLeast(line, 1);
      }
      transposeBits(rows);
      uint8_t *out = task.out.data + first * task.out.pixel_stride + 8 * w;
      for (size_t i = 0; i < count; ++i, out += task.out.pixel_stride)
        memcpy(out, &rows[i], 8);
    }
  }
}

static void pack_counts_u8(const PackTask &task) {
  const size_t pixels = size_t(task.out.height) * task.out.width;
  if (largest(task.frame, pixels * task.out.channels) > task.out.max_count) *task.too_large = true;
  const size_t padded = size_t(wordCount(task.out.channels)) * 64;
  constexpr size_t kTile = 64; // pixels; keeps the written lines in L1 while channel after channel is read
  for (size_t first = 0; first < pixels; first += kTile) {
    const size_t end = pixels - first < kTile ? pixels : first + kTile;
    for (size_t i = first; i < end; ++i)
      memset(task.out.data + i * task.out.pixel_stride + task.out.channels, 0, padded - task.out.channels);
    for (uint32_t c = 0; c < task.out.channels; ++c)
      for (size_t i = first; i < end; ++i)
        task.out.data[i * task.out.pixel_stride + c] = task.frame[c * pixels + i];
  }
}

} // namespace lasnn::runtime::LASNN_ISA
