// A verified CUDA program as plain data of the runtime: what stays of a file once its bytes are given back. Sizes are for one sample.
#pragma once

#include "core/arena.h"
#include "cuda/arguments.h"
#include "cuda/driver.h"
#include "format/verify.h"

namespace lasnn::cuda {

constexpr uint64_t kAlign = 256;
constexpr uint64_t aligned(uint64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

/// Where something lies in the memory of constants. bytes 0: it is not there.
struct Constant {
  uint64_t offset, bytes;
};

struct Buffer {
  uint64_t offset, bytes;
  uint64_t kept_offset; ///< where none overlap
};

struct Launch {
  const char *name, *kernel, *label; ///< label: name and kind
  bool reads_sample, readout;
  uint32_t input_count, weight_count, inputs[maxInputs], output;
  Constant weights[maxInputs], bias, threshold, amount;
  int32_t layer; ///< -1: none
  uint64_t rows, columns;
  uint32_t rows_a_unit, units_a_block, threads, shared_bytes;
  void *function; ///< set when its module is loaded

  uint64_t blocks(uint64_t batch) const { return over(over(batch * rows, rows_a_unit) * columns, units_a_block); }

private:
  static uint64_t over(uint64_t value, uint64_t by) { return (value + by - 1) / by; }
};

struct Delay {
  uint32_t from, to;
};

struct Sequence {
  uint32_t buffer_count, launch_count, delay_count; ///< no launches: the file has no such sequence
  Buffer *buffers;
  Launch *launches;
  Delay *delays;
  uint64_t arena_bytes, kept_bytes;
  void *module; ///< null until loaded

  bool there() const { return launch_count > 0; }
};

struct Layer {
  const char *name;
  uint32_t channels, height, width, buffer;
  bool counts;
  uint64_t state_offset, neurons;
};

struct Program {
  const char *name, *input_name;
  uint32_t timesteps, channels, height, width, input_max, output_count, layer_count;
  bool direct;
  float output_scale;
  uint64_t content_hash;
  Layer *layers;
  Sequence whole, step;
  Constant table;
  uint64_t constant_bytes, state_bytes;

  uint64_t frameBytes() const { return uint64_t(channels) * height * width; }
  /// Of a run's input.
  uint64_t inputBytes() const { return frameBytes() * (direct ? 1 : timesteps); }
  /// What a run executes: all steps at once, or step by step.
  const Sequence &running() const { return whole.there() ? whole : step; }
  uint32_t passes() const { return whole.there() ? 1 : timesteps; }
};

/// Null with `error` set when memory is short; else to be given to free().
Program *makeProgram(const format::CudaProgram &source, uint64_t content_hash, ErrorText &error);

} // namespace lasnn::cuda
