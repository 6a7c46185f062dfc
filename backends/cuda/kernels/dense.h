// The dense form: an implicit matrix product on the int8 tensor cores, fused with the neuron. A block owns 64 output positions (of any sample)
// and 8 NT channels for TS steps at a time: its four warps take 16 positions each and share the weights, which come into shared memory once
// a block by asynchronous copies, some stages ahead. Sums and membrane stay in registers from the first step to the last.
//
// For TS = 4 and NT = 8, a product step of 32 values of K, per block: 4 x 64 x 64 x 32 = 524288 multiply-adds (128 cycles of an H100's SM at its 4096 a
// cycle), 2 KB of weights from L2 (16 B a cycle of an SM at full rate), 8 KB out of shared memory with a warp's products, 8 KB with a warpgroup's
// (64 B a cycle of 128), and 8 integer instructions a warp and step of time to spread spikes (64 of 128 cycles at 16 lanes a cycle).
// Registers, most of them while sums grow: TS NT 4 sums, a and b 16 each, spikes 16; for TS = 4 and NT = 8 some 220 of 255.
//
// As a warpgroup (sm_90a) the block multiplies by wgmma, with the weights read out of shared memory by the tensor core and the spikes of the
// next product spread meanwhile; on other architectures the same launch computes by warps.
#pragma once

#include "product.h"

namespace lasnn::cuda {

constexpr uint32_t stagesAhead = 4, stepsAStage = 4;
LASNN_DEVICE uint32_t stagedBytes(uint32_t tiles) { return stagesAhead * stepsAStage * tiles * tileBytes; }
/// Of a block. Where T takes more than one round of `steps`, membranes lie in shared memory while the next round's sums grow: tiles 4 values a thread.
LASNN_DEVICE uint32_t denseSharedBytes(uint32_t steps, uint32_t tiles, uint32_t timesteps) {
  return stagedBytes(tiles) + (timesteps > steps ? threadsPerBlock * tiles * 16 : 0);
}

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
  static_assert(stageBytes % (threadsPerBlock * 16) == 0, "every thread copies as much");
  const uint32_t steps = stepsOf(in), G = wordsTogether(in);
  const uint8_t *weights = static_cast<const uint8_t *>(weight) + uint64_t(column_block) * steps * stepBytes;
  uint8_t *shared = sharedMemory();
  auto fetch = [&](uint32_t stage) {
    LASNN_UNROLL
    for (uint32_t round = 0; round < stageBytes / (threadsPerBlock * 16); ++round) {
      const uint32_t o = (round * threadsPerBlock + threadIdx.x) * 16;
      if (stage * stageBytes + o < steps * stepBytes)
        copyAsync16(shared + stage % stagesAhead * stageBytes + o, weights + stage * stageBytes + o);
    }
    commitCopies();
  };
  LASNN_UNROLL
  for (uint32_t stage = 0; stage < stagesAhead - 1; ++stage)
    fetch(stage);

  const SpikeSource source = {l, in, spikes, at, t0};
  SpikeReader<TS> reader;
  reader.place(source);
  uint32_t ahead[TS][2][2];
  reader.load(source, ahead);
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
    sharesOf(in, ahead, share);
    if (step + G < steps) {
      reader.skip(source, 1);
      reader.load(source, ahead);
    }
#if LASNN_WARPGROUP
    if (Group) {
      uint32_t a[2][TS][4];
      spread(in, share, 0, a[0]);
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
          spread(in, share, s + 1, a[(s + 1) % 2]);
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
      spread(in, share, s, a);
      multiplyAdd<Signed>(sum, a, b);
    }
  }
  waitCopies<0>();
  syncBlock(); // before others' copies
}

/// What a warp does with the sums of its 16 positions over TS steps, NT tiles of channels from `tile` on: neurons or the read-out's total, and what they
/// write. Tile after tile, so that few membranes are in registers at a time and the sums' make room.
template <int TS, int NT> struct Finish {
  uint32_t first_row, tile;
  uint32_t fired = 0, clips[2] = {0, 0}; // clips of the two positions: one that is not there must not count

  LASNN_DEVICE uint32_t channel(int b, int i) const { return (tile + b) * 8 + 2 * (threadIdx.x % 4) + (i & 1); }
  LASNN_DEVICE bool exists(const LayerShape &l, int b, int i) const { return l.out_channels % (8 * NT) == 0 || channel(b, i) < l.out_channels; }

  LASNN_DEVICE void bias(const LayerShape &l, const Pointers &p, int32_t (&sum)[NT][4]) const {
    LASNN_UNROLL
    for (int b = 0; b < NT; ++b)
      LASNN_UNROLL
      for (int i = 0; i < 4; ++i)
        sum[b][i] = exists(l, b, i) ? p.bias[channel(b, i)] : 0;
  }

  /// Of value i of tile b between rounds: the membrane, or the read-out's total.
  static LASNN_DEVICE int32_t &parked(int b, int i) {
    return reinterpret_cast<int32_t *>(sharedMemory() + stagedBytes(NT))[(b * 4 + i) * threadsPerBlock + threadIdx.x];
  }

  LASNN_DEVICE void round(const LayerShape &l, const Pointers &p, const Positions &at, uint32_t t0, const int32_t (&sum)[TS][NT][4]) {
    const bool last = t0 + TS >= l.timesteps;
    const uint32_t q = threadIdx.x % 4, pixels = l.out_height * l.out_width;
    LASNN_UNROLL
    for (int four = 0; four < NT; four += 4) {
      uint32_t word[TS][2] = {};
      LASNN_UNROLL
      for (int b = four; b < four + 4; ++b) {
        int32_t v[4], theta[2], amount[2];
        LASNN_UNROLL
        for (int i = 0; i < 2; ++i) { // channels beyond the last have no weights and never reach their threshold
          const bool spikes = l.out_form != formReadout && exists(l, b, i);
          theta[i] = spikes ? p.theta[channel(b, i)] : 2147483647;
          amount[i] = spikes ? p.amount[channel(b, i)] : 0;
        }
        LASNN_UNROLL
        for (int i = 0; i < 4; ++i) {
          const bool load = l.out_form != formReadout && p.state && p.load_state && at.there[i / 2] && exists(l, b, i);
          v[i] = t0 > 0 ? parked(b, i) : load ? p.state[uint64_t(first_row + threadIdx.x % 32 / 4 + i / 2 * 8) * l.out_channels + channel(b, i)] : 0;
        }
        LASNN_UNROLL
        for (int t = 0; t < TS; ++t) {
          if (t0 + t >= l.timesteps)
            break;
          uint32_t s[4];
          LASNN_UNROLL
          for (int i = 0; i < 4; ++i) {
            if (l.out_form == formReadout)
              v[i] = l.readout_last ? sum[t][b][i] : v[i] + sum[t][b][i];
            else
              s[i] = neuronStep(l, v[i], sum[t][b][i], theta[i & 1], amount[i & 1], clips[i / 2]);
          }
          if (l.out_form == formReadout)
            continue;
          LASNN_UNROLL
          for (int h = 0; h < 2; ++h) {
            if (l.out_form == formBits) {
              word[t][h] |= (s[2 * h] | s[2 * h + 1] << 1) << (8 * (b - four));
            } else if (at.there[h] && tile + b < l.out_words * 4) {
              const uint64_t to = (uint64_t(at.n[h]) * l.timesteps + t0 + t) * pixels + at.pixel[h];
              static_cast<uint16_t *>(p.out)[(to * l.out_words * 32 + channel(b, 0)) / 2] = uint16_t(s[2 * h] | s[2 * h + 1] << 8);
              fired += s[2 * h] + s[2 * h + 1];
            }
          }
        }
        LASNN_UNROLL
        for (int i = 0; i < 4; ++i) {
          if (!last)
            parked(b, i) = v[i];
          else if (at.there[i / 2] && exists(l, b, i))
            keep(l, p, at, b, i, v[i]);
        }
      }
      if (l.out_form != formBits)
        continue;
      LASNN_UNROLL
      for (int t = 0; t < TS; ++t)
        LASNN_UNROLL
        for (int h = 0; h < 2; ++h) {
          if (t0 + t >= l.timesteps)
            break;
          uint32_t all = word[t][h] << (2 * q);
          all |= shuffleXor(all, 1);
          all |= shuffleXor(all, 2);
          if (q == 0 && at.there[h] && (tile + four) / 4 < l.out_words) {
            const uint64_t to = (uint64_t(at.n[h]) * l.timesteps + t0 + t) * pixels + at.pixel[h];
            static_cast<uint32_t *>(p.out)[to * l.out_words + (tile + four) / 4] = all;
            fired += bitCount(all);
          }
        }
    }
  }

  /// After the last step.
  LASNN_DEVICE void keep(const LayerShape &l, const Pointers &p, const Positions &at, int b, int i, int32_t v) const {
    if (l.out_form == formReadout) {
      const uint32_t pixels = l.out_height * l.out_width;
      int32_t &out = static_cast<int32_t *>(p.out)[uint64_t(at.n[i / 2]) * l.readout_stride + l.readout_offset + channel(b, i) * pixels + at.pixel[i / 2]];
      out = l.readout_last || !p.load_state ? v : saturatedSum(out, v);
    } else if (p.state) {
      p.state[uint64_t(first_row + threadIdx.x % 32 / 4 + i / 2 * 8) * l.out_channels + channel(b, i)] = v;
    }
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
  Finish<TS, NT> finish = {first_row, column_block * NT};

  int32_t image[1][NT][4]; // the currents that are the same at every step: bias, and the image's share
  if (readsImage(l)) {
    finish.bias(l, p, image[0]);
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
        finish.bias(l, p, sum[t]);
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
    finish.round(l, p, at, t0, sum);
  }
  if (l.out_form != formReadout)
    addCounts(p, finish.fired, (at.there[0] ? finish.clips[0] : 0) + (at.there[1] ? finish.clips[1] : 0));
}

template <int TS, int NT> LASNN_DEVICE void denseLayer(const LayerShape &l, const Pointers &p) { denseBlock<false, TS, NT>(l, p); }
template <int TS, int NT> LASNN_DEVICE void warpgroupLayer(const LayerShape &l, const Pointers &p) { denseBlock<true, TS, NT>(l, p); }

} // namespace lasnn::cuda
