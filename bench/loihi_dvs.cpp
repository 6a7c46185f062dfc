#include "bench/loihi_dvs.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace lasnn::bench {

namespace {

constexpr uint32_t kSteps = 128;

struct Group {
  double threshold = 0, leak = 1;
  std::vector<double> bias;
};

struct Edge {
  uint32_t height = 1, width = 1, channels = 1, kernel_h = 1, kernel_w = 1, kernels = 1, stride = 1;
  bool dense = false;
  std::vector<int32_t> weight;
  uint32_t outHeight() const { return (height - kernel_h) / stride + 1; }
  uint32_t outWidth() const { return (width - kernel_w) / stride + 1; }
};

/// Where SANA-FE has a weight and a neuron: kernels [y][x][in][out], neurons [c][y][x]; dense ones source by source. So read, the network
/// fires and sends exactly as SANA-FE reports: 38,081 spikes, 386,640 packets.
int32_t weightAt(const Edge &e, uint32_t k, uint32_t c, uint32_t y, uint32_t x) {
  return e.weight[((y * e.kernel_w + x) * e.channels + c) * e.kernels + k];
}
uint32_t at(uint32_t c, uint32_t y, uint32_t x, uint32_t height, uint32_t width) { return (c * height + y) * width + x; }

std::pair<uint32_t, uint32_t> rangeOf(const std::string &text) {
  const size_t dots = text.find("..");
  const uint32_t first = uint32_t(std::stoul(text));
  return {first, dots == std::string::npos ? first : uint32_t(std::stoul(text.substr(dots + 2)))};
}

std::vector<Group> readGroups(const YAML::Node &network) {
  std::vector<Group> groups;
  for (const YAML::Node &node : network["groups"]) {
    Group g;
    g.threshold = node["attributes"]["threshold"].as<double>();
    g.leak = node["attributes"]["leak_decay"].as<double>();
    for (const YAML::Node &entry : node["neurons"])
      for (const auto &pair : entry) {
        const auto [first, last] = rangeOf(pair.first.as<std::string>());
        g.bias.resize(last + 1, 0);
        if (pair.second["bias"])
          for (uint32_t n = first; n <= last; ++n)
            g.bias[n] = pair.second["bias"].as<double>();
      }
    groups.push_back(std::move(g));
  }
  return groups;
}

std::vector<Edge> readEdges(const YAML::Node &network, const std::vector<Group> &groups) {
  std::vector<Edge> edges;
  for (const YAML::Node &entry : network["edges"])
    for (const auto &pair : entry) {
      const YAML::Node &node = pair.second;
      Edge e;
      e.weight = node["weight"].as<std::vector<int32_t>>();
      if (node["type"].as<std::string>() == "dense") {
        e.dense = true;
        e.channels = uint32_t(groups[edges.size()].bias.size());
        e.kernels = uint32_t(groups[edges.size() + 1].bias.size());
      } else {
        e.height = node["input_height"].as<uint32_t>(), e.width = node["input_width"].as<uint32_t>(),
        e.channels = node["input_channels"].as<uint32_t>();
        e.kernel_h = node["kernel_height"].as<uint32_t>(), e.kernel_w = node["kernel_width"].as<uint32_t>(),
        e.kernels = node["kernel_count"].as<uint32_t>();
        e.stride = node["stride_height"].as<uint32_t>();
      }
      edges.push_back(std::move(e));
    }
  return edges;
}

/// Targets of every neuron: (neuron of the next group, weight).
std::vector<std::vector<std::pair<uint32_t, int32_t>>> expanded(const Edge &e) {
  std::vector<std::vector<std::pair<uint32_t, int32_t>>> targets(size_t(e.channels) * e.height * e.width);
  if (e.dense) {
    for (uint32_t s = 0; s < targets.size(); ++s)
      for (uint32_t k = 0; k < e.kernels; ++k)
        targets[s].push_back({k, e.weight[size_t(s) * e.kernels + k]});
    return targets;
  }
  for (uint32_t k = 0; k < e.kernels; ++k)
    for (uint32_t y = 0; y < e.outHeight(); ++y)
      for (uint32_t x = 0; x < e.outWidth(); ++x)
        for (uint32_t c = 0; c < e.channels; ++c)
          for (uint32_t i = 0; i < e.kernel_h; ++i)
            for (uint32_t j = 0; j < e.kernel_w; ++j)
              targets[at(c, y * e.stride + i, x * e.stride + j, e.height, e.width)].push_back(
                  {at(k, y, x, e.outHeight(), e.outWidth()), weightAt(e, k, c, i, j)});
  return targets;
}

void addPlan(const std::vector<Group> &groups, const std::vector<Edge> &edges, plan::Network &net) {
  net.name = "dvs";
  net.timesteps = 4; // of any length: that no voltage leaves 24 bits is proved for so many
  net.encoding = plan::Encoding::Events;
  net.buffers.push_back({"events", 1, 32, 32, 1});
  const auto add = [&](const std::string &name, const Edge &e, double threshold, bool relay) {
    plan::Layer layer;
    layer.name = name;
    plan::Synapse s;
    s.name = name;
    s.input = uint32_t(net.buffers.size()) - 1;
    const plan::Buffer in = net.buffers.back();
    layer.out_channels = e.kernels;
    if (e.dense) {
      s.kernel_h = in.height, s.kernel_w = in.width;
      for (uint32_t k = 0; k < e.kernels; ++k)
        for (uint32_t n = 0; n < e.channels; ++n)
          s.weight.push_back(int8_t(std::clamp(e.weight[size_t(n) * e.kernels + k] / 2, -128, 127)));
    } else {
      s.kernel_h = e.kernel_h, s.kernel_w = e.kernel_w, s.stride_h = s.stride_w = e.stride;
      layer.out_height = e.outHeight(), layer.out_width = e.outWidth();
      for (uint32_t k = 0; k < e.kernels; ++k)
        for (uint32_t c = 0; c < e.channels; ++c)
          for (uint32_t i = 0; i < e.kernel_h; ++i)
            for (uint32_t j = 0; j < e.kernel_w; ++j)
              s.weight.push_back(relay ? int8_t(1) : int8_t(std::clamp(weightAt(e, k, c, i, j) / 2, -128, 127)));
    }
    layer.synapses.push_back(std::move(s));
    layer.bias.assign(e.kernels, 0);
    layer.neuron.state_bits = 24;
    layer.neuron.v_threshold.assign(e.kernels, relay ? 0 : int32_t(threshold) / 2);
    layer.output = uint32_t(net.buffers.size());
    net.buffers.push_back({name, layer.out_channels, layer.out_height, layer.out_width, 1});
    net.layers.push_back(std::move(layer));
  };
  Edge relay;
  relay.height = relay.width = 32;
  add("input", relay, 0, true);
  for (size_t i = 0; i < edges.size(); ++i)
    add("layer" + std::to_string(i + 1), edges[i], groups[i + 1].threshold, false);
}

/// SANA-FE's neurons: leak, bias and what arrived from the step before, strict threshold, reset to 0.
void simulate(const std::vector<Group> &groups, const std::vector<Edge> &edges, const std::vector<std::vector<uint32_t>> &core,
              DvsNetwork &dvs) {
  std::vector<std::vector<std::vector<std::pair<uint32_t, int32_t>>>> targets;
  for (const Edge &e : edges)
    targets.push_back(expanded(e));
  // The cores that a neuron's spike is sent to.
  std::vector<std::vector<std::vector<uint32_t>>> reach(edges.size());
  for (size_t g = 0; g < edges.size(); ++g)
    for (const auto &list : targets[g]) {
      std::vector<uint32_t> cores;
      for (const auto &[n, w] : list)
        cores.push_back(core[g + 1][n]);
      std::sort(cores.begin(), cores.end());
      cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
      reach[g].push_back(std::move(cores));
    }
  std::vector<std::vector<double>> v, arriving;
  for (const Group &g : groups)
    v.emplace_back(g.bias.size(), 0.0), arriving.emplace_back(g.bias.size(), 0.0);
  std::map<std::pair<uint32_t, uint32_t>, double> packets;
  for (uint32_t step = 0; step < kSteps; ++step) {
    std::vector<std::vector<double>> next;
    for (const Group &g : groups)
      next.emplace_back(g.bias.size(), 0.0);
    for (size_t g = 0; g < groups.size(); ++g)
      for (uint32_t n = 0; n < v[g].size(); ++n) {
        v[g][n] = std::trunc(v[g][n] * groups[g].leak * 64) / 64 + groups[g].bias[n] + arriving[g][n];
        if (v[g][n] <= groups[g].threshold) continue;
        v[g][n] = 0;
        ++dvs.fired;
        if (g + 1 == groups.size()) continue;
        for (const auto &[target, weight] : targets[g][n])
          next[g + 1][target] += weight;
        for (const uint32_t to : reach[g][n])
          packets[{core[g][n], to}] += 1;
      }
    arriving = std::move(next);
  }
  for (const auto &[pair, count] : packets)
    dvs.traffic.edges.push_back({pair.first, pair.second, count});
}

} // namespace

std::optional<DvsNetwork> readDvs(const std::string &file, std::string &error) {
  try {
    const YAML::Node root = YAML::LoadFile(file);
    const std::vector<Group> groups = readGroups(root["network"]);
    const std::vector<Edge> edges = readEdges(root["network"], groups);
    DvsNetwork dvs;
    std::vector<std::vector<uint32_t>> core;
    for (const Group &g : groups)
      core.emplace_back(g.bias.size(), 0);
    std::map<uint32_t, uint32_t> numbers; // published address to number
    for (const YAML::Node &entry : root["mappings"])
      for (const auto &pair : entry) {
        const std::string neuron = pair.first.as<std::string>(), place = pair.second["core"].as<std::string>();
        const uint32_t address = uint32_t(std::stoul(place)) * 4 + uint32_t(std::stoul(place.substr(place.find('.') + 1)));
        const uint32_t number = numbers.try_emplace(address, uint32_t(numbers.size())).first->second;
        const auto [first, last] = rangeOf(neuron.substr(neuron.find('.') + 1));
        for (uint32_t n = first; n <= last; ++n)
          core.at(std::stoul(neuron)).at(n) = number;
      }
    dvs.traffic.cores = uint32_t(numbers.size());
    dvs.address.resize(numbers.size());
    for (const auto &[address, number] : numbers)
      dvs.address[number] = address;
    simulate(groups, edges, core, dvs);
    addPlan(groups, edges, dvs.plan);
    return dvs;
  } catch (const std::exception &e) {
    error = file + ": " + e.what();
    return std::nullopt;
  }
}

} // namespace lasnn::bench
