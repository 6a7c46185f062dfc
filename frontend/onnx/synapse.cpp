// Conv, Gemm, MatMul, BatchNormalization, Add.
#include "frontend/onnx/node.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

/// A channel vector of exactly `count` entries in an input; reported otherwise. Empty when it cannot be had.
std::vector<float> vectorInput(Node &node, unsigned index, StringRef what, int64_t count) {
  ConstantRef constant = node.floatConstant(index, what);
  if (!constant) return {};
  if (constant->dims.size() == 1 && constant->dims[0] == count) return constant->f;
  node.error("O6") << "input " << index << " (" << what << ", " << quoted(node.inputName(index)) << ") has shape "
                   << shapeText(constant->dims) << ", expected [" << count << "]";
  return {};
}

bool expectRank(Node &node, mlir::Value value, int64_t rank, StringRef rule) {
  ArrayRef<int64_t> shape = snn::tensorType(value).getShape();
  if (int64_t(shape.size()) == rank) return true;
  auto diag = node.error(rule) << "input 0 has shape " << shapeText(shape) << " without its batch axis, expected "
                               << (rank == 1 ? "[F]" : "[C,H,W]");
  if (rank == 1) diag.attachNote() << "put a Flatten before it";
  return false;
}

/// Weight [O,I] from a constant [O,I], or [I,O] when `transposed`.
std::vector<float> transposedTo(const Constant &constant, bool transposed) {
  if (!transposed) return constant.f;
  int64_t rows = constant.dims[0], columns = constant.dims[1];
  std::vector<float> values(constant.f.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) values[c * rows + r] = constant.f[r * columns + c];
  return values;
}

/// A factor on constants may leave f32's range.
bool scale(Node &node, std::vector<float> &values, float factor, StringRef what) {
  if (factor == 1) return true;
  for (float &value : values) {
    value *= factor;
    if (std::isfinite(value)) continue;
    node.error("T3") << what << " times its factor leaves f32's range, expected finite values";
    return false;
  }
  return true;
}

/// y = W x + b, in ONNX's order of problems: weight, then bias, then input.
void emitLinear(Node &node, unsigned weightIndex, bool weightIsInputByOutput, float alpha, bool hasBias, float beta) {
  ConstantRef weight = node.floatConstant(weightIndex, "weight");
  mlir::Value input = node.activation(0, "input");
  if (input && !expectRank(node, input, 1, "L2")) input = nullptr;
  if (weight && weight->dims.size() != 2) {
    node.error("L2") << "the weight has shape " << shapeText(weight->dims) << ", expected 2 axes";
    weight = nullptr;
  }
  std::vector<float> bias;
  int64_t outputs = weight ? weight->dims[weightIsInputByOutput ? 1 : 0] : 0;
  int64_t fan = weight ? weight->dims[weightIsInputByOutput ? 0 : 1] : 0;
  if (hasBias) {
    ConstantRef constant = node.floatConstant(2, "bias");
    if (constant && weight) {
      bias = channelVector(*constant, {outputs});
      if (bias.empty())
        node.error("L2") << "the bias has shape " << shapeText(constant->dims) << ", expected [" << outputs << "] or [1," << outputs << "]";
      else if (bias.size() == 1) bias.resize(size_t(outputs), float(bias[0]));
    }
  }
  if (weight && input && fan != snn::channels(input)) {
    node.error("L2") << "the weight takes " << fan << " inputs, expected " << snn::channels(input) << ", the size of input 0";
    input = nullptr;
  }
  if (!weight || !node.checkShape({outputs}) || !node.checkShape({fan}) || !input) return;
  std::vector<float> values = transposedTo(*weight, weightIsInputByOutput);
  if (!scale(node, values, alpha, "the weight") || !scale(node, bias, beta, "the bias")) return;
  auto op = node.builder().create<snn::LinearOp>(node.loc, node.tensorType({outputs}), input, node.attr({outputs, fan}, values),
                                                 bias.empty() ? ElementsAttr() : ElementsAttr(node.attr({outputs}, bias)));
  node.result(op.getResult());
}

} // namespace

void convertConv(Node &node) {
  int64_t groups = node.intAttr("group", 1);
  ConstantRef weight = node.floatConstant(1, "weight");
  mlir::Value input = node.activation(0, "input");
  if (input && !expectRank(node, input, 3, "C2")) input = nullptr;
  if (weight && weight->dims.size() != 4) {
    node.error("C2") << "the weight has shape " << shapeText(weight->dims) << ", expected [K,C/groups,KH,KW]";
    weight = nullptr;
  }
  if (weight && elementCount(weight->dims) < 1) {
    node.error("C2") << "the weight has shape " << shapeText(weight->dims) << ", expected no size below 1";
    weight = nullptr;
  }
  std::vector<float> bias;
  if (weight && node.hasInput(2)) bias = vectorInput(node, 2, "bias", weight->dims[0]);
  bool groupsOk = groups >= 1 && groups <= 65535;
  if (!groupsOk) node.error("C3") << "group is " << groups << ", expected 1 to 65535";
  if (!weight) {
    readWindow(node, {}, nullptr, 0, "C3", "C4"); // for its own reports
    return;
  }
  int64_t k = weight->dims[0];
  if (groupsOk && k % groups) {
    node.error("C3") << "group is " << groups << ", expected a divisor of " << k << " result channels";
    groupsOk = false;
  }
  if (groupsOk && input && weight->dims[1] * groups != snn::channels(input)) {
    node.error("C2") << "the weight has shape " << shapeText(weight->dims) << " with group = " << groups << ", so it takes "
                     << weight->dims[1] * groups << " channels, expected " << snn::channels(input);
    groupsOk = false;
  }
  std::optional<Window> window = readWindow(node, ArrayRef(weight->dims).drop_front(2), input, k, "C3", "C4");
  if (!window || !groupsOk || !input) return;
  auto op = node.builder().create<snn::Conv2DOp>(
      node.loc, node.tensorType(window->result), input, node.attr(weight->dims, weight->f),
      bias.empty() ? ElementsAttr() : ElementsAttr(node.attr({k}, bias)), window->strides, window->pads, window->dilations, groups);
  node.result(op.getResult());
}

void convertGemm(Node &node) {
  float alpha = node.floatAttr("alpha", 1), beta = node.floatAttr("beta", 1);
  node.expectInt("transA", 0, 0, "an activation's batch axis cannot be transposed: export with the samples in the first axis");
  bool transposed = node.intAttr("transB", 0) != 0;
  emitLinear(node, 1, !transposed, alpha, node.hasInput(2), beta);
}

void convertMatMul(Node &node) { emitLinear(node, 1, true, 1, false, 1); }

void convertBatchNorm(Node &node) {
  float epsilon = node.floatAttr("epsilon", 1e-5f);
  node.floatAttr("momentum"); // of training only
  node.expectInt("training_mode", 0, 0, "export in inference form: model.eval()");
  if (node.import.opset < 9) node.expectInt("spatial", 1, 1, "only statistics per channel are supported");
  for (unsigned k = 1; k < 5; ++k)
    if (node.hasOutput(k)) {
      node.error("O3").append("output ", k, " is used, expected output 0 alone").attachNote() << "export in inference form: model.eval()";
      break;
    }
  mlir::Value input = node.activation(0, "input");
  const char *names[] = {"scale", "bias", "mean", "variance"};
  std::vector<float> values[4];
  int64_t count = input ? snn::channels(input) : -1;
  for (unsigned k = 0; k < 4; ++k) {
    // Without an input, the first parameter tells the size.
    if (count < 0) {
      ConstantRef first = node.floatConstant(k + 1, names[k]);
      if (first && first->dims.size() == 1) count = first->dims[0];
      if (count < 0) continue;
    }
    values[k] = vectorInput(node, k + 1, names[k], count);
  }
  if (!(epsilon >= 0)) node.error("B1") << "epsilon is " << epsilon << ", expected at least 0";
  for (auto [channel, variance] : llvm::enumerate(values[3]))
    if (!(variance >= 0) || !(variance + epsilon > 0)) {
      node.error("B1") << fmt::format("variance is {} at channel {} with epsilon {}, expected at least 0, and a sum above 0", variance,
                                      channel, epsilon);
      break;
    }
  if (!input || node.failed()) return;
  if (llvm::any_of(values, [](const auto &list) { return list.empty(); })) return;
  auto f32 = [&](const std::vector<float> &list) { return node.attr({count}, list); };
  auto op = node.builder().create<snn::BatchNormOp>(node.loc, input.getType(), input, f32(values[0]), f32(values[1]), f32(values[2]),
                                                    f32(values[3]), node.builder().getF32FloatAttr(epsilon));
  node.result(op.getResult());
}

/// A constant add, as a batch_norm that only shifts; foldBiasAdds() moves it into the synapse before it where it can.
static void convertBiasAdd(Node &node, unsigned constantIndex) {
  ConstantRef constant = node.floatConstant(constantIndex, "addend");
  mlir::Value input = node.activation(1 - constantIndex, "addend");
  if (!constant || !input) return;
  ArrayRef<int64_t> shape = snn::tensorType(input).getShape();
  std::vector<float> values = channelVector(*constant, shape);
  if (values.empty()) {
    node.error("A1").append("the constant has shape ", shapeText(constant->dims), " beside an activation of shape ", shapeText(shape),
                            " (without the batch axis), expected it to vary along the channel axis only")
            .attachNote() << "a bias of shape " << (shape.size() == 3 ? "[C,1,1]" : "[F]") << " fits";
    return;
  }
  int64_t count = shape[0];
  if (count > kMaxChannels) {
    node.error("T2") << "the activation has " << count << " channels, expected at most " << kMaxChannels << " where a constant is added";
    return;
  }
  if (values.size() == 1) values.resize(size_t(count), float(values[0]));
  auto filled = [&](float value) { return node.attr({count}, std::vector<float>(size_t(count), value)); };
  auto op = node.builder().create<snn::BatchNormOp>(node.loc, input.getType(), input, filled(1), node.attr({count}, values), filled(0),
                                                    filled(1), node.builder().getF32FloatAttr(0));
  node.import.biasAdds.push_back(op);
  node.result(op.getResult());
}

void convertAdd(Node &node) {
  const Named *left = node.input(0, "addend"), *right = node.input(1, "addend");
  if (!left || !right) return;
  if (left->kind == Named::Kind::Constant && right->kind == Named::Kind::Constant) {
    node.error("O7") << "both inputs are constants, expected at least one value computed at run time";
    return;
  }
  if (left->kind == Named::Kind::Constant || right->kind == Named::Kind::Constant)
    return convertBiasAdd(node, left->kind == Named::Kind::Constant ? 0 : 1);
  mlir::Value lhs = node.activation(0, "addend"), rhs = node.activation(1, "addend");
  if (!lhs || !rhs) return;
  if (lhs.getType() != rhs.getType()) {
    node.error("A1") << "the inputs have shapes " << shapeText(snn::tensorType(lhs).getShape()) << " and "
                     << shapeText(snn::tensorType(rhs).getShape()) << ", expected one shape: activations are not broadcast";
    return;
  }
  node.result(node.builder().create<snn::AddOp>(node.loc, lhs.getType(), lhs, rhs).getResult());
}

void foldBiasAdds(Import &import) {
  for (Operation *op : import.biasAdds) {
    auto add = cast<snn::BatchNormOp>(op);
    Operation *synapse = add.getInput().getDefiningOp();
    if (!synapse || !isa<snn::Conv2DOp, snn::LinearOp>(synapse) || !add.getInput().hasOneUse()) continue;
    llvm::SmallVector<float> values = snn::floatValues(add.getBeta());
    if (auto bias = synapse->getAttrOfType<ElementsAttr>("bias"))
      for (auto [sum, value] : llvm::zip(values, snn::floatValues(bias))) sum += value;
    if (llvm::any_of(values, [](float value) { return !std::isfinite(value); })) continue;
    synapse->setAttr("bias", toAttr(import.context, {int64_t(values.size())}, values));
    add.getResult().replaceAllUsesWith(add.getInput());
    for (auto &entry : import.values)
      if (entry.second.tensor == add.getResult()) entry.second.tensor = add.getInput();
    add.erase();
  }
  import.biasAdds.clear();
}

} // namespace lasnn::onnx_import
