// The lists of a tile, expanded, are the synapses of the network: every source, every target, every weight, for boxes in both orders and
// for irregular tiles.
#include "backends/loihi/lower/lower.h"
#include "backends/loihi/map/tiling.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace lasnn;
using namespace lasnn::loihi;

namespace {

using Synapses = std::map<std::pair<uint32_t, uint32_t>, int32_t>; ///< (source neuron, target neuron) -> weight

/// C1 of ir/spec.md, written out.
Synapses expected(const plan::Network &net, const plan::Layer &layer) {
  Synapses all;
  const plan::Synapse &s = layer.synapses[0];
  const plan::Buffer &in = net.buffers[s.input];
  const uint32_t in_group = in.channels / s.groups;
  for (uint32_t k = 0; k < layer.out_channels; ++k)
    for (uint32_t y = 0; y < layer.out_height; ++y)
      for (uint32_t x = 0; x < layer.out_width; ++x)
        for (uint32_t c = 0; c < in_group; ++c)
          for (uint32_t i = 0; i < s.kernel_h; ++i)
            for (uint32_t j = 0; j < s.kernel_w; ++j) {
              const int64_t iy = int64_t(y) * s.stride_h - s.pad_top + i, ix = int64_t(x) * s.stride_w - s.pad_left + j;
              if (iy < 0 || ix < 0 || iy >= in.height || ix >= in.width) continue;
              const uint32_t source =
                  ((k / (layer.out_channels / s.groups) * in_group + c) * in.height + uint32_t(iy)) * in.width + uint32_t(ix);
              if (const int8_t w = s.weight[((k * in_group + c) * s.kernel_h + i) * s.kernel_w + j])
                all[{source, (k * layer.out_height + y) * layer.out_width + x}] += w;
            }
  return all;
}

void expand(const Projection &p, const Population &population, const Tile &tile, uint32_t base, const Chip &chip, Synapses &all) {
  const TileSynapses s = tileSynapses(p, population, tile, base, chip);
  for (const TileAxon &axon : s.axons) {
    EXPECT_LE(axon.cx_base, chip.limits.cx_base);
    for (const ListSynapse &synapse : s.lists[axon.list]) {
      const uint32_t compartment = axon.cx_base + synapse.index;
      ASSERT_GE(compartment, base);
      ASSERT_EQ((compartment - base) % population.compartments, 0u);
      const uint32_t number = (compartment - base) / population.compartments;
      ASSERT_LT(number, tile.size());
      all[{axon.source, tile.neuron(number, population)}] += (p.format.sign == lmap::INHIBITORY ? -synapse.weight : synapse.weight) * (1 << p.format.shift);
    }
  }
}

plan::Network oneLayer(std::mt19937 &random) {
  plan::Network net;
  net.encoding = plan::Encoding::Events;
  net.timesteps = 2;
  const auto pick = [&](uint32_t low, uint32_t high) { return uint32_t(low + random() % (high - low + 1)); };
  const uint32_t groups = random() % 3 ? 1 : pick(2, 4);
  const plan::Buffer in{"in", groups * pick(1, 8), pick(3, 12), pick(3, 12), 1};
  net.buffers = {in, {}};
  plan::Layer layer;
  layer.name = "layer";
  plan::Synapse s;
  s.groups = groups;
  s.kernel_h = pick(1, 4), s.kernel_w = pick(1, 4), s.stride_h = pick(1, 3), s.stride_w = pick(1, 3);
  s.pad_top = int32_t(pick(0, s.kernel_h - 1)), s.pad_left = int32_t(pick(0, s.kernel_w - 1));
  while (in.height + 2 * uint32_t(s.pad_top) < s.kernel_h)
    ++s.pad_top;
  while (in.width + 2 * uint32_t(s.pad_left) < s.kernel_w)
    ++s.pad_left;
  layer.out_channels = groups * pick(1, 24);
  layer.out_height = (in.height + 2 * uint32_t(s.pad_top) - s.kernel_h) / s.stride_h + 1;
  layer.out_width = (in.width + 2 * uint32_t(s.pad_left) - s.kernel_w) / s.stride_w + 1;
  s.weight.resize(size_t(layer.out_channels) * in.channels / groups * s.kernel_h * s.kernel_w);
  for (int8_t &w : s.weight)
    w = int8_t(random() % 4 ? int(random() % 255) - 127 : 0);
  layer.synapses = {s};
  layer.bias.assign(layer.out_channels, 0);
  layer.neuron.state_bits = 24;
  layer.neuron.reset = random() % 2 ? plan::Reset::Zero : plan::Reset::Subtract;
  layer.neuron.v_threshold.assign(layer.out_channels, 64);
  layer.neuron.rho.assign(layer.out_channels, 64);
  layer.output = 1;
  net.buffers[1] = {"out", layer.out_channels, layer.out_height, layer.out_width, 1};
  net.layers = {layer};
  return net;
}

TEST(LoihiTile, ExpandedListsAreTheSynapsesOfTheNetwork) {
  const Chip chip = *loadChip("loihi1").chip;
  std::mt19937 random(3);
  for (uint32_t trial = 0; trial < 400 && !HasFailure(); ++trial) {
    const plan::Network net = oneLayer(random);
    const LowerResult lowered = lower(net, chip);
    ASSERT_TRUE(lowered.model) << trial << ": " << lowered.errors[0];
    const Population &population = lowered.model->populations[0];
    const Projection &projection = lowered.model->projections[0];
    const auto parts = [&](uint32_t most, uint32_t size) { return uint32_t(1 + random() % std::min(most, size)); };
    const Grid grid{parts(4, population.channels), parts(3, population.height), parts(3, population.width), random() % 2 == 0};
    Synapses boxes, irregular;
    std::vector<uint32_t> neurons;
    for (const Tile &tile : tilesOf(0, population, grid))
      expand(projection, population, tile, random() % 300, chip, boxes);
    Tile odd, even;
    for (uint32_t n = 0; n < population.neurons(); ++n)
      (n % 2 ? odd : even).neurons.push_back(n);
    if (!odd.neurons.empty()) expand(projection, population, odd, 3, chip, irregular);
    expand(projection, population, even, 0, chip, irregular);
    const Synapses right = expected(net, net.layers[0]);
    EXPECT_EQ(boxes, right) << trial;
    EXPECT_EQ(irregular, right) << trial;
  }
}

} // namespace
