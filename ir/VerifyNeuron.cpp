// Verifiers of neurons and read-outs: spec.md rules N9..N14, R1..R4.
#include "ir/Verify.h"

using namespace mlir;
using namespace lasnn::snn;

/// N11: reset, rho and v_reset fit together.
static LogicalResult verifyReset(const NeuronView &neuron, bool floatForm, int64_t lo, int64_t hi) {
  Operation *op = neuron.op;
  int64_t c = channels(neuron.input);
  Type element = floatForm ? Type(Float32Type::get(op->getContext())) : Type(IntegerType::get(op->getContext(), 32));
  if (neuron.rho) {
    if (neuron.reset != Reset::Subtract)
      return broken(op, "N11") << "rho is given with reset = " << stringifyReset(neuron.reset) << ", expected it with subtract only";
    if (failed(verifyChannelAttr(op, "N10", "rho", neuron.rho, c, element, true))) return failure();
    bool positive = neuron.sMax > 1;
    if (floatForm) {
      for (float value : floatValues(neuron.rho))
        if (positive ? !(value > 0) : !(value >= 0))
          return broken(op, positive ? "N12" : "N11") << llvm::formatv("rho is {0}, expected a value {1} 0", value, positive ? "above" : "of at least").str();
    } else {
      for (int32_t value : intValues(neuron.rho))
        if (value < (positive ? 1 : 0))
          return broken(op, positive ? "N12" : "N11") << "rho is " << value << ", expected at least " << (positive ? 1 : 0);
    }
  } else if (!floatForm && neuron.reset == Reset::Subtract) {
    return broken(op, "N11") << "rho is absent, expected it with reset = subtract in integer form";
  }
  if ((neuron.reset == Reset::Value) != bool(neuron.vReset))
    return broken(op, "N11") << "v_reset is " << (neuron.vReset ? "given" : "absent") << " with reset = "
                             << stringifyReset(neuron.reset) << ", expected it with reset = value only";
  if (!neuron.vReset) return success();
  if (failed(verifyChannelAttr(op, "N10", "v_reset", neuron.vReset, c, element, true))) return failure();
  if (floatForm) {
    if (!neuron.vMin) return success();
    float least = cast<FloatAttr>(neuron.vMin).getValue().convertToFloat();
    for (float value : floatValues(neuron.vReset))
      if (value < least)
        return broken(op, "N11") << llvm::formatv("v_reset is {0}, expected a value of at least v_min, {1}", value, least).str();
    return success();
  }
  for (int32_t value : intValues(neuron.vReset))
    if (value < lo || value > hi)
      return broken(op, "N11") << "v_reset is " << value << ", expected a value from " << lo << " to " << hi;
  return success();
}

static LogicalResult verifyNeuron(Operation *op) {
  NeuronView neuron = getNeuron(op);
  if (failed(verifyShapes(op))) return failure();
  RankedTensorType in = tensorType(neuron.input), out = tensorType(op->getResult(0));
  bool floatForm = in.getElementType().isF32() && out.getElementType().isF32();
  bool intForm = in.getElementType().isSignlessInteger(32) && out.getElementType().isUnsignedInteger(8);
  if (in.getShape() != out.getShape() || (!floatForm && !intForm))
    return broken(op, "N8") << "types (input, result) are (" << in << ", " << out << "), expected one shape of (f32, f32) or (i32, ui8)";
  if (isa<LIFOp>(op)) {
    if (floatForm != bool(neuron.beta) || intForm != bool(neuron.decay))
      return broken(op, "N9") << "beta is " << (neuron.beta ? "given" : "absent") << " and decay is " << (neuron.decay ? "given" : "absent")
                              << ", expected " << (floatForm ? "beta in float form" : "decay in integer form");
    if (floatForm) {
      float beta = neuron.beta.getValue().convertToFloat();
      if (!(beta >= 0 && beta <= 1))
        return broken(op, "N9") << llvm::formatv("beta is {0}, expected a value from 0 to 1", beta).str();
    } else if (int64_t decay = neuron.decay.getInt(); decay < 0 || decay > 4096) {
      return broken(op, "N9") << "decay is " << decay << ", expected a value from 0 to 4096";
    }
  }
  if (neuron.sMax < 1 || neuron.sMax > 255 || (neuron.sMax > 1 && neuron.reset != Reset::Subtract))
    return broken(op, "N12") << "s_max is " << neuron.sMax << " with reset = " << stringifyReset(neuron.reset)
                             << ", expected 1, or 2 to 255 with reset = subtract";
  if (neuron.stateBits != 16 && neuron.stateBits != 24)
    return broken(op, "N13") << "state_bits is " << neuron.stateBits << ", expected 16 or 24";
  int64_t lo = -(int64_t(1) << (neuron.stateBits - 1)), hi = -lo - 1;
  if (neuron.vMin) {
    if (auto value = dyn_cast<FloatAttr>(neuron.vMin)) {
      if (!floatForm || !(value.getValueAsDouble() <= 0))
        return broken(op, "N13") << "v_min is " << neuron.vMin << ", expected " << (floatForm ? "at most 0" : "an i32");
    } else {
      auto integer = dyn_cast<IntegerAttr>(neuron.vMin);
      if (!intForm || !integer || !integer.getType().isSignlessInteger(32) || integer.getInt() > 0 || integer.getInt() < lo)
        return broken(op, "N13") << "v_min is " << neuron.vMin << ", expected " << (intForm ? "an i32 from " : "an f32, not ") << lo << " to 0";
      lo = integer.getInt();
    }
  }
  if (intForm && neuron.compare != Compare::Gt)
    return broken(op, "N14") << "compare is ge, expected gt in integer form: v >= theta is v > theta - 1";
  if (failed(verifyChannelAttr(op, "N10", "v_threshold", neuron.vThreshold, channels(neuron.input), in.getElementType(), true)))
    return failure();
  return verifyReset(neuron, floatForm, lo, hi);
}
LogicalResult LIFOp::verify() { return verifyNeuron(*this); }
LogicalResult IFOp::verify() { return verifyNeuron(*this); }

LogicalResult ReadoutOp::verify() {
  if (failed(verifyShapes(*this))) return failure();
  Type element = tensorType(getInput()).getElementType();
  if (getInput().getType() != getResult().getType() || !(element.isF32() || element.isSignlessInteger(32)))
    return broken(*this, "R4") << "types (input, result) are (" << getInput().getType() << ", " << getResult().getType()
                               << "), expected one type of f32 or i32 elements";
  if (element.isF32()) return success();
  if (getMode() == ReadoutMode::Mean) return broken(*this, "R2") << "mode is mean, expected sum or last in integer form";
  if (!getScale() || !(getScale()->convertToFloat() > 0) || !getScale()->isFinite())
    return broken(*this, "R4") << "scale is " << (getScale() ? "not a positive number" : "absent") << ", expected a finite value above 0";
  return success();
}
