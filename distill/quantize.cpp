#include "distill/quantize.h"
#include "distill/integer_neuron.h"
#include "distill/model_file.h"
#include "ir/integer_form.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lasnn::distill {
namespace form = integer_form;
namespace {

constexpr double exactFloat = 1 << 24; // float32 holds every whole number up to here
constexpr int stateBits = 24;          // the compiler takes 16 only where no membrane can leave them
constexpr double margin = 1 + 1e-6;    // a unit is float32, what it has to hold is known in float64

std::string moduleName(std::string name) { // Torch keeps '.' for itself
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// One value a channel, to be multiplied with a weight [C,...]; a single value serves all.
torch::Tensor alongRows(const torch::Tensor &x, int64_t dims) {
  std::vector<int64_t> shape(size_t(dims), 1);
  shape[0] = -1;
  return x.view(shape);
}

/// Sums what broadcasting a unit [C] or [1] spread over rows.
torch::Tensor overUnit(const torch::Tensor &perWeight, int64_t units) {
  return units == 1 ? perWeight.sum().view({1}) : perWeight.reshape({units, -1}).sum(1);
}

/// w_int of quantize.h. What follows treats u as a constant: its whole gradient is this one.
struct IntegerWeight : torch::autograd::Function<IntegerWeight> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &w, const torch::Tensor &unit, double scale, int64_t most) {
    ctx->save_for_backward({w, unit});
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["most"] = most;
    const torch::Tensor x = w.to(torch::kFloat64) * scale / alongRows(unit.to(torch::kFloat64), w.dim());
    return x.round().clamp(-double(most), double(most)).to(torch::kFloat32); // torch rounds half to even, as form::rne
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const torch::Tensor &w = saved[0], g = grads[0].to(torch::kFloat32);
    const double scale = ctx->saved_data["scale"].toDouble(), most = double(ctx->saved_data["most"].toInt());
    const torch::Tensor u = alongRows(saved[1], w.dim()), x = w * scale / u, inside = (x.abs() <= most).to(torch::kFloat32);
    const torch::Tensor q = x.round().clamp(-most, most);
    const int64_t units = saved[1].numel();
    const double damp = 1 / std::sqrt(double(w.numel() / units) * most); // LSQ's: steps of u as large as those of w
    return {g * inside * scale / u, overUnit(g / u * (q - inside * x), units) * damp, {}, {}};
  }
};

/// b_int, as float64.
struct IntegerBias : torch::autograd::Function<IntegerBias> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &b, const torch::Tensor &unit) {
    ctx->save_for_backward({b, unit});
    return (b.to(torch::kFloat64) / unit.to(torch::kFloat64)).round().clamp(double(INT32_MIN), double(INT32_MAX));
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    return {grads[0].to(torch::kFloat32) / saved[1], {}};
  }
};

int64_t repeats(const Steps &a, const Steps &b) { return std::max(a.steps, b.steps); }

/// A value that is the same at every step, written out.
Steps overSteps(const Steps &x, int64_t steps) {
  if (x.steps == steps)
    return x;
  std::vector<int64_t> repeat(size_t(x.x.dim()), 1);
  repeat[0] = steps;
  return {x.x.repeat(repeat), steps};
}

/// Weight and bias after normalisation was folded; an identity's are constants.
std::pair<torch::Tensor, torch::Tensor> numbersOf(const Network &network, const Synapse &s) {
  const auto module = network.synapse(s.name);
  return s.identity ? module->folded() : std::pair(module->weight, module->bias);
}

/// One threshold a channel, or one for all; float32, as the exported file has it.
std::vector<float> thresholdsOf(const Network &network, const std::string &layer) {
  const torch::Tensor t = network.neuronParameters(layer).threshold.detach().to(torch::kCPU, torch::kFloat32).reshape({-1}).contiguous();
  return {t.data_ptr<float>(), t.data_ptr<float>() + t.numel()};
}

torch::Tensor maxPool(const torch::Tensor &x, const Pool &p) {
  return p.size == 0 ? torch::amax(x, {2, 3}, /*keepdim=*/true) : torch::max_pool2d(x, p.size, p.stride, p.pad);
}

/// The sum over each window of an average pool.
torch::Tensor sumPool(const torch::Tensor &x, const Pool &p) {
  return p.size == 0 ? x.sum({2, 3}, /*keepdim=*/true) : torch::avg_pool2d(x, p.size, p.stride, p.pad, false, true, /*divisor_override=*/1);
}

/// Per unit, the multiple of `unit` that rounds `rows` [units, weights] with the least squared error.
torch::Tensor bestUnit(const torch::Tensor &rows, const torch::Tensor &unit, int most) {
  torch::Tensor best = unit, least = torch::full_like(unit, std::numeric_limits<double>::infinity());
  for (double factor = 1; factor > 0.1; factor *= 0.97) {
    const torch::Tensor u = unit * factor, column = u.unsqueeze(1);
    const torch::Tensor error = ((rows / column).round().clamp(-most, most) * column - rows).square().sum(1);
    best = torch::where(error < least, u, best);
    least = torch::minimum(error, least);
  }
  return best;
}

} // namespace

//===--- options ---===//

int Widths::bits(const std::string &layer) const {
  const auto own = of.find(layer);
  return own == of.end() ? all : own->second;
}

int Widths::narrowest() const {
  int least = all;
  for (const auto &[layer, bits] : of)
    least = std::min(least, bits);
  return least;
}

Widths widthsFromText(const std::string &text) {
  auto refuse = [&](const std::string &word) -> int {
    throw std::invalid_argument(fmt::format("--weights={}: '{}' is not understood; give int8, int7, int6, int5, int4, int3 or int2 (ternary) for all layers, "
                                            "then LAYER=WIDTH for exceptions: int4,conv1=int8", text, word));
  };
  auto width = [&](const std::string &word) {
    for (int bits = 2; bits <= 8; ++bits)
      if (word == fmt::format("int{}", bits) || (bits == 2 && word == "ternary"))
        return bits;
    return refuse(word);
  };
  Widths out;
  for (size_t from = 0, comma; from <= text.size(); from = comma + 1) {
    comma = std::min(text.find(',', from), text.size());
    const std::string word = text.substr(from, comma - from);
    const size_t equals = word.find('=');
    if (out.all == 0)
      out.all = width(word);
    else if (equals == std::string::npos)
      refuse(word);
    else
      out.of[word.substr(0, equals)] = width(word.substr(equals + 1));
  }
  return out;
}

std::string widthsToText(const Widths &w) {
  std::string text = fmt::format("int{}", w.all);
  for (const auto &[layer, bits] : w.of)
    text += fmt::format(",{}=int{}", layer, bits);
  return text;
}

nlohmann::json integerToJson(const IntegerOptions &o) {
  return {{"weights", widthsToText(o.widths)}, {"unit", o.unit}, {"encoding", o.encoding}, {"timesteps", o.timesteps}, {"mean", o.mean}, {"std", o.std}};
}

IntegerOptions integerFromJson(const nlohmann::json &json) {
  return {widthsFromText(json.at("weights")), json.at("unit"), json.at("encoding"), json.at("timesteps"),
          json.at("mean").get<std::vector<float>>(), json.at("std").get<std::vector<float>>()};
}

//===--- making it ---===//

IntegerForm::IntegerForm(const Network &net, const IntegerOptions &o) : options(o) {
  const Arch &arch = net.arch;
  auto refuse = [](const std::string &what) { throw std::invalid_argument("--weights: " + what); };
  if (!net.neuron)
    refuse("the network is a teacher; only students have an integer form");
  if (net.neuron->kind != "lif" && net.neuron->kind != "if" && net.neuron->kind != "plif")
    refuse(fmt::format("neurons of kind {} have no integer form in ir/spec.md (lif, if and plif have); train a student with one of those", net.neuron->kind));
  for (const auto &[name, bits] : o.widths.of)
    if (std::none_of(arch.nodes.begin(), arch.nodes.end(), [&](const Node &n) { return n.name == name && !n.synapses.empty(); })) {
      std::string known;
      for (const Node &n : arch.nodes)
        if (!n.synapses.empty())
          known += (known.empty() ? "" : ", ") + n.name;
      refuse(fmt::format("{} is no layer; this student has {}", name, known));
    }
  Signal input{{}, 1, 1, 255};
  if (o.encoding == "direct") {
    const auto made = form::inputTable(o.mean, o.std);
    input.scale = made.scale, input.most = 127;
    std::vector<float> values(made.table.begin(), made.table.end());
    table = register_buffer("table", torch::tensor(values).view({int64_t(o.mean.size()), 256}));
  }
  signals["input"] = input;
  auto unsupported = [&](const std::string &name, const char *what) { refuse(fmt::format("{}: {} no integer form here yet", name, what)); };
  for (const Node &node : arch.nodes) {
    if (node.isPool()) {
      Signal out = signals.at(node.from);
      if (node.kind == Node::Kind::AvgPool) {
        if (out.scale != 1)
          refuse(fmt::format("{}: an average pool of the input image has no integer form; make it a strided convolution", node.name));
        const auto shape = net.layerShape(node.from);
        const double window = node.pool.size ? double(node.pool.size * node.pool.size) : double(shape[1] * shape[2]);
        out.divisor *= window, out.most *= window;
        if (out.most > 255 && o.encoding != "events")
          refuse(fmt::format("{}: its windows hold up to {} spikes, integer form counts up to 255; use smaller pools, or strided convolutions", node.name, out.most));
      }
      signals[node.name] = out;
      continue;
    }
    if (node.kind == Node::Kind::Sum)
      unsupported(node.name, "sums of spikes or membranes (sew and ms shortcuts) have");
    if (node.recurrent)
      unsupported(node.name, "recurrent layers have");
    for (const Synapse &s : node.synapses) {
      if (s.identity && s.name == node.name)
        unsupported(s.name, "layers without weights have");
    }
    signals[node.name] = {{}, 1, 1, 1};
    for (const Synapse &s : node.synapses)
      if (s.batchNorm)
        throw std::logic_error("normalisation is folded before a network becomes integers");
  }
}

/// The smallest units that hold a layer's constants.
std::vector<double> IntegerForm::leastUnits(const Network &net, const Node &node) const {
  const bool readout = node.kind == Node::Kind::Readout;
  const double limit = readout ? form::readoutLimit(options.timesteps) : form::membraneLimit(stateBits);
  std::vector<double> needs;
  for (const Synapse &s : node.synapses) {
    const torch::Tensor bias = numbersOf(net, s).second.detach();
    needs.resize(size_t(bias.numel()));
    for (size_t c = 0; c < needs.size(); ++c)
      needs[c] += form::biasNeed(double(bias.data_ptr<float>()[c]));
  }
  const std::vector<float> thresholds = readout ? std::vector<float>() : thresholdsOf(net, node.name);
  for (size_t c = 0; c < needs.size(); ++c) {
    if (!readout)
      needs[c] = std::max(needs[c], form::neuronNeed(thresholds[thresholds.size() == 1 ? 0 : c], 0, 0, 0)); // rho is theta
    needs[c] = needs[c] / limit * margin;
  }
  if (readout)
    needs = {*std::max_element(needs.begin(), needs.end())};
  return needs;
}

void makeInteger(Network &network, const IntegerOptions &options) {
  torch::NoGradGuard noGrad;
  std::shared_ptr<IntegerForm> integer(new IntegerForm(network, options));
  integer->network = &network;
  for (const Node &node : network.arch.nodes) {
    if (node.synapses.empty())
      continue;
    const int most = form::mostOf(options.widths.bits(node.name));
    const bool readout = node.kind == Node::Kind::Readout;
    std::vector<torch::Tensor> rows;
    for (const Synapse &s : node.synapses) {
      const auto &in = integer->signals.at(s.from);
      rows.push_back(numbersOf(network, s).first.detach().to(torch::kFloat64).flatten(1) / in.divisor * in.scale);
    }
    torch::Tensor all = torch::cat(rows, 1);
    if (readout)
      all = all.view({1, -1});
    const torch::Tensor largest = std::get<0>(all.abs().max(1));
    std::vector<double> asked, least = integer->leastUnits(network, node);
    for (int64_t c = 0; c < largest.numel(); ++c)
      asked.push_back(form::weightNeed(largest[c].item<double>(), 1, most));
    const auto chosen = form::chooseUnits(asked, least, 1, /*shared=*/false).unit;
    torch::Tensor unit = torch::tensor(chosen, torch::kFloat64);
    if (options.unit != "max")
      unit = torch::maximum(bestUnit(all, unit, most), torch::tensor(least, torch::kFloat64));
    IntegerForm::Layer layer{&node, {}, {}, {}};
    const std::string name = moduleName(node.name);
    layer.unit = integer->register_buffer(name + "_unit", unit.to(torch::kFloat32));
    if (options.unit == "learned") {
      layer.settled = integer->register_buffer(name + "_settled", torch::log(unit).to(torch::kFloat32));
      layer.logUnit = integer->register_parameter(name + "_log_unit", layer.settled.clone());
    }
    integer->layers.emplace(node.name, std::move(layer));
  }
  network.integer = integer;
  network.register_module("integer", integer);
}

torch::Tensor IntegerForm::unitOf(const Network &net, const Node &node) const {
  const Layer &layer = layers.at(node.name);
  if (options.unit == "best")
    return layer.unit;
  const torch::Tensor least = torch::tensor(leastUnits(net, node), torch::kFloat64).to(layer.unit.device());
  if (options.unit == "learned")
    return torch::maximum(torch::exp(layer.logUnit), least.to(torch::kFloat32));
  torch::NoGradGuard noGrad;
  torch::Tensor most = torch::zeros_like(least);
  for (const Synapse &s : node.synapses) {
    const Signal &in = signals.at(s.from);
    const torch::Tensor rows = numbersOf(net, s).first.detach().to(torch::kFloat64).reshape({layer.unit.numel(), -1}) / in.divisor;
    most = torch::maximum(most, std::get<0>(rows.abs().max(1)) * (in.scale / form::mostOf(options.widths.bits(node.name))));
  }
  return torch::maximum(most, least).to(torch::kFloat32);
}

void IntegerForm::train(bool on) {
  Module::train(on);
  if (!on)
    settle();
}

void IntegerForm::settle() {
  torch::NoGradGuard noGrad;
  for (auto &[name, layer] : layers) {
    if (options.unit == "best" || (options.unit == "learned" && torch::equal(layer.settled, layer.logUnit)))
      continue; // as the file has it, whatever this machine's exp() gives
    layer.unit.copy_(unitOf(*network, *layer.node));
    if (options.unit == "learned")
      layer.settled.copy_(layer.logUnit);
  }
}

//===--- running it ---===//

IntegerForm::Signal IntegerForm::encode(const Steps &input) const {
  Signal out = signals.at("input");
  out.steps = input;
  if (!table.defined())
    return out;
  // The machine sees bytes: a pixel that augmentation left between two becomes the nearer one.
  const torch::Tensor x = input.x.to(torch::kFloat32);
  const int64_t channels = table.size(0);
  auto perChannel = [&](const std::vector<float> &list) { return torch::tensor(list).to(x.device()).view({1, channels, 1, 1}); };
  const torch::Tensor byte = ((x * perChannel(options.std) + perChannel(options.mean)) * 255).round().clamp(0, 255);
  const torch::Tensor row = torch::arange(channels, x.options().dtype(torch::kInt64)).view({1, channels, 1, 1}) * 256;
  out.steps.x = table.take(byte.to(torch::kInt64) + row);
  return out;
}

Forward IntegerForm::forward(Network &net, const Steps &input, int64_t steps) const {
  Forward out;
  std::map<std::string, Steps> values = {{"input", encode(input).steps}};
  for (const Node &node : net.arch.nodes) {
    if (node.isPool()) {
      const Steps &in = values.at(node.from);
      values[node.name] = {node.kind == Node::Kind::MaxPool ? maxPool(in.x, node.pool) : sumPool(in.x, node.pool), in.steps};
      continue;
    }
    const torch::Tensor unit = is_training() ? unitOf(net, node) : layers.at(node.name).unit;
    const int64_t most = form::mostOf(options.widths.bits(node.name));
    std::vector<torch::Tensor> weights, biases;
    torch::Tensor bound;
    for (const Synapse &s : node.synapses) {
      const auto [weight, bias] = numbersOf(net, s);
      const Signal &in = signals.at(s.from);
      const torch::Tensor w = in.divisor == 1 ? weight : (weight.to(torch::kFloat64) / in.divisor).to(torch::kFloat32);
      weights.push_back(IntegerWeight::apply(w, unit, in.scale, most));
      biases.push_back(IntegerBias::apply(bias, unit));
      const torch::Tensor reach = weights.back().detach().abs().flatten(1).sum(1, false, torch::kFloat64) * in.most + biases.back().detach().abs();
      bound = bound.defined() ? bound + reach : reach;
    }
    const auto type = bound.max().item<double>() < exactFloat ? torch::kFloat32 : torch::kFloat64;
    Steps current;
    for (size_t k = 0; k < weights.size(); ++k) {
      const Synapse &s = node.synapses[k];
      const Steps &in = values.at(s.from);
      torch::Tensor x = in.x.to(type);
      if (!s.conv && x.dim() > 2)
        x = x.flatten(1);
      const torch::Tensor w = weights[k].to(type), b = biases[k].to(type);
      torch::Tensor y = s.conv ? torch::conv2d(x, w, b, s.stride, s.pad, 1, net.synapse(s.name)->desc.groups) : torch::linear(x, w, b);
      if (!y.is_cpu()) // a GPU's library may choose an algorithm with fractions inside (Winograd)
        y = y + (y.round() - y).detach();
      if (s.pool) // a maximum: means are in the weights by now
        y = maxPool(y, *s.pool);
      if (net.probe)
        net.probe(s.name, y);
      const Steps part{y, in.steps};
      current = !current.x.defined() ? part
                                     : Steps{overSteps(current, repeats(current, part)).x + overSteps(part, repeats(current, part)).x, repeats(current, part)};
    }
    if (node.kind == Node::Kind::Readout) {
      out.integerLogits = Steps{current.x.detach(), current.steps};
      out.logits = {current.x.to(torch::kFloat32) * unit.detach(), current.steps};
      continue;
    }
    const int64_t channels = current.x.size(1);
    const torch::Tensor units = unit.detach().expand({channels}).contiguous(), cpu = units.to(torch::kCPU);
    IntegerLayer layer{torch::empty({channels}, torch::kInt32), torch::empty({channels}, torch::kInt32), units, 0,
                       -(1 << (stateBits - 1)), (1 << (stateBits - 1)) - 1};
    const std::vector<float> thresholds = thresholdsOf(net, node.name);
    for (int64_t c = 0; c < channels; ++c) {
      const double u = cpu.data_ptr<float>()[c], theta = thresholds[thresholds.size() == 1 ? 0 : size_t(c)];
      layer.threshold.data_ptr<int32_t>()[c] = form::threshold(theta, u, /*ge=*/false);
      layer.rho.data_ptr<int32_t>()[c] = form::constant(theta, u);
    }
    layer.threshold = layer.threshold.to(units.device()), layer.rho = layer.rho.to(units.device());
    const torch::Tensor beta = net.beta(node.name);
    layer.decay = form::decay(double(beta.item<float>())); // beta as the exported file has it
    const Steps spikes{integerSpikes(current.x, current.steps, beta, steps, layer, *net.neuron), steps};
    values[node.name] = spikes;
    out.layers.emplace_back(node.name, spikes);
  }
  return out;
}

std::pair<torch::Tensor, torch::Tensor> IntegerForm::exported(const Network &net, const Node &node, const Synapse &s) const {
  torch::NoGradGuard noGrad;
  const auto [weight, bias] = numbersOf(net, s);
  const torch::Tensor unit = layers.at(node.name).unit.to(torch::kFloat64);
  const Signal &in = signals.at(s.from);
  const torch::Tensor w = (weight.to(torch::kFloat64) / in.divisor).to(torch::kFloat32);
  const torch::Tensor q = IntegerWeight::apply(w, layers.at(node.name).unit, in.scale, form::mostOf(options.widths.bits(node.name)));
  const torch::Tensor b = IntegerBias::apply(bias, layers.at(node.name).unit), back = (b * unit).to(torch::kFloat32);
  const bool same = torch::equal((back.to(torch::kFloat64) / unit).round(), b);
  return {(q.to(torch::kFloat64) * alongRows(unit, q.dim()) / in.scale * in.divisor).to(torch::kFloat32).contiguous(),
          same ? back : bias.detach().clone()};
}

//===--- from float students ---===//

std::shared_ptr<Network> foldedCopy(const Network &from) {
  torch::NoGradGuard noGrad;
  Arch arch = from.arch;
  for (Node &node : arch.nodes) {
    for (Synapse &s : node.synapses) {
      if (!s.identity)
        s = from.synapse(s.name)->geometry(); // an average pool between convolution and neuron is part of the convolution
      s.batchNorm = false;
    }
    if (node.recurrent)
      node.recurrent->batchNorm = false;
  }
  auto to = std::make_shared<Network>(arch, from.neuron);
  const auto theirs = from.named_parameters();
  for (auto &item : to->named_parameters()) // what a neuron learned
    if (const auto *same = theirs.find(item.key()); same && same->sizes() == item.value().sizes())
      item.value().copy_(*same);
  for (const auto &target : to->synapses()) {
    const auto [weight, bias] = from.synapse(target->desc.name)->folded();
    target->weight.copy_(weight), target->bias.copy_(bias);
  }
  return to;
}

Model quantized(const Model &student, const Widths &widths, const std::string &unit, int64_t timesteps) {
  if (!student.student())
    throw std::runtime_error("the model is a teacher, and only students have an integer form; train one with `lasnn-distill student --teacher=...`");
  Model out{foldedCopy(*student.network), student.meta};
  const auto &data = student.meta.at("data");
  makeInteger(*out.network, {widths, unit, student.meta.value("encoding", "direct"), timesteps, data.at("mean").get<std::vector<float>>(),
                             data.at("std").get<std::vector<float>>()});
  out.meta["timesteps"] = timesteps;
  out.network->eval();
  return out;
}

} // namespace lasnn::distill
