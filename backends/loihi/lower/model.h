// A network in the chip's terms: populations of neurons and projections between them, at the chip's scale, with delays. What the mapper
// cuts.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"
#include "backends/loihi/lower/axis.h"
#include "backends/plan/plan.h"

#include <memory>
#include <optional>

namespace lasnn::loihi {

/// How a projection's weights lie in synapse memory (lmap.proto, SynapseFormat).
struct WeightFormat {
  lmap::Sign sign = lmap::MIXED;
  uint32_t bits = 8;
  int32_t exponent = 0;
  uint32_t shift = 0; ///< zeros below every weight, which the exponent makes up for: stored is weight >> shift
  bool operator==(const WeightFormat &) const = default;
  auto operator<=>(const WeightFormat &) const = default;
};

/// weight(k, c, y, x) over the products of the axes' taps, as plan::Synapse; groups as there.
struct Projection {
  std::string name;
  int32_t source = -1;              ///< population; -1: the network's input
  uint32_t target = 0, synapse = 0; ///< `synapse`: its number among the target's
  uint32_t channels_in = 1, channels_out = 1, groups = 1;
  Axis y, x;
  std::shared_ptr<const std::vector<int8_t>> weight; ///< [channels_out][channels_in / groups][y.taps][x.taps]
  bool plain = true;                                 ///< each synapse is one of `weight`
  double density = 1;                                ///< share of weights that are not 0
  uint32_t steps = 0;                                ///< network steps late (snn.delay)
  uint32_t delay = 0;                                ///< beyond the step that every spike takes
  WeightFormat format;

  uint32_t inGroup() const { return channels_in / groups; }
  uint32_t outGroup() const { return channels_out / groups; }
  /// Row of weights from channel c (of the source) to k, or null when their groups differ.
  const int8_t *kernel(uint32_t k, uint32_t c) const {
    if (k / outGroup() != c / inGroup()) return nullptr;
    return weight->data() + (size_t(k) * inGroup() + c % inGroup()) * y.taps * x.taps;
  }
};

struct HostSynapse {
  plan::Synapse synapse;
};

struct Population {
  std::string name, type;
  lmap::LayerKind kind = lmap::SPIKING;
  uint32_t plan_layer = 0, output_offset = 0;
  uint32_t channels = 1, height = 1, width = 1;
  uint32_t start = 0; ///< chip step of network step 0
  uint32_t scale_log2 = 6;
  uint32_t decay = 0;
  lmap::Reset reset = lmap::ZERO;
  uint32_t s_max = 1;
  // By channel, times 2^scale_log2. Thresholds are multiples of the chip's step.
  std::vector<int64_t> threshold, rho, bias, initial;
  bool clamp_low = false, clamp_high = false;
  int64_t v_min = 0, v_max = 0;
  int32_t v_min_exponent = -1, v_max_exponent = -1;
  uint32_t compartments = 1; ///< a neuron takes
  uint32_t bias_terms = 0;
  bool soft_reset = false;                                  ///< a pair of compartments with a synapse of its own
  int64_t v_low = 0, v_high = 0, sum_low = 0, sum_high = 0; ///< proved, unscaled
  std::vector<HostSynapse> host;
  std::vector<uint32_t> projections; ///< into it
  double rate = 1;                   ///< spikes of a neuron and step, assumed

  uint32_t pixels() const { return height * width; }
  uint32_t neurons() const { return channels * pixels(); }
};

struct Model {
  std::string name;
  uint32_t timesteps = 1, latency = 0;
  plan::Encoding encoding = plan::Encoding::Direct;
  plan::Buffer input;
  std::vector<int8_t> encode_table;
  uint32_t output_count = 0;
  float output_scale = 1;
  std::vector<Population> populations; ///< sources before targets, but for feedback
  std::vector<Projection> projections;

  uint64_t neurons() const {
    uint64_t sum = 0;
    for (const Population &p : populations)
      sum += p.neurons();
    return sum;
  }
};

} // namespace lasnn::loihi
