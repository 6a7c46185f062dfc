#include "tests/backends/loihi/report_network.h"

#include <random>

namespace lasnn::loihi {
namespace {

std::mt19937 random(11);

plan::Synapse convolution(const std::string &name, uint32_t input, uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, int32_t pad) {
  plan::Synapse s;
  s.name = name, s.input = input, s.kernel_h = s.kernel_w = kernel, s.stride_h = s.stride_w = stride, s.pad_top = s.pad_left = pad;
  s.weight.resize(size_t(out) * in * kernel * kernel);
  for (int8_t &w : s.weight) w = int8_t(int(random() % 15) - 7);
  return s;
}

plan::Layer layer(const std::string &name, plan::Synapse synapse, uint32_t output, uint32_t channels, uint32_t size, int32_t threshold) {
  plan::Layer l;
  l.name = name, l.output = output, l.out_channels = channels, l.out_height = l.out_width = size;
  l.synapses.push_back(std::move(synapse));
  l.bias.assign(channels, 1);
  l.neuron.state_bits = 24;
  l.neuron.v_threshold.assign(channels, threshold);
  return l;
}

} // namespace

plan::Network classifier(uint32_t width) {
  random.seed(11);
  plan::Network n;
  n.name = "classifier", n.timesteps = 8, n.output_count = 10;
  n.encode_table.resize(3 * 256);
  for (size_t i = 0; i < n.encode_table.size(); ++i) n.encode_table[i] = int8_t(int(i % 256) / 8 - 16);
  n.buffers = {{"input", 3, 32, 32, 1}, {"conv1", width, 16, 16, 1}, {"conv2", width, 16, 16, 1}, {"conv3", 2 * width, 8, 8, 1}};
  n.layers.push_back(layer("conv1", convolution("conv1", 0, 3, width, 3, 2, 1), 1, width, 16, 160));
  n.layers.push_back(layer("conv2", convolution("conv2", 1, width, width, 3, 1, 1), 2, width, 16, 60));
  n.layers.push_back(layer("conv3", convolution("conv3", 2, width, 2 * width, 3, 2, 1), 3, 2 * width, 8, 60));
  plan::Layer out = layer("head", convolution("head", 3, 2 * width, 10, 8, 1, 0), 0, 10, 1, 0);
  out.kind = plan::LayerKind::Readout, out.bias.assign(10, 0);
  n.layers.push_back(std::move(out));
  return n;
}

} // namespace lasnn::loihi
