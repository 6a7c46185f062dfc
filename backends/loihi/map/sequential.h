// The mapper that everybody writes first: neurons in order (rows, columns, channels), core after core, until a limit is met. The baseline
// of reports.
#pragma once

#include "backends/loihi/map/core_build.h"

namespace lasnn::loihi {

/// Empty when some neuron alone does not fit a core, or more than `most_cores` would be needed.
Partition sequentialPartition(const Model &model, const Chip &chip, uint32_t most_cores);

} // namespace lasnn::loihi
