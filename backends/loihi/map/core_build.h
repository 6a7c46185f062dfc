// One core as it will be: its tiles' compartments, lists, formats and profiles, and what all that takes of the core's limits.
#pragma once

#include "backends/loihi/map/tile.h"

#include <string>

namespace lasnn::loihi {

/// Neurons of one core behind one shared axon (share.h).
struct SharedChunk {
  uint32_t core = 0, first = 0; ///< of the partition; the first neuron's number on it
  uint32_t stride = 0;          ///< words of one atom's list
  std::vector<uint32_t> lists;  ///< by atom; UINT32_MAX: an empty one
};

struct CoreProjection {
  uint32_t tile = 0, projection = 0;
  uint32_t format = 0; ///< its id, 1 and up
  TileSynapses synapses;
  std::vector<SharedChunk> shared; ///< not empty: these stand for synapses.axons
};

struct CoreBuild {
  std::vector<uint32_t> base; ///< by tile: its first compartment
  std::vector<lmap::CompartmentProfile> profiles;
  std::vector<uint32_t> profile;   ///< by tile
  std::vector<int32_t> thresholds; ///< mantissas
  std::vector<lmap::SynapseFormat> formats;
  std::vector<CoreProjection> projections;
  lmap::Resources used; ///< output entries but for soft resets' own are not known here
};

CoreBuild buildCore(const Model &model, const CoreTiles &tiles, const Chip &chip);

/// The first limit that the core breaks, as the chip file calls it; null: none. `extra_outputs` are entries besides used's.
const char *brokenLimit(const lmap::Resources &used, uint64_t extra_outputs, const Chip &chip);
/// Needed and allowed of that limit.
std::pair<uint64_t, uint64_t> limitNumbers(const char *limit, const lmap::Resources &used, const Chip &chip);

} // namespace lasnn::loihi
