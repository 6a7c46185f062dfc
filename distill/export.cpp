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

/// LIF_zero, LIF_subtract, IF_zero, IF_subtract: the neuron's meaning in plain ONNX operators.
void addFunction(onnx::ModelProto *model, bool leaky, Reset reset, const std::string &name) {
  auto *f = model->add_functions();
  f->set_name(name);
  f->set_domain("lasnn");
  f->set_doc_string("one time-step of a spiking neuron; see docs/student-onnx.md");
  for (const char *input : {"current", "v", "v_threshold"})
    f->add_input(input);
  f->add_output("spike");
  f->add_output("v_next");
  auto *opset = f->add_opset_import();
  opset->set_domain("");
  opset->set_version(15);
  std::string v = "v";
  if (leaky) {
    f->add_attribute("beta");
    auto *a = attribute(addNode(f, "Constant", {}, {"decay"}), "value_float", onnx::AttributeProto::FLOAT);
    a->set_ref_attr_name("beta");
    addNode(f, "Mul", {"v", "decay"}, {"decayed"});
    v = "decayed";
  }
  addNode(f, "Add", {v, "current"}, {"u"});
  addNode(f, "Greater", {"u", "v_threshold"}, {"fired"});
  integer(addNode(f, "Cast", {"fired"}, {"spike"}), "to", onnx::TensorProto::FLOAT);
  if (reset == Reset::Zero) {
    attribute(addNode(f, "Constant", {}, {"zero"}), "value_float", onnx::AttributeProto::FLOAT)->set_f(0.0f);
    addNode(f, "Where", {"fired", "zero", "u"}, {"v_next"});
  } else {
    addNode(f, "Mul", {"spike", "v_threshold"}, {"removed"});
    addNode(f, "Sub", {"u", "removed"}, {"v_next"});
  }
}

void addSynapse(onnx::GraphProto *graph, const Network &network, const Node &node, const Synapse &s, std::string input, bool flat, const std::string &output) {
  const auto [weight, bias] = network.integer ? network.integer->exported(network, node, s) : network.synapse(s.name)->folded();
  addTensor(graph, s.name + ".weight", weight);
  addTensor(graph, s.name + ".bias", bias);
  if (s.conv) {
    auto *node = addNode(graph, "Conv", {input, s.name + ".weight", s.name + ".bias"}, {output}, s.name);
    integers(node, "dilations", {1, 1});
    integer(node, "group", 1);
    integers(node, "kernel_shape", {s.kernel, s.kernel});
    integers(node, "pads", {s.pad, s.pad, s.pad, s.pad});
    integers(node, "strides", {s.stride, s.stride});
    return;
  }
  if (!flat) {
    const std::string flattened = s.name + ".flatten";
    integer(addNode(graph, "Flatten", {input}, {flattened}), "axis", 1);
    input = flattened;
  }
  integer(addNode(graph, "Gemm", {input, s.name + ".weight", s.name + ".bias"}, {output}, s.name), "transB", 1);
}

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

std::string studentOnnx(const Model &source) {
  if (!source.student())
    throw std::runtime_error("the model is a teacher, and only students spike; train one with `lasnn-distill student --teacher=...`");
  const Network &network = *source.network;
  const Arch &arch = network.arch;
  const NeuronOptions &neuron = *network.neuron;
  if (neuron.kind == "cuba" || neuron.kind == "clif" || neuron.learnThreshold != "none")
    throw std::runtime_error(fmt::format("neurons of kind {} with {} thresholds learned cannot be exported yet", neuron.kind, neuron.learnThreshold));
  for (const Node &node : arch.nodes) {
    bool plain = !node.recurrent && node.kind != Node::Kind::Sum && node.pool.size > 0 && node.pool.pad == 0;
    for (const Synapse &s : node.synapses)
      plain = plain && s.groups == 1 && !s.pool && s.gain == 1 && !(s.identity && s.name == node.name);
    if (!plain)
      throw std::runtime_error(fmt::format("{} cannot be exported yet", node.name));
  }
  const bool leaky = neuron.kind != "if";
  const std::string function = fmt::format("{}_{}", leaky ? "LIF" : "IF", neuron.reset == Reset::Zero ? "zero" : "subtract");

  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("lasnn-distill");
  model.set_producer_version("0.1.0");
  for (const auto &[domain, version] : {std::pair("", 15), std::pair("lasnn", 1)}) {
    auto *opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
  addFunction(&model, leaky, neuron.reset, function);

  auto *graph = model.mutable_graph();
  graph->set_name(arch.name);
  describe(graph->add_input(), "input", {arch.channels, arch.height, arch.width});
  describe(graph->add_output(), "logits", {arch.classes});
  // A value's name in the graph; a layer's is its neuron's, NAME.lif.
  std::map<std::string, std::string> value = {{"input", "input"}};
  std::map<std::string, bool> flat = {{"input", false}};
  std::vector<std::string> layers;
  std::vector<std::pair<std::string, std::vector<int64_t>>> spikes;
  for (const Node &node : arch.nodes) {
    if (node.isPool()) {
      auto *pool = addNode(graph, node.kind == Node::Kind::MaxPool ? "MaxPool" : "AveragePool", {value.at(node.from)}, {node.name});
      integers(pool, "kernel_shape", {node.pool.size, node.pool.size});
      integers(pool, "strides", {node.pool.stride, node.pool.stride});
      value[node.name] = node.name;
      flat[node.name] = false;
      continue;
    }
    std::string current;
    for (const Synapse &s : node.synapses) {
      const std::string output = node.kind == Node::Kind::Readout ? "logits" : s.name;
      addSynapse(graph, network, node, s, value.at(s.from), flat.at(s.from), output);
      if (!current.empty()) {
        addNode(graph, "Add", {current, output}, {node.name + ".add"});
        current = node.name + ".add";
      } else {
        current = output;
      }
    }
    if (node.kind == Node::Kind::Readout)
      continue;
    const std::string layer = node.name + ".lif";
    const auto shape = network.layerShape(node.name);
    addTensor(graph, layer + ".v_threshold", torch::tensor(float(neuron.vThreshold)));
    auto *lif = addNode(graph, function.c_str(), {current, layer + ".v_in", layer + ".v_threshold"}, {layer, layer + ".v_out"});
    lif->set_domain("lasnn");
    if (leaky)
      attribute(lif, "beta", onnx::AttributeProto::FLOAT)->set_f(network.beta(node.name).item<float>());
    describe(graph->add_input(), layer + ".v_in", shape);
    describe(graph->add_output(), layer + ".v_out", shape);
    spikes.emplace_back(layer, shape);
    layers.push_back(layer);
    value[node.name] = layer;
    flat[node.name] = shape.size() == 1;
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

void exportStudent(const Model &model, const std::string &path) {
  const std::string bytes = studentOnnx(model);
  writeAtomically(path, [&](const std::string &temporary) {
    std::ofstream file(temporary, std::ios::binary);
    file.write(bytes.data(), std::streamsize(bytes.size()));
    if (!file.flush())
      throw std::runtime_error(path + ": writing failed; is the disk full?");
  });
}

} // namespace lasnn::distill
