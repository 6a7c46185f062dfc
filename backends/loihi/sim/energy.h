// Energy and time from what was counted, by one profile; and where messages travel.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/sim/statistics.h"

#include <string>
#include <vector>

namespace lasnn::loihi {

/// What the counted events cost; unknown costs add nothing.
StepCost energyOf(const Counts &counts, const Profile &profile);
/// How long the core works: the longer of its neurons (with the messages that they send) and its incoming messages (with their synapses),
/// which run side by side. Without the barrier.
double busyNs(const Counts &counts, const Profile &profile);
/// "message_out.energy" ...: what was counted but has no number, so that sums leave it out.
std::vector<std::string> leftOut(const Counts &counts, const Profile &profile);

/// Links that a message takes between two cores, from tile to tile: first along x, then along y, then from chip to chip.
std::vector<LinkLoad> routeOf(const Chip &chip, uint32_t from_address, uint32_t to_address);

/// Of all runs together, by one profile. Divide by Statistics::runs for one sample.
struct EnergyReport {
  std::string profile, title;
  StepCost total;
  double static_pj = 0; ///< static power over the time that the steps take
  bool static_known = false;
  double energy_error_percent = -1, time_error_percent = -1; ///< -1: not stated
  std::vector<std::string> left_out;
};
EnergyReport energyReport(const Chip &chip, size_t profile, uint32_t chips, const Statistics &statistics);

} // namespace lasnn::loihi
