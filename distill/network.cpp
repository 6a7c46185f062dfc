#include "distill/network.h"
#include "distill/packed_synapse.h"
#include "distill/quantize.h"
#include "distill/recompute.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::distill {
namespace {

std::string moduleName(std::string name) { // Torch keeps '.' for itself
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// Identities carry the layer's name, which may be a sum's synapse's as well (arch.cpp).
std::string key(const Node &node, const Synapse &s) { return s.identity && s.name == node.name ? s.name + ".identity" : s.name; }

int64_t windowSize(int64_t in, int64_t kernel, int64_t stride, int64_t pad, const std::string &at) {
  const int64_t span = in + 2 * pad - kernel;
  if (span < 0)
    throw std::invalid_argument(fmt::format("architecture: {}: a window of {} does not fit its padded input of {}", at, kernel, in + 2 * pad));
  return span / stride + 1;
}

std::vector<int64_t> pooledShape(const std::vector<int64_t> &in, const Pool &p, const std::string &at) {
  if (in.size() != 3)
    throw std::invalid_argument(fmt::format("architecture: {}: a pool of [{}], which has no positions", at, fmt::join(in, ", ")));
  if (p.size == 0)
    return {in[0], 1, 1};
  if (in[1] + 2 * p.pad < p.size || in[2] + 2 * p.pad < p.size)
    throw std::invalid_argument(fmt::format("architecture: {}: a pool of {} does not fit [{}]", at, p.size, fmt::join(in, ", ")));
  return {in[0], windowSize(in[1], p.size, p.stride, p.pad, at), windowSize(in[2], p.size, p.stride, p.pad, at)};
}

torch::Tensor pooled(const torch::Tensor &x, const Pool &p) {
  if (p.size == 0)
    return p.max ? x.amax({2, 3}, true) : x.mean({2, 3}, true);
  return p.max ? torch::max_pool2d(x, p.size, p.stride, p.pad) : torch::avg_pool2d(x, p.size, p.stride, p.pad);
}

torch::Tensor normalised(const torch::Tensor &y, const Normalisation &n) {
  return torch::batch_norm(y, n.gamma, n.shift, n.runningMean, n.runningVar, n.training, n.momentum, n.epsilon, false);
}

} // namespace

SynapseModule::SynapseModule(const Synapse &d, int64_t inputs, int64_t outputs) : desc(d) {
  if (d.identity) {
    desc.out = outputs;
    if (outputs < inputs || (outputs - inputs) % 2)
      throw std::invalid_argument(fmt::format("architecture: {}: identity from {} to {} channels; it adds as many on either side, so the "
                                              "difference is even and not negative", d.name, inputs, outputs));
    added = (outputs - inputs) / 2;
    return;
  }
  if (d.groups < 1 || inputs % d.groups || outputs % d.groups)
    throw std::invalid_argument(fmt::format("architecture: {}: {} groups do not divide {} and {} channels", d.name, d.groups, inputs, outputs));
  weight = register_parameter("weight", d.conv ? torch::empty({outputs, inputs / d.groups, d.kernel, d.kernel}) : torch::empty({outputs, inputs}));
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

torch::Tensor SynapseModule::kernel(const torch::Tensor &w) const {
  if (!desc.pool || desc.pool->max)
    return w;
  // mean over a window of conv(x, w) = conv(x, w * box / size^2), the box shifted over the window.
  const int64_t size = desc.pool->size, border = size - 1;
  return torch::avg_pool2d(torch::constant_pad_nd(w, {border, border, border, border}), size, 1);
}

Synapse SynapseModule::geometry() const {
  Synapse s = desc;
  if (s.pool && !s.pool->max) {
    s.kernel += s.pool->size - 1;
    s.stride = s.pool->stride;
    s.pool.reset();
  }
  return s;
}

torch::Tensor SynapseModule::beforeNormalisation(const torch::Tensor &in, bool bfloat16, bool packed) {
  const auto type = bfloat16 ? torch::kBFloat16 : torch::kFloat32;
  torch::Tensor x = in.to(type);
  if (!desc.conv && x.dim() > 2)
    x = x.flatten(1);
  const torch::Tensor w = kernel(weight).to(type);
  const Synapse shape = geometry();
  torch::Tensor y;
  if (desc.conv)
    y = packed ? packedConv2d(x, w, shape.stride, shape.pad, shape.groups) : torch::conv2d(x, w, {}, shape.stride, shape.pad, 1, shape.groups);
  else
    y = packed ? packedLinear(x, w) : torch::linear(x, w);
  return shape.pool ? pooled(y, *shape.pool) : y;
}

Normalisation SynapseModule::normalisation() const {
  const bool training = is_training();
  const bool count = !(recomputing && training); // the second time, this batch is in the running statistics already
  return {geometry().pool ? gamma.abs() : gamma, shift, count ? runningMean : torch::Tensor(), count ? runningVar : torch::Tensor(), training, momentum, epsilon};
}

torch::Tensor SynapseModule::forward(const torch::Tensor &in, bool bfloat16, bool packed) {
  torch::Tensor x = in;
  if (desc.identity) { // the type stays: a residual stream is not rounded on its way
    namespace I = torch::indexing;
    if (desc.stride > 1)
      x = x.index({I::Slice(), I::Slice(), I::Slice(I::None, I::None, desc.stride), I::Slice(I::None, I::None, desc.stride)});
    if (added)
      x = torch::constant_pad_nd(x, {0, 0, 0, 0, added, added});
    return desc.gain == 1 ? x : x * desc.gain;
  }
  const torch::Tensor y = beforeNormalisation(x, bfloat16, packed);
  if (!desc.batchNorm)
    return y.to(torch::kFloat32) + (desc.conv ? bias.view({1, -1, 1, 1}) : bias);
  return normalised(y, normalisation());
}

std::pair<torch::Tensor, torch::Tensor> SynapseModule::folded() const {
  torch::NoGradGuard noGrad;
  if (desc.identity) {
    const int64_t outputs = desc.out, inputs = outputs - 2 * added;
    const torch::Tensor one = torch::zeros({outputs, inputs, 1, 1});
    one.narrow(0, added, inputs).squeeze(-1).squeeze(-1).fill_diagonal_(desc.gain);
    return {one, torch::zeros({outputs})};
  }
  if (!desc.batchNorm)
    return {kernel(weight).clone(), bias.clone()};
  // In float64: the fold then rounds once, and the exported file does not depend on the order of operations.
  const auto scale = geometry().pool ? gamma.abs() : gamma;
  const auto g = scale.to(torch::kFloat64) / torch::sqrt(runningVar.to(torch::kFloat64) + epsilon);
  std::vector<int64_t> shape(size_t(weight.dim()), 1);
  shape[0] = -1;
  return {(kernel(weight.to(torch::kFloat64)) * g.view(shape)).to(torch::kFloat32).contiguous(),
          (shift.to(torch::kFloat64) - runningMean.to(torch::kFloat64) * g).to(torch::kFloat32).contiguous()};
}

Network::Network(const Arch &a, std::optional<NeuronOptions> n, const Activation &act) : arch(a), neuron(std::move(n)), activation(act) {
  shapes_ = {{"input", {a.channels, a.height, a.width}}};
  values_ = {{"input", Values::Analog}};
  for (const Node &node : arch.nodes) {
    if (node.isPool()) {
      shapes_[node.name] = pooledShape(shapes_.at(node.from), node.pool, node.name);
      values_[node.name] = node.kind == Node::Kind::MaxPool ? values_.at(node.from) : Values::Analog;
      continue;
    }
    std::vector<int64_t> shape;
    bool counts = node.kind == Node::Kind::Sum;
    for (const Synapse &s : node.synapses) {
      addSynapse(node, s, shape);
      counts = counts && s.identity && s.gain == 1 && values_.at(s.from) != Values::Analog;
    }
    shapes_[node.name] = shape;
    values_[node.name] = node.kind == Node::Kind::Layer && neuron ? Values::Spikes : counts ? Values::Counts : Values::Analog;
    if (node.recurrent) {
      std::vector<int64_t> back = shape;
      addSynapse(node, *node.recurrent, back);
    }
    if (node.kind == Node::Kind::Layer && neuron)
      addNeuron(node);
    if (node.kind == Node::Kind::Layer && !neuron && activation.kind == "qcfs")
      lambda_[node.name] = register_parameter(moduleName(node.name) + "_lambda", torch::tensor(float(activation.lambda)));
  }
  for (size_t k = 0; k < arch.nodes.size(); ++k)
    for (const std::string &from : inputsOf(arch.nodes[k]))
      lastUse_[from] = k;
}

std::vector<std::string> Network::inputsOf(const Node &node) {
  if (node.isPool())
    return {node.from};
  std::vector<std::string> names;
  for (const Synapse &s : node.synapses)
    names.push_back(s.from);
  return names;
}

/// Registers one synapse; `shape` is its node's, empty before the first.
void Network::addSynapse(const Node &node, const Synapse &given, std::vector<int64_t> &shape) {
  Synapse s = given;
  const auto in = shapes_.at(s.from);
  int64_t out = s.out ? s.out : s.identity ? in[0] : arch.classes, inputs = 1;
  std::vector<int64_t> mine = {out};
  if (s.conv && in.size() == 3) {
    inputs = in[0];
    s.groups = s.groups ? s.groups : inputs;
    mine = {out, windowSize(in[1], s.kernel, s.stride, s.pad, s.name), windowSize(in[2], s.kernel, s.stride, s.pad, s.name)};
    if (s.pool)
      mine = pooledShape(mine, *s.pool, s.name);
  } else if (s.identity) {
    inputs = in[0];
    if (s.stride != 1 || out != in[0])
      throw std::invalid_argument(fmt::format("architecture: {}: the identity of [{}] can change neither its size nor positions that it has not",
                                              s.name, fmt::join(in, ", ")));
  } else if (s.conv) {
    throw std::invalid_argument(fmt::format("architecture: {}: a convolution after a linear layer", s.name));
  } else {
    for (int64_t size : in)
      inputs *= size;
  }
  if (!shape.empty() && mine != shape)
    throw std::invalid_argument(fmt::format("architecture: {} gives [{}], but {} gives [{}]; their currents are added", s.name,
                                            fmt::join(mine, ", "), node.name, fmt::join(shape, ", ")));
  shape = mine;
  shapes_[node.name] = shape;
  const std::string name = key(node, s);
  synapses_[name] = register_module(moduleName(name), std::make_shared<SynapseModule>(s, inputs, out));
}

void Network::addNeuron(const Node &node) {
  const std::string at = moduleName(node.name);
  auto logit = [](double share) {
    const double p = std::clamp(share, 0.01, 0.99);
    return torch::tensor(float(std::log(p / (1 - p))));
  };
  NeuronParameters &stored = learned_[node.name];
  if (neuron->learnsDecay())
    stored.beta = register_parameter(at + "_plif", logit(neuron->beta));
  if (neuron->learnsDecay() && neuron->kind == "cuba")
    stored.alpha = register_parameter(at + "_alpha", logit(neuron->alpha));
  if (neuron->learnThreshold != "none") {
    const auto size = neuron->learnThreshold == "channel" ? std::vector<int64_t>{shapes_.at(node.name)[0]} : std::vector<int64_t>{};
    stored.threshold = register_parameter(at + "_log_threshold", torch::full(size, std::log(neuron->vThreshold)));
  }
}

NeuronParameters Network::neuronParameters(const std::string &layer) const {
  const NeuronParameters &stored = learned_.at(layer);
  const torch::Device device = synapses_.at(arch.nodes.back().synapses[0].name)->weight.device(); // a fill there: nothing to copy, nothing to wait for
  auto fixed = [&](double value) { return torch::full({}, value, torch::TensorOptions(torch::kFloat32).device(device)); };
  return {stored.beta.defined() ? torch::sigmoid(stored.beta) : fixed(neuron->kind == "if" ? 1.0 : neuron->beta),
          stored.alpha.defined() ? torch::sigmoid(stored.alpha) : fixed(neuron->kind == "cuba" ? neuron->alpha : 0.0),
          stored.threshold.defined() ? torch::exp(stored.threshold) : fixed(neuron->vThreshold)};
}

std::shared_ptr<SynapseModule> Network::moduleOf(const Node &node, const Synapse &s) const { return synapses_.at(key(node, s)); }

/// Whether a synapse keeps its input as bits: in training, where the input is spikes and a gradient is asked.
bool Network::packs(const Synapse &s) const {
  return packSpikes && !checkpointActivations && !s.identity && is_training() && torch::GradMode::is_enabled() && values_.at(s.from) == Values::Spikes;
}

/// The sum of a node's synapses, or of all but one. A static current that joins a changing one is repeated over the steps.
Steps Network::currentOf(const Node &node, const std::vector<Steps> &inputs, const Synapse *without) {
  Steps current;
  for (size_t k = 0; k < node.synapses.size(); ++k) {
    const Synapse &s = node.synapses[k];
    if (&s == without)
      continue;
    Steps part{moduleOf(node, s)->forward(inputs[k].x, bfloat16, packs(s)), inputs[k].steps};
    if (probe)
      probe(s.name, part.x);
    if (!current.x.defined()) {
      current = part;
      continue;
    }
    std::vector<int64_t> repeat(size_t(part.x.dim()), 1);
    repeat[0] = std::max(current.steps, part.steps);
    if (current.steps < part.steps)
      current = {current.x.repeat(repeat), part.steps};
    else if (part.steps < current.steps)
      part = {part.x.repeat(repeat), current.steps};
    current.x = current.x + part.x;
  }
  // The residual stream keeps float32 where all else is bfloat16; counts are exact in either.
  if (node.kind == Node::Kind::Sum && values_.at(node.name) == Values::Analog)
    current.x = current.x.to(torch::kFloat32);
  return current;
}

/// A teacher's: ReLU, or quantised clip-floor (QCFS; Bu et al., ICLR 2022): lambda clip(floor(x L / lambda + 1/2) / L, 0, 1),
/// where floor passes gradients through as they are. It has the values that L steps of an IF neuron of threshold lambda have.
torch::Tensor Network::activated(const std::string &layer, const torch::Tensor &current) const {
  if (activation.kind != "qcfs")
    return torch::relu(current);
  const torch::Tensor lambda = lambda_.at(layer);
  const double levels = double(activation.levels);
  const torch::Tensor share = torch::clamp(current / lambda, 0, 1) * levels;
  return lambda * (share + ((share + 0.5).floor() - share).detach()) / levels;
}

Steps Network::activate(const Node &node, const Steps &current, int64_t steps) {
  if (!node.recurrent) {
    if (!neuron)
      return {activated(node.name, current.x), current.steps};
    return {spikeSteps(current.x, current.steps, neuronParameters(node.name), steps, *neuron), steps};
  }
  // Recurrent: what a step receives is known after the step before only. Before the first, nothing fired.
  const auto back = moduleOf(node, *node.recurrent);
  std::optional<NeuronStepper> stepper;
  if (neuron)
    stepper.emplace(neuronParameters(node.name), *neuron);
  const auto given = current.steps == 1 ? std::vector<torch::Tensor>(size_t(steps), current.x) : current.x.chunk(steps, 0);
  std::vector<torch::Tensor> out;
  for (int64_t t = 0; t < steps; ++t) {
    const torch::Tensor now = given[size_t(t)].to(torch::kFloat32) + back->forward(t ? out.back() : torch::zeros_like(given[0]), bfloat16);
    out.push_back(neuron ? stepper->step(now) : activated(node.name, now));
  }
  return {torch::cat(out, 0), steps};
}

/// The synapse whose normalisation can be one operation with the layer's neuron; its other synapses' currents are then added there.
const Synapse *Network::fusable(const Node &node, const std::vector<Steps> &inputs, const Stages *stages) const {
  if (!fusedNormalisation || !neuron || node.kind != Node::Kind::Layer || node.recurrent || probe || (stages && stages->neuron))
    return nullptr;
  const Synapse *found = nullptr;
  for (size_t k = 0; k < node.synapses.size(); ++k) {
    if (inputs[k].steps != inputs[0].steps) // a current of each step and one of all: not worth a kernel
      return nullptr;
    if (!found && !node.synapses[k].identity && node.synapses[k].batchNorm)
      found = &node.synapses[k];
  }
  return found;
}

Steps Network::fusedLayer(const Node &node, const std::vector<Steps> &inputs, int64_t steps, const Synapse &s) {
  const size_t k = size_t(&s - node.synapses.data());
  const auto module = moduleOf(node, s);
  const torch::Tensor x = module->beforeNormalisation(inputs[k].x, bfloat16, packs(s));
  torch::Tensor added;
  if (node.synapses.size() > 1)
    added = currentOf(node, inputs, &s).x.to(x.scalar_type());
  if (!fusesNormalisation(x)) {
    const torch::Tensor current = normalised(x, module->normalisation());
    return activate(node, {added.defined() ? current + added : current, inputs[k].steps}, steps);
  }
  return {normalisedSpikeSteps(x, inputs[k].steps, module->normalisation(), added, neuronParameters(node.name), steps, *neuron), steps};
}

Steps Network::evaluate(const Node &node, const std::vector<Steps> &inputs, int64_t steps, const Stages *stages) {
  if (node.isPool()) {
    const bool other = stages && stages->maxPool && node.kind == Node::Kind::MaxPool;
    return other ? stages->maxPool(node, inputs[0]) : Steps{pooled(inputs[0].x, node.pool), inputs[0].steps};
  }
  if (const Synapse *s = fusable(node, inputs, stages))
    return fusedLayer(node, inputs, steps, *s);
  const Steps current = currentOf(node, inputs);
  if (node.kind != Node::Kind::Layer)
    return current;
  return stages && stages->neuron ? stages->neuron(node, current, steps) : activate(node, current, steps);
}

std::vector<torch::Tensor> Network::parametersOf(const Node &node) const {
  std::vector<torch::Tensor> list;
  auto take = [&](const torch::Tensor &p) {
    if (p.defined() && p.requires_grad())
      list.push_back(p);
  };
  auto synapse = [&](const Synapse &s) {
    const auto m = moduleOf(node, s);
    take(m->weight), take(m->bias), take(m->gamma), take(m->shift);
  };
  for (const Synapse &s : node.synapses)
    synapse(s);
  if (node.recurrent)
    synapse(*node.recurrent);
  if (const auto at = learned_.find(node.name); at != learned_.end())
    take(at->second.beta), take(at->second.alpha), take(at->second.threshold);
  if (const auto at = lambda_.find(node.name); at != lambda_.end())
    take(at->second);
  return list;
}

Steps Network::recomputed(const Node &node, const std::vector<Steps> &inputs, int64_t steps) {
  std::vector<torch::Tensor> tensors;
  std::vector<bool> spikes;
  for (const Steps &in : inputs)
    tensors.push_back(in.x);
  for (const std::string &from : inputsOf(node))
    spikes.push_back(values_.at(from) == Values::Spikes);
  const auto givenSteps = std::make_shared<std::vector<int64_t>>();
  for (const Steps &in : inputs)
    givenSteps->push_back(in.steps);
  const auto resultSteps = std::make_shared<int64_t>(1);
  const Node *at = &node; // lives as long as the network, which outlives its graph
  auto body = [this, at, steps, givenSteps, resultSteps](const std::vector<torch::Tensor> &x, bool again) {
    std::vector<Steps> in;
    for (size_t k = 0; k < x.size(); ++k)
      in.push_back({x[k], (*givenSteps)[k]});
    auto mark = [&](bool value) {
      if (at->isPool())
        return;
      for (const Synapse &s : at->synapses)
        moduleOf(*at, s)->recomputing = value;
    };
    mark(again);
    const Steps out = evaluate(*at, in, steps);
    mark(false);
    *resultSteps = out.steps;
    return out.x;
  };
  const torch::Tensor x = recompute(body, tensors, spikes, parametersOf(node));
  return {x, *resultSteps};
}

Forward Network::forward(const Steps &input, int64_t steps, const Stages *stages) {
  if (integer)
    return integer->forward(*this, input, steps);
  Forward out;
  const bool gradients = is_training() && torch::GradMode::is_enabled();
  const bool lean = checkpointActivations && gradients, bits = packSpikes && gradients && !lean;
  std::map<std::string, Steps> values = {{"input", input}};
  if (input.x.is_cuda() && input.x.dim() == 4) // cuDNN's tensor-core convolutions read this order; the neurons read either
    values["input"].x = input.x.contiguous(torch::MemoryFormat::ChannelsLast);
  for (size_t k = 0; k < arch.nodes.size(); ++k) {
    const Node &node = arch.nodes[k];
    std::vector<Steps> inputs;
    for (const std::string &from : inputsOf(node))
      inputs.push_back(values.at(from));
    // A pool keeps its input: where spikes are kept as bits, its own too, and it pools again on the way back.
    const bool poolOfBits = bits && node.isPool() && values_.at(node.from) == Values::Spikes && !stages;
    Steps value = lean || poolOfBits ? recomputed(node, inputs, steps) : evaluate(node, inputs, steps, stages);
    if (node.kind == Node::Kind::Readout) {
      out.logits = value;
      continue;
    }
    if (node.kind == Node::Kind::Layer)
      out.layers.emplace_back(node.name, lean || bits ? Steps{meanOverSteps(value), 1} : value);
    values[node.name] = value;
    for (const std::string &from : inputsOf(node)) // nothing later reads it: what the backward pass keeps, it keeps itself
      if (lastUse_.at(from) == k)
        values.erase(from);
  }
  return out;
}

std::vector<std::shared_ptr<SynapseModule>> Network::synapses() const {
  std::vector<std::shared_ptr<SynapseModule>> list;
  for (const Node &node : arch.nodes) {
    for (const Synapse &s : node.synapses)
      if (!s.identity)
        list.push_back(moduleOf(node, s));
    if (node.recurrent)
      list.push_back(moduleOf(node, *node.recurrent));
  }
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
  // Not mean(): LibTorch 1.13's keeps its input for the gradient, which a sum does not need.
  return value.x.view(sizes).sum(0, false, torch::kFloat32) / double(value.steps);
}

torch::Tensor predictions(const Forward &result, int64_t images) {
  if (!result.integerLogits)
    return result.logits.x.view({result.logits.steps, images, -1}).mean(0).argmax(1);
  return summedLogits(*result.integerLogits, images, result.integerLogits->steps).argmax(1);
}

torch::Tensor summedLogits(const Steps &logits, int64_t images, int64_t steps) {
  const torch::Tensor sums = logits.x.to(torch::kInt64).view({logits.steps, images, -1}).sum(0) * (steps / logits.steps); // R1
  return sums.clamp(INT32_MIN, INT32_MAX).to(torch::kInt32).contiguous();
}
namespace {

/// A student from a QCFS teacher: there a layer's values go up to lambda in steps, here a spike is 1 at threshold theta. So a
/// spike stands for lambda: whatever reads it weighs it lambda times. And the current is compared with lambda: either theta
/// becomes lambda, where it is learned, or the current is scaled by theta / lambda.
void takeThresholds(const Network &from, Network &to) {
  std::map<std::string, double> unit = {{"input", 1}}; // what a node's 1 stands for
  for (Node &node : to.arch.nodes) {
    if (node.isPool()) {
      unit[node.name] = unit.at(node.from);
      continue;
    }
    const bool layer = node.kind == Node::Kind::Layer && from.hasLambda(node.name);
    const double lambda = layer ? from.lambda(node.name).item<double>() : 1;
    if (layer && !(lambda > 0))
      throw std::invalid_argument(fmt::format("--init=teacher: {} learned a clip of {}, which no threshold can be; train the teacher longer or from another seed", node.name, lambda));
    const torch::Tensor learned = layer ? to.storedParameters(node.name).threshold : torch::Tensor();
    const double scale = layer && !learned.defined() ? to.neuron->vThreshold / lambda : 1;
    if (learned.defined())
      torch::Tensor(learned).fill_(std::log(lambda));
    if (node.kind == Node::Kind::Sum && to.valuesOf(node.name) == Values::Counts)
      throw std::invalid_argument(fmt::format("--init=teacher: {} adds spikes of layers whose thresholds differ (sew shortcuts, a qcfs teacher); use --shortcut=plain "
                                              "or ms, or a relu teacher", node.name));
    auto seed = [&](Synapse &s, double reads) {
      SynapseModule &m = *to.moduleOf(node, s);
      if (s.identity) {
        s.gain = m.desc.gain = s.gain * reads * scale;
        return;
      }
      m.weight.mul_(s.batchNorm ? reads : reads * scale);
      if (s.batchNorm)
        m.gamma.mul_(scale), m.shift.mul_(scale);
      else
        m.bias.mul_(scale);
    };
    for (Synapse &s : node.synapses)
      seed(s, unit.at(s.from));
    if (node.recurrent)
      seed(*node.recurrent, lambda);
    unit[node.name] = lambda;
  }
}

} // namespace

size_t copyMatching(const Network &from, Network &to) {
  torch::NoGradGuard noGrad;
  size_t copied = 0;
  for (const auto &target : to.synapses()) {
    const auto source = from.synapse(target->desc.name);
    if (!source || !source->hasWeight() || source->weight.sizes() != target->weight.sizes() || source->desc.batchNorm != target->desc.batchNorm)
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
  if (from.activation.kind == "qcfs" && to.neuron)
    takeThresholds(from, to);
  return copied;
}

} // namespace lasnn::distill
