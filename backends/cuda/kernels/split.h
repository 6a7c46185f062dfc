// The split form: the tensor cores for few positions. A block owns 16 output positions and 8 NT channels, and its four warps share K: warp w takes
// every fourth group of products, with weights straight from global memory, where each is read by one warp of one block once. Shared memory adds
// the four sums up; then the block's threads take the neurons, NT values each. A linear layer is the case of one position a sample: its
// weights stream by at the memory's speed, and 16 samples share them.
//
// Blocks are many where positions are few: 512 channels on 4x4 at batch 1 are 64 blocks of NT = 1 that read 37 KB of weights each, where the dense
// form has 8 of 295 KB.
#pragma once

#include "product.h"

namespace lasnn::cuda {

LASNN_DEVICE uint32_t splitSharedBytes(uint32_t steps, uint32_t tiles) { return warpsPerBlock * steps * tiles * 4 * 32 * 4; }

/// A warp's share of one input.
template <bool Signed, int TS, int NT>
LASNN_DEVICE void addShare(const LayerShape &l, const InputShape &in, const void *spikes, const void *weight, const Positions &at, uint32_t column_block,
                           uint32_t t0, int32_t (&sum)[TS][NT][4]) {
  const uint32_t steps = stepsOf(in), G = wordsTogether(in), warp = threadIdx.x / 32;
  const auto *fragments = static_cast<const uint32_t *>(weight) + uint64_t(column_block) * steps * NT * (tileBytes / 4) + threadIdx.x % 32;
  const SpikeSource source = {l, in, spikes, at, t0};
  SpikeReader<TS> reader;
  reader.place(source);
  reader.skip(source, warp);
  uint32_t ahead[TS][2][2], b_ahead[4][NT][2];
  auto fetch = [&] { // the next group's spikes and weights, all loads at once
    reader.load(source, ahead);
    LASNN_UNROLL
    for (uint32_t s = 0; s < 4; ++s)
      LASNN_UNROLL
      for (int n = 0; n < NT; ++n)
        LASNN_UNROLL
        for (int half = 0; half < 2; ++half)
          b_ahead[s][n][half] = s < G ? loadOnce(fragments + ((reader.step + s) * NT + n) * (tileBytes / 4) + half * 32) : 0;
  };
  if (warp * G < steps)
    fetch();
  LASNN_ROLLED
  for (uint32_t step = warp * G; step < steps; step += warpsPerBlock * G) {
    uint32_t share[TS][2][2], b[4][NT][2];
    sharesOf(in, ahead, share);
    LASNN_UNROLL
    for (uint32_t s = 0; s < 4; ++s)
      LASNN_UNROLL
      for (int n = 0; n < NT; ++n)
        b[s][n][0] = b_ahead[s][n][0], b[s][n][1] = b_ahead[s][n][1];
    if (step + warpsPerBlock * G < steps) {
      reader.skip(source, warpsPerBlock);
      fetch();
    }
    LASNN_UNROLL
    for (uint32_t s = 0; s < 4; ++s) {
      if (s >= G)
        break;
      uint32_t a[TS][4];
      spread(in, share, s, a);
      multiplyAdd<Signed>(sum, a, b[s]);
    }
  }
}

/// Value e of warp w's NT: of tile (w NT + e) / 4 the lane's value (w NT + e) % 4. sum[t][e] of all warps' products; every thread of the block.
template <int TS, int NT> LASNN_DEVICE void sumOverWarps(const int32_t (&mine)[TS][NT][4], int32_t (&sum)[TS][NT]) {
  auto *partial = reinterpret_cast<int32_t *>(sharedMemory()); // [warp][t][value][lane]
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  LASNN_UNROLL
  for (int t = 0; t < TS; ++t)
    LASNN_UNROLL
    for (int n = 0; n < NT; ++n)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i)
        partial[((warp * TS + t) * NT * 4 + n * 4 + i) * 32 + lane] = mine[t][n][i];
  syncBlock();
  LASNN_UNROLL
  for (int t = 0; t < TS; ++t)
    LASNN_UNROLL
    for (int e = 0; e < NT; ++e) {
      sum[t][e] = 0;
      LASNN_UNROLL
      for (uint32_t from = 0; from < warpsPerBlock; ++from)
        sum[t][e] += partial[((from * TS + t) * NT * 4 + warp * NT + e) * 32 + lane];
    }
  syncBlock(); // the place is free again
}

template <int TS, int NT> LASNN_DEVICE void splitLayer(const LayerShape &l, const Pointers &p) {
  const uint32_t columns = (l.out_words * 4 + NT - 1) / NT, column_block = blockIdx.x % columns, first_row = blockIdx.x / columns * 16;
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, pixels = l.out_height * l.out_width;
  const Positions at(l, p.batch, first_row);

  // The thread's neurons: NT values of the block's 16 x 8 NT.
  uint32_t row[NT], column[NT], channel[NT];
  bool there[NT];
  int32_t start[NT], v[NT], total[NT];
  LASNN_UNROLL
  for (int e = 0; e < NT; ++e) {
    const uint32_t number = warp * NT + e, i = number % 4;
    row[e] = lane / 4 + i / 2 * 8, column[e] = number / 4 * 8 + 2 * (lane % 4) + i % 2;
    channel[e] = column_block * NT * 8 + column[e];
    there[e] = channel[e] < l.out_channels && first_row + row[e] < p.batch * pixels;
    start[e] = there[e] ? p.bias[channel[e]] : 0;
    v[e] = there[e] && p.state && p.load_state ? p.state[uint64_t(first_row + row[e]) * l.out_channels + channel[e]] : 0;
    total[e] = 0;
  }

  LASNN_UNROLL
  for (uint32_t i = 0; i < l.input_count; ++i)
    if (l.input[i].form == formAnalog) {
      int32_t mine[1][NT][4] = {}, sum[1][NT];
      addShare<true, 1, NT>(l, l.input[i], p.input[i], p.weight[i], at, column_block, 0, mine);
      sumOverWarps<1, NT>(mine, sum);
      LASNN_UNROLL
      for (int e = 0; e < NT; ++e)
        start[e] += sum[0][e];
    }

  uint32_t fired = 0, clips = 0;
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t mine[TS][NT][4] = {}, sum[TS][NT];
    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count; ++i)
      if (l.input[i].form != formAnalog)
        addShare<false, TS, NT>(l, l.input[i], p.input[i], p.weight[i], at, column_block, t0, mine);
    sumOverWarps<TS, NT>(mine, sum);

    uint8_t *spikes = sharedMemory(); // [t][row][column]
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      LASNN_UNROLL
      for (int e = 0; e < NT; ++e) {
        uint32_t s = 0;
        if (there[e] && t0 + t < l.timesteps) {
          const int32_t I = start[e] + sum[t][e];
          if (l.out_form == formReadout)
            total[e] = l.readout_last ? I : total[e] + I;
          else
            s = neuronStep(l, v[e], I, p.theta[channel[e]], p.amount[channel[e]], clips);
        }
        fired += s;
        if (l.out_form != formReadout)
          spikes[(t * 16 + row[e]) * NT * 8 + column[e]] = uint8_t(s);
      }
    if (l.out_form == formReadout)
      continue;
    syncBlock();
    LASNN_UNROLL
    for (uint32_t each = threadIdx.x; each < TS * 16 * NT; each += threadsPerBlock) { // eight channels of a position and step
      const uint32_t t = t0 + each / NT / 16, tile = column_block * NT + each % NT, position = first_row + each / NT % 16;
      if (t >= l.timesteps || tile >= l.out_words * 4 || position >= p.batch * pixels)
        continue;
      const uint64_t to = ((uint64_t(position / pixels) * l.timesteps + t) * pixels + position % pixels) * l.out_words * 4 + tile;
      const auto *eight = reinterpret_cast<const uint32_t *>(spikes + each * 8);
      if (l.out_form == formBits) { // bytes of 0 and 1: the product moves bit 8 j to bit 24 + j
        static_cast<uint8_t *>(p.out)[to] = uint8_t((eight[0] * 0x01020408u) >> 24 | (eight[1] * 0x01020408u) >> 24 << 4);
      } else {
        static_cast<uint32_t *>(p.out)[to * 2] = eight[0], static_cast<uint32_t *>(p.out)[to * 2 + 1] = eight[1];
      }
    }
    syncBlock(); // before the next sums
  }

  LASNN_UNROLL
  for (int e = 0; e < NT; ++e) {
    if (!there[e])
      continue;
    const uint32_t position = first_row + row[e];
    if (l.out_form == formReadout) {
      int32_t &out = static_cast<int32_t *>(p.out)[uint64_t(position / pixels) * l.readout_stride + l.readout_offset + channel[e] * pixels + position % pixels];
      out = l.readout_last || !p.load_state ? total[e] : saturatedSum(out, total[e]);
    } else if (p.state) {
      p.state[uint64_t(position) * l.out_channels + channel[e]] = v[e];
    }
  }
  if (l.out_form != formReadout)
    addCounts(p, fired, clips);
}

} // namespace lasnn::cuda
