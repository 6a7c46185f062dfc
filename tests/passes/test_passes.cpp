// Numbers: the passes leave what a network computes as it is, and the integer network follows the float one.
#include "ir/interpreter/interpreter.h"
#include "passes/passes.h"
#include "tests/passes/random_network.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace lasnn;
using namespace lasnn::test;
using snn::Interpreter;
using snn::NetworkOp;

namespace {

class Passes : public ::testing::Test {
protected:
  Passes() : context(mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<snn::SnnDialect>();
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error) return;
      errors += diagnostic.str() + "\n";
    });
  }

  bool lower(mlir::ModuleOp module, llvm::function_ref<void(mlir::OpPassManager &)> build) {
    mlir::PassManager manager(&context);
    build(manager);
    return mlir::succeeded(manager.run(module));
  }
  bool toFused(RandomNetwork &net) { return lower(net.module(), buildFloatPipeline); }
  bool toInteger(RandomNetwork &net, const CompileOptions &options = {}) {
    return lower(net.module(), [&](mlir::OpPassManager &manager) { buildIntegerPipeline(manager, options); });
  }

  mlir::MLIRContext context;
  std::string errors;
};

/// Outputs as doubles, and the spikes of every neuron over all steps, in order of execution.
struct Outcome {
  std::vector<double> outputs;
  std::vector<std::vector<double>> spikes;
  std::vector<snn::NeuronStats> stats;
};

Outcome run(NetworkOp network, const std::vector<uint8_t> &sample) {
  Outcome outcome;
  auto interpreter = Interpreter::create(network);
  if (!interpreter) {
    ADD_FAILURE() << llvm::toString(interpreter.takeError());
    return outcome;
  }
  std::map<mlir::Operation *, size_t> places;
  (*interpreter)->setObserver([&](mlir::Operation *op, int64_t, const snn::Tensor &result) {
    if (!snn::getNeuron(op)) return;
    auto [it, isNew] = places.try_emplace(op, outcome.spikes.size());
    if (isNew) outcome.spikes.emplace_back();
    auto &to = outcome.spikes[it->second];
    if (result.isFloat) to.insert(to.end(), result.f.begin(), result.f.end());
    else to.insert(to.end(), result.i.begin(), result.i.end());
  });
  if (llvm::Error error = (*interpreter)->run(sample)) {
    ADD_FAILURE() << llvm::toString(std::move(error));
    return outcome;
  }
  snn::Tensor out = (*interpreter)->output();
  for (float value : out.f) outcome.outputs.push_back(value);
  for (int32_t value : out.i) outcome.outputs.push_back(double(value) * (*interpreter)->outputScale());
  outcome.stats.assign((*interpreter)->stats().begin(), (*interpreter)->stats().end());
  return outcome;
}

uint64_t totalSpikes(const Outcome &outcome) {
  uint64_t sum = 0;
  for (const auto &stats : outcome.stats) sum += stats.spikes;
  return sum;
}

// Every number is dyadic, so that no order of sums rounds: legalize, fold and fuse must not change a bit.
TEST_F(Passes, FloatPipelineIsExact) {
  uint64_t spikes = 0;
  for (unsigned seed = 0; seed < 250; ++seed) {
    SCOPED_TRACE(seed);
    NetworkOptions options;
    options.events = seed % 2;
    options.recurrent = seed >= 150;
    RandomNetwork net(context, seed, options);
    ASSERT_TRUE(mlir::succeeded(mlir::verify(net.module()))) << errors;
    std::vector<std::vector<uint8_t>> samples{net.sample(), net.sample(), net.sample(true)};
    std::vector<Outcome> before;
    for (auto &sample : samples) before.push_back(run(net.network(), sample));
    ASSERT_TRUE(toFused(net)) << errors;
    for (size_t i = 0; i < samples.size(); ++i) {
      Outcome after = run(net.network(), samples[i]);
      ASSERT_EQ(before[i].spikes.size(), after.spikes.size());
      for (size_t n = 0; n < after.spikes.size(); ++n) ASSERT_EQ(before[i].spikes[n], after.spikes[n]) << "neuron " << n;
      ASSERT_EQ(before[i].outputs, after.outputs);
      spikes += totalSpikes(after);
    }
  }
  EXPECT_GT(spikes, 50000u); // the networks do something
}

// Weights that 8 bits hold, no leak: nothing is rounded but a read-out's scale, so that every spike must agree.
TEST_F(Passes, QuantizeIsExactWhereWeightsAre) {
  uint64_t spikes = 0;
  for (unsigned seed = 0; seed < 250; ++seed) {
    SCOPED_TRACE(seed);
    NetworkOptions options;
    options.exactInt8 = true;
    options.events = seed % 2;
    options.recurrent = seed >= 150;
    options.thresholdsAsStates = options.events; // 1/127, the worth of a pixel's unit, is no float
    RandomNetwork net(context, seed, options);
    ASSERT_TRUE(toFused(net)) << errors;
    std::vector<std::vector<uint8_t>> samples{net.sample(), net.sample(), net.sample(true)};
    std::vector<Outcome> before;
    for (auto &sample : samples) before.push_back(run(net.network(), sample));
    ASSERT_TRUE(toInteger(net)) << errors;
    for (size_t i = 0; i < samples.size(); ++i) {
      Outcome after = run(net.network(), samples[i]);
      for (size_t n = 0; n < after.spikes.size(); ++n) ASSERT_EQ(before[i].spikes[n], after.spikes[n]) << "neuron " << n;
      for (size_t o = 0; o < after.outputs.size(); ++o) // all channels of a read-out share a unit: exact where it is theirs
        EXPECT_NEAR(before[i].outputs[o], after.outputs[o], 1e-5 * std::max(1.0, std::fabs(before[i].outputs[o])));
      spikes += totalSpikes(after);
    }
  }
  EXPECT_GT(spikes, 50000u);
}

// What the bounds promise holds on every input that was tried, the saturated one included; 16-bit membranes were chosen
// from calibration, so that its samples never clip.
TEST_F(Passes, ContractHoldsInPractice) {
  unsigned narrowCurrents = 0, narrowStates = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    NetworkOptions options;
    options.dyadic = false;
    options.events = seed % 2;
    RandomNetwork net(context, seed, options);
    ASSERT_TRUE(toFused(net)) << errors;
    auto data = std::make_shared<CalibrationData>();
    data->description = "random";
    for (int i = 0; i < 4; ++i) data->samples.push_back(net.sample(i == 0));
    CompileOptions compile;
    compile.calibration = data;
    ASSERT_TRUE(toInteger(net, compile)) << errors;
    for (auto &sample : data->samples) {
      Outcome outcome = run(net.network(), sample);
      for (const auto &stats : outcome.stats) {
        auto layer = stats.op->getParentOfType<snn::LayerOp>();
        bool narrow = *layer.getCurrentBits() == 16, state16 = snn::getNeuron(stats.op).stateBits == 16;
        narrowCurrents += narrow;
        narrowStates += state16;
        EXPECT_TRUE(!narrow || (stats.minI >= -32768 && stats.maxI <= 32767)) << stats.name << ": " << stats.minI << " .. " << stats.maxI;
        bool hasFloor = bool(snn::getNeuron(stats.op).vMin); // the clamp at v_min is meant, and counts as a clip
        EXPECT_TRUE(!state16 || hasFloor || stats.clips == 0) << stats.name << ": " << stats.clips;
        EXPECT_FALSE(stats.op->hasAttr("snn.calibrated"));
      }
    }
  }
  EXPECT_GT(narrowCurrents, 100u);
  EXPECT_GT(narrowStates, 100u);
}

// Networks that round: the integer one follows the float one. 8 bits follow closely, fewer bits less so.
TEST_F(Passes, QuantizedFollowsFloat) {
  double difference[9] = {};
  for (int bits : {8, 6, 4}) {
    double sum = 0;
    unsigned count = 0;
    for (unsigned seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(seed);
      NetworkOptions options;
      options.dyadic = false;
      options.events = seed % 2;
      RandomNetwork net(context, seed, options);
      ASSERT_TRUE(toFused(net)) << errors;
      auto sample = net.sample();
      Outcome before = run(net.network(), sample);
      CompileOptions compile;
      compile.weightBits = bits;
      ASSERT_TRUE(toInteger(net, compile)) << errors;
      Outcome after = run(net.network(), sample);
      for (size_t n = 0; n < after.spikes.size(); ++n)
        for (size_t i = 0; i < after.spikes[n].size(); ++i, ++count) sum += before.spikes[n][i] != after.spikes[n][i];
    }
    difference[bits] = sum / count;
    RecordProperty("differing_" + std::to_string(bits), std::to_string(difference[bits]));
    std::printf("%d bits: %.4f of all neuron steps differ\n", bits, difference[bits]);
  }
  EXPECT_LT(difference[8], 0.02);
  EXPECT_LT(difference[6], 0.06);
  EXPECT_LT(difference[8], difference[6]);
  EXPECT_LT(difference[6], difference[4]);
}

TEST_F(Passes, CalibrateRefuses) {
  NetworkOptions options;
  RandomNetwork net(context, 1, options);
  ASSERT_TRUE(toFused(net)) << errors;
  auto with = [&](std::vector<std::vector<uint8_t>> samples) {
    auto data = std::make_shared<CalibrationData>();
    data->description = "a set";
    data->samples = std::move(samples);
    CompileOptions compile;
    compile.calibration = data;
    errors.clear();
    return toInteger(net, compile);
  };
  EXPECT_FALSE(with({}));
  EXPECT_NE(errors.find("the calibration set \"a set\" is empty, expected at least 1 sample"), std::string::npos) << errors;
  EXPECT_FALSE(with({net.sample(), std::vector<uint8_t>(7)}));
  EXPECT_NE(errors.find("calibration sample 1 of \"a set\" has 7 bytes, the network's input takes"), std::string::npos) << errors;
}

TEST_F(Passes, NamesAndLocationsSurvive) {
  NetworkOptions options;
  RandomNetwork net(context, 3, options);
  std::vector<std::string> names;
  int index = 0;
  net.network().walk([&](mlir::Operation *op) {
    if (!snn::getNeuron(op)) return;
    names.push_back("neuron." + std::to_string(index++));
    op->setLoc(mlir::NameLoc::get(mlir::StringAttr::get(&context, names.back())));
  });
  ASSERT_TRUE(toFused(net) && toInteger(net)) << errors;
  std::vector<std::string> layers;
  for (auto layer : net.network().getOps<snn::LayerOp>()) {
    mlir::Operation *end = layer.getBody().front().back().getOperand(0).getDefiningOp();
    if (!snn::getNeuron(end)) continue;
    layers.push_back(layer.getName().str());
    EXPECT_EQ(snn::nameOf(end), layer.getName().str());
  }
  EXPECT_EQ(layers, names);
}

} // namespace
