#include "ir/integer_form.h"
#include "passes/Bounds.h"

#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_QUANTIZE
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::problem;
namespace form = lasnn::integer_form;

constexpr double calibrationMargin = 1.25; // what unseen samples may exceed the calibrated membrane by

RankedTensorType withElement(Value value, Type element) { return RankedTensorType::get(tensorType(value).getShape(), element); }

/// One layer on its way to integer form.
class LayerQuantizer {
public:
  /// `weightBits` 0: those of `snn.quantized`, or 8.
  LayerQuantizer(LayerOp layer, double inputScale, int weightBits, int stateBits, int thresholdStep, int64_t timesteps)
      : layer(layer), builder(layer.getContext()), inputScale(inputScale), bits(stateBits ? stateBits : 24), thresholdStep(thresholdStep), timesteps(timesteps) {
    Block &body = layer.getBody().front();
    end = cast<YieldOp>(body.back()).getValue().getDefiningOp();
    neuron = getNeuron(end);
    size = channels(end->getOperand(0));
    recorded = lasnn::getRecorded(end);
    if (recorded && weightBits && weightBits != recorded->weightBits) {
      emitWarning(layer.getLoc()) << "'" << layer.getName() << "' was trained with weights of " << recorded->weightBits << " bits, and " << weightBits
                                  << " are asked for: its units are chosen anew, so that predictions may differ from the trainer's";
      recorded.reset();
    }
    if (recorded && thresholdStep && neuron && !thresholdsFit()) {
      emitWarning(layer.getLoc()) << "'" << layer.getName() << "' was trained with units whose thresholds are no few multiples of " << thresholdStep
                                  << ", as this target needs: its units are chosen anew, so that predictions may differ from the trainer's";
      weightBits = weightBits ? weightBits : recorded->weightBits;
      recorded.reset();
    }
    most = form::mostOf(weightBits ? weightBits : recorded ? recorded->weightBits : 8);
  }

  LogicalResult run() {
    if (end->hasAttr("snn.quantized") && !lasnn::getRecorded(end))
      return problem(end) << "snn.quantized is not understood, expected {weight_bits = 2 to 8 : i64, unit = array<f32: one a channel, or one for all>}";
    Block &body = layer.getBody().front();
    for (auto [argument, operand] : llvm::zip(body.getArguments(), layer.getInputs())) argument.setType(operand.getType());
    for (auto flatten : body.getOps<FlattenOp>()) // of signals: what the synapse behind takes has to be known for its unit
      flatten.getResult().setType(withElement(flatten.getResult(), tensorType(flatten.getInput()).getElementType()));
    if (failed(chooseUnits())) return failure();
    for (Operation &op : body) {
      if (auto conv = dyn_cast<Conv2DOp>(op)) quantizeSynapse(conv);
      else if (auto linear = dyn_cast<LinearOp>(op)) quantizeSynapse(linear);
      else if (isa<FlattenOp, AddOp, MaxPoolOp>(op)) op.getResult(0).setType(withElement(op.getResult(0), tensorType(op.getOperand(0)).getElementType()));
    }
    if (neuron) quantizeNeuron();
    else quantizeReadout(cast<ReadoutOp>(end));
    layer.getResult().setType(cast<RankedTensorType>(end->getResult(0).getType()));
    end->removeAttr("snn.quantized");
    return success();
  }

  ArrayRef<double> units() const { return unit; }
  /// The units are the trainer's: what was measured by calibration has no say.
  bool isRecorded() const { return recorded && !recorded->rounded; }

private:
  double scaleOf(Value input) const { return tensorType(input).getElementType().isUnsignedInteger(8) ? 1.0 : inputScale; }

  SmallVector<double> perChannel(ElementsAttr attr) const {
    SmallVector<double> values(size, 0.0);
    if (attr) llvm::copy(floatPerChannel(attr, size), values.begin());
    return values;
  }

  /// unit[c]: recorded by the trainer, or chosen from the weights and constants.
  LogicalResult chooseUnits() {
    std::vector<double> asked(size, 0.0), needs(size, 0.0);
    bool shared = !neuron;
    auto measure = [&](auto op) {
      int64_t k = channels(op.getResult());
      auto weight = floatValues(op.getWeight());
      size_t count = weight.size() / k;
      double scale = scaleOf(operandOf(op));
      if (k != size) shared = true; // a flatten between this synapse and the neuron
      for (size_t i = 0; i < weight.size(); ++i) {
        double &u = asked[k == size ? i / count : 0];
        u = std::max(u, form::weightNeed(weight[i], scale, most));
      }
      if (!op.getBias()) return;
      for (auto [c, b] : llvm::enumerate(floatValues(*op.getBias()))) needs[k == size ? c : 0] += form::biasNeed(b);
    };
    for (Operation &op : layer.getBody().front()) {
      if (auto conv = dyn_cast<Conv2DOp>(op)) measure(conv);
      else if (auto linear = dyn_cast<LinearOp>(op)) measure(linear);
    }
    double limit = neuron ? form::membraneLimit(bits) : form::readoutLimit(timesteps);
    if (neuron) {
      auto threshold = perChannel(neuron.vThreshold), rho = perChannel(neuron.rho), reset = perChannel(neuron.vReset);
      double vMin = neuron.vMin ? cast<FloatAttr>(neuron.vMin).getValueAsDouble() : 0;
      if (vMin != 0) shared = true;
      for (int64_t c = 0; c < size; ++c) needs[c] = std::max(needs[c], form::neuronNeed(threshold[c], rho[c], reset[c], vMin));
      auto calibrated = end->getAttrOfType<DictionaryAttr>("snn.calibrated");
      if (calibrated && !recorded)
        for (auto [c, v] : llvm::enumerate(calibrated.getAs<DenseF32ArrayAttr>("max_abs_v").asArrayRef()))
          if (int64_t(c) < size) needs[c] = std::max(needs[c], double(v) * calibrationMargin);
    }
    if (recorded) return takeRecorded(needs, limit, shared);
    form::Units chosen = form::chooseUnits(asked, needs, limit, shared);
    unit.assign(chosen.unit.begin(), chosen.unit.end());
    if (thresholdStep && neuron && !forgets()) stepUnits(shared, asked);
    if (chosen.grown)
      emitRemark(layer.getLoc()) << "'" << layer.getName() << "': " << chosen.grown << " of " << size
                         << " channels take a larger unit than their weights ask for, since their constants would leave " << bits
                         << " bits; channel " << chosen.example << ": "
                         << llvm::formatv("{0:E3} in place of {1:E3}", unit[chosen.example], chosen.before).str();
    return success();
  }

  /// The neuron keeps nothing of its voltage: a target can move its threshold into the bias.
  bool forgets() const { return neuron.beta && neuron.beta.getValueAsDouble() == 0; }

  /// With the recorded units: multiples of the step, no more distinct ones than stepUnits would make.
  bool thresholdsFit() const {
    if (forgets()) return true;
    auto threshold = perChannel(neuron.vThreshold);
    std::set<int32_t> distinct;
    for (int64_t c = 0; c < size; ++c) {
      ArrayRef<float> given = recorded->unit;
      if (int64_t(given.size()) != size && given.size() != 1) return true; // takeRecorded refuses it
      int32_t theta = form::threshold(threshold[c], given[given.size() == 1 ? 0 : c], neuron.compare == Compare::Ge);
      if (theta < 0 || theta % thresholdStep != 0) return false;
      distinct.insert(theta);
    }
    return distinct.size() <= 7;
  }

  /// Units whose thresholds are the step times a power of 2: the channel's unit disappears into its weights.
  void stepUnits(bool shared, ArrayRef<double> asked) {
    auto threshold = perChannel(neuron.vThreshold);
    std::vector<int> powers(size, 0);
    int64_t clipped = 0;
    int zeros = 0; // that an i8 has room for below a weight
    while (most << (zeros + 1) <= 127) ++zeros;
    for (int64_t c = 0; c < size; ++c)
      if (threshold[c] > 0) powers[c] = std::clamp(int(std::floor(std::log2(threshold[c] / (thresholdStep * unit[c])))), -zeros, 6);
    if (shared) powers.assign(size, *std::min_element(powers.begin(), powers.end()));
    grain.assign(size, 0);
    for (int64_t c = 0; c < size; ++c) {
      if (threshold[c] <= 0) continue;
      int64_t theta = int64_t(thresholdStep) << std::max(powers[c], 0);
      unit[c] = threshold[c] / double(theta + (neuron.compare == Compare::Ge));
      grain[c] = std::max(-powers[c], 0);
      clipped += unit[c] * double(1 << grain[c]) < asked[shared ? 0 : c] * (1 - 1e-6);
    }
    if (clipped)
      emitWarning(layer.getLoc()) << "'" << layer.getName() << "': " << clipped << " of " << size << " channels have weights above " << (most << zeros) << "/" << thresholdStep
                                  << " of their threshold, which are clipped; train with larger thresholds or smaller weights";
  }

  /// The trainer's units, which have to fit this layer.
  LogicalResult takeRecorded(ArrayRef<double> needs, double limit, bool shared) {
    ArrayRef<float> given = recorded->unit;
    auto refuse = [&] { return std::move(problem(end) << "snn.quantized: "); };
    if (int64_t(given.size()) != size && given.size() != 1)
      return refuse() << given.size() << " units for " << size << " channels, expected one a channel, or one for all";
    for (int64_t c = 0; c < size; ++c) unit.push_back(given[given.size() == 1 ? 0 : c]);
    for (int64_t c = 0; c < size; ++c) {
      if (!(std::isfinite(unit[c]) && unit[c] > 0)) return refuse() << "the unit of channel " << c << " is " << unit[c] << ", expected a positive number";
      if (shared && unit[c] != unit[0])
        return refuse() << "channel " << c << " has unit " << unit[c] << ", channel 0 " << unit[0] << ", expected one for all channels of this layer";
      if (unit[c] * limit * (1 + 1e-6) < needs[c]) {
        InFlightDiagnostic report = refuse();
        report << "the unit of channel " << c << " is " << unit[c] << ", and its constants need at least " << needs[c] / limit << " to fit " << bits << " bits";
        report.attachNote() << "leave --state-bits out, or ask for another width of weights, which chooses units anew";
        return report;
      }
    }
    return success();
  }

  template <typename SynapseOp> static Value operandOf(SynapseOp op) { return op.getInput(); }

  template <typename SynapseOp> void quantizeSynapse(SynapseOp op) {
    int64_t k = channels(op.getResult());
    auto weight = floatValues(op.getWeight());
    size_t count = weight.size() / k;
    double scale = scaleOf(op.getInput());
    std::vector<int8_t> quantized(weight.size());
    for (size_t i = 0; i < weight.size(); ++i) {
      const size_t c = k == size ? i / count : 0;
      const int zeros = grain.empty() ? 0 : grain[c];
      quantized[i] = int8_t(form::weight(weight[i], scale, unit[c] * double(1 << zeros), most) * (1 << zeros));
    }
    op.setWeightAttr(lasnn::i8Attr(op.getContext(), op.getWeight().getShapedType().getShape(), quantized));
    if (op.getBias()) {
      SmallVector<int32_t> bias;
      for (auto [c, b] : llvm::enumerate(floatValues(*op.getBias()))) bias.push_back(form::constant(b, unit[k == size ? c : 0]));
      if (thresholdStep && tensorType(op.getInput()).getElementType().isUnsignedInteger(8)) // not beside an image, whose sums fill the registers anyway
        for (int32_t &b : bias)
          for (int64_t grain = 1; std::abs(int64_t(b)) > 4095 * grain; grain *= 2) b = int32_t(form::rne(double(b) / double(2 * grain)) * double(2 * grain));
      op.setBiasAttr(lasnn::i32Attr(op.getContext(), {k}, bias));
    }
    op.getResult().setType(withElement(op.getResult(), builder.getI32Type()));
  }

  /// [C], or [1] when all channels agree.
  DenseElementsAttr constants(llvm::function_ref<int32_t(int64_t)> of) {
    SmallVector<int32_t> values;
    for (int64_t c = 0; c < size; ++c) values.push_back(of(c));
    if (llvm::all_equal(values)) values.resize(1);
    return lasnn::i32Attr(builder.getContext(), {int64_t(values.size())}, values);
  }

  void quantizeNeuron() {
    auto threshold = perChannel(neuron.vThreshold), reset = perChannel(neuron.vReset);
    auto rho = neuron.rho ? perChannel(neuron.rho) : threshold; // N11
    bool ge = neuron.compare == Compare::Ge;
    end->setAttr("v_threshold", constants([&](int64_t c) { return form::threshold(threshold[c], unit[c], ge); }));
    end->setAttr("compare", CompareAttr::get(builder.getContext(), Compare::Gt));
    if (neuron.reset == Reset::Subtract) // N12: several spikes need distinct thresholds
      end->setAttr("rho", constants([&](int64_t c) { return std::max(form::constant(rho[c], unit[c]), neuron.sMax > 1 ? 1 : 0); }));
    if (neuron.vReset) end->setAttr("v_reset", constants([&](int64_t c) { return form::constant(reset[c], unit[c]); }));
    if (neuron.vMin)
      end->setAttr("v_min", builder.getI32IntegerAttr(form::constant(cast<FloatAttr>(neuron.vMin).getValueAsDouble(), unit[0])));
    if (neuron.beta) {
      end->removeAttr("beta");
      end->setAttr("decay", builder.getI32IntegerAttr(form::decay(neuron.beta.getValueAsDouble())));
    }
    end->setAttr("state_bits", builder.getI64IntegerAttr(bits));
    end->getResult(0).setType(withElement(end->getResult(0), builder.getIntegerType(8, /*isSigned=*/false)));
  }

  void quantizeReadout(ReadoutOp readout) {
    bool mean = readout.getMode() == ReadoutMode::Mean;
    if (mean) readout.setModeAttr(ReadoutModeAttr::get(builder.getContext(), ReadoutMode::Sum));
    readout.setScaleAttr(builder.getF32FloatAttr(float(mean ? unit[0] / double(timesteps) : unit[0])));
    readout.getResult().setType(withElement(readout.getResult(), builder.getI32Type()));
  }

  LayerOp layer;
  Builder builder;
  double inputScale;
  int most;
  int bits;
  int thresholdStep; ///< 0: thresholds are any integers
  int64_t timesteps;
  Operation *end;
  NeuronView neuron;
  int64_t size;
  SmallVector<double> unit;
  std::vector<int> grain; ///< with thresholdStep: zeros below each weight of a channel, where the threshold's step is finer than its weights are; empty: none
  std::optional<lasnn::Recorded> recorded;
};

/// E2: the table of a direct encoding; returns what one unit is worth.
double quantizeEncode(EncodeOp encode) {
  Builder builder(encode.getContext());
  int64_t c = channels(encode.getInput());
  std::vector<float> mean(c, 0.f), std(c, 1.f);
  if (encode.getMean()) mean.assign(encode.getMean()->begin(), encode.getMean()->end());
  if (encode.getStd()) std.assign(encode.getStd()->begin(), encode.getStd()->end());
  form::InputTable made = form::inputTable(mean, std);
  encode.setTableAttr(lasnn::i8Attr(encode.getContext(), {c, 256}, made.table));
  encode.setScaleAttr(builder.getF32FloatAttr(made.scale));
  encode.removeMeanAttr();
  encode.removeStdAttr();
  encode.getResult().setType(withElement(encode.getResult(), builder.getI8Type()));
  return made.scale;
}

/// True when no membrane of the layer clips at 16 bits: proved by N2..N6, or (unless `proofOnly`) measured.
bool holds16(LayerOp layer, ArrayRef<lasnn::CurrentRange> currents, ArrayRef<double> units, bool proofOnly, int64_t timesteps) {
  Operation *end = cast<YieldOp>(layer.getBody().front().back()).getValue().getDefiningOp();
  NeuronView neuron = getNeuron(end);
  int64_t size = channels(neuron.input);
  auto threshold = intPerChannel(neuron.vThreshold, size);
  SmallVector<int32_t> reset(size, 0), rho(size, 0);
  if (neuron.vReset) reset = intPerChannel(neuron.vReset, size);
  if (neuron.rho) rho = intPerChannel(neuron.rho, size);
  int64_t decay = neuron.decay ? neuron.decay.getInt() : 0;
  double steps = decay ? std::min<double>(timesteps, 4096.0 / decay) : double(timesteps); // sum of the leak's powers
  auto calibrated = end->getAttrOfType<DictionaryAttr>("snn.calibrated");
  ArrayRef<float> measured;
  if (calibrated && !proofOnly) measured = calibrated.getAs<DenseF32ArrayAttr>("max_abs_v").asArrayRef();
  for (int64_t c = 0; c < size; ++c) {
    auto [lo, hi] = currents[c].value;
    if (lo < INT16_MIN || hi > INT16_MAX) return false;
    for (int64_t constant : {threshold[c], reset[c], rho[c]})
      if (std::abs(constant) > INT16_MAX) return false;
    if (neuron.vMin && cast<IntegerAttr>(neuron.vMin).getInt() < INT16_MIN) return false;
    if (int64_t(measured.size()) == size && measured[c] * calibrationMargin / units[c] <= INT16_MAX) continue;
    double most = std::max<double>(hi, 0) * steps + std::max(reset[c], 0), least = std::min<double>(lo, 0) * steps + std::min(reset[c], 0);
    if (neuron.reset == Reset::Zero || neuron.reset == Reset::Value) // what is above the threshold does not stay
      most = std::min<double>(most, std::max({threshold[c], reset[c], 0}) + std::max<double>(hi, 0));
    if (neuron.reset == Reset::Subtract) least = std::min<double>(least, std::min(threshold[c] - rho[c], 0) + std::min<double>(lo, 0) * steps);
    if (neuron.vMin) least = std::max<double>(least, INT16_MIN); // the clamp at v_min is meant
    if (most > INT16_MAX || least < INT16_MIN) return false;
  }
  return true;
}

struct Quantize : lasnn::impl::QuantizeBase<Quantize> {
  using QuantizeBase::QuantizeBase;

  /// The pass's own demands, all reported.
  bool checkInput(NetworkOp network) {
    bool broken = false;
    auto refuse = [&](Operation *op) { broken = true; return problem(op); };
    if (weightBits != 0 && (weightBits < 2 || weightBits > 8))
      refuse(network) << "weight-bits is " << int(weightBits) << ", expected 2 to 8, or 0 for the model's own";
    if (stateBits != 0 && stateBits != 16 && stateBits != 24) refuse(network) << "state-bits is " << int(stateBits) << ", expected 16, 24, or 0 for a choice";
    if (thresholdStep < 0 || thresholdStep > 4096) refuse(network) << "threshold-step is " << int(thresholdStep) << ", expected 0 to 4096";
    if (network.isInteger()) {
      refuse(network) << "the network is in integer form already, expected float";
      return false;
    }
    for (Operation &op : network.getBody().front()) {
      if (!isa<InputOp, OutputOp, EncodeOp, LayerOp, SumPoolOp, MaxPoolOp, AddOp, FlattenOp, DelayOp>(op))
        refuse(&op) << op.getName().stripDialect() << " stands outside a layer, expected fused layers; run the float pipeline (snn-float) before";
      if (isa<DelayOp>(op) && lasnn::Kinds().of(op.getOperand(0)) != lasnn::Kind::Spikes)
        refuse(&op) << "rule D2: delays something other than spikes, expected what a neuron fires";
      if (isa<InputOp>(op) && tensorType(op.getResult(0)).getElementType().isF32())
        refuse(&op) << "the input is f32, expected bytes (ui8): integer form has a table of 256 entries for them; give the input as "
                       "pixels and its normalisation in snn.encode";
    }
    return !broken;
  }

  void runOnOperation() override {
    NetworkOp network = getOperation();
    if (!checkInput(network)) return signalPassFailure();
    int64_t timesteps = int64_t(network.getTimesteps());
    double inputScale = 1;
    llvm::DenseMap<Operation *, SmallVector<double>> units;
    llvm::DenseSet<Operation *> asTrained;
    for (auto delay : network.getOps<DelayOp>()) // of spikes; layers may take it before its operand is converted
      delay.getResult().setType(withElement(delay.getResult(), Builder(&getContext()).getIntegerType(8, /*isSigned=*/false)));
    for (Operation *op : executionOrder(network)) {
      if (auto encode = dyn_cast<EncodeOp>(op)) {
        if (encode.getEncoding() == Encoding::Direct) inputScale = quantizeEncode(encode);
        else encode.getResult().setType(cast<RankedTensorType>(encode.getInput().getType()));
      } else if (auto layer = dyn_cast<LayerOp>(op)) {
        LayerQuantizer quantizer(layer, inputScale, weightBits, stateBits, thresholdStep, timesteps);
        if (failed(quantizer.run())) return signalPassFailure();
        units[op] = SmallVector<double>(quantizer.units());
        if (quantizer.isRecorded()) asTrained.insert(op);
      } else if (!isa<InputOp, OutputOp, DelayOp>(op)) {
        op->getResult(0).setType(withElement(op->getResult(0), tensorType(op->getOperand(0)).getElementType()));
      }
    }
    lasnn::Bounds bounds(network);
    for (auto layer : network.getOps<LayerOp>()) {
      Operation *end = cast<YieldOp>(layer.getBody().front().back()).getValue().getDefiningOp();
      if (!getNeuron(end)) continue;
      if (stateBits == 0 && thresholdStep == 0 && holds16(layer, bounds.ofLayer(layer), units[layer], asTrained.contains(layer), timesteps))
        end->setAttr("state_bits", Builder(&getContext()).getI64IntegerAttr(16));
      end->removeAttr("snn.calibrated");
    }
  }
};
} // namespace
