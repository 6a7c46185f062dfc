// What a NIR file leaves open, per writer: seconds a step, leak and gain of a neuron in one step, comparison and reset.
#pragma once

#include "frontend/nir/graph.h"
#include "frontend/nir/import.h"

namespace lasnn::nir {

/// One convention for the whole file: files come from one writer.
struct Convention {
  Writer writer = Writer::Auto; ///< Auto: NIR's own equations
  double dt = 0;                ///< 0: no node needs it
  std::string why;
  snn::Reset reset = snn::Reset::Zero;
  snn::Compare compare = snn::Compare::Gt;
  int64_t sMax = 1;
  std::optional<float> vMin;
  bool decided = true; ///< false: reported
};

/// Rule NIR6.
Convention decide(const Graph &graph, const Conventions &given, Problems &problems);

/// v = beta v + gain I, in one step.
struct Step {
  double beta, gain;
};
/// tau dv/dt = -v + r I, as the convention discretizes it.
Step leakyStep(const Convention &convention, double tau, double r);

} // namespace lasnn::nir
