// Verifiers of the synapse operations: spec.md rules C, L, P, A, F, B, U.
#include "ir/Verify.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::snn {

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [i, dim] : llvm::enumerate(shape)) text += (i ? "," : "") + std::to_string(dim);
  return text + "]";
}

LogicalResult verifyShapes(Operation *op) {
  auto check = [&](Type type, StringRef what) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape() || (tensor.getRank() != 1 && tensor.getRank() != 3) || tensor.getNumElements() == 0)
      return broken(op, "T2") << what << " is " << type << ", expected a static tensor of 1 or 3 axes, none of size 0";
    return success();
  };
  for (Type type : op->getOperandTypes())
    if (failed(check(type, "operand"))) return failure();
  for (Type type : op->getResultTypes())
    if (failed(check(type, "result"))) return failure();
  return success();
}

LogicalResult verifyFinite(Operation *op, StringRef name, ElementsAttr attr) {
  if (!isa<FloatType>(attr.getElementType())) return success();
  if (attr.getElementType().isF32() && llvm::all_of(attr.getValues<float>(), [](float value) { return std::isfinite(value); }))
    return success(); // the usual case, quickly
  int64_t index = 0;
  for (const APFloat &value : attr.getValues<APFloat>()) {
    if (!value.isFinite())
      return broken(op, "T3") << name << " holds " << (value.isNaN() ? "NaN" : "infinity") << " at flat index " << index
                              << ", expected finite values";
    ++index;
  }
  return success();
}

LogicalResult verifyChannelAttr(Operation *op, StringRef rule, StringRef name, ElementsAttr attr, int64_t channels,
                                Type element, bool scalarToo) {
  ArrayRef<int64_t> shape = attr.getShapedType().getShape();
  bool shapeOk = shape.size() == 1 && (shape[0] == channels || (scalarToo && shape[0] == 1));
  if (!shapeOk)
    return broken(op, rule) << name << " has shape " << shapeText(shape) << ", expected [" << channels << "]"
                            << (scalarToo ? " or [1]" : "");
  if (attr.getElementType() != element)
    return broken(op, rule) << name << " has element type " << attr.getElementType() << ", expected " << element;
  return verifyFinite(op, name, attr);
}

/// Element types of a synapse (C5, L3).
static LogicalResult verifyForm(Operation *op, StringRef rule, Value input, Value result, ElementsAttr weight) {
  Type in = tensorType(input).getElementType(), out = tensorType(result).getElementType(), w = weight.getElementType();
  bool floatForm = in.isF32() && out.isF32() && w.isF32();
  bool intForm = (in.isUnsignedInteger(8) || in.isSignlessInteger(8)) && out.isSignlessInteger(32) && w.isSignlessInteger(8);
  if (!floatForm && !intForm)
    return broken(op, rule) << "element types (input, weight, result) are (" << in << ", " << w << ", " << out
                            << "), expected (f32, f32, f32), (ui8, i8, i32) or (i8, i8, i32)";
  return success();
}

static LogicalResult verifyBias(Operation *op, StringRef rule, std::optional<ElementsAttr> bias, Value result) {
  if (!bias) return success();
  return verifyChannelAttr(op, rule, "bias", *bias, channels(result), tensorType(result).getElementType(), false);
}

static LogicalResult verifyRank(Operation *op, StringRef rule, StringRef what, Value value, int64_t rank) {
  if (tensorType(value).getRank() == rank) return success();
  return broken(op, rule) << what << " has shape " << shapeText(tensorType(value).getShape()) << ", expected " << rank
                          << (rank == 1 ? " axis [N]" : " axes [C,H,W]");
}

/// Sizes of a window operation: strides, pads, result height and width (C3, C4, P4).
static LogicalResult verifyWindow(Operation *op, StringRef attrRule, StringRef sizeRule, Value input, Value result,
                                  ArrayRef<int64_t> kernel, ArrayRef<int64_t> strides, ArrayRef<int64_t> pads,
                                  ArrayRef<int64_t> dilations) {
  auto list = [&](StringRef name, ArrayRef<int64_t> values, size_t size, int64_t least) -> LogicalResult {
    if (values.size() != size || llvm::any_of(values, [&](int64_t v) { return v < least || v > 65535; }))
      return broken(op, attrRule) << name << " is " << shapeText(values) << ", expected " << size << " values from " << least
                                  << " to 65535";
    return success();
  };
  if (failed(list("kernel", kernel, 2, 1)) || failed(list("strides", strides, 2, 1)) || failed(list("pads", pads, 4, 0)) ||
      failed(list("dilations", dilations, 2, 1)))
    return failure();
  ArrayRef<int64_t> in = tensorType(input).getShape(), out = tensorType(result).getShape();
  for (int axis : {0, 1}) {
    StringRef name = axis == 0 ? "height" : "width";
    int64_t span = in[1 + axis] + pads[axis] + pads[2 + axis] - dilations[axis] * (kernel[axis] - 1) - 1;
    if (span < 0)
      return broken(op, sizeRule) << "the window (" << name << " " << dilations[axis] * (kernel[axis] - 1) + 1
                                  << ") is larger than the padded input (" << in[1 + axis] + pads[axis] + pads[2 + axis] << ")";
    int64_t expected = span / strides[axis] + 1;
    if (out[1 + axis] != expected)
      return broken(op, sizeRule) << "result " << name << " is " << out[1 + axis] << ", expected " << expected;
  }
  return success();
}

} // namespace lasnn::snn

LogicalResult Conv2DOp::verify() {
  if (failed(verifyShapes(*this)) || failed(verifyRank(*this, "C2", "input", getInput(), 3)) ||
      failed(verifyRank(*this, "C2", "result", getResult(), 3)) ||
      failed(verifyForm(*this, "C5", getInput(), getResult(), getWeight())))
    return failure();
  ArrayRef<int64_t> weight = getWeight().getShapedType().getShape();
  int64_t c = channels(getInput()), k = channels(getResult()), groups = getGroups();
  if (groups < 1 || c % groups || k % groups)
    return broken(*this, "C3") << "groups is " << groups << ", expected a divisor of both channel counts " << c << " and " << k;
  if (weight.size() != 4 || weight[0] != k || weight[1] != c / groups)
    return broken(*this, "C2") << "weight has shape " << shapeText(weight) << ", expected [" << k << "," << c / groups << ",KH,KW]";
  if (failed(verifyFinite(*this, "weight", getWeight())) || failed(verifyBias(*this, "C2", getBias(), getResult())))
    return failure();
  return verifyWindow(*this, "C3", "C4", getInput(), getResult(), weight.drop_front(2), getStrides(), getPads(), getDilations());
}

LogicalResult LinearOp::verify() {
  if (failed(verifyShapes(*this)) || failed(verifyRank(*this, "L2", "input", getInput(), 1)) ||
      failed(verifyRank(*this, "L2", "result", getResult(), 1)) ||
      failed(verifyForm(*this, "L3", getInput(), getResult(), getWeight())))
    return failure();
  ArrayRef<int64_t> weight = getWeight().getShapedType().getShape();
  if (weight.size() != 2 || weight[0] != channels(getResult()) || weight[1] != channels(getInput()))
    return broken(*this, "L2") << "weight has shape " << shapeText(weight) << ", expected [" << channels(getResult()) << ","
                               << channels(getInput()) << "]";
  if (failed(verifyFinite(*this, "weight", getWeight()))) return failure();
  return verifyBias(*this, "L2", getBias(), getResult());
}

template <typename PoolOp> static LogicalResult verifyPool(PoolOp op) {
  if (failed(verifyShapes(op)) || failed(verifyRank(op, "P4", "input", op.getInput(), 3)) ||
      failed(verifyRank(op, "P4", "result", op.getResult(), 3)))
    return failure();
  Type in = tensorType(op.getInput()).getElementType(), out = tensorType(op.getResult()).getElementType();
  if (in != out) return broken(op, "P4") << "result element type is " << out << ", expected the input's " << in;
  if (channels(op.getInput()) != channels(op.getResult()))
    return broken(op, "P4") << "result has " << channels(op.getResult()) << " channels, expected " << channels(op.getInput());
  if (failed(verifyWindow(op, "P4", "P4", op.getInput(), op.getResult(), op.getKernel(), op.getStrides(), op.getPads(), {1, 1})))
    return failure();
  for (int i = 0; i < 4; ++i)
    if (op.getPads()[i] >= op.getKernel()[i % 2])
      return broken(op, "P4") << "pads are " << shapeText(op.getPads()) << ", expected each below the kernel "
                              << shapeText(op.getKernel());
  return success();
}
LogicalResult SumPoolOp::verify() { return verifyPool(*this); }
LogicalResult MaxPoolOp::verify() { return verifyPool(*this); }
LogicalResult AvgPoolOp::verify() {
  if (!isFloat(getInput())) return broken(*this, "P3") << "input is " << getInput().getType() << ", expected f32 elements";
  return verifyPool(*this);
}

LogicalResult AddOp::verify() {
  if (failed(verifyShapes(*this))) return failure();
  if (getLhs().getType() != getRhs().getType() || getLhs().getType() != getResult().getType())
    return broken(*this, "A1") << "types (lhs, rhs, result) are (" << getLhs().getType() << ", " << getRhs().getType() << ", "
                               << getResult().getType() << "), expected one type";
  return success();
}

LogicalResult FlattenOp::verify() {
  if (failed(verifyShapes(*this)) || failed(verifyRank(*this, "F1", "result", getResult(), 1))) return failure();
  RankedTensorType in = tensorType(getInput()), out = tensorType(getResult());
  if (in.getNumElements() != out.getNumElements() || in.getElementType() != out.getElementType())
    return broken(*this, "F1") << "result is " << out << ", expected " << in.getNumElements() << " elements of " << in.getElementType();
  return success();
}

LogicalResult BatchNormOp::verify() {
  if (failed(verifyShapes(*this))) return failure();
  if (!isFloat(getInput()) || getInput().getType() != getResult().getType())
    return broken(*this, "B1") << "types (input, result) are (" << getInput().getType() << ", " << getResult().getType()
                               << "), expected one type of f32 elements";
  Type f32 = tensorType(getInput()).getElementType();
  int64_t c = channels(getInput());
  std::pair<StringRef, ElementsAttr> attrs[] = {
      {"gamma", getGamma()}, {"beta", getBeta()}, {"mean", getMean()}, {"variance", getVariance()}};
  for (auto [name, attr] : attrs)
    if (failed(verifyChannelAttr(*this, "B1", name, attr, c, f32, false))) return failure();
  float epsilon = getEpsilon().convertToFloat();
  for (auto [i, variance] : llvm::enumerate(floatValues(getVariance())))
    if (!(variance >= 0) || !(epsilon >= 0) || !(variance + epsilon > 0))
      return broken(*this, "B1") << llvm::formatv("variance is {0} at channel {1} with epsilon {2}, expected both at least 0 and "
                                                  "their sum above 0", variance, i, epsilon).str();
  return success();
}

LogicalResult ReluOp::verify() {
  if (failed(verifyShapes(*this))) return failure();
  if (!isFloat(getInput()) || getInput().getType() != getResult().getType())
    return broken(*this, "U1") << "types (input, result) are (" << getInput().getType() << ", " << getResult().getType()
                               << "), expected one type of f32 elements";
  return success();
}
