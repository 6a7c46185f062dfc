// Makes small ONNX models for tests, right and wrong ones, and imports them with all diagnostics kept.
#pragma once

#include "frontend/onnx/import.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <string>
#include <vector>

namespace lasnn::testing {

using Names = std::vector<std::string>;
using Dims = std::vector<int64_t>; ///< -1: symbolic

inline onnx::AttributeProto *attribute(onnx::NodeProto *node, const std::string &name) {
  for (auto &attr : *node->mutable_attribute())
    if (attr.name() == name) return &attr;
  auto *attr = node->add_attribute();
  attr->set_name(name);
  return attr;
}
inline onnx::NodeProto *setInt(onnx::NodeProto *node, const std::string &name, int64_t value) {
  auto *attr = attribute(node, name);
  attr->set_type(onnx::AttributeProto::INT);
  attr->set_i(value);
  return node;
}
inline onnx::NodeProto *setFloat(onnx::NodeProto *node, const std::string &name, float value) {
  auto *attr = attribute(node, name);
  attr->set_type(onnx::AttributeProto::FLOAT);
  attr->set_f(value);
  return node;
}
inline onnx::NodeProto *setString(onnx::NodeProto *node, const std::string &name, const std::string &value) {
  auto *attr = attribute(node, name);
  attr->set_type(onnx::AttributeProto::STRING);
  attr->set_s(value);
  return node;
}
inline onnx::NodeProto *setInts(onnx::NodeProto *node, const std::string &name, const Dims &values) {
  auto *attr = attribute(node, name);
  attr->set_type(onnx::AttributeProto::INTS);
  attr->clear_ints();
  for (int64_t value : values) attr->add_ints(value);
  return node;
}

/// Graphs and functions both hold nodes. A node without a name of its own is named after its first output.
template <typename Owner>
onnx::NodeProto *addNode(Owner *owner, const std::string &op, const Names &inputs, const Names &outputs, const std::string &name = "") {
  auto *node = owner->add_node();
  node->set_op_type(op);
  node->set_name(name.empty() ? outputs.front() : name);
  for (const auto &input : inputs) node->add_input(input);
  for (const auto &output : outputs) node->add_output(output);
  return node;
}

struct Model {
  onnx::ModelProto proto;

  explicit Model(int64_t opset = 15) {
    proto.set_ir_version(8);
    for (auto [domain, version] : {std::pair("", opset), std::pair("lasnn", int64_t(1))}) {
      auto *import = proto.add_opset_import();
      import->set_domain(domain);
      import->set_version(version);
    }
    proto.mutable_graph()->set_name("test");
  }
  onnx::GraphProto *graph() { return proto.mutable_graph(); }

  static void describe(onnx::ValueInfoProto *info, const std::string &name, const Dims &dims) {
    info->set_name(name);
    auto *type = info->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    type->mutable_shape();
    for (int64_t dim : dims) {
      auto *d = type->mutable_shape()->add_dim();
      if (dim == -1) d->set_dim_param("N");
      else d->set_dim_value(dim);
    }
  }
  void input(const std::string &name, const Dims &dims) { describe(graph()->add_input(), name, dims); }
  void output(const std::string &name, const Dims &dims) { describe(graph()->add_output(), name, dims); }

  onnx::TensorProto *tensor(const std::string &name, const Dims &dims) {
    auto *tensor = graph()->add_initializer();
    tensor->set_name(name);
    for (int64_t dim : dims) tensor->add_dims(dim);
    return tensor;
  }
  onnx::TensorProto *floats(const std::string &name, const Dims &dims, const std::vector<float> &values) {
    auto *t = tensor(name, dims);
    t->set_data_type(onnx::TensorProto::FLOAT);
    t->set_raw_data(values.data(), values.size() * 4); // little-endian hosts only, as the tests are
    return t;
  }
  /// Values 0.01, 0.02, … with changing sign.
  onnx::TensorProto *weights(const std::string &name, const Dims &dims) {
    int64_t count = 1;
    for (int64_t dim : dims) count *= dim;
    std::vector<float> values;
    for (int64_t k = 0; k < count; ++k) values.push_back(float(k % 17 + 1) * (k % 3 ? 0.01f : -0.01f));
    return floats(name, dims, values);
  }
  onnx::TensorProto *ints(const std::string &name, const Dims &dims, const Dims &values) {
    auto *t = tensor(name, dims);
    t->set_data_type(onnx::TensorProto::INT64);
    for (int64_t value : values) t->add_int64_data(value);
    return t;
  }
  onnx::NodeProto *node(const std::string &op, const Names &inputs, const Names &outputs, const std::string &name = "") {
    return addNode(graph(), op, inputs, outputs, name);
  }
  onnx::NodeProto *find(const std::string &name) {
    for (auto &node : *graph()->mutable_node())
      if (node.name() == name) return &node;
    return nullptr;
  }
  onnx::TensorProto *initializer(const std::string &name) {
    for (auto &tensor : *graph()->mutable_initializer())
      if (tensor.name() == name) return &tensor;
    return nullptr;
  }
  void meta(const std::string &key, const std::string &value) {
    for (auto &entry : *proto.mutable_metadata_props())
      if (entry.key() == key) return entry.set_value(value);
    auto *entry = proto.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  void dropMeta(const std::string &key) {
    auto *list = proto.mutable_metadata_props();
    for (int k = list->size() - 1; k >= 0; --k)
      if (list->Get(k).key() == key) list->DeleteSubrange(k, 1);
  }
  std::string bytes() const { return proto.SerializeAsString(); }

  /// The function `KIND_reset` of docs/student-onnx.md. Returned for tests that spoil it.
  onnx::FunctionProto *neuronFunction(const std::string &kind, const std::string &reset, const std::string &compare = "Greater") {
    auto *f = proto.add_functions();
    f->set_domain("lasnn");
    f->set_name(kind + "_" + reset);
    for (const char *input : {"current", "v", "v_threshold"}) f->add_input(input);
    if (reset == "value") f->add_input("v_reset");
    f->add_output("spike");
    f->add_output("v_next");
    auto *import = f->add_opset_import();
    import->set_domain("");
    import->set_version(15);
    std::string kept = "v";
    if (kind == "LIF") {
      f->add_attribute("beta");
      auto *attr = attribute(addNode(f, "Constant", {}, {"decay"}), "value_float");
      attr->set_type(onnx::AttributeProto::FLOAT);
      attr->set_ref_attr_name("beta");
      addNode(f, "Mul", {"v", "decay"}, {"kept"});
      kept = "kept";
    }
    addNode(f, "Add", {kept, "current"}, {"u"});
    addNode(f, compare, {"u", "v_threshold"}, {"fired"});
    setInt(addNode(f, "Cast", {"fired"}, {"spike"}), "to", onnx::TensorProto::FLOAT);
    if (reset == "zero") {
      setFloat(addNode(f, "Constant", {}, {"zero"}), "value_float", 0);
      addNode(f, "Where", {"fired", "zero", "u"}, {"v_next"});
    } else if (reset == "subtract") {
      addNode(f, "Mul", {"spike", "v_threshold"}, {"removed"});
      addNode(f, "Sub", {"u", "removed"}, {"v_next"});
    } else if (reset == "value") {
      addNode(f, "Where", {"fired", "v_reset", "u"}, {"v_next"});
    } else {
      addNode(f, "Identity", {"u"}, {"v_next"});
    }
    return f;
  }
  /// A neuron layer with its state in and out; `shape` without batch. The threshold is an initializer LAYER.v_threshold.
  onnx::NodeProto *neuron(const std::string &function, const std::string &layer, const std::string &current, Dims shape,
                          const Dims &thresholdShape = {}) {
    int64_t count = 1;
    for (int64_t dim : thresholdShape) count *= dim;
    std::vector<float> thresholds;
    for (int64_t k = 0; k < count; ++k) thresholds.push_back(0.5f + 0.25f * float(k));
    floats(layer + ".v_threshold", thresholdShape, thresholds);
    Names inputs = {current, layer + ".v_in", layer + ".v_threshold"};
    if (function.find("_value") != std::string::npos) {
      floats(layer + ".v_reset", {1}, {-0.125f});
      inputs.push_back(layer + ".v_reset");
    }
    auto *n = node(function, inputs, {layer, layer + ".v_out"}, layer);
    n->set_domain("lasnn");
    if (function.rfind("LIF", 0) == 0) setFloat(n, "beta", 0.5f);
    shape.insert(shape.begin(), -1);
    input(layer + ".v_in", shape);
    output(layer + ".v_out", shape);
    output(layer, shape);
    return n;
  }
};

/// conv1 -> conv1.lif -> flat -> fc: a student of two synapses, as lasnn-distill writes it.
inline Model student(const std::string &kind = "LIF", const std::string &reset = "zero", const std::string &compare = "Greater",
                     const Dims &thresholdShape = {}) {
  Model m;
  m.neuronFunction(kind, reset, compare);
  m.input("input", {-1, 2, 4, 4});
  m.output("logits", {-1, 3});
  m.weights("conv1.weight", {2, 2, 3, 3});
  m.weights("conv1.bias", {2});
  auto *conv = m.node("Conv", {"input", "conv1.weight", "conv1.bias"}, {"conv1"});
  setInts(conv, "kernel_shape", {3, 3});
  setInts(conv, "pads", {1, 1, 1, 1});
  setInts(conv, "strides", {1, 1});
  m.neuron(kind + "_" + reset, "conv1.lif", "conv1", {2, 4, 4}, thresholdShape);
  setInt(m.node("Flatten", {"conv1.lif"}, {"fc.flatten"}), "axis", 1);
  m.weights("fc.weight", {3, 32});
  m.weights("fc.bias", {3});
  setInt(m.node("Gemm", {"fc.flatten", "fc.weight", "fc.bias"}, {"logits"}, "fc"), "transB", 1);
  m.meta("lasnn.timesteps", "4");
  m.meta("lasnn.encoding", "direct");
  m.meta("lasnn.readout", "mean");
  m.meta("lasnn.mean", "0.5,0.25");
  m.meta("lasnn.std", "0.5,0.125");
  m.meta("lasnn.layers", "conv1.lif");
  m.meta("lasnn.source", "a test");
  return m;
}

/// An ANN around one operator: input of `shape` (with batch), a node to be added by the caller that makes "y".
inline Model ann(const Dims &inputShape, int64_t opset = 15) {
  Model m(opset);
  m.input("x", inputShape);
  auto *out = m.graph()->add_output();
  out->set_name("y");
  return m;
}

struct Imported {
  struct Message {
    mlir::DiagnosticSeverity severity;
    std::string name; ///< the NameLoc's; empty: the file as a whole
    std::string text;
    std::string notes;
  };
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<Message> messages;

  explicit Imported(llvm::StringRef bytes, const onnx_import::ImportOptions &options = {}, llvm::StringRef fileName = "dir/test.onnx") {
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      Message message{diagnostic.getSeverity(), "", diagnostic.str(), ""};
      if (auto name = llvm::dyn_cast<mlir::NameLoc>(diagnostic.getLocation())) message.name = name.getName().str();
      for (mlir::Diagnostic &note : diagnostic.getNotes()) message.notes += note.str() + "\n";
      messages.push_back(std::move(message));
    });
    auto result = onnx_import::importOnnx(context, bytes, fileName, options);
    if (succeeded(result)) module = std::move(*result);
  }
  explicit Imported(const Model &model, const onnx_import::ImportOptions &options = {}) : Imported(model.bytes(), options) {}

  bool ok() const { return bool(module); }
  std::vector<const Message *> errors() const {
    std::vector<const Message *> list;
    for (const Message &message : messages)
      if (message.severity == mlir::DiagnosticSeverity::Error) list.push_back(&message);
    return list;
  }
  /// Some message of the severity, at the name, that contains the text.
  bool has(mlir::DiagnosticSeverity severity, const std::string &name, const std::string &text) const {
    for (const Message &message : messages)
      if (message.severity == severity && message.name == name && (message.text + "\n" + message.notes).find(text) != std::string::npos)
        return true;
    return false;
  }
  std::string all() const {
    std::string text;
    for (const Message &message : messages) text += "[" + message.name + "] " + message.text + "\n    " + message.notes + "\n";
    return text;
  }
  snn::NetworkOp network() { return *module->getOps<snn::NetworkOp>().begin(); }
  template <typename OpT> OpT only() {
    OpT found;
    int count = 0;
    network().walk([&](OpT op) { found = op, ++count; });
    return count == 1 ? found : OpT();
  }
  std::string print() {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    return text;
  }
};

} // namespace lasnn::testing
