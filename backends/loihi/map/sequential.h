// The mapper that everybody writes first: neurons in order, core after core, until a limit is met. The baselines of reports.
#pragma once

#include "backends/loihi/map/core_build.h"
#include "backends/loihi/map/deadline.h"

namespace lasnn::loihi {

enum class NeuronOrder {
  Tensor, ///< the index order of the network's tensors: channels, rows, columns (what SNEAP and SpiNeMap compare with)
  Spatial ///< rows, columns, and innermost channels: neighbours share their axons, which makes it the harder baseline
};

/// Empty when some neuron alone does not fit a core, more than `most_cores` would be needed, or the time is over.
Partition sequentialPartition(const Model &model, const Chip &chip, NeuronOrder order, uint32_t most_cores, const Deadline &deadline = {});

} // namespace lasnn::loihi
