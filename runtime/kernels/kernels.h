// What the kernels take, and the table of kernels of one ISA.
//
// Activations. A buffer is [y][x][t][words]: with max_count 1 a word is 64 channels as bits, else 64 bytes of counts.
// `Spikes` names such a buffer from the first step a task treats; strides are in bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lasnn::runtime {

struct Spikes {
  uint8_t *data;
  size_t pixel_stride, step_stride;
  uint32_t channels, height, width;
  uint32_t max_count; // 1: bits
};

static inline uint32_t wordCount(uint32_t channels) { return (channels + 63) / 64; }
static inline size_t stepBytes(uint32_t channels, uint32_t max_count) {
  return size_t(wordCount(channels)) * (max_count == 1 ? 8 : 64);
}

/// One step of an events input. `too_large` is set when a value exceeds the buffer's max_count.
struct PackTask {
  const uint8_t *frame; // [C][H][W]
  Spikes out;           // step 0 of it is written
  bool *too_large;
};

/// Event lists for output rows y0.. of one synapse. An entry is row * 8 with row = x*column_rows + ky*channels + (c - first):
/// the rows of the packed weights in the order of input columns, so that the window of an output pixel is one stretch of
/// the list. Each column is padded to a multiple of 4 entries with its zero row. A count of n repeats its event n times.
struct EventTask {
  Spikes in;
  uint32_t steps;
  uint32_t y0, rows; // output rows
  uint32_t kernel_h, stride_h, dilation_h;
  int32_t pad_top;
  uint32_t first_channel, channels; // what the block reads
  uint64_t column_rows;             // S = kernel_h*channels + 1
  void *events;                     // [rows][steps][capacity]
  uint32_t *starts;                 // [rows][steps][width + 1], index of a column's first entry
  size_t capacity;
};
constexpr uint32_t kListPad = 4;    // entries that a kernel takes at a time
constexpr uint32_t kListSlack = 64; // entries that a list builder may write past the end

/// One synapse as a gather kernel sees it, for one block of output channels.
struct GatherSource {
  const uint8_t *rows; // packed slice of the block
  const void *events;
  const uint32_t *starts;
  size_t capacity;
  uint32_t width;        // input columns
  uint64_t column_bytes; // S * row_bytes
  uint32_t kernel_w, stride_w, dilation_w;
  int32_t pad_left;
  uint32_t bias; // what a row's fields (of byte rows: its low ones) are stored plus: 2^(bits-1)
};

/// Scratch of a gather kernel: one stretch of a list that one pixel sums.
struct GatherWindow {
  const void *events;
  const uint32_t *starts;
  size_t capacity;
  uint32_t begin, end, width, bias;
  uintptr_t base;
};

enum class ResetKind : uint8_t { Assign, Subtract, None };

/// Events of a block of 64 (or at most 32) channels -> currents -> neurons -> spikes, for output rows y0.. and `steps` steps; with nibble rows of
/// 128 (or at most 64): neurons of blocks `block` and `block + 1`.
/// Per-channel vectors have 64 entries in lane order (format::laneOf). Channels beyond K have theta = max and never fire.
struct GatherTask {
  const GatherSource *sources;
  uint32_t source_count;
  GatherWindow *windows; // scratch, as many as one pixel can have
  uint32_t y0, rows, width, steps;
  uint32_t row_bytes; // 64 or 32: what the rows of all sources have
  uint32_t block, channels;

  // Current that does not depend on events, in lane order: one vector (stride 0) or one a pixel. int16 for gather_i16.
  const void *current;
  size_t current_stride; // elements a pixel

  // Neuron; `spiking` false is a read-out
  bool spiking;
  ResetKind reset;
  uint32_t decay, state_bits, s_max;
  int32_t v_min; // effective lower clamp
  const void *theta, *amount; // int16 or int32; amount: rho (Subtract) or the value assigned
  void *state;                // [pixel][state_stride], int16 or int32
  size_t state_stride;
  bool load_state, store_state;
  Spikes out;

  // Read-out: out[channel*pixels + pixel]
  int32_t *readout;
  size_t pixels;
  bool last; // keep the last step instead of the sum
  // Or neither: the current itself, of one step, [pixel][sums_stride], for gather_i32. Null: a neuron or read-out.
  int32_t *sums;
  size_t sums_stride;

  uint64_t *spikes, *clips; // counters, added to
};

/// Adds one analog synapse into currents, and bias and accumulation order per format::analogRuns.
struct AnalogTask {
  const int16_t *image; // [padded_h][padded_w][C], int8 values widened, plus slack
  const uint8_t *weight;
  uint32_t channels, padded_width;
  uint32_t run_count, run_pairs, runs_per_row; // runs_per_row: 1, or kernel_w when dilated
  uint32_t stride_h, stride_w, dilation_h, dilation_w;
  uint32_t out_height, out_width, out_channels, blocks;
  const int32_t *start; // lane order [blocks*64]: the bias; or null: add to what `current` holds
  void *current;        // [pixel][blocks*64], int16 or int32
  bool narrow;          // current is int16, kept modulo 2^16
};

struct PoolTask {
  Spikes in, out;
  bool sum;
  uint32_t steps, kernel_h, kernel_w, stride_h, stride_w;
  int32_t pad_top, pad_left;
};

/// The largest of the currents of each window, lane by lane. Every window holds at least one.
struct CurrentPoolTask {
  const void *in; // [pixel][lanes], int16 or int32
  void *out;
  bool narrow;    // int16
  uint32_t lanes; // of all blocks: a multiple of 64
  uint32_t in_height, in_width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w;
  int32_t pad_top, pad_left;
};

struct AddTask {
  const Spikes *inputs;
  uint32_t input_count, steps;
  Spikes out;
};

/// *synops += fanout * sum over pixels of row_uses[y] * column_uses[x] * (spikes of the pixel over the steps)
struct SynopsTask {
  Spikes in;
  uint32_t steps;
  const uint32_t *row_uses, *column_uses;
  uint64_t fanout;
  uint64_t *synops;
};

struct KernelTable {
#define KERNEL(name, task) void (*name)(const task &);
#include "kernels/kernels.inc"
#undef KERNEL
};

extern const KernelTable kScalarKernels;
#if LASNN_X86_KERNELS
extern const KernelTable kAvx2Kernels, kAvx512Kernels;
#endif

} // namespace lasnn::runtime
