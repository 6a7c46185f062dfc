#include "passes/RoundWeights/RoundWeights.h"
#include "ir/integer_form.h"
#include "passes/Samples.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_ROUNDWEIGHTS
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
namespace form = lasnn::integer_form;
using lasnn::rounding::Windows;

constexpr double kClipped = 0.001;          // of a channel's weights, with scale=percentile
constexpr double kCalibrationMargin = 1.25; // as snn-quantize's

/// "int4", "ternary"; 0: not understood.
int widthOf(StringRef text) {
  if (text == "ternary") return 2;
  int bits = 0;
  if (!text.consume_front("int") || text.getAsInteger(10, bits) || bits < 2 || bits > 8) return 0;
  return bits;
}

/// One synapse of a layer, its weights as rows, and what its inputs are like.
struct Synapse {
  Operation *op;
  int64_t rows;
  std::vector<double> weight;
  double inputScale; ///< what one unit of the input is worth: 1 of spikes
  Windows windows;
  size_t width() const { return weight.size() / size_t(rows); }
};

struct RoundWeights : lasnn::impl::RoundWeightsBase<RoundWeights> {
  using RoundWeightsBase::RoundWeightsBase;
  std::shared_ptr<const lasnn::CalibrationData> samples;
  lasnn::Kinds kinds;
  double analogScale = 1;

  bool needsSamples() const { return scale == "mse" || rounding == "reconstruct"; }

  FailureOr<std::shared_ptr<const lasnn::CalibrationData>> findSamples() {
    if (samples) return samples;
    NetworkOp network = getOperation();
    if (!needsSamples()) return std::make_shared<const lasnn::CalibrationData>();
    if (data.empty())
      return emitError(network.getLoc())
             << "no calibration data is given: weights are rounded by what they do to samples; name a set with data=SET:DIR";
    lasnn::data::LoadOptions load;
    load.limit = limit > 0 ? size_t(limit) : 0;
    auto set = lasnn::loadSamples(network, data, split, load);
    if (!set) return emitError(network.getLoc()) << "calibration data: " << llvm::toString(set.takeError());
    auto read = std::make_shared<lasnn::CalibrationData>();
    for (size_t i = 0; i < set->count; ++i)
      read->samples.emplace_back(set->image(i), set->image(i) + set->imageBytes());
    return std::shared_ptr<const lasnn::CalibrationData>(read);
  }

  /// The width of each layer; 0: as trained. All that is wrong is reported.
  LogicalResult readWidths(NetworkOp network, llvm::DenseMap<Operation *, int> &bits) {
    bool broken = false;
    auto refuse = [&] {
      broken = true;
      return emitError(network.getLoc());
    };
    std::map<std::string, Operation *> layers;
    std::string names;
    for (auto layer : network.getOps<LayerOp>()) {
      layers[layer.getName().str()] = layer;
      names += (names.empty() ? "" : ", ") + layer.getName().str();
      bits[layer] = 0;
    }
    SmallVector<StringRef> entries;
    StringRef(weights).split(entries, ',');
    for (auto [i, entry] : llvm::enumerate(entries)) {
      auto [name, width] = entry.rsplit(':');
      if (width.empty()) {
        if (i > 0)
          refuse() << "weights: '" << entry << "' names no layer, expected LAYER:WIDTH behind the first";
        else if (entry != "own" && !widthOf(entry))
          refuse() << "weights: '" << entry << "' is no width, expected int8 to int2, or ternary";
        else if (entry != "own")
          for (auto &layer : bits)
            layer.second = widthOf(entry);
        continue;
      }
      if (!widthOf(width)) refuse() << "weights: '" << width << "' is no width, expected int8 to int2, or ternary";
      if (auto it = layers.find(name.str()); it != layers.end())
        bits[it->second] = widthOf(width);
      else
        refuse() << "weights: there is no layer '" << name << "', expected one of " << names;
    }
    if (!llvm::is_contained({"max", "percentile", "mse"}, scale))
      refuse() << "scale is '" << std::string(scale) << "', expected max, percentile or mse";
    if (!llvm::is_contained({"nearest", "reconstruct"}, rounding))
      refuse() << "rounding is '" << std::string(rounding) << "', expected nearest or reconstruct";
    return failure(broken);
  }

  /// Squared error of one row in units of `unit`, each weight with its input's mean square.
  static double errorOf(const double *row, const Synapse &synapse, double unit, int most) {
    double error = 0;
    for (size_t i = 0; i < synapse.width(); ++i) {
      double w = row[i] * synapse.inputScale, off = w - std::clamp(form::rne(w / unit), double(-most), double(most)) * unit;
      error += off * off * (synapse.windows.square.empty() ? 1.0 : synapse.windows.square[i] + 1e-12);
    }
    return error;
  }

  /// The unit of the rows c that share it, of all synapses.
  double chooseUnit(ArrayRef<std::pair<const Synapse *, int64_t>> rows, double largest, int most) const {
    if (scale == "max" || largest == 0) return largest;
    if (scale == "percentile") {
      std::vector<double> all;
      for (auto [synapse, row] : rows)
        for (size_t i = 0; i < synapse->width(); ++i)
          all.push_back(form::weightNeed(synapse->weight[size_t(row) * synapse->width() + i], synapse->inputScale, most));
      auto at = all.begin() + std::ptrdiff_t(double(all.size() - 1) * (1 - kClipped));
      std::nth_element(all.begin(), at, all.end());
      return *at > 0 ? *at : largest;
    }
    double best = largest, least = INFINITY;
    for (int percent = 100; percent >= 30; percent -= 2) {
      double unit = largest * percent / 100, error = 0;
      for (auto [synapse, row] : rows)
        error += errorOf(&synapse->weight[size_t(row) * synapse->width()], *synapse, unit, most);
      if (error < least) least = error, best = unit;
    }
    return best;
  }

  /// The largest magnitude that a channel has to hold, as snn-quantize sees it.
  std::vector<double> needsOf(Operation *end, ArrayRef<Synapse> synapses, bool &shared) const {
    NeuronView neuron = getNeuron(end);
    const int64_t size = channels(end->getOperand(0));
    std::vector<double> needs(size, 0.0);
    shared = !neuron;
    for (const Synapse &synapse : synapses) {
      if (synapse.rows != size) shared = true;
      if (auto bias = synapse.op->getAttrOfType<ElementsAttr>("bias"))
        for (auto [c, b] : llvm::enumerate(floatValues(bias)))
          needs[synapse.rows == size ? c : 0] += form::biasNeed(b);
    }
    if (!neuron) return needs;
    double vMin = neuron.vMin ? cast<FloatAttr>(neuron.vMin).getValueAsDouble() : 0;
    if (vMin != 0) shared = true;
    auto threshold = floatPerChannel(neuron.vThreshold, size),
         rho = neuron.rho ? floatPerChannel(neuron.rho, size) : SmallVector<float>(size, 0.f),
         reset = neuron.vReset ? floatPerChannel(neuron.vReset, size) : SmallVector<float>(size, 0.f);
    for (int64_t c = 0; c < size; ++c)
      needs[c] = std::max(needs[c], form::neuronNeed(threshold[c], rho[c], reset[c], vMin));
    if (auto calibrated = end->getAttrOfType<DictionaryAttr>("snn.calibrated"))
      for (auto [c, v] : llvm::enumerate(calibrated.getAs<DenseF32ArrayAttr>("max_abs_v").asArrayRef()))
        needs[c] = std::max(needs[c], double(v) * kCalibrationMargin);
    return needs;
  }

  LogicalResult roundLayer(NetworkOp network, LayerOp layer, int bits, ArrayRef<std::vector<uint8_t>> images) {
    Operation *end = cast<YieldOp>(layer.getBody().front().back()).getValue().getDefiningOp();
    auto recorded = lasnn::getRecorded(end);
    if (recorded && (!bits || bits == recorded->weightBits)) return success();
    if (recorded)
      emitWarning(layer.getLoc()) << "'" << layer.getName() << "' was trained with weights of " << recorded->weightBits << " bits, and "
                                  << bits << " are asked for: its units are chosen anew, so that predictions may differ from the trainer's";
    if (!bits) bits = 8;
    const int most = form::mostOf(bits);
    const bool reconstruct = rounding == "reconstruct";
    std::vector<Synapse> synapses;
    for (Operation &op : layer.getBody().front()) {
      if (!isa<Conv2DOp, LinearOp>(op)) continue;
      auto weight = floatValues(cast<ElementsAttr>(op.getAttr("weight")));
      Synapse synapse{
          &op, channels(op.getResult(0)), {weight.begin(), weight.end()}, isAnalog(layer, op.getOperand(0)) ? analogScale : 1.0, {}};
      auto conv = dyn_cast<Conv2DOp>(op);
      const bool groups = conv && conv.getGroups() != 1;
      if (!groups && (reconstruct || scale == "mse")) {
        const bool gram = reconstruct && synapse.width() <= lasnn::rounding::kWidestGram;
        auto windows = lasnn::rounding::collectWindows(network, &op, images, gram);
        if (!windows) return emitError(layer.getLoc()) << llvm::toString(windows.takeError());
        synapse.windows = std::move(*windows);
        if (reconstruct && !gram)
          emitRemark(layer.getLoc()) << "'" << layer.getName() << "': " << synapse.width() << " inputs an output, above "
                                     << lasnn::rounding::kWidestGram << ": rounded to the nearest";
      }
      if (groups && reconstruct && synapse.width() > 1)
        emitRemark(layer.getLoc()) << "'" << layer.getName() << "': a convolution with groups is rounded to the nearest";
      synapses.push_back(std::move(synapse));
    }

    bool shared = false;
    const int64_t size = channels(end->getOperand(0));
    std::vector<double> needs = needsOf(end, synapses, shared), asked(size, 0.0);
    std::vector<std::vector<std::pair<const Synapse *, int64_t>>> rows(shared ? 1 : size);
    std::vector<double> largest(rows.size(), 0.0);
    for (const Synapse &synapse : synapses)
      for (int64_t k = 0; k < synapse.rows; ++k) {
        const size_t at = shared ? 0 : size_t(k);
        rows[at].emplace_back(&synapse, k);
        for (size_t i = 0; i < synapse.width(); ++i)
          largest[at] = std::max(largest[at], form::weightNeed(synapse.weight[size_t(k) * synapse.width() + i], synapse.inputScale, most));
      }
    for (int64_t c = 0; c < size; ++c)
      asked[c] = shared && c > 0 ? asked[0] : chooseUnit(rows[shared ? 0 : c], largest[shared ? 0 : c], most);
    const double limit =
        getNeuron(end) ? form::membraneLimit(stateBits ? stateBits : 24) : form::readoutLimit(int64_t(network.getTimesteps()));
    form::Units units = form::chooseUnits(asked, needs, limit, shared);
    SmallVector<float> unit;
    for (double u : units.unit)
      unit.push_back(float(u * (1 + 1e-6))); // in f32 not below what the constants need

    for (Synapse &synapse : synapses)
      roundSynapse(synapse, unit, size, most);
    Builder builder(&getContext());
    if (shared) unit.resize(1);
    end->setAttr("snn.quantized", builder.getDictionaryAttr({builder.getNamedAttr("rounded", builder.getUnitAttr()),
                                                             builder.getNamedAttr("unit", builder.getDenseF32ArrayAttr(unit)),
                                                             builder.getNamedAttr("weight_bits", builder.getI64IntegerAttr(bits))}));
    return success();
  }

  void roundSynapse(Synapse &synapse, ArrayRef<float> unit, int64_t size, int most) {
    const size_t width = synapse.width();
    std::vector<double> factor = synapse.windows.gram.empty() ? std::vector<double>() : lasnn::rounding::compensation(synapse.windows);
    std::vector<float> weight(synapse.weight.size());
    std::vector<double> shift(synapse.rows, 0.0), row(width);
    for (int64_t k = 0; k < synapse.rows; ++k) {
      const double step = double(unit[synapse.rows == size ? k : 0]) / synapse.inputScale;
      for (size_t i = 0; i < width; ++i)
        row[i] = synapse.weight[size_t(k) * width + i] / step;
      if (!factor.empty()) lasnn::rounding::reconstruct(row, factor, most);
      for (size_t i = 0; i < width; ++i) {
        const double rounded = std::clamp(form::rne(row[i]), double(-most), double(most)) * step;
        if (!synapse.windows.mean.empty()) shift[k] += (synapse.weight[size_t(k) * width + i] - rounded) * synapse.windows.mean[i];
        weight[size_t(k) * width + i] = float(rounded);
      }
    }
    synapse.op->setAttr(
        "weight", lasnn::f32Attr(&getContext(), cast<ElementsAttr>(synapse.op->getAttr("weight")).getShapedType().getShape(), weight));
    lasnn::scaleOutputs(synapse.op, std::vector<double>(synapse.rows, 1.0), shift);
  }

  /// What a layer's synapse takes: a block argument, or its flatten.
  bool isAnalog(LayerOp layer, Value input) {
    if (auto flatten = input.getDefiningOp<FlattenOp>()) input = flatten.getInput();
    auto argument = dyn_cast<BlockArgument>(input);
    return argument && kinds.of(layer.getInputs()[argument.getArgNumber()]) == lasnn::Kind::Analog;
  }

  void runOnOperation() override {
    NetworkOp network = getOperation();
    if (network.isInteger()) {
      emitError(network.getLoc()) << "the network is in integer form, expected float; round before snn-quantize";
      return signalPassFailure();
    }
    llvm::DenseMap<Operation *, int> bits;
    if (failed(readWidths(network, bits))) return signalPassFailure();
    auto found = findSamples();
    if (failed(found)) return signalPassFailure();
    auto program = lasnn::makeFloatProgram(network);
    if (!program || (needsSamples() && (*found)->samples.empty()) ||
        llvm::any_of((*found)->samples, [&](const auto &s) { return s.size() != lasnn::inputSize(**program); })) {
      emitError(network.getLoc()) << (program ? "the calibration set is empty, or of another size than the network's input"
                                              : llvm::toString(program.takeError()));
      return signalPassFailure();
    }
    for (auto encode : network.getOps<EncodeOp>()) {
      if (encode.getEncoding() != Encoding::Direct) continue;
      std::vector<float> mean(channels(encode.getInput()), 0.f), std(mean.size(), 1.f);
      if (encode.getMean()) mean.assign(encode.getMean()->begin(), encode.getMean()->end());
      if (encode.getStd()) std.assign(encode.getStd()->begin(), encode.getStd()->end());
      analogScale = form::inputTable(mean, std).scale;
    }
    kinds = {};
    for (Operation *op : executionOrder(network))
      if (auto layer = dyn_cast<LayerOp>(op))
        if (failed(roundLayer(network, layer, bits[op], (*found)->samples))) return signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> lasnn::createRoundWeights(RoundWeightsOptions options, std::shared_ptr<const CalibrationData> data) {
  auto pass = std::make_unique<RoundWeights>(options);
  pass->samples = std::move(data);
  return pass;
}
