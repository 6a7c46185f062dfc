#include "passes/Convert/Convert.h"
#include "passes/Samples.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {
#define GEN_PASS_DEF_CONVERT
#include "passes/AllPasses.h.inc"
} // namespace lasnn

namespace {
using lasnn::problem;

/// Which relus a value's spikes come from, through pools, flattens, and sums of such values; null: it is a current, or the input.
class Sources {
public:
  Operation *of(Value value) {
    Operation *op = value.getDefiningOp();
    if (isa<ReluOp>(op)) return op;
    if (isa<SumPoolOp, MaxPoolOp, AvgPoolOp, FlattenOp>(op)) return of(op->getOperand(0));
    if (!isa<AddOp>(op)) return nullptr;
    Operation *lhs = of(op->getOperand(0)), *rhs = of(op->getOperand(1));
    if (!lhs || !rhs || channels(lhs->getResult(0)) != channels(rhs->getResult(0))) return nullptr;
    shared.unionSets(lhs, rhs); // one unit for what is added as spikes
    return lhs;
  }
  /// One of those that share a theta; the same for all of them.
  Operation *leader(Operation *relu) { return shared.getOrInsertLeaderValue(relu); }

private:
  llvm::EquivalenceClasses<Operation *> shared;
};

/// What a spike of each channel of `value` is worth, whose source has `theta`.
SmallVector<double> worth(Value value, ArrayRef<double> theta) {
  int64_t size = channels(value), repeat = size / int64_t(theta.size());
  SmallVector<double> out;
  for (int64_t c = 0; c < size; ++c)
    out.push_back(theta[c / repeat]);
  return out;
}

/// weight[k, c, ...] *= scale of the input channel.
template <typename SynapseOp> void scaleInputs(SynapseOp op, ArrayRef<double> scale, int64_t groups) {
  ArrayRef<int64_t> shape = op.getWeight().getShapedType().getShape();
  SmallVector<float> weight = floatValues(op.getWeight());
  int64_t cg = shape[1], rest = int64_t(weight.size()) / (shape[0] * cg);
  for (size_t i = 0; i < weight.size(); ++i) {
    int64_t k = int64_t(i) / (cg * rest), c = int64_t(i) / rest % cg;
    weight[i] = float(weight[i] * scale[k * groups / shape[0] * cg + c]);
  }
  op.setWeightAttr(lasnn::f32Attr(op.getContext(), shape, weight));
}

struct Convert : lasnn::impl::ConvertBase<Convert> {
  using ConvertBase::ConvertBase;
  std::shared_ptr<const lasnn::CalibrationData> samples;

  bool checkOptions(NetworkOp network) {
    bool broken = false;
    auto refuse = [&] {
      broken = true;
      return emitError(network.getLoc());
    };
    if (timesteps < 1 || timesteps > 65535) refuse() << "timesteps is " << int64_t(timesteps) << ", expected 1 to 65535 (rule S1)";
    if (!(percentile >= 0 && percentile <= 100))
      refuse() << "percentile is " << std::to_string(double(percentile)) << ", expected 0 (least error) to 100";
    if (!llvm::is_contained({"currents", "spikes", "average", "refuse"}, maxPool))
      refuse() << "max-pool is '" << std::string(maxPool) << "', expected currents, spikes, average or refuse";
    return !broken;
  }

  /// All that cannot be converted, reported.
  bool checkNetwork(NetworkOp network) {
    bool broken = false;
    auto refuse = [&](Operation *op) {
      broken = true;
      return problem(op);
    };
    if (network.isInteger()) {
      refuse(network) << "the network is in integer form, expected the float form of an ANN";
      return false;
    }
    for (Operation &op : network.getBody().front()) {
      if (getNeuron(&op) || isa<LayerOp>(op)) refuse(&op) << "spikes already; conversion takes an ANN, whose activations are relu";
      if (isa<DelayOp>(op))
        refuse(&op) << "a delay: a recurrent network has no rate that an ANN could give; conversion takes feed-forward networks";
      if (auto encode = dyn_cast<EncodeOp>(op)) {
        if (encode.getEncoding() == Encoding::Events) refuse(&op) << "the input is events; conversion takes still images (encoding direct)";
        if (tensorType(encode.getInput()).getElementType().isF32())
          refuse(&op) << "the input is f32, expected bytes (ui8) and their normalisation in snn.encode";
      }
      if (isa<MaxPoolOp>(op) && maxPool == "refuse")
        refuse(&op) << "a max pool has no exact spiking form; choose --max-pool=currents, spikes or average";
    }
    if (network.getOps<ReluOp>().empty()) refuse(network) << "there is no relu to convert";
    return !broken;
  }

  FailureOr<std::shared_ptr<const lasnn::CalibrationData>> findSamples() {
    if (samples) return samples;
    NetworkOp network = getOperation();
    if (data.empty())
      return emitError(network.getLoc())
             << "no calibration data is given: thresholds are chosen from activations; name a set with data=SET:DIR";
    lasnn::data::LoadOptions options;
    options.limit = limit > 0 ? size_t(limit) : 0;
    auto set = lasnn::loadSamples(network, data, split, options);
    if (!set) return emitError(network.getLoc()) << "calibration data: " << llvm::toString(set.takeError());
    auto read = std::make_shared<lasnn::CalibrationData>();
    for (size_t i = 0; i < set->count; ++i)
      read->samples.emplace_back(set->image(i), set->image(i) + set->imageBytes());
    return std::shared_ptr<const lasnn::CalibrationData>(read);
  }

  void convertMaxPools(NetworkOp network) {
    for (MaxPoolOp pool : llvm::make_early_inc_range(network.getOps<MaxPoolOp>())) {
      OpBuilder builder(pool);
      if (maxPool == "average") {
        auto avg =
            builder.create<AvgPoolOp>(pool.getLoc(), pool.getType(), pool.getInput(), pool.getKernel(), pool.getStrides(), pool.getPads());
        pool.replaceAllUsesWith(avg.getResult());
        pool.erase();
        continue;
      }
      auto relu = pool.getInput().getDefiningOp<ReluOp>();
      if (maxPool != "currents" || !relu || !relu->hasOneUse() || !isa<Conv2DOp, AddOp>(relu.getInput().getDefiningOp())) continue;
      builder.setInsertionPointAfter(pool);
      auto behind = builder.create<ReluOp>(relu.getLoc(), pool.getType(), pool.getResult());
      pool.getResult().replaceAllUsesExcept(behind.getResult(), behind);
      pool.setOperand(relu.getInput());
      relu.erase();
    }
  }

  /// Every use of spikes as a number takes what they are worth.
  LogicalResult scaleUses(NetworkOp network, Sources &sources, llvm::function_ref<ArrayRef<double>(Operation *)> thetaOf) {
    bool broken = false;
    for (Operation *op : executionOrder(network)) {
      if (isa<SumPoolOp, MaxPoolOp, AvgPoolOp, FlattenOp, InputOp, EncodeOp, OutputOp>(op)) continue; // the worth stays
      if (isa<AddOp>(op) && sources.of(op->getResult(0))) continue;
      for (OpOperand &operand : op->getOpOperands()) {
        Operation *source = sources.of(operand.get());
        if (!source) continue;
        SmallVector<double> scale = worth(operand.get(), thetaOf(source));
        if (auto conv = dyn_cast<Conv2DOp>(op)) {
          scaleInputs(conv, scale, conv.getGroups());
        } else if (auto linear = dyn_cast<LinearOp>(op)) {
          scaleInputs(linear, scale, 1);
        } else {
          OpBuilder builder(op);
          auto synapse = lasnn::makeIdentity(builder, source->getLoc(), operand.get(), scale, {});
          if (failed(synapse))
            broken = true;
          else
            operand.set(*synapse);
        }
      }
    }
    return failure(broken);
  }

  Operation *makeNeuron(ReluOp relu, ArrayRef<double> theta) {
    OpBuilder builder(relu);
    SmallVector<float> rho(theta.begin(), theta.end()), threshold = rho;
    for (float &t : threshold)
      t = halfStart ? t / 2 : t;
    auto attr = [&](SmallVector<float> values) {
      if (llvm::all_equal(values)) values.resize(1);
      return lasnn::f32Attr(&getContext(), {int64_t(values.size())}, values);
    };
    OperationState state(relu.getLoc(), IFOp::getOperationName());
    state.addOperands(relu.getInput());
    state.addTypes(relu.getType());
    state.addAttribute("v_threshold", attr(threshold));
    state.addAttribute("rho", attr(rho));
    state.addAttribute("reset", ResetAttr::get(&getContext(), Reset::Subtract));
    Operation *neuron = builder.create(state);
    relu.replaceAllUsesWith(neuron->getResult(0));
    relu.erase();
    return neuron;
  }

  void runOnOperation() override {
    NetworkOp network = getOperation();
    bool options = checkOptions(network), convertible = checkNetwork(network);
    if (!options || !convertible) return signalPassFailure();
    auto found = findSamples();
    if (failed(found)) return signalPassFailure();
    const auto &images = (*found)->samples;
    auto fail = [&](const llvm::Twine &text) {
      emitError(network.getLoc()) << text;
      signalPassFailure();
    };
    if (images.empty()) return fail("the calibration set is empty, expected at least 1 sample");
    convertMaxPools(network);

    auto program = lasnn::makeFloatProgram(network);
    if (!program) return fail(llvm::toString(program.takeError()));
    for (auto [i, image] : llvm::enumerate(images))
      if (image.size() != lasnn::inputSize(**program))
        return fail("calibration sample " + llvm::Twine(i) + " has " + llvm::Twine(image.size()) + " bytes, the network's input takes " +
                    llvm::Twine(lasnn::inputSize(**program)) + "; use the data set that the network was made for");
    SmallVector<Operation *> seen; // relus, then read-outs
    for (Operation *op : executionOrder(network))
      if (isa<ReluOp>(op)) seen.push_back(op);
    const size_t relus = seen.size();
    llvm::append_range(seen, llvm::map_range(network.getOps<ReadoutOp>(), [](ReadoutOp op) { return op.getOperation(); }));
    auto activations = lasnn::convert::measure(*program, seen, images);

    llvm::DenseMap<Operation *, std::vector<double>> theta; // of leaders
    Sources sources;
    network.walk([&](AddOp add) { sources.of(add.getResult()); });
    for (size_t r = 0; r < relus; ++r) {
      auto own = lasnn::convert::chooseThreshold(activations[r], percentile, timesteps, perChannel, halfStart);
      auto &shared = theta[sources.leader(seen[r])];
      shared.resize(own.size(), 0.0);
      for (auto [to, from] : llvm::zip(shared, own))
        to = std::max(to, double(float(from)));
    }
    auto thetaOf = [&](Operation *relu) -> ArrayRef<double> { return theta[sources.leader(relu)]; };
    if (failed(scaleUses(network, sources, thetaOf))) return signalPassFailure();
    std::vector<lasnn::convert::Target> targets;
    for (size_t r = 0; r < relus; ++r)
      targets.push_back({nullptr, thetaOf(seen[r]), activations[r].mean});
    for (size_t r = 0; r < relus; ++r)
      targets[r].neuron = makeNeuron(cast<ReluOp>(seen[r]), targets[r].theta);
    for (size_t r = relus; r < seen.size(); ++r) {
      cast<ReadoutOp>(seen[r]).setMode(ReadoutMode::Mean);
      targets.push_back({seen[r], std::vector<double>(activations[r].mean.size(), 1.0), activations[r].mean});
    }
    network.setTimesteps(uint64_t(int64_t(timesteps)));
    if (correct > 0)
      if (llvm::Error error = lasnn::convert::correctBiases(network, targets, images, correct))
        return fail(llvm::toString(std::move(error)));
  }
};
} // namespace

std::unique_ptr<Pass> lasnn::createConvert(ConvertOptions options, std::shared_ptr<const CalibrationData> data) {
  auto pass = std::make_unique<Convert>(options);
  pass->samples = std::move(data);
  return pass;
}
