// Current of an analog image: a dense convolution, once a run. Per output pixel and block of 64 channels
//     I[k] = start[k] + sum over runs r, pairs p of w[r][p][k][0] * image[at(r) + 2p] + w[r][p][k][1] * image[at(r) + 2p + 1].
#pragma once

namespace lasnn::runtime::LASNN_ISA {

/// sums[32*H] in channel order -> current in lane order.
template <int H, class T> LASNN_INLINE void storeCurrent(const int32_t *sums, const int32_t *start, T *current) {
  static const uint8_t kGroups[4] = {0, 32, 16, 48}; // lane of channels 0, 16, 32, 48
  for (int g = 0; g < 2 * H; ++g) {
    T *out = current + kGroups[g];
    const int32_t *sum = sums + 16 * g, *before = start ? start + kGroups[g] : nullptr;
    if constexpr (sizeof(T) == 4) {
      // vector by vector: gcc 12 would assemble the 16 in pieces, and reading them back whole stalls
      for (int i = 0; i < 16; i += kWideLanes) {
        WideWords a, b;
        memcpy(&a, sum + i, sizeof a);
        memcpy(&b, before ? static_cast<const void *>(before + i) : out + i, sizeof b);
        a += b;
        memcpy(out + i, &a, sizeof a);
      }
    } else {
      for (int i = 0; i < 16; ++i)
        out[i] = T(uint32_t(before ? before[i] : out[i]) + uint32_t(sum[i]));
    }
  }
}

/// Output pixels x .. x+Pixels-1 of row y, one block: of 64 channels (H = 2), or at most 32 (H = 1).
template <int H, int Pixels> LASNN_INLINE void analogPixels(const AnalogTask &task, uint32_t block, uint32_t y, uint32_t x) {
  const size_t row_stride = size_t(task.padded_width) * task.channels;
  const size_t pixel_stride = size_t(task.stride_w) * task.channels;
  const int16_t *corner = task.image + size_t(y) * task.stride_h * row_stride + x * pixel_stride;
  const uint8_t *weight = task.weight + size_t(block) * task.run_count * task.run_pairs * 128;
  PairSums<H> acc[Pixels];
  for (PairSums<H> &sums : acc)
    clearSums<H>(sums);
  for (uint32_t run = 0; run < task.run_count; ++run) {
    const uint32_t ky = run / task.runs_per_row, kx = run % task.runs_per_row;
    const int16_t *at = corner + ky * task.dilation_h * row_stride + size_t(kx) * task.dilation_w * task.channels;
    for (uint32_t p = 0; p < task.run_pairs; ++p, weight += 128, at += 2)
      addPair<H>(acc, Pixels, weight, at, pixel_stride);
  }
  for (int i = 0; i < Pixels; ++i) {
    alignas(64) int32_t sums[64];
    storeSums<H>(sums, acc[i]);
    const size_t index = ((size_t(y) * task.out_width + x + unsigned(i)) * task.blocks + block) * 64;
    const int32_t *start = task.start ? task.start + size_t(block) * 64 : nullptr;
    if (task.narrow)
      storeCurrent<H>(sums, start, static_cast<int16_t *>(task.current) + index);
    else
      storeCurrent<H>(sums, start, static_cast<int32_t *>(task.current) + index);
  }
}

template <int H> static void analogBlock(const AnalogTask &task, uint32_t block) {
  for (uint32_t y = 0; y < task.out_height; ++y) {
    constexpr int kMost = kPairPixels * 2 / H; // as many pixels as have accumulators in registers
    uint32_t x = 0;
    for (; x + kMost <= task.out_width; x += kMost)
      analogPixels<H, kMost>(task, block, y, x);
    if constexpr (kMost > 4)
      for (; x + 4 <= task.out_width; x += 4)
        analogPixels<H, 4>(task, block, y, x);
    for (; x + 2 <= task.out_width; x += 2)
      analogPixels<H, 2>(task, block, y, x);
    if (x < task.out_width) analogPixels<H, 1>(task, block, y, x);
  }
}

static void analog_i8(const AnalogTask &task) {
  for (uint32_t block = 0; block < task.blocks; ++block) {
    if (task.out_channels - block * 64 <= 32)
      analogBlock<1>(task, block);
    else
      analogBlock<2>(task, block);
  }
}

} // namespace lasnn::runtime::LASNN_ISA
