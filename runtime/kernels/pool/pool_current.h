// Max pooling of currents, in lane order: what stands between synapses and neurons is compared before anything spikes.
#pragma once

#include "kernels/pool/pool_u8.h"

namespace lasnn::runtime::LASNN_ISA {

typedef int16_t NarrowVector __attribute__((vector_size(sizeof(WideLanes))));

/// `Vector` holds elements of 16 or 32 bits; lanes are a multiple of any vector's.
template <class Vector> static void poolCurrents(const CurrentPoolTask &task) {
  const size_t pixel_bytes = task.lanes * sizeof(Vector{}[0]);
  const auto *in = static_cast<const uint8_t *>(task.in);
  auto *out = static_cast<uint8_t *>(task.out);
  for (uint32_t y = 0; y < task.out_height; ++y)
    for (uint32_t x = 0; x < task.out_width; ++x, out += pixel_bytes) {
      const PoolWindow w = poolWindow(task, task.in_height, task.in_width, y, x);
      for (size_t at = 0; at < pixel_bytes; at += sizeof(Vector)) {
        Vector most, current;
        memcpy(&most, in + size_t(w.y_begin * task.in_width + w.x_begin) * pixel_bytes + at, sizeof most);
        for (int64_t from_y = w.y_begin; from_y < w.y_end; ++from_y)
          for (int64_t from_x = w.x_begin; from_x < w.x_end; ++from_x) {
            memcpy(&current, in + size_t(from_y * task.in_width + from_x) * pixel_bytes + at, sizeof current);
            most = most > current ? most : current;
          }
        memcpy(out + at, &most, sizeof most);
      }
    }
}

static void pool_current(const CurrentPoolTask &task) {
  task.narrow ? poolCurrents<NarrowVector>(task) : poolCurrents<WideLanes>(task);
}

} // namespace lasnn::runtime::LASNN_ISA
