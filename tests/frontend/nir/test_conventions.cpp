// What tau and r mean: per writer, and what auto makes of them.
#include "nir_builder.h"

#include <cmath>

using namespace lasnn;
using namespace lasnn::testing;

namespace {

NirBuilder one(double tau, double r, double weight = 1) {
  NirBuilder file;
  file.input({1}), file.output();
  NirBuilder::set(file.node("fc", "Linear"), "weight", {1, 1}, {weight});
  file.lif("n", 1, tau, r, 0.1);
  file.chain({"input", "fc", "n", "output"});
  return file;
}
float beta(Imported &imported) { return imported.find<snn::LIFOp>("n").getBeta()->convertToFloat(); }
float gain(Imported &imported) {
  auto norm = imported.find<snn::LIFOp>("n").getInput().getDefiningOp<snn::BatchNormOp>();
  return norm ? snn::floatValues(norm.getGamma())[0] : 1;
}

TEST(Conventions, EveryWriterInItsOwnWords) {
  struct Row {
    nir::Writer writer;
    double tau, r, dt; ///< dt 0: not passed
    double beta, gain;
    snn::Reset reset;
    snn::Compare compare;
    int64_t sMax;
  };
  const double e = std::exp(-0.04);
  for (const Row &row : {Row{nir::Writer::SnnTorch, .0025, 25, 0, .96, 1, snn::Reset::Subtract, snn::Compare::Gt, 1},
                         Row{nir::Writer::SpikingJelly, .0025, 25, 0, .96, 1, snn::Reset::Zero, snn::Compare::Ge, 1},
                         Row{nir::Writer::SpikingJelly, .0025, 1, 1e-4, .96, .04, snn::Reset::Zero, snn::Compare::Ge, 1},
                         Row{nir::Writer::Norse, .0025, 1, 0, .6, .4, snn::Reset::Zero, snn::Compare::Gt, 1},
                         Row{nir::Writer::Sinabs, 25, 1, 0, e, 1 - e, snn::Reset::Subtract, snn::Compare::Ge, 255},
                         Row{nir::Writer::Rockpool, .0025, 25 * e, 0, e, e, snn::Reset::Subtract, snn::Compare::Ge, 255},
                         Row{nir::Writer::Lava, .0025, 1, 1e-4, .96, .04, snn::Reset::Zero, snn::Compare::Gt, 1}}) {
    nir::ImportOptions options;
    options.conventions.writer = row.writer;
    if (row.dt > 0) options.conventions.dt = row.dt;
    Imported imported(one(row.tau, row.r).bytes(), options);
    ASSERT_TRUE(imported.ok()) << nir::stringifyWriter(row.writer).str() << "\n" << imported.all();
    auto lif = imported.find<snn::LIFOp>("n");
    EXPECT_NEAR(beta(imported), row.beta, 1e-6) << imported.all();
    EXPECT_NEAR(gain(imported), row.gain, 1e-5) << imported.all();
    EXPECT_EQ(lif.getReset(), row.reset);
    EXPECT_EQ(lif.getCompare(), row.compare);
    EXPECT_EQ(int64_t(lif.getSMax()), row.sMax);
    EXPECT_EQ(imported.remarks.size(), 1u) << imported.all();
  }
}

TEST(Conventions, AutoTakesWhatTheNumbersDecide) {
  Imported rockpool(one(.0025, 25 * std::exp(-.04), .04).bytes());
  ASSERT_TRUE(rockpool.ok()) << rockpool.all();
  EXPECT_TRUE(rockpool.says("read as rockpool")) << rockpool.all();
  EXPECT_TRUE(rockpool.says("dt = 0.0001")) << rockpool.all();
  Imported sinabs(one(25, 1).bytes());
  ASSERT_TRUE(sinabs.ok()) << sinabs.all();
  EXPECT_TRUE(sinabs.says("read as sinabs"));
}

TEST(Conventions, AutoRefusesWhatTheyDoNotWithTheFlag) {
  Imported norse(one(.0025, 1).bytes());
  EXPECT_FALSE(norse.ok());
  EXPECT_TRUE(norse.says("pass --dt=SECONDS")) << norse.all();
  nir::ImportOptions options;
  options.conventions.dt = 1e-4;
  Imported told(one(.0025, 1).bytes(), options);
  ASSERT_TRUE(told.ok()) << told.all();
  EXPECT_NEAR(beta(told), .96, 1e-6);

  Imported both(one(.0025, 25).bytes()); // snnTorch's or SpikingJelly's
  EXPECT_FALSE(both.ok());
  EXPECT_TRUE(both.says("--reset=zero or subtract")) << both.all();
  options = {};
  options.conventions.reset = snn::Reset::Zero;
  Imported reset(one(.0025, 25).bytes(), options);
  ASSERT_TRUE(reset.ok()) << reset.all();
  EXPECT_NEAR(beta(reset), .96, 1e-6);
}

TEST(Conventions, NothingMemorylessOrSilentWithoutAWord) {
  nir::ImportOptions options;
  options.conventions.dt = .0025;
  Imported memoryless(one(.0025, 1).bytes(), options);
  ASSERT_TRUE(memoryless.ok()) << memoryless.all();
  EXPECT_TRUE(memoryless.says("it has no memory: 0 of its membrane stays")) << memoryless.all();
  options.conventions.dt = 1e-4;
  Imported silent(one(.0025, 1, 1e-5).bytes(), options);
  ASSERT_TRUE(silent.ok()) << silent.all();
  EXPECT_TRUE(silent.says("it can never fire: its membrane stays below 0.00255, its threshold is 0.1")) << silent.all();
  options.conventions.dt = .01;
  Imported shorter(one(.0025, 1).bytes(), options);
  EXPECT_FALSE(shorter.ok());
  EXPECT_TRUE(shorter.says("tau = 0.0025 is shorter than the step, dt = 0.01")) << shorter.all();
}

TEST(Conventions, FlagsOverride) {
  nir::ImportOptions options;
  options.conventions.dt = 1e-4, options.conventions.reset = snn::Reset::Subtract, options.conventions.compare = snn::Compare::Ge;
  options.conventions.multiSpike = 7, options.conventions.vMin = -1;
  Imported imported(one(.0025, 1).bytes(), options);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto lif = imported.find<snn::LIFOp>("n");
  EXPECT_EQ(lif.getReset(), snn::Reset::Subtract);
  EXPECT_EQ(lif.getCompare(), snn::Compare::Ge);
  EXPECT_EQ(lif.getSMax(), 7u);
  EXPECT_TRUE(bool(lif.getVMinAttr()));
  options.conventions.reset = snn::Reset::Zero;
  Imported wrong(one(.0025, 1).bytes(), options);
  EXPECT_FALSE(wrong.ok());
  EXPECT_TRUE(wrong.says("pass --reset=subtract")) << wrong.all();
}

} // namespace
