// What METIS makes of the network: neurons as vertices, synapses as edges weighted by spikes, k parts of even size (as SNEAP uses it). A
// baseline of reports, where the library was found.
#pragma once

#include "backends/loihi/map/core_build.h"
#include "backends/loihi/map/deadline.h"

namespace lasnn::loihi {

bool metisFound();

struct MetisResult {
  Partition partition; ///< empty: see why
  std::vector<CoreBuild> builds;
  std::string why;
  bool fits = false;
};
/// The fewest parts, of a few tried from `cores` up, whose cores hold; else the last tried with what it breaks.
MetisResult metisPartition(const Model &model, const Chip &chip, uint32_t cores, uint64_t most_synapses, uint64_t seed,
                           const Deadline &deadline);

} // namespace lasnn::loihi
