// A partition and its place on the chips, written out as an .lmap.
#pragma once

#include "backends/loihi/map/core_build.h"

namespace lasnn::loihi {

/// Everything but the header and the results. `address` by core of the partition; builds as buildCore gave them.
void emit(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds, const std::vector<uint32_t> &address,
          const Chip &chip, lmap::Mapping &mapping);

} // namespace lasnn::loihi
