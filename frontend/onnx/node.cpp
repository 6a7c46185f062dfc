#include "frontend/onnx/node.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>

using llvm::ArrayRef;
using llvm::StringRef;

namespace lasnn::onnx_import {

StringRef kindText(Named::Kind kind) {
  switch (kind) {
  case Named::Kind::Poison:
    return "a value that failed";
  case Named::Kind::Tensor:
    return "a value computed at run time";
  case Named::Kind::Constant:
    return "a constant";
  case Named::Kind::StateIn:
    return "a membrane before the step";
  case Named::Kind::StateOut:
    return "a membrane after the step";
  }
  return "";
}

mlir::InFlightDiagnostic Import::error(mlir::Location loc, StringRef rule) {
  failed = true;
  return mlir::emitError(loc) << "rule " << rule << ": ";
}
mlir::InFlightDiagnostic Import::warning(mlir::Location loc, StringRef rule) { return mlir::emitWarning(loc) << "rule " << rule << ": "; }
mlir::InFlightDiagnostic Import::remark(mlir::Location loc, StringRef rule) { return mlir::emitRemark(loc) << "rule " << rule << ": "; }
mlir::Location Import::nameLoc(StringRef name) { return mlir::NameLoc::get(mlir::StringAttr::get(context, name)); }

Node::Node(Import &import, const onnx::NodeProto &proto, std::string nodeName)
    : import(import), proto(proto), name(std::move(nodeName)), loc(import.nameLoc(name)) {
  inputs = unsigned(proto.input_size());
  while (inputs > 0 && proto.input(int(inputs) - 1).empty())
    --inputs;
}

mlir::InFlightDiagnostic Node::error(StringRef rule) {
  hasFailed = import.failed = true;
  return mlir::emitError(loc) << "node " << quoted(name) << " (" << StringRef(proto.op_type()).take_front(60) << "): rule " << rule << ": ";
}

bool Node::hasInput(unsigned index) const { return index < inputs && !proto.input(int(index)).empty(); }
bool Node::hasOutput(unsigned index) const { return int(index) < proto.output_size() && !proto.output(int(index)).empty(); }
StringRef Node::inputName(unsigned index) const { return hasInput(index) ? StringRef(proto.input(int(index))) : StringRef(); }

const Named *Node::input(unsigned index, StringRef what) {
  if (!hasInput(index)) {
    error("O3") << "input " << index << " (" << what << ") is absent, expected it";
    return nullptr;
  }
  auto found = import.values.find(inputName(index)); // names were checked before any handler ran
  return found == import.values.end() || found->second.kind == Named::Kind::Poison ? nullptr : &found->second;
}

const Named *Node::laidOut(unsigned index, StringRef what) {
  const Named *value = input(index, what);
  if (!value || value->kind == Named::Kind::Tensor) return value;
  error("O7") << "input " << index << " (" << what << ", " << quoted(inputName(index)) << ") is " << kindText(value->kind)
              << ", expected a value computed at run time";
  return nullptr;
}

mlir::Value Node::activation(unsigned index, StringRef what) {
  const Named *value = laidOut(index, what);
  if (!value) return nullptr;
  if (!value->view) return value->tensor;
  error("O7")
          .append("input ", index, " (", what, ", ", quoted(inputName(index)), ") has shape ", shapeText(value->view->dims),
                  " without its batch axis, which is another layout of ", shapeText(snn::tensorType(value->tensor).getShape()),
                  ", expected [C,H,W] or [F] in order")
          .attachNote()
      << "put a Transpose to [N,C,H,W], or a Flatten, before it";
  return nullptr;
}

mlir::Value Node::image(unsigned index, StringRef rule, bool &oneD) {
  const Named *value = laidOut(index, "input");
  if (!value) return nullptr;
  llvm::ArrayRef<int64_t> shape = snn::tensorType(value->tensor).getShape();
  oneD = value->view && value->view->rowMajor() && value->view->dims.size() == 2 && shape.size() == 3 && shape[1] == 1 &&
         value->view->dims[0] == shape[0];
  if (oneD) return value->tensor;
  if (!value->view && shape.size() == 3) return value->tensor;
  if (value->view && value->view->dims.size() == 3) return activation(index, "input"); // says which layout it has
  error(rule) << "input 0 has shape " << shapeText(value->layout().dims) << " without its batch axis, expected [C,H,W]";
  return nullptr;
}

void Node::viewed(mlir::Value tensor, View view) {
  // A vector in order was flattened when it was made; what is behind the flattening serves every view.
  if (auto flat = tensor.getDefiningOp<snn::FlattenOp>()) tensor = flat.getInput();
  llvm::ArrayRef<int64_t> shape = snn::tensorType(tensor).getShape();
  if (view.rowMajor() && llvm::ArrayRef<int64_t>(view.dims) == shape) return result(tensor);
  if (view.rowMajor() && view.dims.size() == 1)
    return result(builder().create<snn::FlattenOp>(loc, tensorType(view.dims), tensor).getResult());
  result(tensor, view);
}

void Node::resultImage(mlir::Value tensor, bool oneD) {
  llvm::ArrayRef<int64_t> shape = snn::tensorType(tensor).getShape();
  if (oneD)
    result(tensor, View::of({shape[0], shape[2]}));
  else
    result(tensor);
}

ConstantRef Node::constant(unsigned index, StringRef what) {
  const Named *value = input(index, what);
  if (!value) return nullptr;
  if (value->kind == Named::Kind::Constant) return value->constant;
  error("O7")
          .append("input ", index, " (", what, ", ", quoted(inputName(index)), ") is ", kindText(value->kind), ", expected a constant")
          .attachNote()
      << "export with the parameters as initializers";
  return nullptr;
}
ConstantRef Node::floatConstant(unsigned index, StringRef what) {
  ConstantRef value = constant(index, what);
  if (!value || value->isFloat) return value;
  error("O6") << "input " << index << " (" << what << ", " << quoted(inputName(index)) << ") holds integers, expected float values";
  return nullptr;
}
ConstantRef Node::intConstant(unsigned index, StringRef what) {
  ConstantRef value = constant(index, what);
  if (!value || !value->isFloat) return value;
  error("O6") << "input " << index << " (" << what << ", " << quoted(inputName(index)) << ") holds floats, expected int64 values";
  return nullptr;
}

const onnx::AttributeProto *Node::attribute(StringRef attrName) {
  const onnx::AttributeProto *found = nullptr;
  for (const onnx::AttributeProto &attr : proto.attribute())
    if (attrName == attr.name() && !found) found = &attr;
  used.insert(attrName);
  return found;
}

const onnx::AttributeProto *Node::typed(StringRef attrName, int type, StringRef typeText) {
  const onnx::AttributeProto *attr = attribute(attrName);
  if (!attr) return nullptr;
  if (!attr->ref_attr_name().empty()) {
    error("O4") << "attribute " << attrName << " refers to a function's attribute " << quoted(attr->ref_attr_name())
                << ", expected a value outside of functions";
    return nullptr;
  }
  // Files of IR version 1 leave the type out; the field that is filled tells it then.
  if (attr->type() == type) return attr;
  error("O4") << "attribute " << attrName << " has type number " << int(attr->type()) << ", expected " << typeText;
  return nullptr;
}

int64_t Node::intAttr(StringRef attrName, int64_t byDefault) {
  const onnx::AttributeProto *attr = typed(attrName, onnx::AttributeProto::INT, "one integer");
  return attr ? attr->i() : byDefault;
}
std::optional<float> Node::floatAttr(StringRef attrName) {
  const onnx::AttributeProto *attr = typed(attrName, onnx::AttributeProto::FLOAT, "one float");
  if (!attr) return std::nullopt;
  if (!std::isfinite(attr->f())) {
    error("T3") << "attribute " << attrName << " is not finite, expected a finite value";
    return std::nullopt;
  }
  return attr->f();
}
float Node::floatAttr(StringRef attrName, float byDefault) { return floatAttr(attrName).value_or(byDefault); }
std::string Node::stringAttr(StringRef attrName, StringRef byDefault) {
  const onnx::AttributeProto *attr = typed(attrName, onnx::AttributeProto::STRING, "text");
  return attr ? attr->s() : byDefault.str();
}
std::optional<llvm::SmallVector<int64_t>> Node::intsAttr(StringRef attrName) {
  const onnx::AttributeProto *attr = typed(attrName, onnx::AttributeProto::INTS, "a list of integers");
  if (!attr) return std::nullopt;
  return llvm::SmallVector<int64_t>(attr->ints().begin(), attr->ints().end());
}

void Node::refuseAttribute(StringRef attrName, const std::string &actual, const std::string &expected, StringRef fix) {
  auto diag = error("O4") << "attribute " << attrName << " is " << actual << ", expected " << expected;
  if (!fix.empty()) diag.attachNote() << fix;
}
void Node::expectInt(StringRef attrName, int64_t byDefault, int64_t only, StringRef fix) {
  int64_t value = intAttr(attrName, byDefault);
  if (value != only) refuseAttribute(attrName, std::to_string(value), std::to_string(only), fix);
}

void Node::refuseOtherAttributes() {
  llvm::StringSet<> seen;
  for (const onnx::AttributeProto &attr : proto.attribute()) {
    if (!seen.insert(attr.name()).second)
      error("O4") << "attribute " << quoted(attr.name()) << " is given twice, expected it once";
    else if (!used.contains(attr.name()))
      error("O4") << "attribute " << quoted(attr.name()) << " is not known here, expected only those that docs/onnx.md lists";
  }
}

bool Node::checkShape(ArrayRef<int64_t> shape) {
  if (elementCount(shape) > 0) return true;
  error("T2") << "the result has shape " << shapeText(shape) << ", expected no size below 1 and at most " << kMaxElements << " elements";
  return false;
}
mlir::RankedTensorType Node::tensorType(ArrayRef<int64_t> shape) { return mlir::RankedTensorType::get(shape, builder().getF32Type()); }
mlir::DenseElementsAttr Node::attr(ArrayRef<int64_t> shape, ArrayRef<float> values) { return toAttr(import.context, shape, values); }

void Node::result(unsigned index, Named value) {
  if (hasOutput(index)) import.values[proto.output(int(index))] = std::move(value);
}
void Node::result(Constant value) { result(0, Named{Named::Kind::Constant, {}, std::make_shared<const Constant>(std::move(value)), -1}); }

} // namespace lasnn::onnx_import
