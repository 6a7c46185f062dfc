// What a layer's sums and voltages can reach, for any input: intervals by channel, step after step.
#pragma once

#include "backends/loihi/lower/model.h"

namespace lasnn::loihi {

/// Inclusive, unscaled.
struct Range {
  int64_t low = 0, high = 0;
};

struct Bounds {
  std::vector<Range> synapses;   ///< by channel: every partial sum of spikes' weights
  std::vector<Range> host;       ///< by channel: the image's part
  std::vector<Range> raw;        ///< by channel: the voltage before any clamp
  std::vector<Range> subtracted; ///< by channel: after a reset by subtraction, before the second clamp (N7)
  Range sum, voltage;            ///< over all channels; the voltage after clamps
};

/// `counts`: the largest spike count of each of the population's projections.
Bounds bound(const Population &population, const std::vector<const Projection *> &projections, const std::vector<uint32_t> &counts,
             const plan::Layer *layer, const plan::Neuron &neuron, const Model &model);

/// The largest and the smallest weight that a single synapse of the projection can have, taps added up.
Range weightRange(const Projection &projection);

} // namespace lasnn::loihi
