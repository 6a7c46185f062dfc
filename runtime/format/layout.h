// Geometry of packed weights: where the writer puts a weight and where the kernels find it. One layout serves every ISA.
//
// Spike synapse. K output channels in blocks of 64; a last block of at most 32 channels has 32-byte rows, all others 64:
//     [block][kx][row][row_bytes]     row = ky*C_b + (c - first_b), then one zero row (for the padding of event lists)
// C_b channels from first_b on are what the block's groups read (all of them when groups = 1). A row holds int16 words:
// in each 32-byte half h, word i = (channel 32h+16+i, signed) * 256 + (channel 32h+i + bias, unsigned), bias = 2^(weight_bits-1).
// Sums of words and of their high bytes give both channels back (kernels/gather); ymm code reads half by half, zmm code a row.
//
// With weight_bits of 4 and below a byte holds two channels, so that a 64-byte row is 128 channels and a block 128; a last block of at
// most 64 channels has 32-byte rows. Byte rowByte(k) of a row of n bytes is (channel n+k + bias) * 16 + channel k + bias, k < n.
//
// Analog synapse (from a direct-encoded image). A run is the stretch of weights that lies contiguous in an image stored
// [y][x][c]: kernel_w*C long when dilation_w is 1, else C long. Its values go in pairs, for pmaddwd:
//     [block][run][pair][64 channels][2]   int8, zero where the run or K ends
#pragma once

#include <cstddef>
#include <cstdint>

namespace lasnn::format {

constexpr uint32_t kBlockChannels = 64;

struct SynapseShape {
  uint32_t in_channels, in_height, in_width;
  uint32_t out_channels, out_height, out_width;
  uint32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int32_t pad_top, pad_left;
  uint32_t groups;
  uint32_t weight_bits = 8; // of a spike synapse: what its rows hold
};

/// Blocks of neurons: 64 channels, a word of spikes each.
constexpr uint32_t blockCount(uint32_t channels) { return (channels + kBlockChannels - 1) / kBlockChannels; }

/// The widths that rows are packed in. A row's fields are stored plus 2^(bits-1).
constexpr bool isRowWidth(uint32_t bits) { return bits == 8 || bits == 7 || bits == 6 || bits == 4 || bits == 3 || bits == 2; }
constexpr bool packsNibbles(uint32_t bits) { return bits <= 4; }

/// Output channels of a full row: those of a block of packed weights.
constexpr uint32_t rowChannels(const SynapseShape &s) { return packsNibbles(s.weight_bits) ? 2 * kBlockChannels : kBlockChannels; }
constexpr uint32_t weightBlocks(const SynapseShape &s) { return (s.out_channels + rowChannels(s) - 1) / rowChannels(s); }

constexpr uint32_t rowBytes(const SynapseShape &s, uint32_t block) {
  return s.out_channels - block * rowChannels(s) <= rowChannels(s) / 2 ? 32 : 64;
}

struct ChannelRange {
  uint32_t first, count;
};

/// The input channels that block `block` of packed weights reads.
constexpr ChannelRange blockInputs(const SynapseShape &s, uint32_t block) {
  const uint32_t in_group = s.in_channels / s.groups, out_group = s.out_channels / s.groups;
  const uint32_t begin = block * rowChannels(s);
  const uint32_t end = begin + rowChannels(s) < s.out_channels ? begin + rowChannels(s) : s.out_channels;
  const uint32_t first = begin / out_group, last = (end - 1) / out_group;
  return {first * in_group, (last - first + 1) * in_group};
}

/// Rows of one kernel column of a block: the weights and the zero row.
constexpr uint64_t columnRows(const SynapseShape &s, uint32_t block) {
  return uint64_t(s.kernel_h) * blockInputs(s, block).count + 1;
}

/// The largest over all blocks.
constexpr uint64_t maxColumnRows(const SynapseShape &s) {
  uint64_t rows = 0;
  for (uint32_t b = 0; b < weightBlocks(s); ++b)
    rows = columnRows(s, b) > rows ? columnRows(s, b) : rows;
  return rows;
}

constexpr uint64_t blockBytes(const SynapseShape &s, uint32_t block) {
  return uint64_t(s.kernel_w) * columnRows(s, block) * rowBytes(s, block);
}

constexpr uint64_t packedBytes(const SynapseShape &s) {
  uint64_t sum = 0;
  for (uint32_t b = 0; b < weightBlocks(s); ++b)
    sum += blockBytes(s, b);
  return sum;
}

/// Byte of output channel `k` (within its block; of nibbles: within its half of it) inside a row.
constexpr uint32_t rowByte(uint32_t k) { return k / 32 * 32 + k % 16 * 2 + k % 32 / 16; }

/// Kernels hold 64 channels as two vectors of 32 int16 lanes: low bytes of a row's words, then high bytes.
static constexpr uint32_t laneOf(uint32_t k) { return k % 32 / 16 * 32 + k / 32 * 16 + k % 16; }

struct AnalogRuns {
  uint32_t count, length, pairs;
};

constexpr AnalogRuns analogRuns(const SynapseShape &s) {
  const bool joined = s.dilation_w == 1 || s.kernel_w == 1;
  const uint32_t count = joined ? s.kernel_h : s.kernel_h * s.kernel_w;
  const uint32_t length = joined ? s.kernel_w * s.in_channels : s.in_channels;
  return {count, length, (length + 1) / 2};
}

constexpr uint64_t analogBytes(const SynapseShape &s) {
  const AnalogRuns runs = analogRuns(s);
  return uint64_t(blockCount(s.out_channels)) * runs.count * runs.pairs * kBlockChannels * 2;
}

/// Rows and columns of the zero-padded image that an analog synapse reads.
constexpr uint64_t paddedHeight(const SynapseShape &s) {
  return uint64_t(s.out_height - 1) * s.stride_h + uint64_t(s.kernel_h - 1) * s.dilation_h + 1;
}
constexpr uint64_t paddedWidth(const SynapseShape &s) {
  return uint64_t(s.out_width - 1) * s.stride_w + uint64_t(s.kernel_w - 1) * s.dilation_w + 1;
}

} // namespace lasnn::format
