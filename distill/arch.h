// A network's shape as data: a list of nodes that the teacher reads with ReLU and the student with spiking neurons.
//
// A *layer* is one or more synapses whose currents are added, then a neuron; so a residual shortcut joins currents,
// and the sum is what a neuron (or a chip's compartment) adds anyway.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::distill {

struct Synapse {
  std::string name;           // "conv1": becomes the ONNX node's name
  std::string from;           // a node's name, or "input"
  bool conv = true;           // false: linear (flattens what it reads)
  bool identity = false;      // no weights: every stride-th position, new channels zero on both sides (He et al. 2016, option A)
  int64_t out = 0;            // channels or features; 0: the number of classes
  int64_t kernel = 1, stride = 1, pad = 0;
  bool batchNorm = true;      // without: a bias
};

struct Node {
  enum class Kind { Layer, MaxPool, AvgPool, Readout };
  Kind kind = Kind::Layer;
  std::string name;             // a layer's name is its first synapse's; its neuron is NAME.lif
  std::vector<Synapse> synapses; // Layer: one or more; Readout: one; pools: none
  std::string from;             // pools only
  int64_t size = 2;             // pools only: window and stride
};

struct Arch {
  std::string name;
  std::vector<Node> nodes;
  int64_t channels = 0, height = 0, width = 0, classes = 0; // of the data; set by whoever trains
};

/// `name` is an entry of the table, or a file that holds one entry's JSON. Throws std::invalid_argument with the rule broken.
Arch findArch(const std::string &name);
Arch archFromJson(const nlohmann::json &json);
nlohmann::json archToJson(const Arch &arch);
std::string knownArchs();

} // namespace lasnn::distill
