#include "distill/arch.h"
#include "distill/file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <set>
#include <stdexcept>

namespace lasnn::distill {
namespace {

using nlohmann::json;

// One line a node. conv: [out, kernel, stride, pad]; linear: out (0: classes); "from" defaults to the node before;
// "shortcut" adds a second synapse's current before the neuron: a convolution, or "identity": [out, stride] without weights;
// "bn" defaults to true for layers and false for the readout.
// Channel counts are multiples of 32: whole SIMD registers of int8 or bit-packed spikes.
// Strided convolutions in place of pools where we can choose: fewer neurons, and nothing but synapses to map on a chip.
const char *const table = R"json({
  "mlp": [
    {"name": "fc1", "linear": 256},
    {"name": "fc2", "linear": 256},
    {"name": "fc3", "linear": 0, "readout": true}
  ],
  "cnn-small": [
    {"name": "conv1", "conv": [32, 5, 2, 2]},
    {"name": "conv2", "conv": [64, 3, 2, 1]},
    {"name": "conv3", "conv": [64, 3, 1, 1]},
    {"name": "fc", "linear": 0, "readout": true}
  ],
  "vgg5": [
    {"name": "conv1", "conv": [32, 3, 1, 1]},
    {"name": "pool1", "maxpool": 2},
    {"name": "conv2", "conv": [64, 3, 1, 1]},
    {"name": "pool2", "maxpool": 2},
    {"name": "conv3", "conv": [128, 3, 1, 1]},
    {"name": "pool3", "maxpool": 2},
    {"name": "fc1", "linear": 256},
    {"name": "fc2", "linear": 0, "readout": true}
  ],
  "resnet": [
    {"name": "conv1", "conv": [32, 3, 1, 1]},
    {"name": "a1", "conv": [64, 3, 2, 1]},
    {"name": "a2", "conv": [64, 3, 1, 1], "shortcut": {"name": "a.shortcut", "from": "conv1", "conv": [64, 1, 2, 0]}},
    {"name": "b1", "conv": [128, 3, 2, 1]},
    {"name": "b2", "conv": [128, 3, 1, 1], "shortcut": {"name": "b.shortcut", "from": "a2", "conv": [128, 1, 2, 0]}},
    {"name": "pool", "avgpool": 2},
    {"name": "fc", "linear": 0, "readout": true}
  ]
})json";

[[noreturn]] void bad(const std::string &what) { throw std::invalid_argument("architecture: " + what); }

Synapse synapseFromJson(const json &entry, const std::string &before, bool readout) {
  Synapse s;
  s.name = entry.at("name");
  s.from = entry.value("from", before);
  s.batchNorm = entry.value("bn", !readout);
  s.conv = entry.contains("conv");
  s.identity = entry.contains("identity");
  if (s.identity) {
    const auto numbers = entry.at("identity").get<std::vector<int64_t>>();
    if (numbers.size() != 2 || numbers[0] < 1 || numbers[1] < 1)
      bad(fmt::format("{}: identity needs [out >= 1, stride >= 1]", s.name));
    s.conv = true, s.batchNorm = false;
    s.out = numbers[0], s.stride = numbers[1];
  } else if (s.conv) {
    const auto numbers = entry.at("conv").get<std::vector<int64_t>>();
    if (numbers.size() != 4 || numbers[0] < 1 || numbers[1] < 1 || numbers[2] < 1 || numbers[3] < 0)
      bad(fmt::format("{}: conv needs [out >= 1, kernel >= 1, stride >= 1, pad >= 0]", s.name));
    s.out = numbers[0], s.kernel = numbers[1], s.stride = numbers[2], s.pad = numbers[3];
  } else {
    s.out = entry.at("linear");
    if (s.out < 0)
      bad(fmt::format("{}: linear {} is negative", s.name, s.out));
  }
  return s;
}

} // namespace

Arch archFromJson(const json &json) try {
  Arch arch;
  arch.name = json.at("name");
  if (json.contains("input")) {
    const auto shape = json.at("input").get<std::vector<int64_t>>();
    if (shape.size() != 3)
      bad("input needs [channels, height, width]");
    arch.channels = shape[0], arch.height = shape[1], arch.width = shape[2];
    arch.classes = json.at("classes");
  }
  std::string before = "input";
  std::set<std::string> names = {"input"};
  auto define = [&](const std::string &name) {
    if (name.empty() || !names.insert(name).second)
      bad(fmt::format("the name \"{}\" is empty or used twice", name));
  };
  auto known = [&](const std::string &from, const std::string &at) {
    if (!names.count(from))
      bad(fmt::format("{} reads \"{}\", which is not a node before it", at, from));
  };
  for (const auto &entry : json.at("nodes")) {
    Node node;
    node.name = entry.at("name");
    if (entry.contains("maxpool") || entry.contains("avgpool")) {
      node.kind = entry.contains("maxpool") ? Node::Kind::MaxPool : Node::Kind::AvgPool;
      node.size = entry.at(entry.contains("maxpool") ? "maxpool" : "avgpool");
      node.from = entry.value("from", before);
      if (node.size < 1)
        bad(fmt::format("{}: pool size {} is below 1", node.name, node.size));
      known(node.from, node.name);
    } else {
      const bool readout = entry.value("readout", false);
      node.kind = readout ? Node::Kind::Readout : Node::Kind::Layer;
      node.synapses.push_back(synapseFromJson(entry, before, readout));
      if (entry.contains("shortcut")) {
        node.synapses.push_back(synapseFromJson(entry.at("shortcut"), before, false));
        known(node.synapses[1].from, node.synapses[1].name);
        define(node.synapses[1].name);
      }
      known(node.synapses[0].from, node.name);
    }
    define(node.name);
    before = node.name;
    arch.nodes.push_back(std::move(node));
  }
  size_t readouts = 0;
  for (const Node &node : arch.nodes)
    readouts += node.kind == Node::Kind::Readout;
  if (readouts != 1 || arch.nodes.back().kind != Node::Kind::Readout)
    bad("exactly one readout is needed, and it is the last node");
  return arch;
} catch (const json::exception &e) {
  bad(e.what());
}

json archToJson(const Arch &arch) {
  auto synapse = [](const Synapse &s) {
    json entry = {{"name", s.name}, {"from", s.from}, {"bn", s.batchNorm}};
    if (s.identity)
      entry["identity"] = {s.out, s.stride};
    else if (s.conv)
      entry["conv"] = {s.out, s.kernel, s.stride, s.pad};
    else
      entry["linear"] = s.out;
    return entry;
  };
  json nodes = json::array();
  for (const Node &node : arch.nodes) {
    json entry;
    if (node.synapses.empty()) {
      entry = {{"name", node.name}, {"from", node.from}, {node.kind == Node::Kind::MaxPool ? "maxpool" : "avgpool", node.size}};
    } else {
      entry = synapse(node.synapses[0]);
      if (node.kind == Node::Kind::Readout)
        entry["readout"] = true;
      if (node.synapses.size() > 1)
        entry["shortcut"] = synapse(node.synapses[1]);
    }
    nodes.push_back(std::move(entry));
  }
  return {{"name", arch.name}, {"input", {arch.channels, arch.height, arch.width}}, {"classes", arch.classes}, {"nodes", nodes}};
}

Arch findArch(const std::string &name) {
  const json all = json::parse(table);
  if (all.contains(name))
    return archFromJson({{"name", name}, {"nodes", all.at(name)}});
  std::string text, error;
  if (name.ends_with(".json")) {
    if (!readText(name, text, error))
      bad(error);
    json file = json::parse(text, nullptr, false);
    if (file.is_discarded())
      bad(fmt::format("{}: not JSON", name));
    if (file.is_array())
      file = json{{"name", name}, {"nodes", file}};
    return archFromJson(file);
  }
  bad(fmt::format("\"{}\" is not known; known are {}, or a file ending in .json", name, knownArchs()));
}

std::string knownArchs() {
  std::string names;
  const json all = json::parse(table); // json keeps a named object alive: iterating a temporary's items() would dangle
  for (const auto &[name, nodes] : all.items())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

} // namespace lasnn::distill
