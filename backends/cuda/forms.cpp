#include "backends/cuda/forms.h"
#include "backends/cuda/kernels/dense.h"
#include "backends/cuda/kernels/skip.h"
#include "backends/cuda/kernels/split.h"

#include <algorithm>
#include <cmath>

namespace lasnn::cuda {
namespace {

// Cycles and instruction counts below are estimates from the kernels' text and from latencies published for Ampere and Hopper (L2 about 250
// cycles, a warp's m16n8k32 about 33 from issue to result, a barrier about 30): they order the kernels until measured.inc does.
constexpr double memoryCycles = 300, barrierCycles = 40, launchCycles = 1000;
/// Of a neuron's step, spikes packed: as ptxas compiles a leak, a reset and the count of clips.
constexpr double neuronInstructions = 18;

uint64_t over(uint64_t value, uint64_t by) { return (value + by - 1) / by; }
uint64_t pixelsOf(const LayerShape &l) { return uint64_t(l.out_height) * l.out_width; }
double chunksOf(const Launch &launch) { return double(over(launch.shape.timesteps, launch.steps)); }
uint32_t tapsOf(const InputShape &in) { return in.kernel_h * in.kernel_w; }

/// Inputs read and spikes written once, weights once: what caches leave of the rest is the form's.
double leastBytes(const Launch &launch, uint32_t batch) {
  const LayerShape &l = launch.shape;
  double bytes = 0;
  for (uint32_t i = 0; i < l.input_count; ++i) {
    const InputShape &in = l.input[i];
    const double frame = double(framePixels(in)) * batch;
    bytes += in.form == formAnalog ? frame * foursOf(in) * 4 : frame * l.timesteps * in.words * (in.form == formBits ? 4 : 32);
    bytes += double(tapsOf(in)) * (in.channels / in.groups) * l.out_channels;
  }
  return bytes +
         (l.out_form == formReadout ? 0 : double(pixelsOf(l)) * batch * l.timesteps * l.out_words * (l.out_form == formBits ? 4 : 32));
}

std::string overCurrents(const LayerShape &l) { return l.compared.height > 0 ? "it takes the largest of windows of currents" : ""; }

/// A thread makes 32 channels of a pixel and step.
struct SimpleRules {
  static std::string cannot(const LayerShape &) { return "it has synapses"; }
  static Grid grid(const Launch &launch) {
    const LayerShape &l = launch.shape;
    if (launch.kernel == Kernel::EncodeImage) return {pixelsOf(l), over(l.out_channels, 4), 1, threadsPerBlock};
    return {pixelsOf(l) * l.timesteps, l.out_words, 1, threadsPerBlock};
  }
  static uint32_t shared(const Launch &) { return 0; }
  static std::vector<uint8_t> pack(const plan::Synapse &, const InputShape &, const Launch &) { return {}; }
  static Work work(const Launch &, uint32_t, const std::vector<double> &) { return {}; }
};
using EncodeImageRules = SimpleRules;
using EncodeEventsRules = SimpleRules;
using PoolRules = SimpleRules;
using AddRules = SimpleRules;

struct EventRules {
  static std::string cannot(const LayerShape &) { return ""; }
  static Grid grid(const Launch &launch) { return {pixelsOf(launch.shape), over(launch.shape.out_channels, 128), 1, warpsPerBlock}; }
  static uint32_t shared(const Launch &) { return 0; }
  static std::vector<uint8_t> pack(const plan::Synapse &s, const InputShape &in, const Launch &launch) {
    return packRows(s, in, launch.shape.out_channels);
  }
  static Work work(const Launch &launch, uint32_t batch, const std::vector<double> &rates) {
    const LayerShape &l = launch.shape;
    double rows = 0, cycles = launchCycles; // of a warp; every row is waited for
    double instructions = 0;
    for (uint32_t i = 0; i < l.input_count; ++i) {
      const InputShape &in = l.input[i];
      const double chunks = in.form == formAnalog ? 1 : chunksOf(launch);
      const double any = in.form == formBits && in.groups == 1 ? 1 - std::pow(1 - rates[i], launch.steps) : 1;
      const double here =
          in.form == formAnalog && in.groups == 1 ? tapsOf(in) * foursOf(in) : tapsOf(in) * double(in.channels / in.groups) * any;
      rows += chunks * here;
      instructions +=
          chunks * (tapsOf(in) * (20.0 + in.words * 15) + here * (10 + launch.steps * (in.form == formBits && in.groups == 1 ? 10 : 30)));
      cycles += chunks * tapsOf(in) * in.words * memoryCycles;
    }
    const double windows = l.compared.height ? l.compared.kernel_h * l.compared.kernel_w : 1;
    const double warps = double(batch) * double(pixelsOf(l) * over(l.out_channels, 128));
    return {0, warps * (windows * instructions + l.timesteps * 4 * neuronInstructions), leastBytes(launch, batch),
            windows * (cycles + rows * memoryCycles / 2), 8};
  }
};

struct DenseRules {
  static std::string cannot(const LayerShape &l) {
    for (uint32_t i = 0; i < l.input_count; ++i)
      if (l.input[i].groups > 1) return "it has " + std::to_string(l.input[i].groups) + " groups";
    return overCurrents(l);
  }
  static Grid grid(const Launch &launch) { return {pixelsOf(launch.shape), over(launch.shape.out_words * 4, launch.tiles), 64, 1}; }
  static uint32_t shared(const Launch &launch) { return denseSharedBytes(launch.steps, launch.tiles, launch.shape.timesteps); }
  static std::vector<uint8_t> pack(const plan::Synapse &s, const InputShape &in, const Launch &launch) {
    return packProducts(s, in, launch.shape.out_channels, launch.tiles);
  }
  /// Product steps of a block, and those times the time-steps they serve.
  static void products(const Launch &launch, double &steps, double &products) {
    steps = products = 0;
    for (uint32_t i = 0; i < launch.shape.input_count; ++i) {
      const InputShape &in = launch.shape.input[i];
      const double here = in.form == formAnalog ? stepsOf(in) : stepsOf(in) * chunksOf(launch);
      steps += here, products += here * (in.form == formAnalog ? 1 : launch.steps);
    }
  }
  static Work work(const Launch &launch, uint32_t batch, const std::vector<double> &) { return workAt(launch, batch, 0.6); }
  /// rate: of the tensor cores' peak that the instruction reaches: mma.sync on Hopper about 0.6 (published microbenchmarks), wgmma nearly
  /// all.
  static Work workAt(const Launch &launch, uint32_t batch, double rate) {
    double steps, times;
    products(launch, steps, times);
    const double blocks = double(grid(launch).blocks(batch)), macs = times * 64 * launch.tiles * 8 * 32;
    const double cycles = launchCycles + memoryCycles + steps / stepsAStage * barrierCycles + steps * 60 + macs / (4096 * rate);
    const double neurons = double(launch.shape.timesteps) * launch.tiles * 4 * neuronInstructions; // of a warp
    return {blocks * macs / rate, blocks * warpsPerBlock * (steps * 10 + times * 10 + neurons), leastBytes(launch, batch),
            cycles + neurons * 2, 2};
  }
};
struct WarpgroupRules : DenseRules {
  static Work work(const Launch &launch, uint32_t batch, const std::vector<double> &) { return workAt(launch, batch, 0.9); }
};

struct SplitRules : DenseRules {
  static Grid grid(const Launch &launch) { return {pixelsOf(launch.shape), over(launch.shape.out_words * 4, launch.tiles), 16, 1}; }
  static uint32_t shared(const Launch &launch) { return splitSharedBytes(launch.steps, launch.tiles); }
  static Work work(const Launch &launch, uint32_t batch, const std::vector<double> &) {
    double steps, times;
    products(launch, steps, times);
    const double blocks = double(grid(launch).blocks(batch)), macs = times * 16 * launch.tiles * 8 * 32;
    // A warp's quarter of the groups, each one load ahead of its products; weights of a block come at some 32 B a cycle of its SM.
    const double waits = steps / warpsPerBlock * (40 + times / steps * launch.tiles * 7), stream = steps * launch.tiles * tileBytes / 32;
    const double sums = launch.steps * launch.tiles * 16 + 4 * barrierCycles;
    return {blocks * macs / 0.6,
            blocks * (steps * (15 + 2 * launch.tiles) + times * 10 +
                      warpsPerBlock * launch.shape.timesteps * launch.tiles * (neuronInstructions + 25)),
            std::max(leastBytes(launch, batch), blocks * steps * launch.tiles * tileBytes / 4),
            launchCycles + memoryCycles + std::max(waits, stream) + sums, 3};
  }
};

struct SkipRules : DenseRules {
  static std::string cannot(const LayerShape &l) {
    for (uint32_t i = 0; i < l.input_count; ++i)
      if (l.input[i].form != formBits) return l.input[i].form == formAnalog ? "it reads the image" : "it reads counts above 1";
    return DenseRules::cannot(l);
  }
  static Grid grid(const Launch &launch) { return {pixelsOf(launch.shape), over(launch.shape.out_words * 8, launch.tiles), 1, 1}; }
  static uint32_t shared(const Launch &launch) { return skipSharedBytes(launch.steps); }
  static std::vector<uint8_t> pack(const plan::Synapse &s, const InputShape &in, const Launch &launch) {
    return packListedRows(s, in, launch.shape.out_channels);
  }
  static Work work(const Launch &launch, uint32_t batch, const std::vector<double> &rates) {
    const LayerShape &l = launch.shape;
    const double streams = double(threadsPerBlock) / launch.tiles, blocks = double(grid(launch).blocks(batch));
    double rounds = 0, fours = 0; // of a chunk of time-steps: lists, and four inputs at a time
    for (uint32_t i = 0; i < l.input_count; ++i) {
      const InputShape &in = l.input[i];
      rounds += double(over(uint64_t(tapsOf(in)) * in.words, threadsPerBlock));
      fours += tapsOf(in) * double(in.channels) * (1 - std::pow(1 - rates[i], launch.steps)) / 4;
    }
    const double chunks = chunksOf(launch), most = std::ceil(fours / streams);
    const double cycles = launchCycles + chunks * (rounds * (memoryCycles + 3 * barrierCycles + 200) + most * memoryCycles / 2 + 300);
    // Rows mostly come from L2, where a byte costs about half of one from memory.
    const double bytes = leastBytes(launch, batch) + blocks * chunks * fours * 4 * launch.tiles * 4 / 2;
    return {0,
            blocks * chunks *
                (rounds * warpsPerBlock * 120 + fours * launch.tiles / 32 * (30 + 7 * launch.steps) + warpsPerBlock * 150 +
                 launch.shape.timesteps * launch.tiles / 8 * neuronInstructions),
            bytes, cycles, 12};
  }
};

struct DepthwiseRules {
  static std::string cannot(const LayerShape &l) {
    for (uint32_t i = 0; i < l.input_count; ++i) {
      const InputShape &in = l.input[i];
      if (in.form == formAnalog) return "it reads the image";
      if (in.groups != in.channels || in.channels != l.out_channels)
        return std::to_string(in.channels) + " channels in " + std::to_string(in.groups) + " groups become " +
               std::to_string(l.out_channels) + ", not each one of its own";
    }
    return overCurrents(l);
  }
  static Grid grid(const Launch &launch) { return {pixelsOf(launch.shape), launch.shape.out_words * 8, 1, threadsPerBlock}; }
  static uint32_t shared(const Launch &) { return 0; }
  static std::vector<uint8_t> pack(const plan::Synapse &s, const InputShape &in, const Launch &launch) {
    return packTaps(s, in, launch.shape.out_channels);
  }
  static Work work(const Launch &launch, uint32_t batch, const std::vector<double> &) {
    double fours = 0;
    for (uint32_t i = 0; i < launch.shape.input_count; ++i)
      fours += double(over(tapsOf(launch.shape.input[i]), 4)) * chunksOf(launch);
    const double blocks = double(grid(launch).blocks(batch)),
                 instructions = fours * (40 + launch.steps * 30) + launch.shape.timesteps * 4 * neuronInstructions;
    return {0, blocks * warpsPerBlock * instructions, leastBytes(launch, batch), launchCycles + fours * memoryCycles + instructions * 4, 8};
  }
};

} // namespace

const std::vector<Form> &forms() {
  static const std::vector<Form> all = {
#define SIMPLE(kernel, name, function)                                                                                                     \
  {Kernel::kernel,     #name, #function, {}, kernel##Rules::cannot, kernel##Rules::grid, kernel##Rules::shared, kernel##Rules::pack,       \
   kernel##Rules::work},
#define LAYER(kernel, name, function, ...)                                                                                                 \
  {Kernel::kernel,                                                                                                                         \
   #name,                                                                                                                                  \
   #function,                                                                                                                              \
   {__VA_ARGS__},                                                                                                                          \
   kernel##Rules::cannot,                                                                                                                  \
   kernel##Rules::grid,                                                                                                                    \
   kernel##Rules::shared,                                                                                                                  \
   kernel##Rules::pack,                                                                                                                    \
   kernel##Rules::work},
#include "backends/cuda/forms.inc"
#undef SIMPLE
#undef LAYER
  };
  return all;
}

const Form &formOf(Kernel kernel) { return forms()[size_t(kernel)]; }

const Form *formNamed(const std::string &name) {
  const auto found = std::find_if(forms().begin(), forms().end(), [&](const Form &form) { return form.name == name; });
  return found == forms().end() ? nullptr : &*found;
}

const char *nameOf(Kernel kernel) { return formOf(kernel).name; }

uint64_t Grid::blocks(uint32_t batch) const { return over(over(batch * rows, rowsAUnit) * columns, unitsABlock); }

bool Launch::layer() const { return !formOf(kernel).tiles.empty(); }
Grid Launch::grid() const { return formOf(kernel).grid(*this); }
uint32_t Launch::sharedBytes() const { return formOf(kernel).sharedBytes(*this); }

} // namespace lasnn::cuda
