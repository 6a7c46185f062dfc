// Writes a network of one neuron: weight 5, threshold 0, two steps, read out with weight 5 each. A spike a step gives 10.
#include "backends/x86/write_lasnn.h"

#include <cstdio>

int main(int argc, char **argv) {
  using namespace lasnn::plan;
  if (argc != 2) return 2;
  Network plan;
  plan.name = "tiny";
  plan.timesteps = 2;
  plan.encoding = Encoding::Events;
  plan.buffers = {{"in", 1, 1, 1, 1}, {"hidden", 1, 1, 1, 1}};
  Layer neuron;
  neuron.name = "neuron";
  neuron.output = 1;
  neuron.out_channels = 1;
  neuron.bias = {0};
  neuron.current_fits_int16 = true;
  neuron.synapses.resize(1);
  neuron.synapses[0].weight = {5};
  neuron.neuron.v_threshold = {0};
  Layer readout;
  readout.kind = LayerKind::Readout;
  readout.name = "readout";
  readout.out_channels = 1;
  readout.bias = {0};
  readout.synapses.resize(1);
  readout.synapses[0].input = 1;
  readout.synapses[0].weight = {5};
  plan.layers = {neuron, readout};
  plan.output_count = 1;
  std::string error;
  const std::vector<uint8_t> bytes = lasnn::x86::writeLasnn(plan, {"package test", "", "", "", ""}, {}, error);
  FILE *file = fopen(argv[1], "wb");
  if (!error.empty() || !file || fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || fclose(file) != 0) {
    fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  return 0;
}
