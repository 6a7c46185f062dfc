// Arithmetic element by element: with constants it is a bias or a batch_norm, of constants it is computed here; what bounds
// values; and what stands behind the logits without changing their order.
#include "frontend/onnx/node.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <limits>

using namespace mlir;

namespace lasnn::onnx_import {

std::vector<float> channelVector(const Constant &constant, const Named &value) {
  if (!constant.isFloat || constant.f.empty()) return {};
  if (constant.f.size() == 1) return constant.dims.size() <= value.layout().dims.size() + 1 ? constant.f : std::vector<float>();
  ArrayRef<int64_t> shape = snn::tensorType(value.tensor).getShape();
  if (!value.view) return channelVector(constant, shape);
  const View &view = *value.view;
  int64_t rank = int64_t(view.dims.size()) + 1, own = int64_t(constant.dims.size()), count = elementCount(view.dims);
  if (own > rank) return {};
  // Strides of the constant along the value's axes; 0 where it is broadcast.
  SmallVector<int64_t, 4> strides(size_t(rank), 0);
  for (int64_t k = own - 1, stride = 1; k >= 0; --k) {
    int64_t axis = rank - own + k, dim = constant.dims[size_t(k)];
    if (dim != 1 && (axis == 0 || dim != view.dims[size_t(axis - 1)])) return {};
    if (dim != 1) strides[size_t(axis)] = stride;
    stride *= dim;
  }
  int64_t area = count / shape[0];
  std::vector<float> channels(size_t(shape[0]), 0.f);
  std::vector<bool> known(channels.size(), false);
  for (int64_t k = 0; k < count; ++k) {
    int64_t at = 0;
    for (int64_t axis = rank - 1, rest = k; axis >= 1; rest /= view.dims[size_t(axis - 1)], --axis)
      at += rest % view.dims[size_t(axis - 1)] * strides[size_t(axis)];
    int64_t place = 0; // without a list of all places: an activation may be large
    for (int64_t atom = int64_t(view.atoms.size()) - 1, rest = k; atom >= 0; rest /= view.atoms[size_t(atom)].size, --atom)
      place += rest % view.atoms[size_t(atom)].size * view.atoms[size_t(atom)].stride;
    size_t channel = size_t(place / area);
    float entry = constant.f[size_t(at)];
    if (known[channel] && channels[channel] != entry) return {};
    known[channel] = true;
    channels[channel] = entry;
  }
  return channels;
}

mlir::Value emitScale(Node &node, mlir::Value input, std::vector<float> gamma, std::vector<float> beta) {
  int64_t count = snn::channels(input);
  auto spread = [&](std::vector<float> values) {
    if (values.size() == 1) values.resize(size_t(count), float(values[0]));
    return node.attr({count}, values);
  };
  return node.builder().create<snn::BatchNormOp>(node.loc, input.getType(), input, spread(std::move(gamma)), spread(std::move(beta)),
                                                 spread({0}), spread({1}), node.builder().getF32FloatAttr(0));
}

/// An activation and a constant, `left` telling which of them stands on the left.
static void withConstant(Node &node, char op, bool constantLeft) {
  const char *what = op == '*' || op == '/' ? "factor" : "addend";
  ConstantRef constant = node.floatConstant(constantLeft ? 0 : 1, what);
  const Named *found = node.laidOut(constantLeft ? 1 : 0, what);
  if (!constant || !found) return;
  Named value = *found;
  View view = value.layout();
  std::vector<float> values = channelVector(*constant, value);
  ArrayRef<int64_t> shape = snn::tensorType(value.tensor).getShape();
  if (values.empty()) {
    node.error(op == '*' || op == '/' ? "B1" : "A1")
            .append("the constant has shape ", shapeText(constant->dims), " beside an activation of shape ", shapeText(view.dims),
                    " (without the batch axis), expected it to vary along the channel axis only")
            .attachNote()
        << (op == '*' || op == '/' ? "a factor" : "a bias") << " of shape " << (view.dims.size() == 3 ? "[C,1,1]" : "[F]") << " fits";
    return;
  }
  if (shape[0] > kMaxChannels) {
    node.error("T2") << "the activation has " << shape[0] << " channels, expected at most " << kMaxChannels << " where a constant is "
                     << (op == '*' || op == '/' ? "multiplied" : "added");
    return;
  }
  if (op == '/' && constantLeft) {
    node.error("O3").append("a constant is divided by an activation, expected an activation divided by a constant").attachNote()
        << "the dialect has no division of values computed at run time";
    return;
  }
  std::vector<float> gamma = {1}, beta = {0};
  if (op == '*') gamma = values;
  if (op == '/')
    for (gamma = values; float &v : gamma)
      v = 1 / v;
  if (op == '+' || op == '-') beta = values;
  if (op == '-' && constantLeft) gamma = {-1};
  if (op == '-' && !constantLeft)
    for (float &v : beta)
      v = -v;
  if (!llvm::all_of(gamma, [](float v) { return std::isfinite(v); })) {
    node.error("T3") << "the constant divides by 0 or by what is too small, expected a finite factor";
    return;
  }
  bool shift = gamma.size() == 1 && gamma[0] == 1;
  mlir::Value result = emitScale(node, value.tensor, gamma, beta);
  if (shift) node.import.biasAdds.push_back(result.getDefiningOp());
  node.result(result, value.view);
}

static void arithmetic(Node &node, char op) {
  const char *what = op == '*' || op == '/' ? "factor" : "addend";
  const Named *left = node.input(0, what), *right = node.input(1, what);
  if (!left || !right) return;
  bool leftConstant = left->kind == Named::Kind::Constant, rightConstant = right->kind == Named::Kind::Constant;
  if (leftConstant && rightConstant) return foldConstants(node, op);
  if (leftConstant || rightConstant) return withConstant(node, op, leftConstant);
  left = node.laidOut(0, what);
  right = node.laidOut(1, what);
  if (!left || !right) return;
  if (op == '*' || op == '/') {
    node.error("O3")
            .append("two values computed at run time are ", op == '*' ? "multiplied" : "divided", ", expected one of them constant")
            .attachNote()
        << "the dialect has no products of activations: gates and attention cannot be deployed";
    return;
  }
  mlir::Value lhs = left->tensor, rhs = right->tensor;
  std::optional<View> view = left->view;
  if (lhs.getType() != rhs.getType() || !(left->layout() == right->layout())) {
    node.error("A1") << "the inputs have shapes " << shapeText(left->layout().dims) << " and " << shapeText(right->layout().dims)
                     << ", expected one shape" << (left->layout().dims == right->layout().dims ? " in one layout" : "")
                     << ": activations are not broadcast";
    return;
  }
  if (op == '-') rhs = emitScale(node, rhs, {-1}, {0});
  node.result(node.builder().create<snn::AddOp>(node.loc, lhs.getType(), lhs, rhs).getResult(), view);
}

void convertAdd(Node &node) { arithmetic(node, '+'); }
void convertSub(Node &node) { arithmetic(node, '-'); }
void convertMul(Node &node) { arithmetic(node, '*'); }
void convertDiv(Node &node) { arithmetic(node, '/'); }

void foldConstants(Node &node, char op) {
  ConstantRef a = node.constant(0, "operand"), b = node.constant(1, "operand");
  if (!a || !b) return;
  Constant result;
  size_t rank = std::max(a->dims.size(), b->dims.size());
  SmallVector<int64_t, 8> strideA(rank, 0), strideB(rank, 0);
  result.dims.assign(rank, 1);
  bool ok = a->isFloat == b->isFloat;
  auto place = [&](const Constant &c, SmallVectorImpl<int64_t> &strides) {
    int64_t stride = 1;
    for (size_t k = c.dims.size(); k-- > 0;) {
      size_t axis = rank - c.dims.size() + k;
      if (c.dims[k] != 1) {
        ok = ok && (result.dims[axis] == 1 || result.dims[axis] == c.dims[k]);
        result.dims[axis] = c.dims[k];
        strides[axis] = stride;
      }
      stride *= c.dims[k];
    }
  };
  place(*a, strideA);
  place(*b, strideB);
  int64_t count = elementCount(result.dims);
  // A result of both that is larger than either may grow with every node: a short file must not ask for much memory.
  if (!ok || count < 1 || count > std::max<int64_t>(4096, int64_t(std::max(a->size(), b->size())))) {
    node.error("O7") << "both inputs are constants, of shapes " << shapeText(a->dims) << " and " << shapeText(b->dims)
                     << ", expected one kind of number, and one shape that holds the other";
    return;
  }
  result.isFloat = a->isFloat;
  for (int64_t k = 0; k < count; ++k) {
    int64_t atA = 0, atB = 0;
    for (size_t axis = rank, rest = size_t(k); axis-- > 0; rest /= size_t(result.dims[axis])) {
      int64_t index = int64_t(rest % size_t(result.dims[axis]));
      atA += index * strideA[axis];
      atB += index * strideB[axis];
    }
    if (result.isFloat) {
      float x = a->f[size_t(atA)], y = b->f[size_t(atB)];
      float value = op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
      if (!std::isfinite(value)) {
        node.error("T3") << fmt::format("the constants {} and {} give no finite value, expected one", x, y);
        return;
      }
      result.f.push_back(value);
      continue;
    }
    int64_t x = a->i[size_t(atA)], y = b->i[size_t(atB)], value = 0;
    bool over = x == kBatch || y == kBatch || (op == '/' && (y == 0 || (y == -1 && x == INT64_MIN)));
    if (!over) {
      over = op == '+'   ? __builtin_add_overflow(x, y, &value)
             : op == '-' ? __builtin_sub_overflow(x, y, &value)
             : op == '*' ? __builtin_mul_overflow(x, y, &value)
                         : (value = x / y, false);
    }
    if (over || value == kBatch) {
      node.error("O7")
          << "an integer of a shape is computed from the batch size, or leaves 64 bits, expected a network that does not depend on it";
      return;
    }
    result.i.push_back(value);
  }
  node.result(std::move(result));
}

/// min(max(x, 0), b) = relu(x) - relu(x - b): exact but for the rounding of x - b.
void convertClip(Node &node) {
  constexpr float unbounded = std::numeric_limits<float>::max();
  float least = -unbounded, most = unbounded;
  if (node.import.opset < 11) {
    least = node.floatAttr("min", -unbounded);
    most = node.floatAttr("max", unbounded);
  } else {
    for (unsigned k : {1u, 2u}) {
      if (!node.hasInput(k)) continue;
      ConstantRef bound = node.floatConstant(k, k == 1 ? "min" : "max");
      if (!bound) return;
      if (bound->f.size() != 1) {
        node.error("O7") << "input " << k << " has shape " << shapeText(bound->dims) << ", expected one value";
        return;
      }
      (k == 1 ? least : most) = bound->f[0];
    }
  }
  const Named *found = node.laidOut(0, "input");
  if (!found || node.failed()) return;
  Named value = *found;
  bool isBounded = most < unbounded;
  if (least != 0 || !(most > 0)) {
    node.error("U1")
            .append("the value is bounded to ", least > -unbounded ? fmt::format("{}", least) : std::string("-inf"), " to ",
                    isBounded ? fmt::format("{}", most) : std::string("inf"), ", expected 0 as the lower bound and an upper one above 0")
            .attachNote()
        << "train with Relu or Relu6: spikes are no negative numbers";
    return;
  }
  OpBuilder &b = node.builder();
  auto relu = [&](mlir::Location loc, mlir::Value x) -> mlir::Value { return b.create<snn::ReluOp>(loc, x.getType(), x); };
  if (!isBounded) return node.result(relu(node.loc, value.tensor), value.view);
  if (snn::channels(value.tensor) > kMaxChannels) {
    node.error("T2") << "the activation has " << snn::channels(value.tensor) << " channels, expected at most " << kMaxChannels;
    return;
  }
  mlir::Value lower = relu(node.import.nameLoc(node.name + ".lower"), value.tensor);
  mlir::Value over = relu(node.import.nameLoc(node.name + ".over"), emitScale(node, value.tensor, {1}, {-most}));
  node.import.remark(node.loc, "U1")
          .append("node ", quoted(node.name), " (Clip) is bounded by ", fmt::format("{}", most), ": it becomes relu(x) - relu(x - ",
                  fmt::format("{}", most), ")")
          .attachNote()
      << "train with Relu to have one activation in place of two";
  node.result(b.create<snn::AddOp>(node.loc, lower.getType(), lower, emitScale(node, over, {-1}, {0})).getResult(), value.view);
}

/// Softmax and what else keeps the order of logits, at the end of a network only.
void convertLast(Node &node) {
  StringRef op = node.proto.op_type();
  int64_t axis = op == "Sigmoid" ? -1 : node.intAttr("axis", op == "ArgMax" ? 0 : node.import.opset < 13 ? 1 : -1);
  if (op == "ArgMax") {
    node.intAttr("keepdims", 1);
    node.expectInt("select_last_index", 0, 0, "the first of the largest is taken");
  }
  const Named *value = node.laidOut(0, "input");
  if (!value) return;
  Named last = *value;
  int64_t rank = int64_t(last.layout().dims.size()) + 1;
  if (node.hasOutput(0) && node.import.consumed.contains(node.proto.output(0))) {
    node.error("O3")
            .append("its result ", quoted(node.proto.output(0)), " is used by another node, expected it at the end of the network")
            .attachNote()
        << "there it is left out, since the order of the logits stays; within a network it cannot be deployed";
    return;
  }
  if (axis < 0) axis += rank;
  if (op != "Sigmoid" && (axis != 1 || elementCount(last.layout().dims) != last.layout().dims[0])) {
    node.refuseAttribute("axis", std::to_string(axis), "1, of [N,classes]");
    return;
  }
  node.import.remark(node.loc, "O9") << "node " << quoted(node.name) << " (" << op
                                     << ") is left out: it keeps the order of the logits, which "
                                     << "are read out in its place";
  last.dropped = true;
  node.result(0, std::move(last));
}

} // namespace lasnn::onnx_import
