// The judge of lasnn-verify: which differences it sees, and which of them rounding excuses.
#include "tools/common/model.h"
#include "tools/verify/check_passes.h"

#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace lasnn::tools::verify;

namespace {

/// One layer of 3 neurons at 2 steps; thresholds 1, membranes as given, spikes where they are above.
Trace trace(std::vector<float> membranes, std::vector<int32_t> values = {1, 0}) {
  Trace made;
  LayerTrace layer{"conv", 3, {}, std::move(membranes), {1.f}, 1.f};
  for (float v : layer.membranes)
    layer.spikes.push_back(v > 1);
  made.layers.push_back(std::move(layer));
  made.output.values = std::move(values);
  made.output.logits = {1, 0};
  return made;
}

Comparison compared(Demand demand, const Trace &a, const Trace &b) {
  Comparison c;
  c.demand = demand;
  c.add(a, b, 7, 2);
  return c;
}

TEST(Compare, EqualIsEqual) {
  const Trace a = trace({.5f, 2, .5f, 2, .5f, .5f});
  const Comparison c = compared(Demand::Exact, a, a);
  EXPECT_EQ(c.different(), 0u);
  EXPECT_EQ(c.compared(), 6u);
  EXPECT_EQ(c.layers[0].spikesA, 2u);
  EXPECT_FALSE(c.first);
}

TEST(Compare, RoundingExcusesOnlyWhatLiesAtTheThreshold) {
  const Trace a = trace({.5f, 1.0000005f, .5f, .5f, .5f, .5f}), near = trace({.5f, .9999999f, .5f, 3, .5f, .5f}),
              far = trace({.5f, .99f, .5f, .5f, .5f, .5f});
  const Comparison excused = compared(Demand::Rounding, a, near);
  EXPECT_EQ(excused.different(), 2u); // what follows from the first is not judged
  EXPECT_EQ(excused.unexplained, 0u);
  EXPECT_EQ(excused.imagesDifferent, 1u);
  Trace other = far;
  other.layers[0].membranes[1] = .8f;
  Trace silent = a;
  silent.layers[0].membranes[1] = 1.2f;
  const Comparison c = compared(Demand::Rounding, silent, other);
  EXPECT_EQ(c.unexplained, 1u);
  EXPECT_NE(c.firstUnexplained.find("'conv', image 7, step 0, neuron 1"), std::string::npos) << c.firstUnexplained;
}

TEST(Compare, TheEarliestStepIsFirst) {
  const Comparison c = compared(Demand::Reported, trace({.5f, .5f, .5f, 2, .5f, .5f}), trace({.5f, .5f, 1.5f, .5f, .5f, .5f}));
  ASSERT_TRUE(c.first);
  EXPECT_EQ(c.first->second.step, 0u);
  EXPECT_EQ(c.first->second.neuron, 2u);
  EXPECT_FLOAT_EQ(c.first->second.membraneA, .5f);
  EXPECT_FLOAT_EQ(c.first->second.membraneB, 1.5f);
  EXPECT_EQ(c.layers[0].differentByStep, (std::vector<uint64_t>{1, 1}));
  EXPECT_DOUBLE_EQ(c.layers[0].membraneLargest, 1.5);
}

TEST(Compare, OutputsOfIntegersMustBeEqual) {
  const Trace a = trace({0, 0, 0, 0, 0, 0}), b = trace({0, 0, 0, 0, 0, 0}, {1, 2});
  EXPECT_EQ(compared(Demand::Exact, a, b).different(), 1u);
  EXPECT_EQ(compared(Demand::Reported, a, b).different(), 0u);
}

TEST(Compare, ALayerWithoutPartnerIsSaid) {
  const Trace a = trace({0, 0, 0, 0, 0, 0});
  Trace b = a;
  b.layers[0].name = "other";
  EXPECT_FALSE(compared(Demand::Exact, a, b).matched());
}

TEST(Compare, MembranesThatCannotBeSeenAreLeftOut) {
  Trace a = trace({.5f, .5f, .5f, .5f, .5f, .5f}), b = a;
  a.layers[0].membranes[0] = NAN;
  b.layers[0].membranes[1] = .75f;
  const Comparison c = compared(Demand::Rounding, a, b);
  EXPECT_EQ(c.layers[0].membranes, 5u);
  EXPECT_DOUBLE_EQ(c.layers[0].membraneMean(), .05);
}

/// What a pass could have made of a network: its threshold.
mlir::OwningOpRef<mlir::ModuleOp> network(mlir::MLIRContext &context, const std::string &threshold) {
  return mlir::parseSourceString<mlir::ModuleOp>(R"(snn.network @n timesteps = 3 {
    %0 = snn.input "x" : tensor<4xui8>
    %1 = snn.encode %0 direct : (tensor<4xui8>) -> tensor<4xf32>
    %2 = snn.linear %1 {weight = dense<[[0.5, -0.2, 0.1, 0.3], [0.3, 0.4, -0.2, 0.1]]> : tensor<2x4xf32>} : (tensor<4xf32>) -> tensor<2xf32>
    %3 = snn.lif %2 {beta = 0.5 : f32, v_threshold = dense<)" +
                                                     threshold + R"(> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32> loc("hidden")
    %4 = snn.linear %3 {weight = dense<0.5> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %5 = snn.readout %4 mean : (tensor<2xf32>) -> tensor<2xf32>
    snn.output "logits" %5 : tensor<2xf32>
  })",
                                                 &context);
}

TEST(PassChecker, ThePassThatMovesASpikeIsNamed) {
  auto context = lasnn::tools::makeContext();
  auto before = network(*context, "0.2"), after = network(*context, "0.9");
  ASSERT_TRUE(before && after);
  lasnn::data::Dataset set;
  set.channels = 4, set.height = set.width = 1, set.count = 8;
  for (unsigned i = 0; i < 32; ++i)
    set.pixels.push_back(uint8_t(i * 37 + 90)), set.labels.push_back(0);
  auto of = [](mlir::OwningOpRef<mlir::ModuleOp> &module) { return *module->getOps<lasnn::snn::NetworkOp>().begin(); };
  auto guilty = [&](const char *summary) {
    PassChecker checker(set);
    checker.look("import", "", of(before));
    checker.look("first", "nothing (spikes: equal)", of(before));
    checker.look("second", summary, of(after));
    return checker.json()["guilty"];
  };
  EXPECT_EQ(guilty("moves thresholds (spikes: equal)"), "second");
  EXPECT_EQ(guilty("moves thresholds, and does not say so"), "second");
  EXPECT_EQ(guilty("moves thresholds (spikes: rounding)"), "second");
  EXPECT_TRUE(guilty("moves thresholds (spikes: requantized)").is_null());
}

} // namespace
