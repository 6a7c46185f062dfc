#include "distill/arch_recipe.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace lasnn::distill {
namespace {

using nlohmann::json;

// Lists: one line a node. conv: [out, kernel, stride, pad]; linear: out (0: classes); "from" defaults to the node before;
// "shortcut" adds a second synapse's current before the neuron: a convolution, or "identity": [out, stride] without weights;
// "recurrent" one from the layer's own spikes of the step before; "bn" defaults to true for layers, false for the readout.
// Channel counts are multiples of 32 where the choice is ours: whole SIMD registers of int8 or bit-packed spikes.
// Strided convolutions in place of pools where we can choose: fewer neurons, and nothing but synapses to map on a chip.
//
// Recipes: vgg: convolutions 3x3 by channels, "M" a pool; resnet: basic blocks, two 3x3 convolutions each.
// Sources: VGG: Simonyan, Zisserman 2015 (fc as usual for 32x32 images); vgg9: Sengupta et al. 2019's size; resnet18, 34:
// He et al. 2016; resnet20, 32: the same, for CIFAR; resnet19: Zheng et al. (tdBN) 2021, the SNN literature's yardstick.
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
  "cnn-dw": [
    {"name": "conv1", "conv": [32, 3, 2, 1]},
    {"name": "dw2", "conv": [32, 3, 2, 1], "groups": 0},
    {"name": "pw2", "conv": [64, 1, 1, 0]},
    {"name": "dw3", "conv": [64, 3, 1, 1], "groups": 0},
    {"name": "pw3", "conv": [128, 1, 1, 0]},
    {"name": "pool", "avgpool": "all"},
    {"name": "fc", "linear": 0, "readout": true}
  ],
  "rnn": [
    {"name": "hidden", "linear": 128, "recurrent": {"name": "hidden.back", "linear": 128}},
    {"name": "fc", "linear": 0, "readout": true}
  ],
  "resnet": [
    {"name": "conv1", "conv": [32, 3, 1, 1]},
    {"name": "a1", "conv": [64, 3, 2, 1]},
    {"name": "a2", "conv": [64, 3, 1, 1], "shortcut": {"name": "a.shortcut", "from": "conv1", "conv": [64, 1, 2, 0]}},
    {"name": "b1", "conv": [128, 3, 2, 1]},
    {"name": "b2", "conv": [128, 3, 1, 1], "shortcut": {"name": "b.shortcut", "from": "a2", "conv": [128, 1, 2, 0]}},
    {"name": "pool", "avgpool": 2},
    {"name": "fc", "linear": 0, "readout": true}
  ],
  "vgg5": {"vgg": [32, "M", 64, "M", 128, "M"], "fc": [256]},
  "vgg9": {"vgg": [64, 64, "M", 128, 128, "M", 256, 256, 256, "M"], "fc": [1024]},
  "vgg11": {"vgg": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"], "fc": [512, 512]},
  "vgg13": {"vgg": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"], "fc": [512, 512]},
  "vgg16": {"vgg": [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"], "fc": [512, 512]},
  "resnet18": {"resnet": {"blocks": [2, 2, 2, 2], "widths": [64, 128, 256, 512]}},
  "resnet19": {"resnet": {"blocks": [3, 3, 2], "widths": [128, 256, 512], "fc": [256]}},
  "resnet20": {"resnet": {"blocks": [3, 3, 3], "widths": [16, 32, 64], "downsample": "pad", "head": "linear"}},
  "resnet32": {"resnet": {"blocks": [5, 5, 5], "widths": [16, 32, 64], "downsample": "pad", "head": "linear"}},
  "resnet34": {"resnet": {"blocks": [3, 4, 6, 3], "widths": [64, 128, 256, 512]}}
})json";

[[noreturn]] void bad(const std::string &what) { throw std::invalid_argument("architecture: " + what); }

std::string oneOf(const json &recipe, const char *key, const std::string &otherwise, const std::vector<std::string> &allowed) {
  const std::string value = recipe.value(key, otherwise);
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
    bad(fmt::format("\"{}\": \"{}\" is not one of {}", key, value, fmt::join(allowed, ", ")));
  return value;
}

void onlyKeys(const json &object, const char *what, const std::vector<std::string> &allowed) {
  for (const auto &[key, value] : object.items())
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end())
      bad(fmt::format("{} does not know \"{}\"; it takes {}", what, key, fmt::join(allowed, ", ")));
}

void addHead(json &nodes, const json &recipe) {
  const json widths = recipe.value("fc", json::array());
  int64_t k = 0;
  for (const json &width : widths)
    nodes.push_back({{"name", fmt::format("fc{}", ++k)}, {"linear", width}});
  nodes.push_back({{"name", recipe.value("head", k ? fmt::format("fc{}", k + 1) : "fc")}, {"linear", 0}, {"readout", true}});
}

json vggNodes(const json &recipe) {
  onlyKeys(recipe, "a vgg", {"name", "vgg", "fc", "pool", "pool_at"});
  const std::string pool = oneOf(recipe, "pool", "max", {"max", "avg", "stride"});
  const bool current = oneOf(recipe, "pool_at", "spikes", {"spikes", "current"}) == "current";
  json nodes = json::array();
  int convs = 0, pools = 0;
  for (const json &item : recipe.at("vgg")) {
    if (item.is_number_integer()) {
      nodes.push_back({{"name", fmt::format("conv{}", ++convs)}, {"conv", {item, 3, 1, 1}}});
      continue;
    }
    if (item != "M")
      bad(fmt::format("\"vgg\": {} is neither a number of channels nor \"M\"", item.dump()));
    ++pools;
    if (!current && pool != "stride") {
      nodes.push_back({{"name", fmt::format("pool{}", pools)}, {pool == "max" ? "maxpool" : "avgpool", 2}});
      continue;
    }
    if (nodes.empty() || nodes.back().contains("pool") || nodes.back()["conv"][2] != 1)
      bad("\"vgg\": a pool inside a layer (\"pool_at\": \"current\", \"pool\": \"stride\") needs a convolution right before its \"M\"");
    if (pool == "stride")
      nodes.back()["conv"][2] = 2;
    else
      nodes.back()["pool"] = {pool, 2};
  }
  addHead(nodes, recipe);
  return nodes;
}

/// Basic blocks: two 3x3 convolutions and a shortcut. A layer's name does not depend on the kind of shortcut, so that every
/// student finds its teacher's layers: layerS.B.conv2 is the neuron after the block's sum (sew: before it).
json resnetNodes(const json &outer) {
  const json &recipe = outer.at("resnet");
  onlyKeys(recipe, "a resnet", {"blocks", "widths", "stem", "stem_width", "shortcut", "downsample", "fc", "pool", "head"});
  const auto blocks = recipe.at("blocks").get<std::vector<int64_t>>(), widths = recipe.at("widths").get<std::vector<int64_t>>();
  if (blocks.empty() || blocks.size() != widths.size())
    bad(fmt::format("\"resnet\": {} numbers of blocks and {} widths; one of each a stage", blocks.size(), widths.size()));
  const std::string shortcut = oneOf(recipe, "shortcut", "plain", {"plain", "ms", "sew"});
  const std::string downsample = oneOf(recipe, "downsample", "conv", {"conv", "pad"});
  const std::string stem = oneOf(recipe, "stem", "cifar", {"cifar", "tiny", "imagenet"});
  const std::string pool = oneOf(recipe, "pool", "avg", {"avg", "max"});
  int64_t width = recipe.value("stem_width", widths[0]);

  json nodes = json::array();
  // What the next block reads: `spikes` through its first convolution, `stream` through its shortcut.
  std::string spikes = "conv1", stream = "conv1";
  json first = {{"name", "conv1"}, {"from", "input"}, {"conv", {width, 3, 1, 1}}};
  if (stem == "tiny")
    first["conv"] = {width, 3, 2, 1};
  if (stem == "imagenet")
    first["conv"] = {width, 7, 2, 3}, first["pool"] = {"max", 3, 2, 1};
  auto addSum = [&](const std::string &name, const json &terms) { nodes.push_back({{"name", name}, {"sum", terms}}); };
  auto addNeuron = [&](const std::string &name, const std::string &from) { nodes.push_back({{"name", name}, {"from", from}, {"identity", true}}); };
  if (shortcut == "ms") {
    stream = "conv1.sum";
    addSum(stream, json::array({first}));
    addNeuron("conv1", stream);
  } else {
    nodes.push_back(first);
  }
  for (size_t stage = 0; stage < blocks.size(); ++stage)
    for (int64_t block = 0; block < blocks[stage]; ++block) {
      const std::string at = fmt::format("layer{}.{}.", stage + 1, block);
      const int64_t out = widths[stage], stride = stage > 0 && block == 0 ? 2 : 1;
      const bool same = out == width && stride == 1, pad = downsample == "pad";
      const json conv2 = {{"name", at + "conv2"}, {"from", at + "conv1"}, {"conv", {out, 3, 1, 1}}};
      json around = {{"name", at + "shortcut"}, {"from", stream}};
      if (same || pad)
        around["identity"] = {out, stride};
      else
        around["from"] = spikes, around["conv"] = {out, 1, stride, 0}; // of spikes: every convolution then adds, none multiplies
      nodes.push_back({{"name", at + "conv1"}, {"from", spikes}, {"conv", {out, 3, stride, 1}}});
      if (shortcut == "plain") {
        nodes.push_back(conv2);
        nodes.back()["shortcut"] = around;
        spikes = stream = at + "conv2";
      } else if (shortcut == "ms") {
        addSum(at + "sum", json::array({conv2, around}));
        stream = at + "sum";
        spikes = at + "conv2";
        addNeuron(spikes, stream);
      } else {
        nodes.push_back(conv2);
        if (!around.contains("identity")) {
          nodes.push_back(around);
          around = {{"name", at + "shortcut.add"}, {"from", at + "shortcut"}, {"identity", {out, 1}}};
        }
        addSum(at + "sum", json::array({{{"name", at + "conv2.add"}, {"from", at + "conv2"}, {"identity", {out, 1}}}, around}));
        spikes = stream = at + "sum";
      }
      width = out;
    }
  nodes.push_back({{"name", "pool"}, {"from", spikes}, {pool == "max" ? "maxpool" : "avgpool", "all"}});
  addHead(nodes, recipe);
  return nodes;
}

void scale(json &number, double width) {
  if (number.is_number_integer() && number.get<int64_t>() > 0)
    number = scaledWidth(number.get<int64_t>(), width);
}

void scaleSynapse(json &entry, double width) {
  if (entry.contains("conv")) {
    scale(entry["conv"][0], width);
    if (entry.value("groups", int64_t(1)) > 1)
      bad(fmt::format("--width: {} has {} groups, which would no longer divide its channels; give \"groups\": 0 (depthwise) or other widths",
                      entry.value("name", "?"), entry["groups"].get<int64_t>()));
  }
  if (entry.contains("linear"))
    scale(entry["linear"], width);
  if (entry.contains("identity") && entry["identity"].is_array())
    scale(entry["identity"][0], width);
}

} // namespace

int64_t scaledWidth(int64_t channels, double width) {
  const double wanted = double(channels) * width;
  const int64_t unit = wanted >= 64 ? 32 : 8;
  return std::max(unit, unit * int64_t(std::llround(wanted / double(unit))));
}

const json &archTable() {
  static const json all = json::parse(table);
  return all;
}

json withOptions(json recipe, const ArchOptions &o) {
  const bool vgg = recipe.is_object() && recipe.contains("vgg"), resnet = recipe.is_object() && recipe.contains("resnet");
  json &inner = resnet ? recipe["resnet"] : recipe;
  auto set = [&](const char *option, const char *key, const std::string &value, bool fits, const char *which) {
    if (value.empty())
      return;
    if (!fits)
      bad(fmt::format("--{}={} is for {}; this architecture is {}", option, value, which, vgg ? "a vgg" : resnet ? "a resnet" : "a plain list of nodes"));
    inner[key] = value;
  };
  set("shortcut", "shortcut", o.shortcut, resnet, "resnets");
  set("downsample", "downsample", o.downsample, resnet, "resnets");
  set("stem", "stem", o.stem, resnet, "resnets");
  set("pool", "pool", o.pool, vgg || resnet, "vggs and resnets");
  set("pool-at", "pool_at", o.poolAt, vgg, "vggs");
  if (o.width == 1)
    return recipe;
  if (vgg || resnet) {
    for (const char *key : {"vgg", "widths", "fc"})
      if (inner.contains(key))
        for (json &number : inner[key])
          scale(number, o.width);
    if (inner.contains("stem_width"))
      scale(inner["stem_width"], o.width);
    return recipe;
  }
  for (json &entry : recipe) {
    if (entry.value("readout", false)) {
      continue;
    }
    scaleSynapse(entry, o.width);
    for (const char *key : {"shortcut", "recurrent"})
      if (entry.contains(key))
        scaleSynapse(entry[key], o.width);
    if (entry.contains("sum"))
      for (json &term : entry["sum"])
        scaleSynapse(term, o.width);
  }
  return recipe;
}

json recipeNodes(const json &recipe) {
  if (recipe.is_array())
    return recipe;
  if (recipe.contains("vgg"))
    return vggNodes(recipe);
  if (recipe.contains("resnet"))
    return resnetNodes(recipe);
  bad("needs a list of \"nodes\", a \"vgg\" or a \"resnet\"");
}

} // namespace lasnn::distill
