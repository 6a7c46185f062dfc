// Conv, Gemm, MatMul, BatchNormalization, and the biases that adds become.
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

/// Weight [O,I] with column k moved to where the layout has element k.
std::vector<float> columnsAt(const std::vector<float> &weight, int64_t outputs, const View &view) {
  std::vector<int64_t> order = view.order();
  std::vector<float> values(weight.size());
  int64_t fan = int64_t(order.size());
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t k = 0; k < fan; ++k)
      values[size_t(o * fan + order[size_t(k)])] = weight[size_t(o * fan + k)];
  return values;
}

/// Weight [O,I] from a constant [O,I], or [I,O] when `transposed`.
std::vector<float> transposedTo(const Constant &constant, bool transposed) {
  if (!transposed) return constant.f;
  int64_t rows = constant.dims[0], columns = constant.dims[1];
  std::vector<float> values(constant.f.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      values[c * rows + r] = constant.f[r * columns + c];
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
  const Named *value = node.laidOut(0, "input");
  mlir::Value input = value ? value->tensor : nullptr;
  std::optional<View> view = value ? value->view : std::nullopt;
  if (view && view->dims.size() != 1)
    input = node.activation(0, "input"); // refuses
  else if (input && !view && !expectRank(node, input, 1, "L2"))
    input = nullptr;
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
      else if (bias.size() == 1)
        bias.resize(size_t(outputs), float(bias[0]));
    }
  }
  int64_t size = input ? elementCount(snn::tensorType(input).getShape()) : 0;
  if (weight && input && fan != size) {
    node.error("L2") << "the weight takes " << fan << " inputs, expected " << size << ", the size of input 0";
    input = nullptr;
  }
  if (!weight || !node.checkShape({outputs}) || !node.checkShape({fan}) || !input) return;
  std::vector<float> values = transposedTo(*weight, weightIsInputByOutput);
  if (!scale(node, values, alpha, "the weight") || !scale(node, bias, beta, "the bias")) return;
  if (view) values = columnsAt(values, outputs, *view);
  if (snn::tensorType(input).getRank() == 3) // laid out in another order: the weight follows the tensor's
    input = node.builder().create<snn::FlattenOp>(node.import.nameLoc(node.name + ".flatten"), node.tensorType({size}), input);
  auto op = node.builder().create<snn::LinearOp>(node.loc, node.tensorType({outputs}), input, node.attr({outputs, fan}, values),
                                                 bias.empty() ? ElementsAttr() : ElementsAttr(node.attr({outputs}, bias)));
  node.result(op.getResult());
}

} // namespace

/// A convolution over concatenated channels is the sum of convolutions over the parts, the bias in the first.
static mlir::Value emitConv(Node &node, mlir::Value input, const Constant &weight, ElementsAttr bias, const Window &window,
                            int64_t groups) {
  auto parts = node.import.concats.find(input);
  auto type = node.tensorType(window.result);
  auto conv = [&](mlir::Location loc, mlir::Value from, ElementsAttr w, ElementsAttr b) -> mlir::Value {
    return node.builder().create<snn::Conv2DOp>(loc, type, from, w, b, window.strides, window.pads, window.dilations, groups);
  };
  SmallVector<int64_t, 4> dims = {weight.dims[0], weight.dims[1], window.kernel[0], window.kernel[1]};
  if (parts == node.import.concats.end() || groups != 1) return conv(node.loc, input, node.attr(dims, weight.f), bias);
  int64_t area = dims[2] * dims[3], first = 0, channels = dims[1];
  mlir::Value sum;
  for (auto [k, part] : llvm::enumerate(parts->second)) {
    int64_t own = snn::channels(part);
    std::vector<float> slice;
    for (int64_t o = 0; o < dims[0]; ++o) {
      auto row = weight.f.begin() + (o * channels + first) * area;
      slice.insert(slice.end(), row, row + own * area);
    }
    first += own;
    mlir::Value term = conv(node.import.nameLoc(node.name + ".part" + std::to_string(k)), part,
                            node.attr({dims[0], own, dims[2], dims[3]}, slice), k ? ElementsAttr() : bias);
    if (!sum)
      sum = term;
    else {
      bool last = k + 1 == parts->second.size();
      auto loc = last ? node.loc : node.import.nameLoc(node.name + ".sum" + std::to_string(k));
      sum = node.builder().create<snn::AddOp>(loc, type, sum, term);
    }
  }
  return sum;
}

void convertConv(Node &node) {
  int64_t groups = node.intAttr("group", 1);
  ConstantRef weight = node.floatConstant(1, "weight");
  bool oneD = false;
  mlir::Value input = node.image(0, "C2", oneD);
  if (!input) oneD = weight && weight->dims.size() == 3;
  const size_t rank = oneD ? 3 : 4;
  if (weight && weight->dims.size() != rank) {
    node.error("C2") << "the weight has shape " << shapeText(weight->dims) << ", expected "
                     << (oneD ? "[K,C/groups,KW]" : "[K,C/groups,KH,KW]");
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
    readWindow(node, oneD, {}, nullptr, 0, "C3", "C4"); // for its own reports
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
  SmallVector<int64_t, 2> kernel(weight->dims.begin() + 2, weight->dims.end());
  if (oneD) kernel.insert(kernel.begin(), 1);
  std::optional<Window> window = readWindow(node, oneD, kernel, input, k, "C3", "C4");
  if (!window || !groupsOk || !input) return;
  if (auto pad = node.import.pads.find(input); pad != node.import.pads.end()) {
    for (int side = 0; side < 4; ++side)
      window->pads[side] += pad->second[side];
    input = input.getDefiningOp<snn::Conv2DOp>().getInput();
  }
  node.resultImage(emitConv(node, input, *weight, bias.empty() ? ElementsAttr() : ElementsAttr(node.attr({k}, bias)), *window, groups),
                   oneD);
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
  // Axis 1 is the channel: in a tensor of another layout it is not the first.
  const Named *value = node.laidOut(0, "input");
  mlir::Value input = value ? value->tensor : nullptr;
  std::optional<View> view = value ? value->view : std::nullopt;
  if (view && !(view->rowMajor() && view->dims[0] == snn::channels(input))) input = node.activation(0, "input"); // refuses
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
  node.result(op.getResult(), view);
}

void foldBiasAdds(Import &import) {
  for (Operation *op : import.biasAdds) {
    auto add = cast<snn::BatchNormOp>(op);
    Operation *synapse = add.getInput().getDefiningOp();
    if (!synapse || !isa<snn::Conv2DOp, snn::LinearOp>(synapse) || !add.getInput().hasOneUse()) continue;
    llvm::SmallVector<float> values = snn::floatValues(add.getBeta());
    if (auto bias = synapse->getAttrOfType<ElementsAttr>("bias"))
      for (auto [sum, value] : llvm::zip(values, snn::floatValues(bias)))
        sum += value;
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
