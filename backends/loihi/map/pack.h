// Fewer cores than one layer each would take: the emptiest cores are dissolved into the room that others have left, whole or in pieces.
#pragma once

#include "backends/loihi/map/core_build.h"
#include "backends/loihi/map/deadline.h"

namespace lasnn::loihi {

struct PackOptions {
  uint32_t pieces_log2 = 3; ///< a tile is halved at most so often
  uint64_t tries = 20000;   ///< cores built at most
  uint32_t fewest = 1;      ///< a lower bound: nothing is tried below
  double across_chips = 0;  ///< share of output entries that is assumed to cross chips
  Deadline deadline;        ///< what is saved by then stays
};

/// Changes partition and builds together; returns the cores saved.
uint32_t pack(const Model &model, const Chip &chip, const PackOptions &options, Partition &partition, std::vector<CoreBuild> &builds);

} // namespace lasnn::loihi
