#include "backends/cuda/choose.h"

#include <algorithm>
#include <sstream>

namespace lasnn::cuda {
namespace {

/// What the cost model knows of a GPU.
struct Gpu {
  const char *architecture, *name;
  double sms, clock_ghz;
  double macs_a_cycle; ///< int8 on the tensor cores of an SM, dense
  double memory_gb_s;
};

// Data sheets: A100 80 GB SXM (NVIDIA, 2021): 108 SMs, 1.41 GHz, 624 TOPS of dense int8, 2039 GB/s. H100 SXM (NVIDIA, 2023): 132 SMs, 1979
// TOPS, which is 4096 multiply-adds a cycle and SM at 1.83 GHz, 3350 GB/s; an H200 differs in its memory, 4800 GB/s.
constexpr Gpu gpus[] = {
    {"sm_80", "A100", 108, 1.41, 2048, 2039},
    {"sm_90", "H100", 132, 1.83, 4096, 3350},
    {"sm_90a", "H100", 132, 1.83, 4096, 3350},
};

/// Launches of a recorded graph follow each other this closely: an assumption until a GPU has been asked.
constexpr double launch_us = 2;
/// Warp instructions of such kernels that an SM issues a cycle: two integer ones (64 lanes; CUDA programming guide, throughput of native arithmetic),
/// with multiplies and moves beside them on the other pipe; four at most. In between until a GPU has been asked.
constexpr double instructionsACycle = 3;
/// Of what does not bound a kernel, this much shows nevertheless: an assumption that tells kernels with one bound apart.
constexpr double unhidden = 0.1;

const std::vector<Measurement> &measurements() {
  static const std::vector<Measurement> all = {
#define MEASURED(architecture, features, kernel, tiles, us) {architecture, features, kernel, tiles, us},
#include "backends/cuda/measured.inc"
#undef MEASURED
  };
  return all;
}

const Gpu *gpuOf(const std::string &architecture) {
  for (const Gpu &gpu : gpus)
    if (architecture == gpu.architecture) return &gpu;
  return nullptr;
}

std::string layerKernels() {
  std::string names;
  for (const Form &form : forms())
    if (!form.tiles.empty()) names += (names.empty() ? "" : ", ") + std::string(form.name);
  return names;
}

/// "split" or "split:2".
bool force(Launch &launch, const std::string &text, const Options &options, const std::vector<double> &rates, std::string &error) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon), where = "layer " + launch.name + ", kernel " + text + ": ";
  const Form *form = formNamed(name);
  if (!form || form->tiles.empty()) {
    error = where + "there is no such kernel for layers; there are " + layerKernels();
    return false;
  }
  if (const std::string why = form->cannot(launch.shape); !why.empty()) {
    error = where + "the kernel cannot compute the layer: " + why;
    return false;
  }
  double best = 0;
  bool found = false;
  std::string counts;
  for (const uint32_t tiles : form->tiles) {
    counts += (counts.empty() ? "" : ", ") + std::to_string(tiles);
    if (colon != std::string::npos && text.substr(colon + 1) != std::to_string(tiles)) continue;
    Launch candidate = launch;
    candidate.kernel = form->kernel, candidate.tiles = tiles;
    const double us = estimateOf_us(candidate, options, rates);
    if (!found || us < best) best = us, launch.kernel = form->kernel, launch.tiles = tiles;
    found = true;
  }
  if (!found) error = where + "its tile counts are " + counts;
  return found;
}

} // namespace

bool knowsGpu(const std::string &architecture) { return gpuOf(architecture) != nullptr; }

std::string featuresOf(const Launch &launch, uint32_t batch) {
  const LayerShape &l = launch.shape;
  std::ostringstream text;
  text << "b" << batch << " t" << l.timesteps;
  for (uint32_t i = 0; i < l.input_count; ++i) {
    const InputShape &in = l.input[i];
    text << ' '
         << (in.form == formBits     ? "bits"
             : in.form == formCounts ? "counts"
                                     : "image")
         << ' ' << in.channels << 'x' << in.height << 'x' << in.width << " k" << in.kernel_h << 'x' << in.kernel_w << " s" << in.stride_h
         << 'x' << in.stride_w << " d" << in.dilation_h << 'x' << in.dilation_w << " g" << in.groups;
    if (in.pool_h * in.pool_w > 1) text << " p" << in.pool_h << 'x' << in.pool_w;
  }
  text << " -> "
       << (l.out_form == formReadout ? "readout"
           : l.out_form == formBits  ? "bits"
                                     : "counts")
       << ' ' << l.out_channels << 'x' << l.out_height << 'x' << l.out_width;
  if (l.compared.height) text << " max" << l.compared.kernel_h << 'x' << l.compared.kernel_w;
  return text.str();
}

double estimateOf_us(const Launch &launch, const Options &options, const std::vector<double> &rates) {
  const Gpu *known = gpuOf(options.architecture);
  const Gpu &gpu = known ? *known : gpus[0];
  const Work work = formOf(launch.kernel).work(launch, options.batch, rates);
  const auto blocks = double(launch.grid().blocks(options.batch));
  const double waves = std::max(1.0, blocks / (gpu.sms * work.blocks_an_sm)), busy = std::min(blocks, gpu.sms);
  const double tensor = work.tensor_macs / gpu.macs_a_cycle / busy, integer = work.instructions / instructionsACycle / busy, alone = waves * work.block_cycles;
  const double most = std::max({tensor, integer, alone});
  const double cycles = most + (tensor + integer + alone - most) * unhidden;
  return launch_us + std::max(cycles / gpu.clock_ghz / 1e3, work.bytes / gpu.memory_gb_s / 1e3);
}

bool choose(Launch &launch, const Options &options, const std::vector<double> &rates, std::string &error) {
  if (const auto forced = options.forced.find(launch.name); forced != options.forced.end())
    return force(launch, forced->second, options, rates, error);
  if (!options.prefer.empty()) {
    const Form *form = formNamed(options.prefer.substr(0, options.prefer.find(':')));
    if (!form || form->tiles.empty() || form->cannot(launch.shape).empty()) return force(launch, options.prefer, options, rates, error);
  }
  const std::string features = featuresOf(launch, options.batch);
  double best = 0;
  bool found = false;
  for (const std::vector<Measurement> *list : {&measurements(), &options.measured})
    for (const Measurement &line : *list) {
      const Form *form = formNamed(line.kernel);
      if (options.architecture != line.architecture || features != line.features || !form || !form->cannot(launch.shape).empty() ||
          std::find(form->tiles.begin(), form->tiles.end(), line.tiles) == form->tiles.end())
        continue;
      if (!found || line.us < best) best = line.us, launch.kernel = form->kernel, launch.tiles = line.tiles, found = true;
    }
  if (found) return true;
  for (const Form &form : forms()) {
    if (form.tiles.empty() || !form.cannot(launch.shape).empty() || (form.kernel == Kernel::Warpgroup && !options.warpgroup)) continue;
    for (const uint32_t tiles : form.tiles) {
      Launch candidate = launch;
      candidate.kernel = form.kernel, candidate.tiles = tiles;
      const double us = estimateOf_us(candidate, options, rates);
      if (!found || us < best) best = us, launch.kernel = form.kernel, launch.tiles = tiles, found = true;
    }
  }
  return true;
}

} // namespace lasnn::cuda
