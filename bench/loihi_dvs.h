// SANA-FE's dvs.yaml: an SNN-Toolbox/NxTF network for DVS gestures with its neuron-to-core map, which is what its placement is compared
// with.
#pragma once

#include "backends/loihi/map/place.h"
#include "backends/plan/plan.h"

#include <optional>
#include <string>

namespace lasnn::bench {

struct DvsNetwork {
  plan::Network plan;            ///< shapes and weights, halved to fit 8 bits; the input as a layer
  loihi::Traffic traffic;        ///< packets between the published cores over 128 steps, simulated as SANA-FE does
  std::vector<uint32_t> address; ///< of the published cores
  uint64_t fired = 0;            ///< neurons over 128 steps
};

std::optional<DvsNetwork> readDvs(const std::string &file, std::string &error);

} // namespace lasnn::bench
