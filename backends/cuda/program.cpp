#include "backends/cuda/program.h"
#include "backends/cuda/choose.h"
#include "backends/cuda/fuse.h"

#include <algorithm>

namespace lasnn::cuda {
namespace {

uint32_t wordsOf(uint32_t channels) { return (channels + 31) / 32; }

InputShape shapeOf(const Buffer &b) {
  InputShape in = {};
  in.form = b.form, in.channels = b.channels, in.words = b.words, in.height = b.height, in.width = b.width;
  in.kernel_h = in.kernel_w = in.stride_h = in.stride_w = in.dilation_h = in.dilation_w = in.groups = in.pool_h = in.pool_w = 1;
  return in;
}

class Maker {
public:
  Maker(const Fused &fused, const Options &options, std::string &error) : plan_(fused.plan), views_(fused.views), options_(options), error_(error) {}

  Program make() {
    checkNames();
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
    rates_.assign(plan_.buffers.size(), options_.rate);
    rates_[0] = rateOf(plan_.buffers[0].name);
    encode(direct);
    for (const plan::Layer &layer : plan_.layers) {
      if (layer.kind != plan::LayerKind::Readout)
        rates_[layer.output] = rateOf(layer.name);
      add(layer);
    }
    if (!error_.empty())
      program_.launches.clear();
    return program_;
  }

private:
  double rateOf(const std::string &name) const {
    const auto found = options_.rates.find(name);
    return found == options_.rates.end() ? options_.rate : found->second;
  }

  void checkNames() {
    for (const auto &forced : options_.forced)
      if (std::none_of(plan_.layers.begin(), plan_.layers.end(),
                       [&](const plan::Layer &layer) { return layer.name == forced.first && !layer.synapses.empty(); }))
        error_ = "kernel " + forced.second + " is asked for layer " + forced.first + ": there is no layer with synapses of that name";
  }

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

  /// The buffer that a synapse reads, through the maximum that was fused into it.
  InputShape inputOf(uint32_t buffer) const {
    const View &view = views_[buffer];
    InputShape in = shapeOf(program_.buffers[view.source]);
    in.height /= view.pool_h, in.width /= view.pool_w, in.pool_h = view.pool_h, in.pool_w = view.pool_w;
    return in;
  }

  void addSynapses(Launch &launch, const plan::Layer &layer) {
    LayerShape &l = launch.shape;
    if (layer.poolsCurrents()) {
      InputShape &currents = l.compared;
      currents.height = layer.current_height, currents.width = layer.current_width;
      currents.dilation_h = currents.dilation_w = currents.pool_h = currents.pool_w = 1;
      setWindow(currents, layer);
    }
    std::vector<double> rates;
    for (size_t i = 0; i < layer.synapses.size(); ++i) {
      const plan::Synapse &s = layer.synapses[i];
      InputShape &in = l.input[i] = inputOf(s.input);
      in.kernel_h = s.kernel_h, in.kernel_w = s.kernel_w, in.stride_h = s.stride_h, in.stride_w = s.stride_w;
      in.dilation_h = s.dilation_h, in.dilation_w = s.dilation_w, in.pad_top = s.pad_top, in.pad_left = s.pad_left, in.groups = s.groups;
      launch.inputs.push_back(views_[s.input].source);
      rates.push_back(std::min(1.0, rates_[launch.inputs.back()] * in.pool_h * in.pool_w));
    }
    launch.steps = plan_.timesteps == 1 ? 1 : plan_.timesteps == 2 ? 2 : 4;
    if (!choose(launch, options_, rates, error_))
      return;
    for (size_t i = 0; i < layer.synapses.size(); ++i)
      launch.weights.push_back(formOf(launch.kernel).pack(layer.synapses[i], l.input[i], launch));
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
  const std::vector<View> &views_;
  const Options &options_;
  std::string &error_;
  std::vector<double> rates_; // of buffers
  Program program_;
};

} // namespace

uint64_t Buffer::bytes(uint32_t batch, uint32_t timesteps) const {
  const uint64_t pixels = uint64_t(batch) * height * width;
  switch (form) {
  case formAnalog: return pixels * rounded(channels, 4);
  case formBits: return pixels * timesteps * words * 4;
  default: return pixels * timesteps * words * 32;
  }
}

Program makeProgram(const plan::Network &plan, const Options &options, std::string &error) {
  const bool fuses = options.fuse == Fuse::Always || (options.fuse == Fuse::Auto && options.batch <= 8);
  Fused fused = {plan, {}};
  if (fuses)
    fused = fuse(plan, options.fuse == Fuse::Always);
  else
    for (uint32_t b = 0; b < plan.buffers.size(); ++b)
      fused.views.push_back({b, 1, 1});
  return Maker(fused, options, error).make();
}

Program makeProgram(const plan::Network &plan, Choice choice, std::string &error) {
  Options options;
  options.prefer = choice == Choice::Event ? nameOf(Kernel::Event) : choice == Choice::Dense ? nameOf(Kernel::Dense) : "";
  return makeProgram(plan, options, error);
}

} // namespace lasnn::cuda
