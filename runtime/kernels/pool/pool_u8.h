// Max and sum pooling of spike counts. Bits into bits is OR; everything else goes through 64 bytes of counts.
#pragma once

namespace lasnn::runtime::LASNN_ISA {

/// 64 channels of a buffer as bytes.
LASNN_INLINE void loadCounts(const Spikes &in, const uint8_t *step, uint32_t word, uint8_t *counts) {
  if (in.max_count > 1) {
    memcpy(counts, step + 64 * size_t(word), 64);
    return;
  }
  for (int byte = 0; byte < 8; ++byte) {
    // Each of 8 bits to its own byte: copy the byte 8 times, keep one bit of each, carry it to bit 7 and down.
    const uint64_t spread = (step[8 * size_t(word) + byte] * 0x0101010101010101u) & 0x8040201008040201u;
    const uint64_t ones = ((spread + 0x7f7f7f7f7f7f7f7fu) >> 7) & 0x0101010101010101u;
    memcpy(counts + 8 * byte, &ones, 8);
  }
}

struct PoolWindow {
  int64_t y_begin, y_end, x_begin, x_end;
};

template <class Task> LASNN_INLINE PoolWindow poolWindow(const Task &task, uint32_t in_height, uint32_t in_width, uint32_t y, uint32_t x) {
  PoolWindow w;
  w.y_begin = int64_t(y) * task.stride_h - task.pad_top;
  w.x_begin = int64_t(x) * task.stride_w - task.pad_left;
  w.y_end = w.y_begin + task.kernel_h;
  w.x_end = w.x_begin + task.kernel_w;
  w.y_begin = w.y_begin < 0 ? 0 : w.y_begin;
  w.x_begin = w.x_begin < 0 ? 0 : w.x_begin;
  w.y_end = w.y_end > int64_t(in_height) ? int64_t(in_height) : w.y_end;
  w.x_end = w.x_end > int64_t(in_width) ? int64_t(in_width) : w.x_end;
  return w;
}

static void poolBits(const PoolTask &task, const PoolWindow &w, uint8_t *out) {
  const uint32_t words = wordCount(task.in.channels);
  for (uint32_t t = 0; t < task.steps; ++t)
    for (uint32_t word = 0; word < words; ++word) {
      uint64_t any = 0;
      for (int64_t y = w.y_begin; y < w.y_end; ++y)
        for (int64_t x = w.x_begin; x < w.x_end; ++x) {
          uint64_t bits;
          memcpy(&bits, task.in.data + size_t(y * task.in.width + x) * task.in.pixel_stride + t * task.in.step_stride + 8 * word, 8);
          any |= bits;
        }
      memcpy(out + t * task.out.step_stride + 8 * word, &any, 8);
    }
}

static void poolCounts(const PoolTask &task, const PoolWindow &w, uint8_t *out) {
  const uint32_t words = wordCount(task.in.channels);
  for (uint32_t t = 0; t < task.steps; ++t)
    for (uint32_t word = 0; word < words; ++word) {
      uint8_t counts[64] = {}, add[64];
      for (int64_t y = w.y_begin; y < w.y_end; ++y)
        for (int64_t x = w.x_begin; x < w.x_end; ++x) {
          loadCounts(task.in, task.in.data + size_t(y * task.in.width + x) * task.in.pixel_stride + t * task.in.step_stride, word, add);
          if (task.sum)
            for (int i = 0; i < 64; ++i)
              counts[i] = uint8_t(counts[i] + add[i]);
          else
            for (int i = 0; i < 64; ++i)
              counts[i] = counts[i] > add[i] ? counts[i] : add[i];
        }
      if (task.out.max_count > 1) {
        memcpy(out + t * task.out.step_stride + 64 * size_t(word), counts, 64);
      } else {
        const uint64_t bits = atLeast(counts, 1);
        memcpy(out + t * task.out.step_stride + 8 * size_t(word), &bits, 8);
      }
    }
}

static void pool_u8(const PoolTask &task) {
  const bool bits = task.in.max_count == 1 && task.out.max_count == 1;
  for (uint32_t y = 0; y < task.out.height; ++y)
    for (uint32_t x = 0; x < task.out.width; ++x) {
      const PoolWindow w = poolWindow(task, task.in.height, task.in.width, y, x);
      uint8_t *out = task.out.data + (size_t(y) * task.out.width + x) * task.out.pixel_stride;
      bits ? poolBits(task, w, out) : poolCounts(task, w, out);
    }
}

} // namespace lasnn::runtime::LASNN_ISA
