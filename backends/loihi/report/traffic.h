// Who sends how many messages to whom, from the mapping's routes: at the layers' assumed rates, or scaled to what a simulation counted.
#pragma once

#include "backends/loihi/check/check.h"
#include "backends/loihi/report/data.h"
#include "backends/loihi/sim/statistics.h"

namespace lasnn::loihi::report {

/// Links, hops and the layers' traffic, in messages a step. `simulated` may be null; links of a simulation replace the routes' own.
Network trafficOf(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked, const Statistics *simulated, const std::vector<LinkLoad> &links);

/// By core as in the mapping, messages a step.
struct CoreTraffic {
  double in = 0, out = 0, hops = 0; ///< hops: of all that leave it
};
std::vector<CoreTraffic> coreTraffic(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked);

/// Spikes of a neuron and step that the mapper assumed; 1 where it did not say.
double rateOf(const lmap::Layer &layer);

} // namespace lasnn::loihi::report
