// Current of an analog image: a dense convolution, once a run. Per output pixel and block of 64 channels
//     I[k] = start[k] + sum over runs r, pairs p of w[r][p][k][0] * image[at(r) + 2p] + w[r][p][k][1] * image[at(r) + 2p + 1].
#pragma once

namespace lasnn::runtime::LASNN_ISA {

/// sums[64] in channel order -> current in lane order.
template <class T> LASNN_INLINE void storeCurrent(const int32_t *sums, const int32_t *start, T *current) {
  static const uint8_t kGroups[4] = {0, 32, 16, 48}; // lane of channels 0, 16, 32, 48
  for (int g = 0; g < 4; ++g)
    for (int i = 0; i < 16; ++i) {
      T &out = current[kGroups[g] + i];
      const uint32_t before = start ? uint32_t(start[kGroups[g] + i]) : uint32_t(int32_t(out));
      out = T(before + uint32_t(sums[16 * g + i]));
    }
}

static void analog_i8(const AnalogTask &task) {
  const size_t row_stride = size_t(task.padded_width) * task.channels;
  const size_t block_bytes = size_t(task.run_count) * task.run_pairs * 128;
  for (uint32_t block = 0; block < task.blocks; ++block)
    for (uint32_t y = 0; y < task.out_height; ++y)
      for (uint32_t x = 0; x < task.out_width; ++x) {
        const int16_t *corner = task.image + y * task.stride_h * row_stride + size_t(x) * task.stride_w * task.channels;
        const uint8_t *weight = task.weight + block * block_bytes;
        PairSums acc = zeroSums();
        for (uint32_t run = 0; run < task.run_count; ++run) {
          const uint32_t ky = run / task.runs_per_row, kx = run % task.runs_per_row;
          const int16_t *at = corner + ky * task.dilation_h * row_stride + size_t(kx) * task.dilation_w * task.channels;
          for (uint32_t p = 0; p < task.run_pairs; ++p, weight += 128)
            addPair(acc, weight, at + 2 * p);
        }
        alignas(64) int32_t sums[64];
        storeSums(sums, acc);
        const size_t index = ((size_t(y) * task.out_width + x) * task.blocks + block) * 64;
        const int32_t *start = task.start ? task.start + block * 64 : nullptr;
        if (task.narrow)
          storeCurrent(sums, start, static_cast<int16_t *>(task.current) + index);
        else
          storeCurrent(sums, start, static_cast<int32_t *>(task.current) + index);
      }
}

} // namespace lasnn::runtime::LASNN_ISA
