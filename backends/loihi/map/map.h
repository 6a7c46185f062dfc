// The mapper: lower, cut, pack, place, write. Deterministic by seed for any number of threads.
#pragma once

#include "backends/loihi/lmap.h"
#include "backends/loihi/lower/lower.h"
#include "backends/loihi/map/objective.h"
#include "backends/provenance.h"

#include <map>

namespace lasnn::loihi {

struct MapOptions {
  Objective objective;
  std::string objective_text = "cores";
  uint64_t seed = 1;
  uint32_t effort = 2;                      ///< 0: first cut, no search .. 4: long
  double time_limit_s = 0;                  ///< 0: none; every search stops there and keeps its best, which then depends on the machine
  uint32_t threads = 0;                     ///< 0: all
  std::map<std::string, double> rates;      ///< spikes of a neuron and step by layer, for placement; layers not named: 1
  uint64_t most_metis_synapses = 3'000'000; ///< METIS is left out above
  bool baselines = true;                    ///< what simpler mappers give, beside the result
};

struct PassTime {
  std::string pass;
  double ms = 0;
};

struct MapResult {
  std::optional<lmap::Mapping> mapping; ///< whole even when it does not fit: result.violations
  std::vector<std::string> errors;      ///< why there is none, or why it does not fit
  std::vector<PassTime> times;
};

MapResult mapNetwork(const plan::Network &network, const Chip &chip, const MapOptions &options, const Provenance &provenance);

} // namespace lasnn::loihi
