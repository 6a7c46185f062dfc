// Multilevel partitioning of a layer's hypergraph under all of a core's limits at once: vertices that share nets are merged, the small
// graph is cut, and the cut is refined while the vertices come apart again (Fiduccia-Mattheyses moves and swaps).
#pragma once

#include "backends/loihi/map/deadline.h"
#include "backends/loihi/map/hypergraph.h"

namespace lasnn::loihi {

/// What one part may hold. Words are a model (words_of, times what the caller has learned); everything else is exact.
struct PartLimits {
  uint64_t compartments = 0, axons = 0, entries = 0, words = 0, thresholds = 0;
  double words_scale = 1;                      ///< words that a list really takes, over the model's
  std::vector<std::vector<uint32_t>> words_of; ///< by projection of the graph and synapses of the list
  std::vector<uint32_t> longest;               ///< by projection: synapses that one list may hold
};

struct Cut {
  std::vector<uint32_t> part; ///< by vertex; empty: none was found
  uint32_t parts = 0;
  double packets = 0;
};

struct CutOptions {
  uint64_t seed = 1;
  uint32_t passes = 8;      ///< of refinement a level, at most
  bool fewer_parts = false; ///< dissolve parts even where packets grow
  uint32_t fewest = 1;      ///< parts, a lower bound
  Deadline deadline;
};

/// From nothing.
Cut multilevelCut(const Hypergraph &graph, const PartLimits &limits, const CutOptions &options);
/// From a cut that fits: never worse than it.
Cut refinedCut(const Hypergraph &graph, const PartLimits &limits, const CutOptions &options, Cut start);

} // namespace lasnn::loihi
