#include "backends/loihi/check/parts.h"
#include "backends/loihi/check/walk.h"

#include "runtime/core/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace lasnn::loihi::check {
namespace {

/// Most neurons of a layer that a file may claim: above it something is damaged.
constexpr uint64_t kMostNeurons = uint64_t(1) << 30;

uint64_t magnitude(int64_t low, int64_t high) { return std::max(low < 0 ? uint64_t(-(low + 1)) + 1 : uint64_t(low), high < 0 ? uint64_t(-(high + 1)) + 1 : uint64_t(high)); }
/// Largest magnitude in a register of so many bits, sign included.
uint64_t holds(uint32_t bits) { return (uint64_t(1) << (bits - 1)) - 1; }

void checkTimes(Context &c, const lmap::Layer &layer) {
  const std::string place = fmt::format("layer '{}'", layer.name());
  c.found.limit("latency", place, layer.start(), c.mapping.header().latency(), "the layer starts after the run's latency: its last outputs would not be there", kMapAgain);
  if (layer.synapse_names_size() != layer.sources_size())
    c.found.rule("layer-sources", place, fmt::format("{} sources have {} names", layer.sources_size(), layer.synapse_names_size()), kMapAgain);
  const bool late = layer.source_steps_size() > 0;
  if (late && layer.source_steps_size() != layer.sources_size())
    return c.found.rule("layer-sources", place, fmt::format("{} sources are late by {} numbers of steps", layer.sources_size(), layer.source_steps_size()), kMapAgain);
  for (int i = 0; i < layer.sources_size(); ++i) {
    const int32_t source = layer.sources(i);
    if (source < -1 || source >= c.mapping.layers_size()) {
      c.found.rule("layer-sources", place, fmt::format("its source {} is no layer", source), kMapAgain);
      continue;
    }
    if (source >= 0 && c.mapping.layers(source).kind() != lmap::SPIKING)
      c.found.rule("layer-sources", place, fmt::format("its source '{}' is a read-out", c.mapping.layers(source).name()), kMapAgain);
    // Feedback's spikes are for a later step of the network: their layer may start later by as many.
    const uint64_t from = source >= 0 ? uint64_t(c.mapping.layers(source).start()) + 1 : 0, by = uint64_t(layer.start()) + (late ? layer.source_steps(i) : 0);
    if (from > by)
      c.found.limit("start", place, from, by, fmt::format("its spikes come from '{}', which starts too late", c.mapping.layers(source).name()), kMapAgain);
  }
}

void checkWidths(Context &c, const lmap::Layer &layer) {
  const Arithmetic &a = c.chip.arithmetic;
  const std::string place = fmt::format("layer '{}'", layer.name());
  if (layer.scale_log2() > 30) return c.found.limit("scale", place, layer.scale_log2(), 30, "its scale", kMapAgain);
  const uint64_t scale = uint64_t(1) << layer.scale_log2();
  c.found.limit("sum-width", place, magnitude(layer.sum_low(), layer.sum_high()) * scale, holds(std::min(a.accumulator, a.current)),
                "a step's synaptic sum does not fit the chip's registers", "use narrower weights, or split the layer's inputs over two steps");
  if (!layer.clamp_low() && !layer.clamp_high())
    c.found.limit("voltage-width", place, magnitude(layer.v_low(), layer.v_high()) * scale, holds(a.voltage), "its voltage does not fit the chip's register, and would be clipped",
                  "use narrower weights, fewer steps, or a neuron that leaks");
  c.found.limit("decay", place, layer.decay(), uint64_t(1) << a.decay, "its decay", "train with a leak between 0 and 1");
  if (layer.s_max() > 1) {
    const uint64_t most = a.graded_payload >= 32 ? UINT32_MAX : (uint64_t(1) << a.graded_payload) - 1;
    c.found.limit("graded-spikes", place, layer.s_max(), std::max<uint64_t>(1, most), "its neurons fire more spikes a step than a message carries", "train with s_max = 1, or use a chip with graded spikes");
  }
}

void checkVectors(Context &c, const lmap::Layer &layer) {
  const Arithmetic &a = c.chip.arithmetic;
  const std::string place = fmt::format("layer '{}'", layer.name());
  const uint32_t channels = layer.channels();
  auto whole = [&](int size, const char *what, bool needed) {
    if (uint32_t(size) == channels || (!needed && size == 0)) return true;
    c.found.equal("layer-vectors", place, uint64_t(size), channels, fmt::format("it has {} {} for {} channels", size, what, channels), kMapAgain);
    return false;
  };
  whole(layer.bias_size(), "biases", false), whole(layer.rho_size(), "reset amounts", layer.reset() == lmap::SUBTRACT || layer.s_max() > 1), whole(layer.v_initial_size(), "initial voltages", false);
  if (layer.kind() != lmap::SPIKING || !whole(layer.v_threshold_size(), "thresholds", true)) return;
  const int64_t step = int64_t(1) << a.threshold_shift, most = ((int64_t(1) << a.threshold_mantissa) - 1) * step;
  for (int32_t threshold : layer.v_threshold()) {
    if (threshold % step != 0)
      c.found.rule("threshold-grid", place, fmt::format("the threshold {} is no multiple of {}", threshold, step), "quantize for the chip: lasnn-compile does so by itself from a float model");
    c.found.limit("threshold-range", place, threshold < 0 ? uint64_t(-int64_t(threshold)) : uint64_t(threshold), threshold < 0 ? 0 : uint64_t(most), "the threshold's mantissa", "use a smaller scale: narrower weights");
  }
}

} // namespace

void checkHeader(Context &c) {
  const lmap::Header &h = c.mapping.header();
  if (h.timesteps() == 0) c.found.rule("timesteps", "the run", "it has no step", kMapAgain);
  if (h.chip_name() != c.chip.name) c.found.rule("chip", "the mapping", fmt::format("it is for chip '{}', this is '{}'", h.chip_name(), c.chip.name), "check it against its own chip");
  const std::string hash = fmt::format("{:016x}", runtime::hash64(h.chip_text().data(), h.chip_text().size(), 0));
  if (!h.chip_text().empty() && h.chip_hash() != hash) c.found.rule("chip-text", "the chip's description", fmt::format("its hash is {}, the header says '{}'", hash, h.chip_hash()), kMapAgain);
  const uint64_t perChip = c.chip.mesh.cores_per_chip, all = perChip * c.chip.mesh.chips;
  for (int i = 0; i < c.mapping.cores_size(); ++i) {
    const uint64_t address = c.mapping.cores(i).address();
    c.found.limit("chips", c.places[size_t(i)], address / perChip + 1, c.chip.mesh.chips, fmt::format("the core lies on chip {}", address / perChip),
                  fmt::format("the target has {} cores: use narrower layers or weights, or a larger target", all));
  }
}

void checkLayers(Context &c) {
  std::vector<uint32_t> outputs(std::min<uint64_t>(c.mapping.output_count(), kMostNeurons), 0);
  for (int i = 0; i < c.mapping.layers_size(); ++i) {
    const lmap::Layer &layer = c.mapping.layers(i);
    const std::string place = fmt::format("layer '{}'", layer.name());
    if (sizeOf(layer) == 0 || sizeOf(layer) > kMostNeurons) {
      c.found.limit("layer-size", place, std::max<uint64_t>(1, sizeOf(layer)), sizeOf(layer) ? kMostNeurons : 0, "its number of neurons", kMapAgain);
      continue;
    }
    checkTimes(c, layer);
    checkWidths(c, layer);
    checkVectors(c, layer);
    if (layer.kind() == lmap::SPIKING) continue;
    for (uint64_t n = 0; n < sizeOf(layer); ++n) {
      const uint64_t at = layer.output_offset() + n;
      if (at >= outputs.size()) c.found.limit("outputs", place, at + 1, outputs.size(), "it writes beyond the outputs", kMapAgain);
      else if (outputs[at]++) c.found.rule("outputs", place, fmt::format("output {} is written twice", at), kMapAgain);
    }
  }
  const uint64_t missing = uint64_t(std::count(outputs.begin(), outputs.end(), 0u));
  if (missing) c.found.rule("outputs", "the run", fmt::format("{} of {} outputs are never written", missing, outputs.size()), kMapAgain);
  for (const lmap::HostLayer &host : c.mapping.host()) {
    if (host.layer() >= uint32_t(c.mapping.layers_size())) {
      c.found.rule("host-layer", fmt::format("host layer '{}'", host.name()), fmt::format("its layer {} does not exist", host.layer()), kMapAgain);
      continue;
    }
    const uint64_t kernels = uint64_t(c.mapping.layers(int(host.layer())).channels()) * (host.groups() ? c.mapping.input_channels() / host.groups() : 0);
    c.found.equal("host-layer", fmt::format("host layer '{}'", host.name()), host.weight().size(), kernels * host.kernel_h() * host.kernel_w(), "its number of weights", kMapAgain);
  }
}

} // namespace lasnn::loihi::check
