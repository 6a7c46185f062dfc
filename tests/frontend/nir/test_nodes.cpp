// Every node type: what it becomes.
#include "nir_builder.h"

#include "ir/interpreter/interpreter.h"

using namespace lasnn;
using namespace lasnn::testing;

namespace {

/// input -> NAME -> output for one node that `fill` describes.
template <typename Fill> NirBuilder single(std::vector<double> shape, const char *type, Fill fill) {
  NirBuilder file;
  file.input(shape), file.output();
  fill(file.node("x", type));
  file.chain({"input", "x", "output"});
  return file;
}

void conv(nir::Group &g, std::vector<int64_t> weight, double groups = 1) {
  int64_t count = 1;
  for (int64_t dim : weight)
    count *= dim;
  NirBuilder::set(g, "weight", weight, std::vector<double>(size_t(count), 0.5));
  NirBuilder::set(g, "bias", std::vector<double>(size_t(weight[0]), 0.125));
  NirBuilder::set(g, "stride", 1.0), NirBuilder::set(g, "padding", 0.0), NirBuilder::set(g, "dilation", 1.0),
      NirBuilder::set(g, "groups", groups);
}

TEST(Nodes, Affine) {
  NirBuilder file;
  file.input({3}), file.output(), file.affine("fc", 2, 3);
  file.edges = {{"fc", "output"}, {"input", "fc"}}; // in any order
  Imported imported(file.bytes());
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.warnings.empty()) << imported.all();
  auto linear = imported.find<snn::LinearOp>("fc");
  ASSERT_TRUE(linear);
  EXPECT_EQ(snn::floatValues(linear.getWeight()), (llvm::SmallVector<float>{.125f, .25f, .375f, .5f, .625f, .125f}));
  EXPECT_EQ(snn::floatValues(*linear.getBias()), (llvm::SmallVector<float>{.25f, .25f}));
}

TEST(Nodes, ConvolutionsInEveryForm) {
  auto two = single({4, 7, 9}, "Conv2d", [](nir::Group &g) {
    conv(g, {6, 2, 3, 3}, 2);
    NirBuilder::set(g, "dilation", {2, 1});
    NirBuilder::text(g, "padding", "same");
  });
  Imported same(two.bytes());
  ASSERT_TRUE(same.ok()) << same.all();
  auto op = same.find<snn::Conv2DOp>("x");
  EXPECT_EQ(snn::tensorType(op.getResult()).getShape(), (llvm::ArrayRef<int64_t>{6, 7, 9}));
  EXPECT_EQ(op.getPads(), (llvm::ArrayRef<int64_t>{2, 1, 2, 1}));
  EXPECT_EQ(op.getGroups(), 2u);

  auto valid = single({4, 7, 9}, "Conv2d", [](nir::Group &g) {
    conv(g, {6, 4, 3, 3});
    NirBuilder::text(g, "padding", "valid");
    NirBuilder::set(g, "stride", {2, 3});
    NirBuilder::set(g, "input_shape", {7, 9});
  });
  Imported plain(valid.bytes());
  ASSERT_TRUE(plain.ok()) << plain.all();
  EXPECT_EQ(snn::tensorType(plain.find<snn::Conv2DOp>("x").getResult()).getShape(), (llvm::ArrayRef<int64_t>{6, 3, 3}));

  auto one = single({4, 11}, "Conv1d", [](nir::Group &g) {
    conv(g, {2, 4, 3});
    NirBuilder::set(g, "padding", 1.0), NirBuilder::set(g, "stride", 2.0);
  });
  Imported line(one.bytes());
  ASSERT_TRUE(line.ok()) << line.all();
  EXPECT_EQ(snn::tensorType(line.find<snn::Conv2DOp>("x").getResult()).getShape(), (llvm::ArrayRef<int64_t>{2, 1, 6}));
}

TEST(Nodes, Pools) {
  for (const char *type : {"SumPool2d", "AvgPool2d"}) {
    auto file = single({2, 6, 6}, type, [](nir::Group &g) {
      NirBuilder::set(g, "kernel_size", {2, 2}), NirBuilder::set(g, "stride", {2, 2}), NirBuilder::set(g, "padding", {0, 0});
    });
    file.affine("fc", 2, 18);
    file.node("flat", "Flatten");
    NirBuilder::set(file.at("flat"), "start_dim", 0.0), NirBuilder::set(file.at("flat"), "end_dim", -1.0);
    file.edges = {{"input", "x"}, {"x", "flat"}, {"flat", "fc"}, {"fc", "output"}};
    Imported imported(file.bytes());
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(bool(imported.find<snn::SumPoolOp>("x")), type == std::string("SumPool2d"));
    EXPECT_EQ(bool(imported.find<snn::AvgPoolOp>("x")), type == std::string("AvgPool2d"));
  }
}

/// Numbers, not operations: what the network computes for counts 3 and 5 at T = 2.
std::vector<float> outputs(Imported &imported, std::vector<uint8_t> sample) {
  auto run = snn::Interpreter::create(imported.network());
  EXPECT_TRUE(bool(run));
  EXPECT_FALSE(bool((*run)->run(llvm::ArrayRef<uint8_t>(sample))));
  return (*run)->output().f;
}

TEST(Nodes, ScaleThresholdAndIntegratorCompute) {
  nir::ImportOptions options;
  options.timesteps = 2;
  auto scaled = single({2}, "Scale", [](nir::Group &g) { NirBuilder::set(g, "scale", {2, -0.5}); });
  Imported scale(scaled.bytes(), options);
  ASSERT_TRUE(scale.ok()) << scale.all();
  EXPECT_EQ(outputs(scale, {3, 5, 1, 1}), (std::vector<float>{8, -3}));
  auto above = single({2}, "Threshold", [](nir::Group &g) { NirBuilder::set(g, "threshold", {2, 4}); });
  Imported threshold(above.bytes(), options);
  ASSERT_TRUE(threshold.ok()) << threshold.all();
  EXPECT_EQ(outputs(threshold, {3, 4, 2, 5}), (std::vector<float>{1, 1}));
  auto sum = single({2}, "I", [](nir::Group &g) { NirBuilder::set(g, "r", {10, 20}); });
  options.conventions.dt = 0.1, options.readout = snn::ReadoutMode::Last; // an I is the sum all the same
  Imported integrator(sum.bytes(), options);
  ASSERT_TRUE(integrator.ok()) << integrator.all();
  EXPECT_EQ(outputs(integrator, {3, 5, 1, 1}), (std::vector<float>{4, 12}));
}

TEST(Nodes, LeakAndRestPotentialCompute) {
  NirBuilder file;
  file.input({1}), file.output();
  nir::Group &g = file.lif("n", 1, 0.01, 2, 1.2);
  NirBuilder::set(g, "v_leak", {0.5}), NirBuilder::set(g, "v_reset", {0.25});
  file.chain({"input", "n", "output"});
  nir::ImportOptions options;
  options.timesteps = 6, options.conventions.dt = 1e-3;
  Imported imported(file.bytes(), options);
  ASSERT_TRUE(imported.ok()) << imported.all();
  // v += (v_leak - v + r I) dt / tau, with I = 3, 3, 0, 3, 3, 0
  double v = 0, spikes = 0;
  const std::vector<uint8_t> in{3, 3, 0, 3, 3, 0};
  for (uint8_t i : in) {
    v += (0.5 - v + 2 * double(i)) * 0.1;
    if (v > 1.2) ++spikes, v = 0.25;
  }
  EXPECT_GT(spikes, 0);
  EXPECT_EQ(outputs(imported, in), (std::vector<float>{float(spikes)}));
}

TEST(Nodes, TrivialCurrentFilterIsALif) {
  NirBuilder file;
  file.input({2}), file.output();
  nir::Group &g = file.node("n", "CubaLIF");
  for (auto [field, value] :
       {std::pair<const char *, double>{"tau_mem", 1e-3}, {"tau_syn", 1e-4}, {"r", 10}, {"v_leak", 0}, {"v_threshold", 1}, {"w_in", 2}})
    NirBuilder::set(g, field, {value, value});
  file.chain({"input", "n", "output"});
  nir::ImportOptions options;
  options.conventions.writer = nir::Writer::SnnTorch;
  Imported imported(file.bytes(), options);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto lif = imported.find<snn::LIFOp>("n");
  EXPECT_FLOAT_EQ(lif.getBeta()->convertToFloat(), 0.9f);
  EXPECT_FLOAT_EQ(snn::floatValues(lif.getRhoAttr())[0], 1 / 0.9f); // subtracted after the leak of the next step
  EXPECT_EQ(snn::floatValues(lif.getInput().getDefiningOp<snn::BatchNormOp>().getGamma())[0], 2.f);
}

TEST(Nodes, NestedGraphsAreFlattened) {
  NirBuilder file;
  file.input({3}), file.output();
  nir::Group *at = &file.node("outer", "NIRGraph");
  for (int depth = 0; depth < 3; ++depth) {
    nir::Group &nodes = NirBuilder::child(*at, "nodes");
    NirBuilder::text(NirBuilder::child(nodes, "in"), "type", "Input"), NirBuilder::text(NirBuilder::child(nodes, "out"), "type", "Output");
    nir::Group &inner = NirBuilder::child(nodes, "inner");
    NirBuilder::text(inner, "type", depth == 2 ? "Linear" : "NIRGraph");
    if (depth == 2) NirBuilder::set(inner, "weight", {2, 3}, {1, 2, 3, 4, 5, 6});
    NirBuilder::setEdges(*at, {{"inner", "out"}, {"in", "inner"}});
    at = &inner;
  }
  file.chain({"input", "outer", "output"});
  Imported imported(file.bytes());
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.find<snn::LinearOp>("outer.inner.inner.inner"));
}

/// The edge that is late does not depend on names or on the order of edges: the one from spikes, back to a neuron that is no farther in.
TEST(Nodes, RecurrentEdgesAreDelayed) {
  for (int turn = 0; turn < 2; ++turn) {
    const std::string rec = turn ? "a_rec" : "z_rec", first = turn ? "n9" : "n1", second = turn ? "n1" : "n9";
    NirBuilder file;
    file.input({3}), file.output(), file.affine("fc", 4, 3), file.affine("mid", 5, 4), file.affine(rec, 4, 5);
    file.integrateAndFire(first, 4), file.integrateAndFire(second, 5);
    file.chain({"input", "fc", first, "mid", second, "output"});
    file.chain({second, rec, first});
    if (turn) std::reverse(file.edges.begin(), file.edges.end());
    Imported imported(file.bytes());
    ASSERT_TRUE(imported.ok()) << imported.all();
    int delays = 0;
    imported.network().walk([&](snn::DelayOp delay) {
      ++delays;
      EXPECT_EQ(snn::nameOf(delay.getInput().getDefiningOp()), second);
      for (mlir::Operation *user : delay->getUsers())
        EXPECT_EQ(snn::nameOf(user), rec);
    });
    EXPECT_EQ(delays, 1);
  }
}

/// Thirty stages of two layers that both read both layers before: a billion ways through, which none may walk.
TEST(Nodes, CurrentsThatPartAndMeetAgain) {
  NirBuilder file;
  file.input({3}), file.output(), file.integrateAndFire("lif", 3), file.affine("a0", 3, 3, 0.1), file.affine("b0", 3, 3, 0.1);
  file.edges = {{"input", "a0"}, {"input", "b0"}};
  for (int k = 1; k < 30; ++k)
    for (const std::string side : {"a", "b"}) {
      file.affine(side + std::to_string(k), 3, 3, 0.1);
      for (const char *from : {"a", "b"}) file.edges.emplace_back(from + std::to_string(k - 1), side + std::to_string(k));
    }
  file.edges.emplace_back("a29", "lif"), file.edges.emplace_back("b29", "lif"), file.edges.emplace_back("lif", "output");
  Imported imported(file.bytes());
  EXPECT_TRUE(imported.ok()) << imported.all();
}

TEST(Nodes, DelaysAreLimited) {
  NirBuilder file;
  file.input({3}), file.output(), file.integrateAndFire("lif", 3), file.affine("fc", 2, 3);
  NirBuilder::set(file.node("late", "Delay"), "delay", {5000, 5000, 5000});
  file.chain({"input", "lif", "late", "fc", "output"});
  Imported imported(file.bytes());
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.says("expected whole steps, 1 to 4096")) << imported.all();
}

TEST(Nodes, DelaysInStepsForwardAndOnLoops) {
  NirBuilder file;
  file.input({3}), file.output(), file.affine("fc", 4, 3), file.affine("rec", 4, 4), file.affine("out", 2, 4);
  file.integrateAndFire("n", 4);
  NirBuilder::set(file.node("late", "Delay"), "delay", {3, 3, 3, 3});
  NirBuilder::set(file.node("back", "Delay"), "delay", {2, 2, 2, 2});
  file.chain({"input", "fc", "n", "late", "out", "output"});
  file.chain({"n", "back", "rec", "n"});
  Imported imported(file.bytes());
  ASSERT_TRUE(imported.ok()) << imported.all();
  int delays = 0;
  imported.network().walk([&](snn::DelayOp) { ++delays; });
  EXPECT_EQ(delays, 5);
}

} // namespace
