// What changes a shape or nothing at all, and the arithmetic on constants that exporters write in front of a Reshape.
#include "frontend/onnx/node.h"

#include <onnx/onnx_pb.h>

#include <cmath>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

bool isFloatType(int64_t type) {
  return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::DOUBLE || type == onnx::TensorProto::FLOAT16 ||
         type == onnx::TensorProto::BFLOAT16;
}

void emitFlatten(Node &node, mlir::Value input) {
  RankedTensorType type = snn::tensorType(input);
  if (type.getRank() == 1) return node.result(input); // is flat
  node.result(node.builder().create<snn::FlattenOp>(node.loc, node.tensorType({elementCount(type.getShape())}), input).getResult());
}

/// 0 copies, -1 fills up, as ONNX defines it for constants.
void reshapeConstant(Node &node, const Constant &data, ArrayRef<int64_t> target, bool allowZero) {
  Constant result = data;
  result.dims.assign(target.begin(), target.end());
  int64_t known = 1, unknown = -1, count = int64_t(data.size());
  bool ok = target.size() <= 8;
  for (size_t k = 0; ok && k < target.size(); ++k) {
    int64_t &dim = result.dims[k];
    if (dim == 0 && !allowZero) {
      ok = k < data.dims.size();
      if (ok) dim = data.dims[k];
    }
    if (dim == -1) {
      ok = ok && unknown < 0;
      unknown = int64_t(k);
    } else if (ok) {
      known = elementCount({known, dim});
      ok = known > 0;
    }
  }
  if (ok && unknown >= 0) {
    result.dims[unknown] = count / known;
    known *= result.dims[unknown];
  }
  if (!ok || known != count || count == 0) {
    node.error("O7") << "a constant of shape " << shapeText(data.dims) << " is reshaped to " << shapeText(target.take_front(16))
                     << ", expected a shape of " << count << " elements";
    return;
  }
  node.result(std::move(result));
}

/// Axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since.
std::optional<SmallVector<int64_t>> readAxes(Node &node) {
  if (node.import.opset < 13) return node.intsAttr("axes");
  if (!node.hasInput(1)) return std::nullopt;
  ConstantRef axes = node.intConstant(1, "axes");
  if (!axes) return std::nullopt;
  return SmallVector<int64_t>(axes->i.begin(), axes->i.end());
}

/// A set of axes of a tensor of `rank`; empty optional and a report when one is out of range or given twice.
std::optional<SmallVector<bool>> axisSet(Node &node, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<bool> set(size_t(rank), false);
  for (int64_t axis : axes) {
    int64_t at = axis < 0 && axis >= -rank ? axis + rank : axis;
    if (at < 0 || at >= rank || set[size_t(at)]) {
      node.error("O4") << "axis " << axis << " is outside of " << -rank << " to " << rank - 1 << ", or given twice";
      return std::nullopt;
    }
    set[size_t(at)] = true;
  }
  return set;
}

} // namespace

void convertFlatten(Node &node) {
  int64_t axis = node.intAttr("axis", 1);
  mlir::Value input = node.activation(0, "input");
  if (!input) return;
  int64_t rank = snn::tensorType(input).getRank() + 1;
  if (axis != 1 && axis != 1 - rank) {
    node.refuseAttribute("axis", std::to_string(axis), "1", "the batch axis stays; all others become one");
    return;
  }
  emitFlatten(node, input);
}

void convertReshape(Node &node) {
  bool allowZero = node.intAttr("allowzero", 0) != 0;
  ConstantRef shape = node.intConstant(1, "shape");
  const Named *data = node.input(0, "data");
  if (!shape || !data) return;
  if (shape->dims.size() != 1) {
    node.error("O7") << "input 1 (shape) has shape " << shapeText(shape->dims) << ", expected one axis";
    return;
  }
  if (data->kind == Named::Kind::Constant) return reshapeConstant(node, *data->constant, shape->i, allowZero);
  mlir::Value input = node.activation(0, "data");
  if (!input) return;
  ArrayRef<int64_t> from = snn::tensorType(input).getShape();
  int64_t all = elementCount(from);
  auto isBatch = [&](int64_t dim) { return dim == kBatch || dim == 1 || (dim == 0 && !allowZero); };
  if (shape->i.size() == 2) {
    int64_t first = shape->i[0], second = shape->i[1];
    if (second == 0 && !allowZero) second = from[0];
    if ((isBatch(first) && (second == -1 || second == all)) || (first == -1 && second == all)) return emitFlatten(node, input);
  }
  // The shape that it has already.
  if (shape->i.size() == from.size() + 1 && (isBatch(shape->i[0]) || shape->i[0] == -1) &&
      ArrayRef<int64_t>(shape->i).drop_front() == from)
    return node.result(input);
  node.error("F1").append("an activation of shape ", shapeText(from), " (without its batch axis) is reshaped to ",
                          shapeText(ArrayRef<int64_t>(shape->i).take_front(16)), ", expected [N,-1] or [N,", all, "]")
          .attachNote() << "only flattening is supported: write the network with Flatten";
}

void convertRelu(Node &node) {
  if (mlir::Value input = node.activation(0, "input"))
    node.result(node.builder().create<snn::ReluOp>(node.loc, input.getType(), input).getResult());
}

void convertIdentity(Node &node) {
  if (const Named *value = node.input(0, "input")) node.result(0, Named(*value));
}

void convertDropout(Node &node) {
  node.floatAttr("ratio");
  node.intAttr("seed", 0);
  const char *fix = "export in inference form: model.eval()";
  if (node.hasOutput(1)) node.error("O3").append("output 1 (mask) is used, expected output 0 alone").attachNote() << fix;
  if (node.hasInput(1)) node.constant(1, "ratio");
  if (node.hasInput(2)) {
    ConstantRef training = node.intConstant(2, "training_mode");
    if (training && (training->i.size() != 1 || training->i[0] != 0))
      node.error("O7").append("input 2 (training_mode) is not false, expected false").attachNote() << fix;
  }
  convertIdentity(node);
}

void convertConstant(Node &node) {
  const onnx::AttributeProto *given = nullptr;
  for (StringRef name : {"value", "value_float", "value_floats", "value_int", "value_ints"})
    if (const onnx::AttributeProto *attr = node.attribute(name)) given = attr;
  if (node.proto.attribute_size() != 1 || !given) {
    node.error("O4") << "it has " << node.proto.attribute_size() << " attributes"
                     << (given ? "" : ", none of a supported kind") << ", expected one of value, value_float(s), value_int(s)";
    return;
  }
  Constant constant;
  if (given->name() == "value") {
    std::string problem, fix;
    ConstantRef tensor = given->has_t() ? decodeTensor(given->t(), problem, fix) : nullptr;
    if (!tensor) {
      auto diag = node.error("O6") << "attribute value: " << (problem.empty() ? "it has no tensor, expected one" : problem);
      if (!fix.empty()) diag.attachNote() << fix;
      return;
    }
    return node.result(0, Named{Named::Kind::Constant, {}, tensor, -1});
  }
  if (given->name() == "value_float") {
    std::optional<float> value = node.floatAttr("value_float");
    if (!value) return;
    constant.f = {*value};
  } else if (given->name() == "value_int") {
    constant.isFloat = false;
    constant.i = {node.intAttr("value_int", 0)};
  } else if (given->name() == "value_ints") {
    constant.isFloat = false;
    auto values = node.intsAttr("value_ints");
    if (!values) return;
    constant.i.assign(values->begin(), values->end());
    constant.dims = {int64_t(constant.i.size())};
  } else {
    if (given->type() != onnx::AttributeProto::FLOATS) return node.refuseAttribute("value_floats", "of another type", "a list of floats");
    constant.f.assign(given->floats().begin(), given->floats().end());
    constant.dims = {int64_t(constant.f.size())};
    if (!llvm::all_of(constant.f, [](float value) { return std::isfinite(value); })) {
      node.error("T3") << "attribute value_floats holds NaN or infinity, expected finite values";
      return;
    }
  }
  if (llvm::is_contained(constant.i, kBatch)) return node.refuseAttribute("value", "-2^63", "larger integers");
  node.result(std::move(constant));
}

void convertCast(Node &node) {
  int64_t to = node.intAttr("to", 0);
  node.intAttr("saturate", 1); // of 8-bit floats only
  const Named *value = node.input(0, "input");
  bool isInteger = to == onnx::TensorProto::INT64 || to == onnx::TensorProto::INT32;
  if (!isFloatType(to) && !(isInteger && (!value || value->kind == Named::Kind::Constant))) {
    node.refuseAttribute("to", std::to_string(to), "a float type (1, 10, 11 or 16)", "activations are computed in f32");
    return;
  }
  if (!value) return;
  if (value->kind != Named::Kind::Constant || value->constant->isFloat != isInteger) return node.result(0, Named(*value));
  Constant result;
  result.dims = value->constant->dims;
  result.isFloat = !isInteger;
  for (int64_t k : value->constant->i) {
    if (k == kBatch) {
      node.error("O7") << "the batch size is cast to float, expected a network that does not depend on it";
      return;
    }
    result.f.push_back(float(k));
  }
  for (float v : value->constant->f) {
    if (!(std::abs(v) < 9e18f)) {
      node.error("O6") << "the value " << v << " is cast to an integer, expected it to fit";
      return;
    }
    result.i.push_back(int64_t(v));
  }
  node.result(std::move(result));
}

void convertShape(Node &node) {
  int64_t start = node.intAttr("start", 0), end = node.intAttr("end", INT64_MAX);
  const Named *value = node.input(0, "data");
  if (!value) return;
  SmallVector<int64_t> dims;
  if (value->kind == Named::Kind::Constant) {
    dims.assign(value->constant->dims.begin(), value->constant->dims.end());
  } else if (mlir::Value data = node.activation(0, "data")) {
    dims.push_back(kBatch);
    llvm::append_range(dims, snn::tensorType(data).getShape());
  } else {
    return;
  }
  int64_t rank = int64_t(dims.size());
  auto clampAxis = [&](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? std::max(axis, -rank) + rank : axis, 0, rank); };
  start = clampAxis(start);
  end = std::max(start, clampAxis(end));
  Constant result;
  result.isFloat = false;
  result.i.assign(dims.begin() + start, dims.begin() + end);
  result.dims = {end - start};
  node.result(std::move(result));
}

void convertGather(Node &node) {
  int64_t axis = node.intAttr("axis", 0);
  ConstantRef data = node.intConstant(0, "data"), indices = node.intConstant(1, "indices");
  if (!data || !indices) return;
  if (data->dims.size() != 1 || (axis != 0 && axis != -1) || indices->dims.size() > 1) {
    node.error("O7") << "data has shape " << shapeText(data->dims) << " with axis " << axis << " and indices of shape "
                     << shapeText(indices->dims) << ", expected one axis, axis 0 and one index or a list";
    return;
  }
  Constant result;
  result.isFloat = false;
  result.dims = indices->dims;
  int64_t size = int64_t(data->i.size());
  for (int64_t index : indices->i) {
    if (index < -size || index >= size) {
      node.error("O7") << "index " << index << " is outside of " << -size << " to " << size - 1;
      return;
    }
    result.i.push_back(data->i[size_t(index < 0 ? index + size : index)]);
  }
  node.result(std::move(result));
}

void convertConcat(Node &node) {
  int64_t axis = node.intAttr("axis", 0);
  Constant result;
  result.isFloat = false;
  bool complete = true;
  for (unsigned k = 0; k < node.numInputs(); ++k) {
    const Named *value = node.input(k, "input");
    if (value && value->kind != Named::Kind::Constant) {
      node.error("O3") << "input " << k << " is " << kindText(value->kind) << ", expected a constant: activations are not concatenated";
      return;
    }
    ConstantRef part = value ? node.intConstant(k, "input") : nullptr;
    if (part && (part->dims.size() != 1 || (axis != 0 && axis != -1))) {
      node.error("O7") << "input " << k << " has shape " << shapeText(part->dims) << " with axis " << axis << ", expected one axis and axis 0";
      part = nullptr;
    }
    if (part) llvm::append_range(result.i, part->i);
    complete &= part != nullptr;
  }
  if (!complete) return;
  // Constants made of constants may grow with every node: a file of n nodes could ask for 2^n entries.
  if (result.i.size() > 64) {
    node.error("O7") << "the result has " << result.i.size() << " entries, expected a shape of at most 64";
    return;
  }
  result.dims = {int64_t(result.i.size())};
  node.result(std::move(result));
}

void convertUnsqueeze(Node &node) {
  std::optional<SmallVector<int64_t>> axes = readAxes(node);
  ConstantRef data = node.constant(0, "data");
  if (!data || !axes || node.failed()) {
    if (data && !node.failed() && node.import.opset < 13) node.error("O4") << "attribute axes is absent, expected it";
    return;
  }
  int64_t rank = int64_t(data->dims.size() + axes->size());
  if (rank > 8) {
    node.error("O7") << "the result has " << rank << " axes, expected at most 8";
    return;
  }
  auto set = axisSet(node, *axes, rank);
  if (!set) return;
  Constant result = *data;
  result.dims.clear();
  size_t next = 0;
  for (bool added : *set) result.dims.push_back(added ? 1 : data->dims[next++]);
  node.result(std::move(result));
}

void convertSqueeze(Node &node) {
  std::optional<SmallVector<int64_t>> axes = readAxes(node);
  ConstantRef data = node.constant(0, "data");
  if (!data || node.failed()) return;
  auto set = axisSet(node, axes ? ArrayRef<int64_t>(*axes) : ArrayRef<int64_t>(), int64_t(data->dims.size()));
  if (!set) return;
  Constant result = *data;
  result.dims.clear();
  for (auto [k, dim] : llvm::enumerate(data->dims)) {
    if (axes ? !(*set)[k] : dim != 1) {
      result.dims.push_back(dim);
    } else if (dim != 1) {
      node.error("O7") << "axis " << k << " of shape " << shapeText(data->dims) << " is squeezed, expected size 1";
      return;
    }
  }
  node.result(std::move(result));
}

} // namespace lasnn::onnx_import
