// Layers whose synapses follow no grid (pruned, random, recurrent): cut along who shares axons with whom, where that beats the grid's
// boxes.
#pragma once

#include "backends/loihi/map/core_build.h"
#include "backends/loihi/map/deadline.h"
#include "backends/loihi/map/objective.h"

namespace lasnn::loihi {

struct IrregularOptions {
  Objective objective;
  uint64_t seed = 1;
  uint32_t effort = 2;
  std::vector<bool> only;  ///< by population: those to look at; empty: all
  double across_chips = 0; ///< share of output entries that is assumed to cross chips
  Deadline deadline;
};

/// Changes partition and builds together, layer by layer from the outputs back, only where the objective gains; every core holds one tile.
/// What does not fit is cut anew whatever it costs. Returns the layers that changed.
uint32_t cutIrregularly(const Model &model, const Chip &chip, const IrregularOptions &options, Partition &partition,
                        std::vector<CoreBuild> &builds);

/// What the cut of one layer costs; the mapper's objective compares two of them.
struct LayerCost {
  double cores = 0, packets = 0, busy_ns = 0;
};
/// Below 1: `a` is better than `b`.
double relativeCost(const LayerCost &a, const LayerCost &b, const Objective &objective);

/// The model of a list's words that bounds any encoding: never less than what buildCore finds.
std::vector<uint32_t> sparseWords(const Projection &projection, const Chip &chip);

} // namespace lasnn::loihi
