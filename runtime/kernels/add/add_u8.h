// Sum of the spike counts of several buffers of one shape.
#pragma once

#include "kernels/pool/pool_u8.h"

namespace lasnn::runtime::LASNN_ISA {

static void add_u8(const AddTask &task) {
  const uint32_t words = wordCount(task.out.channels);
  const size_t pixels = size_t(task.out.height) * task.out.width;
  for (size_t pixel = 0; pixel < pixels; ++pixel)
    for (uint32_t t = 0; t < task.steps; ++t)
      for (uint32_t word = 0; word < words; ++word) {
        uint8_t counts[64] = {}, add[64];
        for (uint32_t i = 0; i < task.input_count; ++i) {
          const Spikes &in = task.inputs[i];
          loadCounts(in, in.data + pixel * in.pixel_stride + t * in.step_stride, word, add);
          for (int c = 0; c < 64; ++c)
            counts[c] = uint8_t(counts[c] + add[c]);
        }
        uint8_t *out = task.out.data + pixel * task.out.pixel_stride + t * task.out.step_stride;
        if (task.out.max_count > 1) {
          memcpy(out + 64 * size_t(word), counts, 64);
        } else {
          const uint64_t bits = atLeast(counts, 1);
          memcpy(out + 8 * size_t(word), &bits, 8);
        }
      }
}

} // namespace lasnn::runtime::LASNN_ISA
