// Packets between the cores of a partition, from what buildCore found.
#pragma once

#include "backends/loihi/map/core_build.h"
#include "backends/loihi/map/place.h"

namespace lasnn::loihi {

/// A step's packets at the layers' assumed rates; also those that stay on a core.
Traffic trafficOf(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds);
/// Discrete output entries by core, without those across chips.
std::vector<uint64_t> entriesOf(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds);

} // namespace lasnn::loihi
