// The checker's parts, in the order in which check() calls them.
#pragma once

#include "backends/loihi/check/decode.h"
#include "backends/loihi/check/findings.h"

namespace lasnn::loihi::check {

/// Where an input axon's spike goes: one layer at one delay as a rule.
struct Axon {
  struct Target {
    uint32_t layer = 0, delay = 0;
    bool operator<(const Target &o) const { return layer != o.layer ? layer < o.layer : delay < o.delay; }
  };
  std::map<Target, std::vector<uint32_t>> targets; ///< synapses without zero weights, by atom
  uint32_t atoms = 1;
  uint64_t incoming = 0; ///< neurons and input spikes that reach it
};

/// What the parts share. Addresses beyond the chip's and layers that do not exist are never followed.
struct Context {
  const lmap::Mapping &mapping;
  const Chip &chip;
  Findings found;
  std::vector<std::string> places;           ///< "core 1.5.2 (conv3)", as in mapping.cores
  std::map<uint32_t, uint32_t> byAddress;    ///< index of the core
  std::vector<std::vector<int32_t>> layerAt; ///< [core][compartment]: layer whose neuron's first compartment it is; -1: none
  std::vector<std::vector<Axon>> axons;      ///< [core][axon]
};

/// The file itself: chip, layers, times, widths of the arithmetic.
void checkHeader(Context &);
void checkLayers(Context &);
/// One core's groups, tables and formats; fills layerAt and the count's figures.
void checkCore(Context &, uint32_t core, CoreCount &count);
/// One core's synapse memory; after checkCore.
void checkMemory(Context &, uint32_t core, CoreCount &count);
/// All cores together: every neuron once, every spike somewhere, every synapse of the layers once. After all cores.
void checkNetwork(Context &, std::vector<CoreCount> &counts);
/// What the file says about itself against what was counted.
void checkRecorded(Context &, const std::vector<CoreCount> &counts);

} // namespace lasnn::loihi::check
