#include "distill/export.h"
#include "distill/file.h"
#include "distill/quantize.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <fstream>

namespace lasnn::distill {
namespace {

onnx::AttributeProto *attribute(onnx::NodeProto *node, const char *name, onnx::AttributeProto::AttributeType type) {
  auto *a = node->add_attribute();
  a->set_name(name);
  a->set_type(type);
  return a;
}
void integer(onnx::NodeProto *node, const char *name, int64_t value) { attribute(node, name, onnx::AttributeProto::INT)->set_i(value); }
void integers(onnx::NodeProto *node, const char *name, std::initializer_list<int64_t> values) {
  auto *a = attribute(node, name, onnx::AttributeProto::INTS);
  for (int64_t value : values)
    a->add_ints(value);
}

/// Graph and FunctionProto both hold nodes; every node is named, and here named after its first output unless told otherwise.
template <typename Owner>
onnx::NodeProto *addNode(Owner *owner, const char *op, std::initializer_list<std::string> inputs, std::initializer_list<std::string> outputs,
                         const std::string &name = "") {
  auto *node = owner->add_node();
  node->set_op_type(op);
  node->set_name(name.empty() ? *outputs.begin() : name);
  for (const auto &input : inputs)
    node->add_input(input);
  for (const auto &output : outputs)
    node->add_output(output);
  return node;
}

void addTensor(onnx::GraphProto *graph, const std::string &name, const torch::Tensor &value) {
  auto *tensor = graph->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t size : value.sizes())
    tensor->add_dims(size);
  const torch::Tensor flat = value.to(torch::kFloat32).contiguous();
  tensor->set_raw_data(flat.data_ptr<float>(), size_t(flat.numel()) * sizeof(float)); // little-endian, as ONNX wants
}

void describe(onnx::ValueInfoProto *info, const std::string &name, const std::vector<int64_t> &shape) {
  info->set_name(name);
  auto *type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("N");
  for (int64_t size : shape)
    type->mutable_shape()->add_dim()->set_dim_value(size);
}

/// The neuron's meaning in plain ONNX operators: LIF_zero, IF_subtract, CubaLIF_zero, CLIF and so on.
void addFunction(onnx::ModelProto *model, const NeuronOptions &o, const std::string &name) {
  const bool leaky = o.kind != "if", cuba = o.kind == "cuba", clif = o.kind == "clif";
  auto *f = model->add_functions();
  f->set_name(name);
  f->set_domain("lasnn");
  f->set_doc_string("one time-step of a spiking neuron; see docs/student-onnx.md");
  std::vector<const char *> inputs = {"current", "v"}, outputs = {"spike", "v_next"};
  if (cuba)
    inputs.push_back("i"), outputs.push_back("i_next");
  if (clif)
    inputs.push_back("m"), outputs.push_back("m_next");
  inputs.push_back("v_threshold");
  for (const char *input : inputs)
    f->add_input(input);
  for (const char *output : outputs)
    f->add_output(output);
  auto *opset = f->add_opset_import();
  opset->set_domain("");
  opset->set_version(15);
  auto fromAttribute = [&](const char *key, const char *value) {
    f->add_attribute(key);
    auto *a = attribute(addNode(f, "Constant", {}, {value}), "value_float", onnx::AttributeProto::FLOAT);
    a->set_ref_attr_name(key);
  };
  std::string v = "v", current = "current";
  if (leaky) {
    fromAttribute("beta", "decay");
    addNode(f, "Mul", {"v", "decay"}, {"decayed"});
    v = "decayed";
  }
  if (cuba) {
    fromAttribute("alpha", "current_decay");
    addNode(f, "Mul", {"i", "current_decay"}, {"current_kept"});
    current = "i_next";
    addNode(f, "Add", {"current_kept", "current"}, {current});
  }
  addNode(f, "Add", {v, current}, {"u"});
  addNode(f, "Greater", {"u", "v_threshold"}, {"fired"});
  integer(addNode(f, "Cast", {"fired"}, {"spike"}), "to", onnx::TensorProto::FLOAT);
  if (clif) { // m_next = m sigmoid((1 - beta) u) + spike; v_next = u - spike (v_threshold + sigmoid(m_next))
    attribute(addNode(f, "Constant", {}, {"one"}), "value_float", onnx::AttributeProto::FLOAT)->set_f(1.0f);
    addNode(f, "Sub", {"one", "decay"}, {"rate"});
    addNode(f, "Mul", {"rate", "u"}, {"forgetting"});
    addNode(f, "Sigmoid", {"forgetting"}, {"kept"});
    addNode(f, "Mul", {"m", "kept"}, {"m_kept"});
    addNode(f, "Add", {"m_kept", "spike"}, {"m_next"});
    addNode(f, "Sigmoid", {"m_next"}, {"deeper"});
    addNode(f, "Add", {"v_threshold", "deeper"}, {"depth"});
    addNode(f, "Mul", {"spike", "depth"}, {"removed"});
    addNode(f, "Sub", {"u", "removed"}, {"v_next"});
  } else if (o.reset == Reset::Zero) {
    attribute(addNode(f, "Constant", {}, {"zero"}), "value_float", onnx::AttributeProto::FLOAT)->set_f(0.0f);
    addNode(f, "Where", {"fired", "zero", "u"}, {"v_next"});
  } else {
    addNode(f, "Mul", {"spike", "v_threshold"}, {"removed"});
    addNode(f, "Sub", {"u", "removed"}, {"v_next"});
  }
}

std::string functionName(const NeuronOptions &o) {
  if (o.kind == "clif") // its reset is its own
    return "CLIF";
  return fmt::format("{}_{}", o.kind == "if" ? "IF" : o.kind == "cuba" ? "CubaLIF" : "LIF", o.reset == Reset::Zero ? "zero" : "subtract");
}

/// Writes the graph; every method returns the name of the value it made.
class Writer {
public:
  Writer(onnx::GraphProto *graph, const Network &network, bool keepNormalisation) : graph(graph), network(network), keep(keepNormalisation) {}

  std::string pool(const std::string &name, const std::string &input, const Pool &p, const std::vector<int64_t> &shape,
                   const std::string &nodeName = "") {
    auto *node = addNode(graph, p.max ? "MaxPool" : "AveragePool", {input}, {name}, nodeName);
    const int64_t height = p.size ? p.size : shape[1], width = p.size ? p.size : shape[2];
    integers(node, "kernel_shape", {height, width});
    if (p.pad)
      integers(node, "pads", {p.pad, p.pad, p.pad, p.pad});
    integers(node, "strides", {p.size ? p.stride : height, p.size ? p.stride : width});
    if (p.pad && !p.max)
      integer(node, "count_include_pad", 1);
    return name;
  }

  /// `output`: the synapse's name, or "logits".
  std::string synapse(const Node &reader, const SynapseModule &module, std::string input, bool flat, const std::string &output) {
    const Synapse s = module.geometry();
    const bool normalise = keep && s.batchNorm && !network.integer;
    // One by one, so that the last one is `output`.
    const std::string convolved = s.pool || normalise ? s.name + ".sum" : output, beforeNorm = normalise && s.pool ? s.name + ".pool" : s.pool ? output : convolved;
    const auto [weight, bias] = normalise ? std::pair(module.kernel(module.weight).detach(), torch::Tensor()) : network.integer ? network.integer->exported(network, reader, module.desc) : module.folded();
    addTensor(graph, s.name + ".weight", weight);
    if (bias.defined())
      addTensor(graph, s.name + ".bias", bias);
    if (!s.conv && !flat) {
      const std::string flattened = s.name + ".flatten";
      integer(addNode(graph, "Flatten", {input}, {flattened}), "axis", 1);
      input = flattened;
    }
    auto *node = addNode(graph, s.conv ? "Conv" : "Gemm", {input, s.name + ".weight"}, {convolved}, s.name);
    if (bias.defined())
      node->add_input(s.name + ".bias");
    if (s.conv)
      convolution(node, s);
    else
      integer(node, "transB", 1);
    if (s.pool)
      pool(beforeNorm, convolved, *s.pool, {}, s.name + ".maxpool");
    if (normalise) {
      addTensor(graph, s.name + ".gamma", s.pool ? module.gamma.detach().abs() : module.gamma.detach());
      addTensor(graph, s.name + ".shift", module.shift.detach());
      addTensor(graph, s.name + ".mean", module.runningMean);
      addTensor(graph, s.name + ".var", module.runningVar);
      auto *norm = addNode(graph, "BatchNormalization", {beforeNorm, s.name + ".gamma", s.name + ".shift", s.name + ".mean", s.name + ".var"}, {output}, s.name + ".norm");
      attribute(norm, "epsilon", onnx::AttributeProto::FLOAT)->set_f(float(SynapseModule::epsilon));
    }
    return output;
  }

  /// The identity: nothing at all where the value can be added as it is. A spike that joins synapses' currents becomes a
  /// current by a 1x1 convolution of weight 1, so that an integer network gives it a weight in the current's units.
  std::string identity(const SynapseModule &module, const std::string &input, bool asCurrent, const std::vector<int64_t> &shape) {
    const Synapse &s = module.desc;
    const bool reshapes = s.stride != 1 || module.added != 0 || s.gain != 1;
    if (shape.size() != 3 || (!reshapes && !asCurrent))
      return input;
    const bool each = module.added == 0; // one weight a channel, or the matrix that widens
    addTensor(graph, s.name + ".weight", each ? torch::full({s.out, 1, 1, 1}, s.gain) : module.folded().first);
    Synapse shaped = s;
    shaped.kernel = 1, shaped.pad = 0, shaped.groups = each ? s.out : 1;
    convolution(addNode(graph, "Conv", {input, s.name + ".weight"}, {s.name}), shaped);
    return s.name;
  }

  std::string add(const std::string &a, const std::string &b, const std::string &name) {
    if (a.empty())
      return b;
    addNode(graph, "Add", {a, b}, {name});
    return name;
  }

  /// A neuron and its state; returns the spikes' name, NAME.lif.
  std::string neuron(const std::string &name, const std::string &current, const std::vector<int64_t> &shape) {
    const NeuronOptions &o = *network.neuron;
    const NeuronParameters p = network.neuronParameters(name);
    const std::string layer = name + ".lif";
    torch::Tensor threshold = p.threshold.detach();
    if (threshold.dim() && shape.size() == 3) // ONNX aligns shapes at the last axis
      threshold = threshold.view({-1, 1, 1});
    addTensor(graph, layer + ".v_threshold", threshold);
    auto *node = addNode(graph, functionName(o).c_str(), {current}, {layer}, layer);
    node->set_domain("lasnn");
    state(node, layer, "v", shape);
    if (o.kind == "cuba")
      state(node, layer, "i", shape);
    if (o.kind == "clif")
      state(node, layer, "m", shape);
    node->add_input(layer + ".v_threshold");
    if (o.kind != "if")
      attribute(node, "beta", onnx::AttributeProto::FLOAT)->set_f(p.beta.item<float>());
    if (o.kind == "cuba")
      attribute(node, "alpha", onnx::AttributeProto::FLOAT)->set_f(p.alpha.item<float>());
    return layer;
  }

  void stateIn(const std::string &name, const std::vector<int64_t> &shape) { describe(graph->add_input(), name, shape); }
  void stateOut(const std::string &name, const std::vector<int64_t> &shape) { describe(graph->add_output(), name, shape); }
  void spikesBefore(const std::string &layer) { addNode(graph, "Identity", {layer}, {layer + ".s_out"}); }

private:
  onnx::GraphProto *graph;
  const Network &network;
  bool keep;

  void convolution(onnx::NodeProto *node, const Synapse &s) {
    integers(node, "dilations", {1, 1});
    integer(node, "group", s.groups);
    integers(node, "kernel_shape", {s.kernel, s.kernel});
    integers(node, "pads", {s.pad, s.pad, s.pad, s.pad});
    integers(node, "strides", {s.stride, s.stride});
  }
  void state(onnx::NodeProto *node, const std::string &layer, const std::string &letter, const std::vector<int64_t> &shape) {
    node->add_input(layer + "." + letter + "_in");
    node->add_output(layer + "." + letter + "_out");
    stateIn(layer + "." + letter + "_in", shape);
    stateOut(layer + "." + letter + "_out", shape);
  }
};

void addMetadata(onnx::ModelProto *model, const char *key, const std::string &value) {
  auto *entry = model->add_metadata_props();
  entry->set_key(key);
  entry->set_value(value);
}

/// What a student was trained with in integers: widths, and what one unit of each layer's currents is worth.
void addUnits(onnx::ModelProto *model, const Network &network) {
  const Widths &widths = network.integer->options.widths;
  addMetadata(model, "lasnn.weights", fmt::format("int{}", widths.all));
  for (const Node &node : network.arch.nodes) {
    if (node.synapses.empty())
      continue;
    const std::string layer = node.kind == Node::Kind::Readout ? "logits" : node.name + ".lif";
    const torch::Tensor unit = network.integer->unit(node.name).contiguous();
    const std::vector<float> values(unit.data_ptr<float>(), unit.data_ptr<float>() + unit.numel());
    addMetadata(model, ("lasnn.unit." + layer).c_str(), fmt::format("{}", fmt::join(values, ","))); // shortest text that reads back the same
    if (widths.bits(node.name) != widths.all)
      addMetadata(model, ("lasnn.weights." + layer).c_str(), fmt::format("int{}", widths.bits(node.name)));
  }
}

/// Shortest text that reads back as the same float32.
std::string numbers(const nlohmann::json &list) {
  std::vector<std::string> words;
  for (const auto &value : list)
    words.push_back(fmt::format("{}", value.get<float>()));
  return fmt::format("{}", fmt::join(words, ","));
}

} // namespace

std::string studentOnnx(const Model &source, bool keepNormalisation) {
  if (!source.student())
    throw std::runtime_error("the model is a teacher, and only students spike; train one with `lasnn-distill student --teacher=...`");
  const Network &network = *source.network;
  const Arch &arch = network.arch;

  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("lasnn-distill");
  model.set_producer_version("0.1.0");
  for (const auto &[domain, version] : {std::pair("", 15), std::pair("lasnn", 1)}) {
    auto *opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
  addFunction(&model, *network.neuron, functionName(*network.neuron));

  auto *graph = model.mutable_graph();
  graph->set_name(arch.name);
  describe(graph->add_input(), "input", {arch.channels, arch.height, arch.width});
  describe(graph->add_output(), "logits", {arch.classes});
  // A value's name in the graph; a layer's is its neuron's, NAME.lif.
  Writer write(graph, network, keepNormalisation);
  std::map<std::string, std::string> value = {{"input", "input"}};
  std::vector<std::string> layers;
  std::vector<std::pair<std::string, std::vector<int64_t>>> spikes;
  for (const Node &node : arch.nodes) {
    const auto shape = network.layerShape(node.name);
    if (node.isPool()) {
      value[node.name] = write.pool(node.name, value.at(node.from), node.pool, network.layerShape(node.from));
      continue;
    }
    const std::string layer = node.name + ".lif";
    bool currents = false; // anything with a weight among them?
    for (const Synapse &s : node.synapses)
      currents = currents || !s.identity;
    std::string sum;
    int parts = 0;
    for (const Synapse &s : node.synapses) {
      const SynapseModule &module = *network.moduleOf(node, s);
      const std::string part =
          s.identity ? write.identity(module, value.at(s.from), currents && network.valuesOf(s.from) != Values::Analog, network.layerShape(s.from))
                     : write.synapse(node, module, value.at(s.from), network.layerShape(s.from).size() == 1, node.kind == Node::Kind::Readout ? "logits" : s.name);
      sum = write.add(sum, part, node.name + (parts++ > 1 ? fmt::format(".add{}", parts) : ".add"));
    }
    if (node.kind == Node::Kind::Readout)
      continue;
    if (node.recurrent) { // the spikes of the step before enter the graph like a membrane
      write.stateIn(layer + ".s_in", shape);
      sum = write.add(sum, write.synapse(node, *network.moduleOf(node, *node.recurrent), layer + ".s_in", shape.size() == 1, node.recurrent->name), layer + ".current");
    }
    if (node.kind == Node::Kind::Sum) {
      value[node.name] = sum;
      continue;
    }
    value[node.name] = write.neuron(node.name, sum, shape);
    if (node.recurrent) {
      write.spikesBefore(layer);
      write.stateOut(layer + ".s_out", shape);
    }
    spikes.emplace_back(layer, shape);
    layers.push_back(layer);
  }
  for (const auto &[layer, shape] : spikes)
    describe(graph->add_output(), layer, shape);

  addMetadata(&model, "lasnn.timesteps", std::to_string(source.timesteps()));
  // Poisson spikes are made by whoever runs the graph: to the graph they are events.
  addMetadata(&model, "lasnn.encoding", source.meta.value("encoding", "direct") == "direct" ? "direct" : "events");
  addMetadata(&model, "lasnn.readout", "mean");
  if (source.meta.at("data").contains("events"))
    addMetadata(&model, "lasnn.max_count", std::to_string(source.meta["data"]["events"].at("max_count").get<int>()));
  addMetadata(&model, "lasnn.mean", numbers(source.meta.at("data").at("mean")));
  addMetadata(&model, "lasnn.std", numbers(source.meta.at("data").at("std")));
  addMetadata(&model, "lasnn.layers", fmt::format("{}", fmt::join(layers, ",")));
  if (network.integer)
    addUnits(&model, network);
  addMetadata(&model, "lasnn.source", fmt::format("lasnn-distill 0.1.0, {} on {}", arch.name, source.meta.at("data").value("name", "?")));
  return model.SerializeAsString();
}

void exportStudent(const Model &model, const std::string &path, bool keepNormalisation) {
  const std::string bytes = studentOnnx(model, keepNormalisation);
  writeAtomically(path, [&](const std::string &temporary) {
    std::ofstream file(temporary, std::ios::binary);
    file.write(bytes.data(), std::streamsize(bytes.size()));
    if (!file.flush())
      throw std::runtime_error(path + ": writing failed; is the disk full?");
  });
}

} // namespace lasnn::distill
