// An integer network as kernel launches over buffers: what is compiled into a `.lasnn` for a GPU, and what the emulation runs. No MLIR and no
// CUDA type appears here.
#pragma once

#include "backends/cuda/kernels/shape.h"
#include "backends/plan/plan.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lasnn::cuda {

enum class Kernel : uint8_t {
#define SIMPLE(kernel, name, function) kernel,
#define LAYER(kernel, name, function, ...) kernel,
#include "backends/cuda/forms.inc"
#undef SIMPLE
#undef LAYER
};
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
  uint32_t steps = 1, tiles = 1; ///< TS and NT of a layer's kernel

  bool layer() const;
  bool spiking() const { return layer() && shape.out_form != formReadout; }
  bool encodes() const { return kernel == Kernel::EncodeImage || kernel == Kernel::EncodeEvents; }
  /// Membranes of a sample.
  uint64_t neurons() const { return spiking() ? uint64_t(shape.out_height) * shape.out_width * shape.out_channels : 0; }
  /// Of blocks of threadsPerBlock threads.
  Grid grid() const;
  /// Dynamic shared memory of a block, at most 48 KB: no attribute has to be set for it.
  uint32_t sharedBytes() const;
};

struct Program {
  std::string name;
  uint32_t timesteps = 1, output_count = 0;
  uint64_t sample_bytes = 0; ///< of one sample, as lasnn_run takes it
  float output_scale = 1;
  std::vector<int8_t> table; ///< E2
  std::vector<Buffer> buffers; ///< those of pools and sums that were fused away stay listed, and no launch touches them
  std::vector<Launch> launches;
  std::vector<plan::Delay> delays; ///< between buffers, copied after a step's launches; only in a program of one time-step
};

/// What a GPU has timed: one kernel on one kind of layer (choose.h's featuresOf).
struct Measurement {
  std::string architecture, features, kernel;
  uint32_t tiles;
  double us;
};

enum class Fuse : uint8_t { Auto, Never, Always };

/// What the choice of kernels is made for. The program computes any batch on any architecture, whatever stands here.
struct Options {
  std::string architecture = "sm_90a"; ///< the GPU whose figures count: one of choose.cpp's
  uint32_t batch = 512;                ///< samples a run
  double rate = 0.1;                   ///< spikes a neuron and step, where `rates` has no number
  std::map<std::string, double> rates; ///< by layer (of its output), or by the name of the network's input
  std::map<std::string, std::string> forced; ///< layer to kernel, as "split" or, with its tile count, "split:2"
  std::string prefer;    ///< a kernel for every layer that it can compute
  bool warpgroup = false; ///< let the model choose kernels with wgmma, which no GPU has confirmed; forced, preferred and measured ones need no leave
  std::vector<Measurement> measured; ///< besides measured.inc's
  Fuse fuse = Fuse::Auto; ///< pools and sums into the layer that reads them; Auto: for batches up to 8, where a launch costs more than its work
};

/// The program of a plan that keeps the contract. Empty launches with `error` set where a limit is passed, or a forced kernel is unknown or cannot
/// compute its layer, or where the network has delays and more than one time-step: its layers need each other step by step.
Program makeProgram(const plan::Network &plan, const Options &options, std::string &error);

/// Event or dense for every layer that they can compute, or the model's choice.
enum class Choice : uint8_t { Auto, Event, Dense };
Program makeProgram(const plan::Network &plan, Choice choice, std::string &error);

} // namespace lasnn::cuda
