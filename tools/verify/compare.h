// Two executors beside each other over a whole data set: where their spikes, membranes and outputs differ, and whether they may.
#pragma once

#include "tools/verify/trace.h"

#include <optional>

namespace lasnn::tools::verify {

/// What may differ between two neighbours.
enum class Demand {
  Rounding, ///< float beside float: a sample's first spike that moves must lie at its threshold within rounding
  Reported, ///< weights were rounded: differences are shown, and judged by accuracy
  Exact,    ///< integers: nothing
};

/// Where two runs of one sample first part: the earliest step, in it the first layer, in it the first neuron.
struct Divergence {
  size_t image = 0, step = 0, neuron = 0;
  unsigned a = 0, b = 0; ///< spikes there
  /// The membrane over its threshold, 1 is where it fires; NaN where it cannot be seen.
  float membraneA = 0, membraneB = 0;
};

struct LayerComparison {
  std::string name;
  std::string unmatched; ///< why it has no partner; then nothing else is filled
  size_t neurons = 0, steps = 0;
  uint64_t compared = 0, different = 0, spikesA = 0, spikesB = 0;
  std::vector<uint64_t> differentByStep, spikesByStepA, spikesByStepB;
  std::vector<uint32_t> spikesByNeuronA, spikesByNeuronB;
  /// |difference| of membranes in thresholds, over all neurons and steps where both can be seen.
  uint64_t membranes = 0;
  double membraneSum = 0, membraneLargest = 0;
  std::vector<double> membraneSumByStep;
  std::vector<uint64_t> membranesByStep;
  std::optional<Divergence> first; ///< of the layer
  double share() const { return compared ? double(different) / double(compared) : 0; }
  double membraneMean() const { return membranes ? membraneSum / double(membranes) : 0; }
};

struct Comparison {
  std::string name; ///< "float -> integer"
  Demand demand = Demand::Reported;
  size_t a = 0, b = 0; ///< executors, by index
  std::vector<LayerComparison> layers;
  size_t images = 0, imagesDifferent = 0, sameTop = 0;
  uint64_t outputsDifferent = 0; ///< Exact: images whose integers differ
  std::string firstOutput;
  /// Rounding: images that part where no rounding explains it, and the first of them.
  size_t unexplained = 0;
  std::string firstUnexplained;
  std::optional<std::pair<std::string, Divergence>> first; ///< of all, with its layer: the first image that differs

  uint64_t different() const;
  uint64_t compared() const;
  double worstShare() const; ///< of its layers
  bool matched() const;      ///< every layer has its partner
  void add(const Trace &traceA, const Trace &traceB, size_t image, size_t steps);

private:
  void addLayer(LayerComparison &layer, const LayerTrace &a, const LayerTrace &b, size_t image, size_t steps);
};

} // namespace lasnn::tools::verify
