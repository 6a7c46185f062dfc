// Nodes of domain lasnn: neurons with their state in v_in and v_out.
#include "frontend/onnx/node.h"

#include <onnx/onnx_pb.h>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

/// What the function means, read once; reported on the function, naming its first user.
const std::optional<NeuronModel> &functionModel(Node &node) {
  StringRef op = node.proto.op_type();
  auto [at, isNew] = node.import.functions.try_emplace(op);
  if (!isNew) return at->second;
  std::optional<NeuronModel> promised = neuronFromName(op);
  if (!promised) {
    node.error("O10") << "function " << quoted(op) << " of domain lasnn is not known, expected LIF_ or IF_ with zero, subtract, value or none";
    return at->second;
  }
  const onnx::FunctionProto *body = nullptr;
  for (const onnx::FunctionProto &function : node.import.model->functions()) {
    if (function.domain() != "lasnn" || function.name() != op) continue;
    if (body) {
      node.error("O10") << "function " << quoted(op) << " is defined twice in the file, expected once";
      return at->second;
    }
    body = &function;
  }
  if (!body) {
    node.error("O10").append("function ", quoted(op), " has no body in the file, expected a model-local function")
            .attachNote() << "a name alone is not believed: docs/student-onnx.md has the body";
    return at->second;
  }
  BodyProblem problem;
  at->second = neuronFromBody(*body, *promised, problem);
  if (!at->second) {
    auto diag = node.error("O10") << "function " << quoted(op) << (problem.node.empty() ? "" : ", its node " + quoted(problem.node)) << ": "
                                  << problem.text;
    if (!problem.fix.empty()) diag.attachNote() << problem.fix;
  }
  return at->second;
}

/// v_threshold and v_reset: one value, or one a channel.
DenseElementsAttr channelInput(Node &node, unsigned index, StringRef what, mlir::Value current) {
  ConstantRef constant = node.floatConstant(index, what);
  if (!constant || !current) return {};
  ArrayRef<int64_t> shape = snn::tensorType(current).getShape();
  std::vector<float> values = channelVector(*constant, shape);
  if (!values.empty()) return node.attr({int64_t(values.size())}, values);
  node.error("N10").append(what, " (", quoted(node.inputName(index)), ") has shape ", shapeText(constant->dims), ", expected [], [1] or ",
                           shape.size() == 3 ? shapeText({shape[0], 1, 1}) : shapeText({shape[0]}))
          .attachNote() << "ONNX aligns shapes at the last axis: one value a channel of an image is [C,1,1]";
  return {};
}

/// Input 1 has to be the membrane of this very layer.
void takeState(Node &node, mlir::Value current) {
  const Named *value = node.input(1, "v");
  if (!value) return;
  if (value->kind != Named::Kind::StateIn) {
    node.error("O11").append("input 1 (v, ", quoted(node.inputName(1)), ") is ", kindText(value->kind), ", expected the graph input ",
                             quoted(node.name + ".v_in"))
            .attachNote() << "a membrane enters and leaves the graph at every step: LAYER.v_in, LAYER.v_out";
    return;
  }
  State &state = node.import.states[size_t(value->state)];
  if (!state.neuron.empty()) {
    node.error("O11") << "the membrane " << quoted(state.stem + ".v_in") << " is used by node " << quoted(state.neuron)
                      << " already, expected one neuron a membrane";
    return;
  }
  state.neuron = node.name;
  if (state.stem != node.name)
    node.error("O11") << "the membrane is " << quoted(state.stem + ".v_in") << ", expected " << quoted(node.name + ".v_in")
                      << ", since the node is the layer " << quoted(node.name);
  if (current && !state.shape.empty() && ArrayRef<int64_t>(state.shape) != snn::tensorType(current).getShape())
    node.error("O11") << "the membrane " << quoted(state.stem + ".v_in") << " has shape " << shapeText(state.shape)
                      << " without its batch axis, expected " << shapeText(snn::tensorType(current).getShape());
  node.result(1, Named{Named::Kind::StateOut, {}, nullptr, value->state});
}

} // namespace

void convertNeuron(Node &node) {
  ++node.import.neurons;
  const std::optional<NeuronModel> &model = functionModel(node);
  bool byValue = model && model->reset == snn::Reset::Value;
  if (model && node.numInputs() != (byValue ? 4u : 3u))
    node.error("O3") << "it has " << node.numInputs() << " inputs, expected " << (byValue ? 4 : 3);
  if (node.proto.output_size() != 2) node.error("O3") << "it has " << node.proto.output_size() << " outputs, expected 2 (spike, v_next)";

  float beta = 1;
  if (model && model->leaky) {
    std::optional<float> given = model->fixedBeta ? model->fixedBeta : node.floatAttr("beta");
    if (!given && !node.failed()) node.error("O4") << "attribute beta is absent, expected a float from 0 to 1";
    beta = given.value_or(1);
    if (!(beta >= 0 && beta <= 1)) node.error("N9") << "beta is " << beta << ", expected a value from 0 to 1";
  } else if (!model) {
    node.attribute("beta");
  }

  mlir::Value current = node.activation(0, "current");
  takeState(node, current);
  DenseElementsAttr threshold = channelInput(node, 2, "v_threshold", current), reset;
  if (byValue) reset = channelInput(node, 3, "v_reset", current);
  if (threshold && model && model->reset == snn::Reset::Subtract)
    for (float value : threshold.getValues<float>())
      if (value < 0) {
        node.error("N11") << "v_threshold is " << value << " with reset = subtract, expected at least 0";
        break;
      }
  if (!current) return;
  // A failed neuron still has a shape: what follows is checked as well.
  if (node.failed() || !model || !threshold) {
    node.import.failed = true;
    return node.result(current);
  }
  OpBuilder &b = node.builder();
  auto resetAttr = snn::ResetAttr::get(node.import.context, model->reset);
  auto compareAttr = snn::CompareAttr::get(node.import.context, model->compare);
  Operation *op;
  if (model->leaky)
    op = b.create<snn::LIFOp>(node.loc, current.getType(), current, b.getF32FloatAttr(beta), IntegerAttr(), threshold, resetAttr,
                              ElementsAttr(), reset, compareAttr, b.getI64IntegerAttr(1), TypedAttr(), b.getI64IntegerAttr(24));
  else
    op = b.create<snn::IFOp>(node.loc, current.getType(), current, threshold, resetAttr, ElementsAttr(), reset, compareAttr,
                             b.getI64IntegerAttr(1), TypedAttr(), b.getI64IntegerAttr(24));
  node.result(op->getResult(0));
}

} // namespace lasnn::onnx_import
