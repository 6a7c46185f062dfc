#include "ir/Snn.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace lasnn::snn;

#include "ir/SnnDialect.cpp.inc"
#include "ir/SnnEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/SnnAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "ir/SnnOps.cpp.inc"

void SnnDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ir/SnnOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/SnnAttrs.cpp.inc"
      >();
}

RegionKind NetworkOp::getRegionKind(unsigned) { return RegionKind::Graph; }

bool NetworkOp::isInteger() {
  bool integer = false;
  walk([&](Operation *op) {
    if (auto encode = dyn_cast<EncodeOp>(op); encode && encode.getTable()) integer = true;
    for (Value result : op->getResults())
      if (auto type = dyn_cast<RankedTensorType>(result.getType()); type && type.getElementType().isInteger(32)) integer = true;
    return integer ? WalkResult::interrupt() : WalkResult::advance();
  });
  return integer;
}

namespace lasnn::snn {

NeuronView getNeuron(Operation *op) {
  NeuronView view;
  auto fill = [&](auto neuron) {
    view.op = op;
    view.input = neuron.getInput();
    view.vThreshold = neuron.getVThreshold();
    view.reset = neuron.getReset();
    view.rho = neuron.getRhoAttr();
    view.vReset = neuron.getVResetAttr();
    view.compare = neuron.getCompare();
    view.sMax = neuron.getSMax();
    view.vMin = neuron.getVMinAttr();
    view.stateBits = neuron.getStateBits();
  };
  if (auto lif = dyn_cast_or_null<LIFOp>(op)) {
    fill(lif);
    view.beta = lif.getBetaAttr();
    view.decay = lif.getDecayAttr();
  } else if (auto neuron = dyn_cast_or_null<IFOp>(op)) {
    fill(neuron);
  }
  return view;
}

llvm::SmallVector<float> floatValues(ElementsAttr attr) {
  llvm::SmallVector<float> values;
  values.reserve(attr.getNumElements());
  if (attr.getElementType().isF32()) llvm::append_range(values, attr.getValues<float>()); // the usual case, 20 times faster
  else
    for (const APFloat &value : attr.getValues<APFloat>()) values.push_back(value.convertToFloat());
  return values;
}

llvm::SmallVector<int32_t> intValues(ElementsAttr attr) {
  llvm::SmallVector<int32_t> values;
  values.reserve(attr.getNumElements());
  bool isUnsigned = attr.getElementType().isUnsignedInteger();
  for (const APInt &value : attr.getValues<APInt>())
    values.push_back(isUnsigned ? int32_t(value.getZExtValue()) : int32_t(value.getSExtValue()));
  return values;
}

template <typename T> static llvm::SmallVector<T> broadcast(llvm::SmallVector<T> values, int64_t channels) {
  if (values.size() == 1 && channels != 1) return llvm::SmallVector<T>(channels, values.front());
  return values;
}
llvm::SmallVector<float> floatPerChannel(ElementsAttr attr, int64_t channels) {
  return broadcast(floatValues(attr), channels);
}
llvm::SmallVector<int32_t> intPerChannel(ElementsAttr attr, int64_t channels) {
  return broadcast(intValues(attr), channels);
}

std::string nameOf(Operation *op) {
  Location loc = op->getLoc();
  if (auto fused = dyn_cast<FusedLoc>(loc); fused && !fused.getLocations().empty()) loc = fused.getLocations().front();
  if (auto name = dyn_cast<NameLoc>(loc)) return name.getName().str();
  if (auto input = dyn_cast<InputOp>(op)) return input.getName().str();
  if (auto layer = dyn_cast<LayerOp>(op)) return layer.getName().str();
  unsigned index = 0; // position among its siblings: stable across runs
  for (Operation &sibling : *op->getBlock()) {
    if (&sibling == op) break;
    ++index;
  }
  return (op->getName().stripDialect() + "#" + llvm::Twine(index)).str();
}

llvm::SmallVector<Operation *> executionOrder(NetworkOp network) {
  llvm::SmallVector<Operation *> order;
  llvm::DenseSet<Operation *> placed;
  for (Operation &root : network.getBody().front()) {
    llvm::SmallVector<Operation *> stack{&root};
    while (!stack.empty()) {
      Operation *op = stack.back();
      Operation *waiting = nullptr;
      for (Value operand : awaited(op))
        if (Operation *producer = operand.getDefiningOp(); producer && !placed.contains(producer)) {
          waiting = producer;
          break;
        }
      if (waiting && !placed.contains(op)) {
        stack.push_back(waiting);
        continue;
      }
      stack.pop_back();
      if (placed.insert(op).second) order.push_back(op);
    }
  }
  return order;
}

} // namespace lasnn::snn

//===--- snn.layer's syntax: snn.layer "name" (%a = %0 : type, ...) -> type { ... } ---===//

ParseResult LayerOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<Type> types;
  auto parseOne = [&]() -> ParseResult {
    OpAsmParser::Argument argument;
    if (parser.parseArgument(argument) || parser.parseEqual() || parser.parseOperand(operands.emplace_back()) ||
        parser.parseColonType(types.emplace_back()))
      return failure();
    argument.type = types.back();
    arguments.push_back(argument);
    return success();
  };
  Type resultType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseAttribute(name, "name", result.attributes) ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, parseOne) || parser.parseArrow() ||
      parser.parseType(resultType) || parser.resolveOperands(operands, types, loc, result.operands) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  result.addTypes(resultType);
  return parser.parseRegion(*result.addRegion(), arguments);
}

void LayerOp::print(OpAsmPrinter &printer) {
  printer << " " << getNameAttr() << "(";
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer, [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair) << " : " << std::get<1>(pair).getType();
  });
  printer << ") -> " << getResult().getType();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {"name"});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}
