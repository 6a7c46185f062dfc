#include "distill/arch.h"
#include "distill/arch_recipe.h"
#include "distill/file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <set>
#include <stdexcept>

namespace lasnn::distill {
namespace {

using nlohmann::json;

[[noreturn]] void bad(const std::string &what) { throw std::invalid_argument("architecture: " + what); }

/// 2, [3, 2, 1] (size, stride, pad) or "all".
Pool poolFromJson(const json &value, bool max, const std::string &at) {
  Pool p;
  p.max = max;
  if (value == "all") {
    p.size = p.stride = 0;
    return p;
  }
  const auto numbers = value.is_array() ? value.get<std::vector<int64_t>>() : std::vector<int64_t>{value.get<int64_t>()};
  if (numbers.empty() || numbers.size() > 3)
    bad(fmt::format("{}: a pool is a size, [size, stride, pad] or \"all\"", at));
  p.size = numbers[0], p.stride = numbers.size() > 1 ? numbers[1] : p.size, p.pad = numbers.size() > 2 ? numbers[2] : 0;
  if (p.size < 1 || p.stride < 1 || p.pad < 0 || 2 * p.pad > p.size)
    bad(fmt::format("{}: pool size {}, stride {}, pad {}; size and stride are at least 1, the pad at most half the size", at, p.size, p.stride, p.pad));
  return p;
}

json poolToJson(const Pool &p) { return p.size == 0 ? json("all") : p.stride == p.size && p.pad == 0 ? json(p.size) : json{p.size, p.stride, p.pad}; }

Synapse synapseFromJson(const json &entry, const std::string &before, bool readout) {
  Synapse s;
  s.name = entry.at("name");
  s.from = entry.value("from", before);
  s.batchNorm = entry.value("bn", !readout);
  s.conv = entry.contains("conv");
  s.identity = entry.contains("identity");
  if (s.identity) {
    s.conv = true, s.batchNorm = false;
    s.gain = entry.value("gain", 1.0);
    if (entry["identity"].is_boolean())
      return s;
    const auto numbers = entry.at("identity").get<std::vector<int64_t>>();
    if (numbers.size() != 2 || numbers[0] < 0 || numbers[1] < 1)
      bad(fmt::format("{}: identity needs [out >= 1, stride >= 1], or true for the shape it reads", s.name));
    s.out = numbers[0], s.stride = numbers[1];
  } else if (s.conv) {
    const auto numbers = entry.at("conv").get<std::vector<int64_t>>();
    if (numbers.size() != 4 || numbers[0] < 1 || numbers[1] < 1 || numbers[2] < 1 || numbers[3] < 0)
      bad(fmt::format("{}: conv needs [out >= 1, kernel >= 1, stride >= 1, pad >= 0]", s.name));
    s.out = numbers[0], s.kernel = numbers[1], s.stride = numbers[2], s.pad = numbers[3];
    s.groups = entry.value("groups", int64_t(1));
    if (s.groups < 0)
      bad(fmt::format("{}: {} groups; 1 or more, or 0 for one a channel", s.name, s.groups));
    if (entry.contains("pool")) {
      const json &pool = entry["pool"]; // ["max", size, stride, pad]
      if (!pool.is_array() || pool.size() < 2 || (pool[0] != "max" && pool[0] != "avg"))
        bad(fmt::format("{}: a pool inside a layer is [\"max\" or \"avg\", size], then stride and pad", s.name));
      s.pool = poolFromJson(json(pool.begin() + 1, pool.end()), pool[0] == "max", s.name);
      if (!s.pool->max && (s.stride != 1 || s.pool->pad != 0))
        bad(fmt::format("{}: an average pool inside a layer needs a convolution of stride 1 (not {}) and no padding of its own (not {}): the two "
                        "become one strided convolution", s.name, s.stride, s.pool->pad));
    }
  } else {
    if (!entry.contains("linear"))
      bad(fmt::format("{}: needs one of \"conv\", \"linear\", \"identity\", \"sum\", \"maxpool\", \"avgpool\"", s.name));
    s.out = entry.at("linear");
    if (s.out < 0)
      bad(fmt::format("{}: linear {} is negative", s.name, s.out));
  }
  return s;
}

json synapseToJson(const Synapse &s) {
  json entry = {{"name", s.name}, {"from", s.from}, {"bn", s.batchNorm}};
  if (s.identity) {
    entry["identity"] = {s.out, s.stride};
    if (s.gain != 1)
      entry["gain"] = s.gain;
  } else if (s.conv) {
    entry["conv"] = {s.out, s.kernel, s.stride, s.pad};
    if (s.groups != 1)
      entry["groups"] = s.groups;
    if (s.pool)
      entry["pool"] = {s.pool->max ? "max" : "avg", s.pool->size, s.pool->stride, s.pool->pad};
  } else {
    entry["linear"] = s.out;
  }
  return entry;
}

Node nodeFromJson(const json &entry, const std::string &before) {
  Node node;
  node.name = entry.at("name");
  const bool max = entry.contains("maxpool");
  if (max || entry.contains("avgpool")) {
    node.kind = max ? Node::Kind::MaxPool : Node::Kind::AvgPool;
    node.pool = poolFromJson(entry.at(max ? "maxpool" : "avgpool"), max, node.name);
    node.from = entry.value("from", before);
    return node;
  }
  if (entry.contains("sum")) {
    node.kind = Node::Kind::Sum;
    for (const json &term : entry.at("sum"))
      node.synapses.push_back(synapseFromJson(term, before, false));
    if (node.synapses.empty())
      bad(fmt::format("{}: a sum of nothing", node.name));
    return node;
  }
  const bool readout = entry.value("readout", false);
  node.kind = readout ? Node::Kind::Readout : Node::Kind::Layer;
  node.synapses.push_back(synapseFromJson(entry, before, readout));
  if (entry.contains("shortcut"))
    node.synapses.push_back(synapseFromJson(entry.at("shortcut"), before, false));
  if (entry.contains("recurrent")) {
    json back = entry.at("recurrent");
    if (back.value("from", node.name) != node.name || readout)
      bad(fmt::format("{}: a recurrent synapse reads its own layer's spikes of the step before{}", node.name, readout ? ", and a readout has none" : ""));
    back["bn"] = back.value("bn", false);
    node.recurrent = synapseFromJson(back, node.name, false);
    if (node.recurrent->batchNorm || node.recurrent->identity || node.recurrent->pool)
      bad(fmt::format("{}: a recurrent synapse is a convolution or linear, without normalisation (its statistics would need every step) or pool",
                      node.recurrent->name));
  }
  return node;
}

} // namespace

Arch archFromJson(const json &json) try {
  Arch arch;
  arch.name = json.at("name");
  arch.recipe = json.contains("recipe") ? json.at("recipe").dump() : "";
  if (json.contains("input")) {
    const auto shape = json.at("input").get<std::vector<int64_t>>();
    if (shape.size() != 3)
      bad("input needs [channels, height, width]");
    arch.channels = shape[0], arch.height = shape[1], arch.width = shape[2];
    arch.classes = json.at("classes");
  }
  std::string before = "input";
  // Synapses and nodes are named apart: a layer of one synapse shares its name, a neuron after a sum has its teacher's.
  std::set<std::string> nodes = {"input"}, synapses;
  auto define = [](std::set<std::string> &names, const std::string &name) {
    if (name.empty() || !names.insert(name).second)
      bad(fmt::format("the name \"{}\" is empty or used twice", name));
  };
  auto known = [&](const std::string &from, const std::string &at) {
    if (!nodes.count(from))
      bad(fmt::format("{} reads \"{}\", which is not a node before it", at, from));
  };
  for (const auto &entry : json.at("nodes")) {
    Node node = nodeFromJson(entry, before);
    if (node.isPool())
      known(node.from, node.name);
    for (const Synapse &s : node.synapses) {
      known(s.from, s.name);
      if (!s.identity || s.name != node.name)
        define(synapses, s.name);
    }
    define(nodes, node.name);
    if (node.recurrent)
      define(synapses, node.recurrent->name);
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
  json nodes = json::array();
  for (const Node &node : arch.nodes) {
    json entry;
    if (node.isPool()) {
      entry = {{"name", node.name}, {"from", node.from}, {node.kind == Node::Kind::MaxPool ? "maxpool" : "avgpool", poolToJson(node.pool)}};
    } else if (node.kind == Node::Kind::Sum) {
      entry = {{"name", node.name}, {"sum", json::array()}};
      for (const Synapse &s : node.synapses)
        entry["sum"].push_back(synapseToJson(s));
    } else {
      entry = synapseToJson(node.synapses[0]);
      if (node.kind == Node::Kind::Readout)
        entry["readout"] = true;
      if (node.synapses.size() > 1)
        entry["shortcut"] = synapseToJson(node.synapses[1]);
      if (node.recurrent)
        entry["recurrent"] = synapseToJson(*node.recurrent);
    }
    nodes.push_back(std::move(entry));
  }
  json out = {{"name", arch.name}, {"input", {arch.channels, arch.height, arch.width}}, {"classes", arch.classes}, {"nodes", nodes}};
  if (!arch.recipe.empty())
    out["recipe"] = json::parse(arch.recipe);
  return out;
}

namespace {

Arch fromRecipe(const std::string &name, const json &recipe, const ArchOptions &o) try {
  const json chosen = withOptions(recipe, o);
  return archFromJson({{"name", name}, {"nodes", recipeNodes(chosen)}, {"recipe", chosen}});
} catch (const json::exception &e) {
  bad(e.what());
}

} // namespace

Arch findArch(const std::string &name, const ArchOptions &o) {
  if (archTable().contains(name))
    return fromRecipe(name, archTable().at(name), o);
  std::string text, error;
  if (!name.ends_with(".json"))
    bad(fmt::format("\"{}\" is not known; known are {}, or a file ending in .json", name, knownArchs()));
  if (!readText(name, text, error))
    bad(error);
  const json file = json::parse(text, nullptr, false);
  if (file.is_discarded())
    bad(fmt::format("{}: not JSON", name));
  const bool list = file.is_object() && file.contains("nodes");
  return fromRecipe(file.is_object() ? file.value("name", name) : name, list ? file.at("nodes") : file, o);
}

Arch variantOf(const Arch &arch, const ArchOptions &o) {
  if (!o.any())
    return arch;
  if (arch.recipe.empty())
    bad(fmt::format("the model's {} was saved without its recipe, so --width, --shortcut and the like cannot change it; name it with --arch", arch.name));
  Arch variant = fromRecipe(arch.name, json::parse(arch.recipe), o);
  variant.channels = arch.channels, variant.height = arch.height, variant.width = arch.width, variant.classes = arch.classes;
  return variant;
}

std::string knownArchs() {
  std::string names;
  for (const auto &[name, nodes] : archTable().items())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

} // namespace lasnn::distill
