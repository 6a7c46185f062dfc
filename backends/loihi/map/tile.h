// A piece of a population that lies on one core, and the synapse lists that reach it.
#pragma once

#include "backends/loihi/encode/list.h"
#include "backends/loihi/lower/model.h"

namespace lasnn::loihi {

/// A box of neurons, or (irregular) any of them.
struct Tile {
  uint32_t population = 0;
  uint32_t c0 = 0, c1 = 0, y0 = 0, y1 = 0, x0 = 0, x1 = 0;
  bool channels_last = false;
  std::vector<uint32_t> neurons; ///< ascending; then the box is empty

  bool box() const { return neurons.empty(); }
  uint32_t size() const { return box() ? (c1 - c0) * (y1 - y0) * (x1 - x0) : uint32_t(neurons.size()); }
  /// Steps in neuron numbers from one channel, row, column to the next.
  uint32_t strideC() const { return channels_last ? 1 : (y1 - y0) * (x1 - x0); }
  uint32_t strideY() const { return (x1 - x0) * (channels_last ? c1 - c0 : 1); }
  uint32_t strideX() const { return channels_last ? c1 - c0 : 1; }
  /// Neuron of the population that is number i of this tile.
  uint32_t neuron(uint32_t i, const Population &population) const;
};

/// A box where the neurons are one, else the list.
Tile tileOf(uint32_t index, const Population &population, std::vector<uint32_t> neurons, bool channels_last);

/// Cores as sets of tiles; where a core lies on the chip is decided later.
using CoreTiles = std::vector<Tile>;
struct Partition {
  std::vector<CoreTiles> cores;
};

/// Each source neuron's axon at this tile.
struct TileAxon {
  uint32_t source = 0, list = 0, cx_base = 0;
};

struct TileSynapses {
  std::vector<std::vector<ListSynapse>> lists; ///< each stored once
  std::vector<TileAxon> axons;                 ///< by list's first use
  uint64_t synapses = 0;                       ///< expanded
  ListFormat format;
  ListBits bits; ///< of all lists
  uint32_t words = 0, longest = 0;
};

/// Makes it the lists' format, and counts their bits and words again.
void setFormat(TileSynapses &synapses, const ListFormat &format, const Chip &chip);

/// The lists from a projection to a tile whose first neuron has compartment `base`.
TileSynapses tileSynapses(const Projection &projection, const Population &population, const Tile &tile, uint32_t base, const Chip &chip);

/// Share of weights that are not 0: below, boxes share their lists too badly to be the last word.
inline constexpr double kRegularDensity = 0.85;

/// What a tile needs through one projection, without building it: exact where no weight is 0, never less than the truth (boxes only).
struct TileCost {
  uint64_t axons = 0, words = 0;
  uint32_t longest = 0;
  ListFormat format;
};
TileCost tileCost(const Projection &projection, const Population &population, const Tile &tile, const Chip &chip);

} // namespace lasnn::loihi
