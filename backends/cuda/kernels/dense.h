// The dense form: an implicit matrix product on the int8 tensor cores, fused with the neuron. A block owns 64 output positions (of any sample)
// and 8 NT channels for TS steps at a time: its four warps take 16 positions each and share the weights, which come into shared memory once
// a block by asynchronous copies, some stages ahead. Sums and membrane stay in registers from the first step to the last.
//
// For TS = 4 and NT = 8, a product step of 32 values of K, per block: 4 x 64 x 64 x 32 = 524288 multiply-adds (128 cycles of an H100's SM at its 4096 a
// cycle), 2 KB of weights from L2 (16 B a cycle of an SM at full rate), 8 KB out of shared memory with a warp's products, 8 KB with a warpgroup's
// (64 B a cycle of 128), and 8 integer instructions a warp and step of time to spread spikes (64 of 128 cycles at 16 lanes a cycle).
// Registers: sums TS NT 4, membranes NT 4 (from T > TS on while sums grow), a and b 16 each, spikes ahead 16.
//
// As a warpgroup (sm_90a) the block multiplies by wgmma, with the weights read out of shared memory by the tensor core and the spikes of the
// next product spread meanwhile; on other architectures the same launch computes by warps.
#pragma once

#include "product.h"

namespace lasnn::cuda {

constexpr uint32_t stagesAhead = 4, stepsAStage = 4;
/// Of a block; tiles: NT.
LASNN_DEVICE uint32_t denseSharedBytes(uint32_t tiles) { return stagesAhead * stepsAStage * tiles * tileBytes; }

/// Where the tensor core finds NT tiles of a step: core matrices (8 channels of 16 bytes) of the two halves of K are 128 bytes apart, those of
/// neighbouring tiles 256. No swizzle: a core matrix is 128 bytes in a row, every bank once.
LASNN_DEVICE uint64_t descriptorOf(const uint8_t *tiles, uint32_t bytes) {
  return uint64_t((sharedAddress(tiles, bytes) & 0x3ffff) >> 4) | uint64_t(128 >> 4) << 16 | uint64_t(tileBytes >> 4) << 32;
}

/// The share of one input. Every thread of the block comes here.
template <bool Group, bool Signed, int TS, int NT>
LASNN_DEVICE void addProducts(const LayerShape &l, const InputShape &in, const void *spikes, const void *weight, const Positions &at, uint32_t column_block,
                              uint32_t t0, int32_t (&sum)[TS][NT][4]) {
  constexpr uint32_t stepBytes = NT * tileBytes, stageBytes = stepsAStage * stepBytes;
  const uint32_t steps = stepsOf(in), G = wordsTogether(in);
  const uint8_t *weights = static_cast<const uint8_t *>(weight) + uint64_t(column_block) * steps * stepBytes;
  uint8_t *shared = sharedMemory();
  auto fetch = [&](uint32_t stage) {
    LASNN_UNROLL
    for (uint32_t o = threadIdx.x * 16; o < stageBytes; o += threadsPerBlock * 16)
      if (stage * stageBytes + o < steps * stepBytes)
        copyAsync16(shared + stage % stagesAhead * stageBytes + o, weights + stage * stageBytes + o);
    commitCopies();
  };
  LASNN_UNROLL
  for (uint32_t stage = 0; stage < stagesAhead - 1; ++stage)
    fetch(stage);

  SpikeReader<TS> reader(l, in, spikes, at, t0, 0);
  uint32_t ahead[TS][2][2];
  reader.load(ahead);
  LASNN_ROLLED
  for (uint32_t step = 0; step < steps; step += G) {
    if (step % stepsAStage == 0) {
      waitCopies<stagesAhead - 2>();
#if LASNN_WARPGROUP
      if (Group)
        fenceShared();
#endif
      syncBlock(); // this stage is there for all, and the one before it, whose place the next copies take, is done with
      fetch(step / stepsAStage + stagesAhead - 1);
    }
    const uint8_t *tiles = shared + step / stepsAStage % stagesAhead * stageBytes + step % stepsAStage * stepBytes;
    uint32_t share[TS][2][2];
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      LASNN_UNROLL
      for (int h = 0; h < 2; ++h)
        share[t][h][0] = ahead[t][h][0], share[t][h][1] = ahead[t][h][1];
    if (step + G < steps) {
      reader.skip(1);
      reader.load(ahead);
    }
#if LASNN_WARPGROUP
    if (Group) {
      uint32_t a[2][TS][4];
      reader.spread(share, 0, a[0]);
      LASNN_UNROLL
      for (uint32_t s = 0; s < 4; ++s) {
        if (s >= G)
          break;
        fenceProducts();
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t)
          multiplyAddGroup<Signed, NT>(sum[t], a[s % 2][t], descriptorOf(tiles + s * stepBytes, stepBytes));
        commitProducts();
        if (s + 1 < G)
          reader.spread(share, s + 1, a[(s + 1) % 2]);
        waitProducts();
      }
      continue;
    }
#endif
    LASNN_UNROLL
    for (uint32_t s = 0; s < 4; ++s) {
      if (s >= G)
        break;
      uint32_t a[TS][4], b[NT][2];
      loadFragments(b, tiles + s * stepBytes);
      reader.spread(share, s, a);
      multiplyAdd<Signed>(sum, a, b);
    }
  }
  waitCopies<0>();
  syncBlock(); // before others' copies
}

/// What a warp does with the sums of its 16 positions: neurons or the read-out's total, and what they write. tile: the first of NT.
template <int TS, int NT> struct Neurons {
  const LayerShape &l;
  const Pointers &p;
  const Positions &at;
  uint32_t first_row, tile;
  int32_t v[NT][4], total[NT][4];
  uint32_t fired = 0, clips = 0;

  LASNN_DEVICE uint32_t channel(int b, int i) const { return (tile + b) * 8 + 2 * (threadIdx.x % 4) + (i & 1); }
  LASNN_DEVICE int32_t &stateOf(int b, int i) const {
    return p.state[uint64_t(first_row + threadIdx.x % 32 / 4 + i / 2 * 8) * l.out_channels + channel(b, i)];
  }

  LASNN_DEVICE void start() {
    LASNN_UNROLL
    for (int b = 0; b < NT; ++b)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i) {
        v[b][i] = p.state && p.load_state && at.there[i / 2] && channel(b, i) < l.out_channels ? stateOf(b, i) : 0;
        total[b][i] = 0;
      }
  }

  LASNN_DEVICE void bias(int32_t (&sum)[NT][4]) const {
    LASNN_UNROLL
    for (int b = 0; b < NT; ++b)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i)
        sum[b][i] = channel(b, i) < l.out_channels ? p.bias[channel(b, i)] : 0;
  }

  LASNN_DEVICE void step(uint32_t t, int32_t (&sum)[NT][4]) {
    const uint32_t q = threadIdx.x % 4;
    LASNN_UNROLL
    for (int b = 0; b < NT; ++b)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i) {
        const uint32_t k = channel(b, i);
        if (k >= l.out_channels || !at.there[i / 2]) {
          sum[b][i] = 0;
        } else if (l.out_form == formReadout) {
          total[b][i] = l.readout_last ? sum[b][i] : total[b][i] + sum[b][i];
        } else {
          sum[b][i] = int32_t(neuronStep(l, v[b][i], sum[b][i], p.theta[k], p.amount[k], clips));
          fired += uint32_t(sum[b][i]);
        }
      }
    if (l.out_form == formReadout)
      return;
    LASNN_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint64_t to = (uint64_t(at.n[h]) * l.timesteps + t) * l.out_height * l.out_width + at.pixel[h];
      if (l.out_form == formBits) {
        LASNN_UNROLL
        for (int four = 0; four < NT; four += 4) {
          uint32_t word = 0;
          LASNN_UNROLL
          for (int b = 0; b < 4; ++b)
            word |= (uint32_t(sum[four + b][2 * h]) | uint32_t(sum[four + b][2 * h + 1]) << 1) << (8 * b + 2 * q);
          word |= shuffleXor(word, 1);
          word |= shuffleXor(word, 2);
          if (q == 0 && at.there[h] && (tile + four) / 4 < l.out_words)
            static_cast<uint32_t *>(p.out)[to * l.out_words + (tile + four) / 4] = word;
        }
      } else {
        LASNN_UNROLL
        for (int b = 0; b < NT; ++b)
          if (at.there[h] && tile + b < l.out_words * 4)
            static_cast<uint16_t *>(p.out)[(to * l.out_words * 32 + channel(b, 0)) / 2] = uint16_t(sum[b][2 * h] | sum[b][2 * h + 1] << 8);
      }
    }
  }

  LASNN_DEVICE void end() {
    LASNN_UNROLL
    for (int b = 0; b < NT; ++b)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i) {
        const uint32_t k = channel(b, i);
        if (k >= l.out_channels || !at.there[i / 2])
          continue;
        if (l.out_form == formReadout) {
          int32_t &out = static_cast<int32_t *>(p.out)[uint64_t(at.n[i / 2]) * l.readout_stride + l.readout_offset +
                                                       k * l.out_height * l.out_width + at.pixel[i / 2]];
          out = l.readout_last || !p.load_state ? total[b][i] : out + total[b][i];
        } else if (p.state) {
          stateOf(b, i) = v[b][i];
        }
      }
    if (l.out_form != formReadout)
      addCounts(p, fired, clips);
  }
};

LASNN_DEVICE bool readsImage(const LayerShape &l) {
  bool any = false;
  LASNN_UNROLL
  for (uint32_t i = 0; i < l.input_count; ++i)
    any |= l.input[i].form == formAnalog;
  return any;
}

template <bool Group, int TS, int NT> LASNN_DEVICE void denseBlock(const LayerShape &l, const Pointers &p) {
  static_assert(NT % 4 == 0, "whole words of channels");
  const uint32_t columns = (l.out_words * 4 + NT - 1) / NT, column_block = blockIdx.x % columns;
  const uint32_t first_row = blockIdx.x / columns * 64 + threadIdx.x / 32 * 16;
  const Positions at(l, p.batch, first_row);
  Neurons<TS, NT> neurons = {l, p, at, first_row, column_block * NT, {}, {}};

  int32_t image[1][NT][4]; // the currents that are the same at every step: bias, and the image's share
  if (readsImage(l)) {
    neurons.bias(image[0]);
    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count; ++i)
      if (l.input[i].form == formAnalog)
        addProducts<Group, true, 1, NT>(l, l.input[i], p.input[i], p.weight[i], at, column_block, 0, image);
  }
  LASNN_ROLLED
  for (uint32_t t0 = 0; t0 < l.timesteps; t0 += TS) {
    int32_t sum[TS][NT][4];
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      if (!readsImage(l))
        neurons.bias(sum[t]);
      else
        LASNN_UNROLL
        for (int b = 0; b < NT; ++b)
          LASNN_UNROLL
          for (int i = 0; i < 4; ++i)
            sum[t][b][i] = image[0][b][i];
    LASNN_UNROLL
    for (uint32_t i = 0; i < l.input_count; ++i)
      if (l.input[i].form != formAnalog)
        addProducts<Group, false, TS, NT>(l, l.input[i], p.input[i], p.weight[i], at, column_block, t0, sum);
    if (t0 == 0)
      neurons.start(); // not before: while the sums of the first steps grow, the registers are theirs
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      if (t0 + t < l.timesteps)
        neurons.step(t0 + t, sum[t]);
  }
  neurons.end();
}

template <int TS, int NT> LASNN_DEVICE void denseLayer(const LayerShape &l, const Pointers &p) { denseBlock<false, TS, NT>(l, p); }
template <int TS, int NT> LASNN_DEVICE void warpgroupLayer(const LayerShape &l, const Pointers &p) { denseBlock<true, TS, NT>(l, p); }

} // namespace lasnn::cuda
