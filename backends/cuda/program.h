// An integer network as kernel launches over buffers: what is compiled into a `.lasnn` for a GPU, and what the emulation runs. No MLIR and no
// CUDA type appears here.
#pragma once

#include "backends/cuda/kernels/shape.h"
#include "backends/plan/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::cuda {

enum class Kernel : uint8_t { EncodeImage, EncodeEvents, Event, Dense, Pool, Add };
const char *nameOf(Kernel kernel);

/// What flows between launches; buffer 0 is the encoded input. Channels are padded to whole words.
struct Buffer {
  uint32_t form = formBits, channels = 0, words = 0, height = 1, width = 1;
  /// Bytes for a batch of samples over T steps.
  uint64_t bytes(uint32_t batch, uint32_t timesteps) const;
};

/// Blocks of n samples: ceil(ceil(n * rows / rowsAUnit) * columns / unitsABlock).
struct Grid {
  uint64_t rows, columns;
  uint32_t rowsAUnit, unitsABlock;
  uint64_t blocks(uint32_t batch) const;
};

struct Launch {
  Kernel kernel = Kernel::Event;
  std::string name;
  LayerShape shape = {};
  std::vector<uint32_t> inputs;              ///< buffers; for the encoders none: they read the sample
  uint32_t output = 0;                       ///< buffer; unused by a read-out, which writes the sample's outputs
  std::vector<std::vector<uint8_t>> weights; ///< packed for `kernel`, one an input
  std::vector<int32_t> bias, theta, amount;
  uint32_t steps = 1, tiles = 4; ///< TS and NT of kernels/dense.h

  bool spiking() const { return kernel == Kernel::Event || kernel == Kernel::Dense ? shape.out_form != formReadout : false; }
  bool encodes() const { return kernel == Kernel::EncodeImage || kernel == Kernel::EncodeEvents; }
  /// Membranes of a sample.
  uint64_t neurons() const { return spiking() ? uint64_t(shape.out_height) * shape.out_width * shape.out_channels : 0; }
  /// Of blocks of threadsPerBlock threads.
  Grid grid() const;
};

struct Program {
  std::string name;
  uint32_t timesteps = 1, output_count = 0;
  uint64_t sample_bytes = 0; ///< of one sample, as lasnn_run takes it
  float output_scale = 1;
  std::vector<int8_t> table; ///< E2
  std::vector<Buffer> buffers;
  std::vector<Launch> launches;
  std::vector<plan::Delay> delays; ///< between buffers, copied after a step's launches; only in a program of one time-step
};

enum class Choice : uint8_t { Auto, Event, Dense };

/// The program of a plan that keeps the contract. Auto takes the tensor cores for every layer that has 32 channels or more on both sides;
/// Dense for every layer that they can compute. Empty launches with `error` set where a limit is passed, or where the plan has delays and more
/// than one time-step: its layers need each other step by step.
Program makeProgram(const plan::Network &plan, Choice choice, std::string &error);

std::vector<uint8_t> packEventWeights(const plan::Synapse &synapse, const InputShape &in, uint32_t out_channels);
std::vector<uint8_t> packDenseWeights(const plan::Synapse &synapse, const InputShape &in, uint32_t out_channels);

} // namespace lasnn::cuda
