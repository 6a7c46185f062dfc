// A design-space sweep as a table: targets x widths x objectives, and which points no other one beats.
#pragma once

#include "backends/loihi/report/data.h"

#include <nlohmann/json.hpp>

namespace lasnn::loihi::report {

struct SweepPoint {
  std::string target, weights, objective;
  bool fits = false;
  std::string verdict; ///< or why there is no mapping
  Maybe cores, lower_bound, chips, fullest_percent, synapse_words, packets_per_step, hops_mean, latency_steps;
  Maybe energy_pj, time_ns; ///< an inference, simulated; energy with static where known
  Maybe accuracy_percent;
  double seconds = 0; ///< of quantizing and mapping
  bool best = false;  ///< no fitting point is as good in everything and better in something
};

struct Sweep {
  std::string model, tool, data; ///< data: what was simulated; empty: nothing
  std::vector<SweepPoint> points;
};

/// Marks the points that nothing beats: fewer cores, less energy, less time, more accuracy; what a point does not know counts as worst.
void markBest(Sweep &);

std::string toText(const Sweep &);
std::string toCsv(const Sweep &);
nlohmann::ordered_json toJson(const Sweep &);
std::string toHtml(const Sweep &);

} // namespace lasnn::loihi::report
