// The Loihi mapper on networks with published mappings: cores, hops, busiest links, energy and the mapper's own time. One JSON object on
// stdout.
//   bench_loihi_map [--case=NAME] [--dvs=FILE.yaml] [--effort=N] [--seed=N]
// --dvs: SANA-FE's dvs.yaml, unpacked (shared/data/models/sanafe_dvs); without it those cases are left out.
#include "backends/loihi/map/map.h"
#include "backends/loihi/map/place.h"
#include "bench/loihi_dvs.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

using namespace lasnn;
using namespace lasnn::loihi;
using Json = nlohmann::ordered_json;

namespace {

struct Flags {
  std::string only, dvs;
  unsigned effort = 2;
  uint64_t seed = 1;
} flags;

/// A network layer by layer: weights at random, neurons that integrate and fire.
class Builder {
public:
  Builder(uint32_t channels, uint32_t height, uint32_t width, plan::Reset reset) : reset_(reset) {
    net.name = "bench";
    net.timesteps = 4;
    net.encoding = plan::Encoding::Events;
    net.buffers.push_back({"input", channels, height, width, 1});
  }

  /// groups 0: depthwise.
  Builder &conv(const std::string &name, uint32_t channels, uint32_t kernel, uint32_t stride, uint32_t pad, uint32_t groups = 1) {
    const plan::Buffer in = net.buffers.back();
    plan::Layer layer;
    layer.name = name;
    plan::Synapse s;
    s.name = name;
    s.input = uint32_t(net.buffers.size()) - 1;
    s.kernel_h = s.kernel_w = kernel;
    s.stride_h = s.stride_w = stride;
    s.pad_top = s.pad_left = int32_t(pad);
    s.groups = groups == 0 ? in.channels : groups;
    layer.out_channels = channels;
    layer.out_height = (in.height + 2 * pad - kernel) / stride + 1;
    layer.out_width = (in.width + 2 * pad - kernel) / stride + 1;
    fill(s, channels, in.channels / s.groups);
    layer.synapses.push_back(std::move(s));
    return finish(std::move(layer));
  }
  Builder &linear(const std::string &name, uint32_t channels, bool readout = false) {
    const plan::Buffer in = net.buffers.back();
    plan::Layer layer;
    layer.name = name;
    plan::Synapse s;
    s.name = name;
    s.input = uint32_t(net.buffers.size()) - 1;
    s.kernel_h = in.height;
    s.kernel_w = in.width;
    layer.out_channels = channels;
    fill(s, channels, in.channels);
    layer.synapses.push_back(std::move(s));
    if (!readout) return finish(std::move(layer));
    layer.kind = plan::LayerKind::Readout;
    layer.bias.assign(channels, 0);
    net.output_count = channels;
    net.layers.push_back(std::move(layer));
    return *this;
  }
  Builder &sumPool(uint32_t kernel) {
    const plan::Buffer in = net.buffers.back();
    plan::Layer layer;
    layer.kind = plan::LayerKind::Pool;
    layer.name = "pool";
    layer.inputs = {uint32_t(net.buffers.size()) - 1};
    layer.kernel_h = layer.kernel_w = layer.stride_h = layer.stride_w = kernel;
    layer.out_channels = in.channels;
    layer.out_height = in.height / kernel;
    layer.out_width = in.width / kernel;
    layer.output = uint32_t(net.buffers.size());
    net.buffers.push_back({"pool", in.channels, layer.out_height, layer.out_width, kernel * kernel});
    net.layers.push_back(std::move(layer));
    return *this;
  }
  /// The input as neurons of its own, as NxTF maps it.
  Builder &relay() { return conv("input", net.buffers[0].channels, 1, 1, 0, 0); }

  plan::Network net;

private:
  void fill(plan::Synapse &s, uint32_t k, uint32_t c) {
    s.weight.resize(size_t(k) * c * s.kernel_h * s.kernel_w);
    for (int8_t &w : s.weight)
      do
        w = int8_t(int(random_() % 255) - 127);
      while (w == 0);
  }
  Builder &finish(plan::Layer layer) {
    layer.bias.assign(layer.out_channels, 0);
    layer.neuron.reset = reset_;
    layer.neuron.state_bits = 24;
    layer.neuron.v_threshold.assign(layer.out_channels, 256);
    if (reset_ == plan::Reset::Subtract) layer.neuron.rho.assign(layer.out_channels, 256);
    layer.output = uint32_t(net.buffers.size());
    net.buffers.push_back({layer.name, layer.out_channels, layer.out_height, layer.out_width, 1});
    net.layers.push_back(std::move(layer));
    return *this;
  }

  plan::Reset reset_;
  std::mt19937 random_{1};
};

/// CIFAR-10 "pseudo-MobileNet" of NxTF's tutorial, alpha 0.5.
Builder pseudoMobileNet(bool as_published) {
  Builder b(3, 32, 32, plan::Reset::Subtract);
  if (as_published) b.relay();
  b.conv("00Conv", 32, 3, 2, 1)
      .conv("01DW", 32, 3, 1, 1, 0)
      .conv("02Conv", 64, 1, 1, 0)
      .conv("03DW", 64, 3, 2, 1, 0)
      .conv("04Conv", 128, 1, 1, 0);
  b.conv("05DW", 128, 3, 1, 1, 0)
      .conv("06Conv", 128, 1, 1, 0)
      .conv("07DW", 128, 3, 2, 1, 0)
      .conv("08Conv", 256, 1, 1, 0)
      .conv("09DW", 256, 3, 1, 1, 0);
  b.conv("10Conv", 256, 1, 1, 0);
  if (as_published) return b.conv("11AvgPool", 256, 2, 2, 0, 0).linear("13Dense", 10), b;
  return b.sumPool(2).linear("13Dense", 10, true), b;
}

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Json mapped(const plan::Network &net, const Chip &chip, const std::string &objective = "cores", bool baselines = true,
            unsigned threads = 0) {
  MapOptions options;
  options.objective = *parseObjective(objective);
  options.objective_text = objective;
  options.effort = flags.effort;
  options.seed = flags.seed;
  options.baselines = baselines;
  options.threads = threads;
  const auto start = std::chrono::steady_clock::now();
  const MapResult result = mapNetwork(net, chip, options, {});
  Json json{{"seconds", secondsSince(start)}};
  if (!result.mapping) {
    json["errors"] = result.errors;
    return json;
  }
  const lmap::Mapping &m = *result.mapping;
  uint64_t neurons = 0, synapses = 0;
  for (const lmap::Layer &layer : m.layers())
    neurons += uint64_t(layer.channels()) * layer.height() * layer.width(), synapses += layer.synapses();
  json["neurons"] = neurons;
  json["synapses"] = synapses;
  json["cores"] = m.cores_size();
  json["chips"] = m.result().chips();
  json["bound"] = m.result().bound().cores();
  json["bound_one_layer_each"] = m.result().bound().cores_one_layer_each();
  std::vector<unsigned> by_layer(size_t(m.layers_size()), 0);
  for (const lmap::Core &core : m.cores()) {
    std::vector<bool> seen(by_layer.size(), false);
    for (const lmap::Group &group : core.groups())
      if (!seen[group.layer()]) seen[group.layer()] = true, ++by_layer[group.layer()];
  }
  json["cores_by_layer"] = by_layer;
  for (const lmap::Score &s : m.result().scores())
    json["scores"][s.name()] = {{"cores", s.cores()},
                                {"packets", s.packets()},
                                {"mean_hops", s.mean_hops()},
                                {"max_link", s.max_link()},
                                {"between_chips", s.between_chips()},
                                {"energy_pj", s.energy_pj()},
                                {"feasible", s.feasible()}};
  for (const PassTime &t : result.times)
    json["ms"][t.pass] = t.ms;
  if (!result.errors.empty()) json["errors"] = result.errors;
  return json;
}

Json placed(const Traffic &traffic, const Chip &chip, const std::vector<uint32_t> *published, unsigned effort) {
  static constexpr double kMoves[] = {0, 300, 2000, 10000, 50000};
  PlaceOptions options;
  options.seed = flags.seed;
  options.moves_per_core = kMoves[effort];
  options.link_moves_per_core = options.moves_per_core / 4;
  const auto start = std::chrono::steady_clock::now();
  const PlaceScore best = scoreOf(traffic, place(traffic, chip, options), chip);
  Json json{{"seconds", secondsSince(start)}, {"packets", best.packets}, {"mean_hops", best.meanHops()}, {"max_link", best.max_link}};
  const auto add = [&](const char *name, const std::vector<uint32_t> &address) {
    const PlaceScore s = scoreOf(traffic, address, chip);
    json[name] = {{"mean_hops", s.meanHops()}, {"max_link", s.max_link}};
  };
  if (published) add("published", *published);
  add("in_order", placeInOrder(traffic, chip, PlaceOrder::Sequential, 0));
  add("hilbert", placeInOrder(traffic, chip, PlaceOrder::Hilbert, 0));
  add("random", placeInOrder(traffic, chip, PlaceOrder::Random, flags.seed));
  return json;
}

/// `layers` layers of `width` cores each, every core sending to every core of the next layer; one core a tile.
Json layered(uint32_t side, uint32_t layers, uint32_t width) {
  Chip chip = *loadChip("loihi1").chip;
  chip.mesh.width = chip.mesh.height = side;
  chip.mesh.cores_per_tile = 1;
  chip.mesh.cores_per_chip = side * side;
  Traffic traffic;
  traffic.cores = layers * width;
  for (uint32_t l = 0; l + 1 < layers; ++l)
    for (uint32_t a = 0; a < width; ++a)
      for (uint32_t b = 0; b < width; ++b)
        traffic.edges.push_back({l * width + a, (l + 1) * width + b, 1});
  return placed(traffic, chip, nullptr, flags.effort);
}

const char *valueOf(const char *argument, const char *name) {
  const size_t size = std::strlen(name);
  return std::strncmp(argument, name, size) == 0 && argument[size] == '=' ? argument + size + 1 : nullptr;
}

} // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    if (const char *value = valueOf(argv[i], "--case"))
      flags.only = value;
    else if (const char *value = valueOf(argv[i], "--dvs"))
      flags.dvs = value;
    else if (const char *value = valueOf(argv[i], "--effort"))
      flags.effort = unsigned(std::min(4L, std::strtol(value, nullptr, 10)));
    else if (const char *value = valueOf(argv[i], "--seed"))
      flags.seed = std::strtoull(value, nullptr, 10);
    else
      return std::fprintf(stderr, "bench_loihi_map: unknown argument %s\n", argv[i]), 2;
  }
  const Chip chip = *loadChip("loihi1").chip;
  Json all;
  const auto wanted = [&](const char *name) { return flags.only.empty() || flags.only == name; };
  const auto run = [&](const char *name, const auto &body) {
    if (!wanted(name)) return;
    std::fprintf(stderr, "%s\n", name);
    all[name] = body();
  };
  run("pseudo_mobilenet_as_published", [&] { return mapped(pseudoMobileNet(true).net, chip); });
  run("pseudo_mobilenet", [&] { return mapped(pseudoMobileNet(false).net, chip); });
  run("pseudo_mobilenet_energy", [&] { return mapped(pseudoMobileNet(false).net, chip, "energy"); });
  run("mnist_cnn", [&] {
    // Four layers, 4,682 neurons with the input, 7,400 weights: NxTF's size; its exact shapes are not published.
    Builder b(1, 28, 28, plan::Reset::Zero);
    return mapped(b.relay().conv("conv1", 16, 3, 2, 0).conv("conv2", 32, 3, 2, 0).conv("conv3", 8, 3, 2, 0).linear("dense", 10).net, chip);
  });
  run("vgg_energy", [&] { // the shapes of the project's CIFAR-10 student
    Builder b(3, 32, 32, plan::Reset::Zero);
    return mapped(b.conv("conv1", 32, 3, 1, 1)
                      .conv("conv2", 32, 3, 2, 1)
                      .conv("conv3", 64, 3, 1, 1)
                      .conv("conv4", 64, 3, 2, 1)
                      .conv("conv5", 128, 3, 1, 1)
                      .sumPool(8)
                      .linear("dense", 10, true)
                      .net,
                  chip, "energy");
  });
  run("layered_16x16", [&] { return layered(16, 16, 16); });
  run("layered_32x32", [&] { return layered(32, 16, 64); });
  run("full_chip", [&] { // 131,072 neurons
    Builder b(2, 64, 64, plan::Reset::Zero);
    return mapped(b.conv("conv1", 8, 3, 1, 1).conv("conv2", 16, 3, 1, 1).conv("conv3", 8, 3, 1, 1).net, chip, "cores", false, 1);
  });
  run("million", [&] { // 1,048,576 neurons
    Builder b(2, 128, 128, plan::Reset::Zero);
    return mapped(b.conv("conv1", 16, 3, 1, 1).conv("conv2", 16, 3, 1, 1).conv("conv3", 16, 3, 1, 1).conv("conv4", 16, 3, 1, 1).net, chip,
                  "cores", false, 1);
  });
  if (!flags.dvs.empty() && (wanted("dvs") || wanted("dvs_energy") || wanted("dvs_placement"))) {
    std::string error;
    const std::optional<bench::DvsNetwork> dvs = bench::readDvs(flags.dvs, error);
    if (!dvs) return std::fprintf(stderr, "bench_loihi_map: %s\n", error.c_str()), 1;
    run("dvs", [&] { return mapped(dvs->plan, chip); });
    run("dvs_energy", [&] { return mapped(dvs->plan, chip, "energy"); });
    run("dvs_placement", [&] {
      Json json = placed(dvs->traffic, chip, &dvs->address, 4);
      json["fired"] = dvs->fired;
      json["published_packets"] = 386640;
      return json;
    });
  }
  std::printf("%s\n", all.dump(1).c_str());
  return 0;
}
