// From the integer network to populations and projections: pools and adds vanish into synapses, maximum pools of spikes become OR neurons,
// the image's convolutions go to the host, every layer gets a scale at which the chip's arithmetic equals ir/spec.md, skip paths get
// delays.
#pragma once

#include "backends/loihi/lower/model.h"

namespace lasnn::loihi {

/// Either a model or every reason why the chip cannot compute this network: layer, needed, allowed, cure.
struct LowerResult {
  std::optional<Model> model;
  std::vector<std::string> errors;
};

LowerResult lower(const plan::Network &network, const Chip &chip);

} // namespace lasnn::loihi
