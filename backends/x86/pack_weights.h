// Weights [K][C/groups][kernel_h][kernel_w] into the order that the kernels read (runtime/format/layout.h).
#pragma once

#include "format/layout.h"

#include <cstdint>
#include <vector>

namespace lasnn::x86 {

/// The narrowest width of format::isRowWidth, from `least` on, that holds every weight.
uint32_t weightBits(const std::vector<int8_t> &weight, uint32_t least);

/// Rows of shape.weight_bits.
std::vector<uint8_t> packSpikeWeights(const format::SynapseShape &shape, const std::vector<int8_t> &weight);

std::vector<uint8_t> packAnalogWeights(const format::SynapseShape &shape, const std::vector<int8_t> &weight);

} // namespace lasnn::x86
