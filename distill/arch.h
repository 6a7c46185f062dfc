// A network's shape as data: a list of nodes that the teacher reads with ReLU and the student with spiking neurons.
//
// A *layer* is one or more synapses whose currents are added, then a neuron; so a residual shortcut joins currents,
// and the sum is what a neuron (or a chip's compartment) adds anyway. A *sum* adds the same way and has no neuron: the
// residual stream of `ms` shortcuts, the spike counts of `sew` ones. Families (vgg, resnet) are recipes: arch_recipe.cpp
// writes their nodes out.
#pragma once

#include "distill/options.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lasnn::distill {

struct Pool {
  bool max = true;              // false: average
  int64_t size = 2, stride = 2, pad = 0; // size 0: the whole image
};

/// conv or linear, pool, batch normalisation or bias; or the identity.
struct Synapse {
  std::string name;           // "conv1": becomes the ONNX node's name
  std::string from;           // a node's name, or "input"
  bool conv = true;           // false: linear (flattens what it reads)
  bool identity = false;      // no weights: every stride-th position, new channels zero on both sides (He et al. 2016, option A)
  double gain = 1;            // identity only: what a spike weighs
  int64_t out = 0;            // channels or features; 0: the number of classes; identity: 0 for as many as it reads
  int64_t kernel = 1, stride = 1, pad = 0, groups = 1; // groups 0: one a channel (depthwise)
  std::optional<Pool> pool;   // of the current, before normalisation and neuron: a quarter of the neurons
  bool batchNorm = true;      // without: a bias
};

struct Node {
  enum class Kind { Layer, MaxPool, AvgPool, Readout, Sum };
  Kind kind = Kind::Layer;
  std::string name;             // its neuron is NAME.lif
  std::vector<Synapse> synapses; // Layer, Sum: one or more; Readout: one; pools: none
  std::optional<Synapse> recurrent; // Layer only: reads the layer's own spikes of the step before
  std::string from;             // pools only
  Pool pool;                    // pools only
  bool isPool() const { return kind == Kind::MaxPool || kind == Kind::AvgPool; }
};

struct Arch {
  std::string name;
  std::string recipe; // JSON of what it was made from, so that a student can be a variant of its teacher
  std::vector<Node> nodes;
  int64_t channels = 0, height = 0, width = 0, classes = 0; // of the data; set by whoever trains
};

/// `name` is an entry of the table, or a file that holds one entry's JSON. Throws std::invalid_argument with the rule broken.
Arch findArch(const std::string &name, const ArchOptions & = {});
/// `arch` made again with other options; data shape and classes stay.
Arch variantOf(const Arch &arch, const ArchOptions &);
Arch archFromJson(const nlohmann::json &json);
nlohmann::json archToJson(const Arch &arch);
std::string knownArchs();

} // namespace lasnn::distill
