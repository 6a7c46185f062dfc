#include "passes/Support.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVectorExtras.h"

using namespace mlir;
using namespace lasnn;
using namespace lasnn::snn;

namespace lasnn {

Kind Kinds::of(Value value) {
  auto it = known.find(value);
  if (it != known.end()) return it->second;
  Operation *op = value.getDefiningOp();
  Kind kind = Kind::Current;
  if (isa_and_nonnull<InputOp>(op)) kind = Kind::Pixels;
  else if (auto encode = dyn_cast_or_null<EncodeOp>(op)) kind = encode.getEncoding() == Encoding::Events ? Kind::Spikes : Kind::Analog;
  else if (getNeuron(op)) kind = Kind::Spikes;
  else if (isa_and_nonnull<ReadoutOp>(op)) kind = Kind::Result;
  else if (isa_and_nonnull<ReluOp>(op)) kind = Kind::Ann;
  else if (isa_and_nonnull<SumPoolOp, MaxPoolOp, AvgPoolOp, FlattenOp, DelayOp>(op)) kind = of(op->getOperand(0));
  else if (auto layer = dyn_cast_or_null<LayerOp>(op)) kind = of(cast<YieldOp>(layer.getBody().front().back()).getValue());
  else if (auto add = dyn_cast_or_null<AddOp>(op)) {
    Kind lhs = of(add.getLhs()), rhs = of(add.getRhs());
    if (lhs == Kind::Ann || rhs == Kind::Ann) kind = Kind::Ann;
    else if (lhs == Kind::Spikes && rhs == Kind::Spikes) kind = Kind::Spikes;
  }
  return known[value] = kind;
}

InFlightDiagnostic problem(Operation *op) { return emitError(op->getLoc()) << "'" << nameOf(op) << "': "; }

template <typename T>
static DenseElementsAttr denseAttr(Type element, ArrayRef<int64_t> shape, ArrayRef<T> values) {
  return DenseElementsAttr::get(RankedTensorType::get(shape, element), values);
}
DenseElementsAttr f32Attr(MLIRContext *context, ArrayRef<int64_t> shape, ArrayRef<float> values) {
  return denseAttr<float>(Float32Type::get(context), shape, values);
}
DenseElementsAttr i8Attr(MLIRContext *context, ArrayRef<int64_t> shape, ArrayRef<int8_t> values) {
  return denseAttr<int8_t>(IntegerType::get(context, 8), shape, values);
}
DenseElementsAttr i32Attr(MLIRContext *context, ArrayRef<int64_t> shape, ArrayRef<int32_t> values) {
  return denseAttr<int32_t>(IntegerType::get(context, 32), shape, values);
}

bool hasNoPads(ArrayRef<int64_t> pads) {
  return llvm::all_of(pads, [](int64_t pad) { return pad == 0; });
}

template <typename SynapseOp> static void scaleSynapse(SynapseOp op, ArrayRef<double> scale, ArrayRef<double> shift) {
  int64_t k = scale.size();
  SmallVector<float> weight = floatValues(op.getWeight());
  size_t perChannel = weight.size() / k;
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = float(weight[i] * scale[i / perChannel]);
  SmallVector<float> bias(k, 0.f);
  if (op.getBias()) bias = floatValues(*op.getBias());
  bool hasBias = bool(op.getBias());
  for (int64_t c = 0; c < k; ++c) {
    bias[c] = float(bias[c] * scale[c] + (shift.empty() ? 0 : shift[c]));
    hasBias |= bias[c] != 0;
  }
  op.setWeightAttr(f32Attr(op.getContext(), op.getWeight().getShapedType().getShape(), weight));
  if (hasBias) op.setBiasAttr(f32Attr(op.getContext(), {k}, bias));
}

void scaleOutputs(Operation *op, ArrayRef<double> scale, ArrayRef<double> shift) {
  if (auto conv = dyn_cast<Conv2DOp>(op)) scaleSynapse(conv, scale, shift);
  else scaleSynapse(cast<LinearOp>(op), scale, shift);
}

FailureOr<Value> makeIdentity(OpBuilder &builder, Location loc, Value value, ArrayRef<double> scale, ArrayRef<double> shift) {
  constexpr int64_t longest = 8192; // a diagonal matrix of 256 MiB
  MLIRContext *context = builder.getContext();
  RankedTensorType type = tensorType(value);
  int64_t c = type.getDimSize(0);
  SmallVector<float> bias = llvm::map_to_vector(shift, [](double b) { return float(b); });
  DenseElementsAttr biasAttr;
  if (llvm::any_of(bias, [](float b) { return b != 0; })) biasAttr = f32Attr(context, {c}, bias);
  OperationState state(loc, type.getRank() == 3 ? Conv2DOp::getOperationName() : LinearOp::getOperationName());
  state.addOperands(value);
  state.addTypes(type);
  if (biasAttr) state.addAttribute("bias", biasAttr);
  if (type.getRank() == 3) {
    SmallVector<float> weight = llvm::map_to_vector(scale, [](double s) { return float(s); });
    state.addAttribute("weight", f32Attr(context, {c, 1, 1, 1}, weight));
    state.addAttribute("groups", builder.getI64IntegerAttr(c));
    return builder.create(state)->getResult(0);
  }
  if (c > longest) {
    emitError(loc) << "a vector of " << c << " spikes is added to currents directly, which takes a matrix of " << c << " x " << c
                   << ", expected at most " << longest << "; add before the flatten, or put a linear there";
    return failure();
  }
  SmallVector<float> weight(c * c, 0.f);
  for (int64_t i = 0; i < c; ++i) weight[i * c + i] = float(scale[i]);
  state.addAttribute("weight", f32Attr(context, {c, c}, weight));
  return builder.create(state)->getResult(0);
}

void keepLocations(Operation *op, Operation *folded) {
  op->setLoc(FusedLoc::get(op->getContext(), {op->getLoc(), folded->getLoc()}));
}

std::optional<Recorded> getRecorded(Operation *op) {
  auto attr = op->getAttrOfType<DictionaryAttr>("snn.quantized");
  if (!attr) return std::nullopt;
  auto bits = attr.getAs<IntegerAttr>("weight_bits");
  auto unit = attr.getAs<DenseF32ArrayAttr>("unit");
  if (!bits || bits.getInt() < 2 || bits.getInt() > 8 || !unit || unit.empty()) return std::nullopt;
  return Recorded{int(bits.getInt()), SmallVector<float>(unit.asArrayRef()), attr.contains("rounded")};
}

void tidy(NetworkOp network) {
  SmallVector<Operation *> order = executionOrder(network), waiting;
  llvm::DenseSet<Operation *> used; // by an output, if only at a later step: a cycle uses itself
  for (Operation *op : order)
    if (isa<InputOp, OutputOp>(op)) waiting.push_back(op);
  while (!waiting.empty()) {
    Operation *op = waiting.pop_back_val();
    if (!used.insert(op).second) continue;
    for (Value operand : op->getOperands()) waiting.push_back(operand.getDefiningOp());
  }
  for (Operation *op : llvm::reverse(order))
    if (used.contains(op)) op->moveBefore(&network.getBody().front(), network.getBody().front().begin());
    else op->dropAllUses();
  for (Operation *op : order)
    if (!used.contains(op)) op->erase();
}

} // namespace lasnn
