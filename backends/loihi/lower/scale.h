// The scale 2^j at which a layer lives on the chip so that its integers mean what ir/spec.md says: thresholds on the chip's grid, weights,
// bias, clamp and sums within their fields.
#pragma once

#include "backends/loihi/lower/bounds.h"

namespace lasnn::loihi {

/// What the layer is in the network; an OR pool has no layer of its own.
struct Meaning {
  plan::Neuron neuron;
  std::vector<int32_t> bias;
};

/// Sets every scaled field of the population and the formats of its projections; or says why no scale does.
bool fitScale(Population &population, const std::vector<Projection *> &projections, const Bounds &bounds, const Meaning &meaning,
              const Chip &chip, std::vector<std::string> &errors);

/// Bias registers that hold `value` as a sum of mantissa << exponent; the second: any multiple of 2^step_log2 up to that magnitude.
uint32_t biasTerms(int64_t value, const Arithmetic &arithmetic);
uint32_t biasTermsUpTo(int64_t magnitude, uint32_t step_log2, const Arithmetic &arithmetic);

} // namespace lasnn::loihi
