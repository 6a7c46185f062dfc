// Cutting each layer into a grid of boxes, one a core: every grid's exact needs, then a beam search from the outputs back to the input,
// because what a layer's cores must send depends on how its consumers are cut.
#pragma once

#include "backends/loihi/map/deadline.h"
#include "backends/loihi/map/objective.h"
#include "backends/loihi/map/tile.h"

#include <array>
#include <map>

namespace lasnn::loihi {

struct Grid {
  uint32_t parts_c = 1, parts_y = 1, parts_x = 1;
  bool channels_last = false;
  uint32_t cores() const { return parts_c * parts_y * parts_x; }
};

struct TilingOptions {
  Objective objective;
  uint32_t beam = 16, grids = 24; ///< states kept, grids kept a layer
  double across_chips = 0;        ///< share of entries that is assumed to cross chips
  /// Grids (population, parts of channels, rows, columns) that turned out not to fit, and the limit.
  std::map<std::array<uint32_t, 4>, std::string> refused;
  Deadline deadline; ///< afterwards the first grid that fits is taken
};

struct TilingResult {
  std::vector<Grid> grids;                                                         ///< by population
  std::map<std::pair<uint32_t, std::string>, uint64_t> rejections;                 ///< (population, limit): grids refused
  std::map<std::pair<uint32_t, std::string>, std::pair<uint64_t, uint64_t>> least; ///< likewise: the smallest need, and what is allowed
  std::vector<bool> unsure;                                                        ///< by population: its grid holds the compartments, maybe no more
  int64_t failed = -1;                                                             ///< population without a grid that fits
};

TilingResult tile(const Model &model, const Chip &chip, const TilingOptions &options);

/// Where part i of `parts` begins: parts differ by one at most.
inline uint32_t partStart(uint32_t size, uint32_t parts, uint32_t i) { return uint32_t(uint64_t(size) * i / parts); }
/// The boxes of a grid, channels slowest.
std::vector<Tile> tilesOf(uint32_t population, const Population &shape, const Grid &grid);

} // namespace lasnn::loihi
