// Where cores lie: chips first (few packets between them), then tiles of each chip (few hops, then an even load of the links).
#pragma once

#include "backends/loihi/chip.h"

#include <cstdint>
#include <vector>

namespace lasnn::loihi {

/// Packets of a step between cores, each pair once; a core's packets to itself cost no hop and are left out.
struct Traffic {
  struct Edge {
    uint32_t from = 0, to = 0;
    double packets = 0;
  };
  uint32_t cores = 0;
  std::vector<Edge> edges;
};

struct PlaceOptions {
  uint64_t seed = 1;
  double moves_per_core = 3000;      ///< of the annealing over hops
  double link_moves_per_core = 1000; ///< and of the second, over the busiest links; 0: none
  double link_weight = 0.02;         ///< in the second annealing, of the links' loads against the hops
  double time_limit_s = 0;           ///< 0: none
};

struct PlaceScore {
  double packets = 0, hops = 0, max_link = 0, between_chips = 0;
  double meanHops() const { return packets > 0 ? hops / packets : 0; }
};

enum class PlaceOrder { Sequential, Hilbert, Random };

/// Addresses by core, without any search: along the cores' numbering, a Hilbert curve over tiles, or at random.
std::vector<uint32_t> placeInOrder(const Traffic &traffic, const Chip &chip, PlaceOrder order, uint64_t seed);
/// The best found from the Hilbert curve on.
std::vector<uint32_t> place(const Traffic &traffic, const Chip &chip, const PlaceOptions &options);
PlaceScore scoreOf(const Traffic &traffic, const std::vector<uint32_t> &address, const Chip &chip);

} // namespace lasnn::loihi
