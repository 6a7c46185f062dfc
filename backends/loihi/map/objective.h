// What a mapping is judged by: cores, energy, latency, or a weighted mean of the three, each relative to the best seen.
#pragma once

#include "backends/loihi/chip.h"

#include <optional>
#include <string>

namespace lasnn::loihi {

struct Objective {
  double cores = 1, energy = 0, latency = 0;
};

/// "cores", "energy", "latency" or three weights "W,W,W" in that order.
std::optional<Objective> parseObjective(const std::string &text);

/// Costs that cuts and places can change, by the chip's calibrated profile; where it has none, Loihi's (nahuku) proportions.
struct EventCosts {
  double message_pj = 111, hop_pj = 3.6;
  double access_ns = 6, update_ns = 3.7, synapse_ns = 3.8, message_in_ns = 16, message_out_ns = 5.1;
};
EventCosts eventCosts(const Chip &chip);

} // namespace lasnn::loihi
