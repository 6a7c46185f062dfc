// Packets between the cores of a partition, from what buildCore found.
#pragma once

#include "backends/loihi/map/core_build.h"
#include "backends/loihi/map/place.h"

namespace lasnn::loihi {

/// A step's packets at the layers' assumed rates; also those that stay on a core.
Traffic trafficOf(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds);
/// Output entries by core, without what crossing chips adds and without soft resets' own.
std::vector<uint64_t> entriesOf(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds, const Chip &chip);

} // namespace lasnn::loihi
