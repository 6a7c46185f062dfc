#include "distill/network.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::distill {
namespace {

constexpr double bnEpsilon = 1e-5, bnMomentum = 0.1; // torch.nn.BatchNorm2d's

std::string moduleName(std::string name) { // Torch keeps '.' for itself
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

int64_t convSize(int64_t in, const Synapse &s, const std::string &at) {
  const int64_t span = in + 2 * s.pad - s.kernel;
  if (span < 0)
    throw std::invalid_argument(fmt::format("architecture: {}: kernel {} is larger than its padded input {}", at, s.kernel, in + 2 * s.pad));
  return span / s.stride + 1;
}

} // namespace

SynapseModule::SynapseModule(const Synapse &d, int64_t inputs, int64_t outputs) : desc(d) {
  if (d.identity) {
    if (outputs < inputs || (outputs - inputs) % 2)
      throw std::invalid_argument(fmt::format("architecture: {}: identity from {} to {} channels; it adds as many on either side, so the "
                                              "difference is even and not negative", d.name, inputs, outputs));
    added = (outputs - inputs) / 2;
    return;
  }
  weight = register_parameter("weight", d.conv ? torch::empty({outputs, inputs, d.kernel, d.kernel}) : torch::empty({outputs, inputs}));
  // Kaiming (He et al. 2015) with fan-in: the variance that keeps ReLU layers, and normalised LIF layers, alive.
  torch::nn::init::kaiming_normal_(weight, 0.0, torch::kFanIn, d.batchNorm ? torch::nn::init::NonlinearityType(torch::kReLU)
                                                                         : torch::nn::init::NonlinearityType(torch::kLinear));
  if (d.batchNorm) {
    gamma = register_parameter("gamma", torch::ones({outputs}));
    shift = register_parameter("shift", torch::zeros({outputs}));
    runningMean = register_buffer("running_mean", torch::zeros({outputs}));
    runningVar = register_buffer("running_var", torch::ones({outputs}));
  } else {
    bias = register_parameter("bias", torch::zeros({outputs}));
  }
}

torch::Tensor SynapseModule::forward(const torch::Tensor &in, bool bfloat16) {
  const auto type = bfloat16 ? torch::kBFloat16 : torch::kFloat32;
  torch::Tensor x = in.to(type);
  if (desc.identity) {
    namespace I = torch::indexing;
    if (desc.stride > 1)
      x = x.index({I::Slice(), I::Slice(), I::Slice(I::None, I::None, desc.stride), I::Slice(I::None, I::None, desc.stride)});
    return added ? torch::constant_pad_nd(x, {0, 0, 0, 0, added, added}) : x;
  }
  if (!desc.conv && x.dim() > 2)
    x = x.flatten(1);
  const torch::Tensor w = weight.to(type);
  torch::Tensor y = desc.conv ? torch::conv2d(x, w, {}, desc.stride, desc.pad) : torch::linear(x, w);
  if (!desc.batchNorm) {
    y = y.to(torch::kFloat32);
    return y + (desc.conv ? bias.view({1, -1, 1, 1}) : bias);
  }
  return torch::batch_norm(y, gamma, shift, runningMean, runningVar, is_training(), bnMomentum, bnEpsilon, false);
}

std::pair<torch::Tensor, torch::Tensor> SynapseModule::folded() const {
  torch::NoGradGuard noGrad;
  if (desc.identity) { // the same as a 1x1 convolution
    const int64_t outputs = desc.out, inputs = outputs - 2 * added;
    const torch::Tensor one = torch::zeros({outputs, inputs, 1, 1});
    one.narrow(0, added, inputs).squeeze(-1).squeeze(-1).fill_diagonal_(1);
    return {one, torch::zeros({outputs})};
  }
  if (!desc.batchNorm)
    return {weight.clone(), bias.clone()};
  // In float64: the fold then rounds once, and the exported file does not depend on the order of operations.
  const auto g = gamma.to(torch::kFloat64) / torch::sqrt(runningVar.to(torch::kFloat64) + bnEpsilon);
  std::vector<int64_t> shape(size_t(weight.dim()), 1);
  shape[0] = -1;
  return {(weight.to(torch::kFloat64) * g.view(shape)).to(torch::kFloat32).contiguous(),
          (shift.to(torch::kFloat64) - runningMean.to(torch::kFloat64) * g).to(torch::kFloat32).contiguous()};
}

Network::Network(const Arch &a, std::optional<NeuronOptions> n) : arch(a), neuron(std::move(n)) {
  std::map<std::string, std::vector<int64_t>> shapes = {{"input", {a.channels, a.height, a.width}}};
  for (Node &node : arch.nodes) {
    if (node.synapses.empty()) {
      auto shape = shapes.at(node.from);
      if (shape.size() != 3 || shape[1] < node.size || shape[2] < node.size)
        throw std::invalid_argument(fmt::format("architecture: {}: a pool of {} does not fit [{}]", node.name, node.size, fmt::join(shape, ", ")));
      shapes[node.name] = {shape[0], shape[1] / node.size, shape[2] / node.size};
      continue;
    }
    for (Synapse &s : node.synapses) {
      const auto in = shapes.at(s.from);
      const int64_t out = s.out ? s.out : arch.classes;
      std::vector<int64_t> shape = {out};
      int64_t inputs = 1;
      if (s.conv) {
        if (in.size() != 3)
          throw std::invalid_argument(fmt::format("architecture: {}: a convolution after a linear layer", s.name));
        inputs = in[0];
        shape = {out, convSize(in[1], s, s.name), convSize(in[2], s, s.name)};
      } else {
        for (int64_t size : in)
          inputs *= size;
      }
      if (&s != &node.synapses.front() && shape != shapes.at(node.name))
        throw std::invalid_argument(fmt::format("architecture: {} gives [{}], but {} gives [{}]; their currents are added", s.name,
                                                fmt::join(shape, ", "), node.name, fmt::join(shapes.at(node.name), ", ")));
      shapes[node.name] = shape;
      synapses_[s.name] = register_module(moduleName(s.name), std::make_shared<SynapseModule>(s, inputs, out));
    }
    if (node.kind == Node::Kind::Layer && neuron && neuron->kind == "plif") {
      const double b = std::clamp(neuron->beta, 0.01, 0.99);
      plif_[node.name] = register_parameter(moduleName(node.name) + "_plif", torch::tensor(std::log(b / (1 - b))));
    }
  }
  shapes_ = std::move(shapes);
}

torch::Tensor Network::beta(const std::string &layer) const {
  const auto learned = plif_.find(layer);
  if (learned != plif_.end())
    return torch::sigmoid(learned->second);
  return torch::tensor(neuron->kind == "if" ? 1.0 : neuron->beta);
}

Forward Network::forward(const Steps &input, int64_t steps) {
  Forward out;
  std::map<std::string, Steps> values = {{"input", input}};
  for (const Node &node : arch.nodes) {
    if (node.synapses.empty()) {
      const Steps &in = values.at(node.from);
      values[node.name] = {node.kind == Node::Kind::MaxPool ? torch::max_pool2d(in.x, node.size) : torch::avg_pool2d(in.x, node.size), in.steps};
      continue;
    }
    Steps current;
    for (const Synapse &s : node.synapses) {
      const Steps &in = values.at(s.from);
      Steps part{synapses_.at(s.name)->forward(in.x, bfloat16), in.steps};
      if (!current.x.defined()) {
        current = part;
        continue;
      }
      // A static current joins a changing one: repeat it over the steps.
      std::vector<int64_t> repeat(size_t(part.x.dim()), 1);
      repeat[0] = std::max(current.steps, part.steps);
      if (current.steps < part.steps)
        current = {current.x.repeat(repeat), part.steps};
      else if (part.steps < current.steps)
        part = {part.x.repeat(repeat), current.steps};
      current.x = current.x + part.x;
    }
    if (node.kind == Node::Kind::Readout) {
      out.logits = current;
      continue;
    }
    Steps value = neuron ? Steps{spikeSteps(current.x, current.steps, beta(node.name), steps, *neuron), steps}
                         : Steps{torch::relu(current.x), current.steps};
    values[node.name] = value;
    out.layers.emplace_back(node.name, value);
  }
  return out;
}

std::vector<std::shared_ptr<SynapseModule>> Network::synapses() const {
  std::vector<std::shared_ptr<SynapseModule>> list;
  for (const Node &node : arch.nodes)
    for (const Synapse &s : node.synapses)
      list.push_back(synapses_.at(s.name));
  return list;
}

std::shared_ptr<SynapseModule> Network::synapse(const std::string &name) const {
  const auto found = synapses_.find(name);
  return found == synapses_.end() ? nullptr : found->second;
}

std::vector<std::string> Network::layerNames() const {
  std::vector<std::string> names;
  for (const Node &node : arch.nodes)
    if (node.kind == Node::Kind::Layer)
      names.push_back(node.name);
  return names;
}

std::vector<int64_t> Network::layerShape(const std::string &name) const { return shapes_.at(name); }

torch::Tensor meanOverSteps(const Steps &value) {
  if (value.steps == 1)
    return value.x.to(torch::kFloat32);
  std::vector<int64_t> sizes = value.x.sizes().vec();
  sizes[0] /= value.steps;
  sizes.insert(sizes.begin(), value.steps);
  return value.x.view(sizes).mean(0, false, torch::kFloat32);
}

size_t copyMatching(const Network &from, Network &to) {
  torch::NoGradGuard noGrad;
  size_t copied = 0;
  for (const auto &target : to.synapses()) {
    const auto source = from.synapse(target->desc.name);
    if (target->desc.identity || !source || source->desc.identity || source->weight.sizes() != target->weight.sizes() || source->desc.batchNorm != target->desc.batchNorm)
      continue;
    auto copy = [](torch::Tensor &a, const torch::Tensor &b) { a.copy_(b); };
    copy(target->weight, source->weight);
    if (target->desc.batchNorm) {
      copy(target->gamma, source->gamma), copy(target->shift, source->shift);
      copy(target->runningMean, source->runningMean), copy(target->runningVar, source->runningVar);
    } else {
      copy(target->bias, source->bias);
    }
    ++copied;
  }
  return copied;
}

} // namespace lasnn::distill
