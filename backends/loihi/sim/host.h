// The host's part of a network with an image: its first convolution, in integers, whose result becomes biases.
#pragma once

#include "backends/loihi/lmap.pb.h"

#include <cstdint>
#include <vector>

namespace lasnn::loihi {

/// By layer: the current of every neuron times 2^scale_log2; empty where the host adds nothing.
using StemCurrents = std::vector<std::vector<int32_t>>;

StemCurrents stemCurrents(const lmap::Mapping &mapping, const uint8_t *image);

} // namespace lasnn::loihi
