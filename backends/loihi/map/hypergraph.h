// A layer as a hypergraph: vertices are atoms (sets of its neurons that stay together), nets are the axons that reach it. A net costs one
// packet for every part that holds one of its pins, which is what the chip charges.
#pragma once

#include "backends/loihi/lower/model.h"

namespace lasnn::loihi {

struct Hypergraph {
  struct Net {
    uint32_t first = 0, end = 0; ///< of pins
    uint32_t axons = 1;          ///< source neurons with the very same pins
    double packets = 1;          ///< of a step
    uint32_t projection = 0;     ///< its place in `projections`
  };
  struct Pin {
    uint32_t other = 0;    ///< vertex of a net, or net of a vertex
    uint32_t synapses = 0; ///< of one axon
    bool operator==(const Pin &) const = default;
  };
  struct Vertex {
    uint32_t compartments = 0, axons = 0, words = 0; ///< axons, words: its own (soft reset)
    uint64_t entries = 0;                            ///< output entries
    std::vector<uint32_t> thresholds;                ///< numbers of distinct ones, ascending
  };
  std::vector<uint32_t> projections; ///< of the model
  std::vector<Net> nets;
  std::vector<Pin> pins;
  std::vector<Vertex> vertices;
  std::vector<uint32_t> first; ///< by vertex: into `back`; one more at the end
  std::vector<Pin> back;       ///< nets of each vertex
  uint32_t thresholds = 0;

  /// Fills `first` and `back` from the nets.
  void invert();
};

using Atoms = std::vector<std::vector<uint32_t>>; ///< neurons of a population, each in one atom

/// `entries` by neuron. Nothing when there are more than `most_pins`.
std::optional<Hypergraph> hypergraphOf(const Model &model, uint32_t population, const Atoms &atoms, const std::vector<uint64_t> &entries,
                                       uint64_t most_pins);
/// Vertices that map to one of `of` become one vertex; nets with the same pins become one net.
Hypergraph contracted(const Hypergraph &graph, const std::vector<uint32_t> &of, uint32_t count);

} // namespace lasnn::loihi
