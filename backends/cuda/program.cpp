#include "backends/cuda/program.h"

#include <algorithm>

namespace lasnn::cuda {
namespace {

uint32_t wordsOf(uint32_t channels) { return (channels + 31) / 32; }

InputShape shapeOf(const Buffer &b) {
  InputShape in = {};
  in.form = b.form, in.channels = b.channels, in.words = b.words, in.height = b.height, in.width = b.width;
  in.kernel_h = in.kernel_w = in.stride_h = in.stride_w = in.dilation_h = in.dilation_w = in.groups = 1;
  return in;
}

class Maker {
public:
  Maker(const plan::Network &plan, Choice choice, std::string &error) : plan_(plan), choice_(choice), error_(error) {}

  Program make() {
    program_.name = plan_.name;
    program_.timesteps = plan_.timesteps;
    program_.output_count = plan_.output_count;
    program_.output_scale = plan_.output_scale;
    program_.table = plan_.encode_table;
    program_.delays = plan_.delays;
    if (!plan_.delays.empty() && plan_.timesteps > 1)
      error_ = "the network has delays, and its layers cannot run over " + std::to_string(plan_.timesteps) + " time-steps at once; make a program of one, and step it";
    const bool direct = plan_.encoding == plan::Encoding::Direct;
    for (const plan::Buffer &b : plan_.buffers) {
      const bool image = direct && program_.buffers.empty();
      program_.buffers.push_back({image ? formAnalog : b.max_count == 1 ? formBits : formCounts, b.channels, wordsOf(b.channels), b.height, b.width});
    }
    const plan::Buffer &in = plan_.buffers[0];
    program_.sample_bytes = uint64_t(in.channels) * in.height * in.width * (direct ? 1 : plan_.timesteps);
    encode(direct);
    for (const plan::Layer &layer : plan_.layers)
      add(layer);
    if (!error_.empty())
      program_.launches.clear();
    return program_;
  }

private:
  void encode(bool direct) {
    Launch launch;
    launch.kernel = direct ? Kernel::EncodeImage : Kernel::EncodeEvents;
    launch.name = plan_.buffers[0].name;
    launch.shape.timesteps = plan_.timesteps;
    setOutput(launch, program_.buffers[0]);
    program_.launches.push_back(launch);
  }

  void setOutput(Launch &launch, const Buffer &b) {
    LayerShape &l = launch.shape;
    l.out_form = b.form, l.out_channels = b.channels, l.out_words = b.words, l.out_height = b.height, l.out_width = b.width;
  }

  void add(const plan::Layer &layer) {
    Launch launch;
    LayerShape &l = launch.shape;
    launch.name = layer.name;
    l.timesteps = plan_.timesteps;
    const bool pooling = layer.kind == plan::LayerKind::Pool || layer.kind == plan::LayerKind::Add;
    l.input_count = uint32_t(pooling ? layer.inputs.size() : layer.synapses.size());
    if (l.input_count > maxInputs) {
      error_ = "layer " + layer.name + ": " + std::to_string(l.input_count) + " inputs; the CUDA backend takes " + std::to_string(maxInputs);
      return;
    }
    if (layer.kind == plan::LayerKind::Readout) {
      l.out_form = formReadout, l.out_channels = layer.out_channels, l.out_words = wordsOf(layer.out_channels);
      l.out_height = layer.out_height, l.out_width = layer.out_width;
      l.readout_last = layer.readout == plan::Readout::Last, l.readout_offset = layer.output, l.readout_stride = plan_.output_count;
    } else {
      launch.output = layer.output;
      setOutput(launch, program_.buffers[layer.output]);
    }
    if (pooling)
      addPooling(launch, layer);
    else
      addSynapses(launch, layer);
    program_.launches.push_back(std::move(launch));
  }

  void addPooling(Launch &launch, const plan::Layer &layer) {
    launch.kernel = layer.kind == plan::LayerKind::Pool ? Kernel::Pool : Kernel::Add;
    launch.inputs = layer.inputs;
    launch.shape.pool_sum = layer.pool == plan::PoolKind::Sum;
    for (size_t i = 0; i < layer.inputs.size(); ++i) {
      InputShape &in = launch.shape.input[i] = shapeOf(program_.buffers[layer.inputs[i]]);
      if (launch.kernel == Kernel::Pool)
        setWindow(in, layer);
    }
  }

  static void setWindow(InputShape &in, const plan::Layer &layer) {
    in.kernel_h = layer.kernel_h, in.kernel_w = layer.kernel_w, in.stride_h = layer.stride_h, in.stride_w = layer.stride_w;
    in.pad_top = layer.pad_top, in.pad_left = layer.pad_left;
  }

  void addSynapses(Launch &launch, const plan::Layer &layer) {
    bool possible = !layer.poolsCurrents(), worthwhile = layer.out_channels >= 32;
    if (layer.poolsCurrents()) {
      InputShape &currents = launch.shape.compared;
      currents.height = layer.current_height, currents.width = layer.current_width, currents.dilation_h = currents.dilation_w = 1;
      setWindow(currents, layer);
    }
    for (size_t i = 0; i < layer.synapses.size(); ++i) {
      const plan::Synapse &s = layer.synapses[i];
      InputShape &in = launch.shape.input[i] = shapeOf(program_.buffers[s.input]);
      in.kernel_h = s.kernel_h, in.kernel_w = s.kernel_w, in.stride_h = s.stride_h, in.stride_w = s.stride_w;
      in.dilation_h = s.dilation_h, in.dilation_w = s.dilation_w, in.pad_top = s.pad_top, in.pad_left = s.pad_left, in.groups = s.groups;
      launch.inputs.push_back(s.input);
      possible &= s.groups == 1 && in.form != formAnalog;
      worthwhile &= in.channels >= 32;
    }
    const bool dense = possible && (choice_ == Choice::Dense || (choice_ == Choice::Auto && worthwhile));
    launch.kernel = dense ? Kernel::Dense : Kernel::Event;
    launch.steps = plan_.timesteps == 1 ? 1 : plan_.timesteps == 2 ? 2 : 4;
    launch.tiles = launch.steps <= 2 && layer.out_channels > 32 ? 8 : 4; // sums: steps * tiles * 4 registers
    for (size_t i = 0; i < layer.synapses.size(); ++i)
      launch.weights.push_back((dense ? packDenseWeights : packEventWeights)(layer.synapses[i], launch.shape.input[i], layer.out_channels));
    launch.bias = layer.bias;
    if (layer.kind == plan::LayerKind::Spiking)
      setNeuron(launch, layer.neuron);
  }

  static void setNeuron(Launch &launch, const plan::Neuron &n) {
    LayerShape &l = launch.shape;
    l.decay = n.decay, l.state_bits = n.state_bits, l.s_max = n.s_max;
    const auto low = int32_t(-(int64_t(1) << (n.state_bits - 1)));
    l.v_low = n.has_v_min ? std::max(low, n.v_min) : low;
    l.reset = n.reset == plan::Reset::None ? resetNone : n.reset == plan::Reset::Subtract ? resetSubtract : resetAssign;
    launch.theta = n.v_threshold;
    if (n.state_bits <= 24 && n.s_max == 1) // out of reach is out of reach, however far
      for (int32_t &theta : launch.theta)
        theta = std::clamp(theta, -(1 << 26), 1 << 26);
    launch.amount = n.reset == plan::Reset::Subtract ? n.rho : n.reset == plan::Reset::Value ? n.v_reset : std::vector<int32_t>(l.out_channels, 0);
    if (n.state_bits <= 24 && n.s_max == 1)
      for (int32_t &amount : launch.amount)
        amount = std::clamp(amount, -(1 << 26), 1 << 26);
  }

  const plan::Network &plan_;
  Choice choice_;
  std::string &error_;
  Program program_;
};

} // namespace

const char *nameOf(Kernel kernel) {
  switch (kernel) {
  case Kernel::EncodeImage: return "encode_image";
  case Kernel::EncodeEvents: return "encode_events";
  case Kernel::Event: return "event";
  case Kernel::Dense: return "dense";
  case Kernel::Pool: return "pool";
  case Kernel::Add: return "add";
  }
  return "";
}

uint64_t Buffer::bytes(uint32_t batch, uint32_t timesteps) const {
  const uint64_t pixels = uint64_t(batch) * height * width;
  switch (form) {
  case formAnalog: return pixels * rounded(channels, 4);
  case formBits: return pixels * timesteps * words * 4;
  default: return pixels * timesteps * words * 32;
  }
}

static uint64_t over(uint64_t value, uint64_t by) { return (value + by - 1) / by; }

uint64_t Grid::blocks(uint32_t batch) const { return over(over(batch * rows, rowsAUnit) * columns, unitsABlock); }

Grid Launch::grid() const {
  const uint64_t pixels = uint64_t(shape.out_height) * shape.out_width;
  switch (kernel) {
  case Kernel::EncodeImage: return {pixels, over(shape.out_channels, 4), 1, threadsPerBlock};
  case Kernel::Event: return {pixels, over(shape.out_channels, 128), 1, warpsPerBlock};
  case Kernel::Dense: return {pixels, over(shape.out_words * 4, tiles), 16, warpsPerBlock};
  default: return {pixels * shape.timesteps, shape.out_words, 1, threadsPerBlock};
  }
}

Program makeProgram(const plan::Network &plan, Choice choice, std::string &error) { return Maker(plan, choice, error).make(); }

} // namespace lasnn::cuda
