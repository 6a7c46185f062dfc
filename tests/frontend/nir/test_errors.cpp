// Wrong files: where, which rule, which numbers; all in one run.
#include "nir_builder.h"

using namespace lasnn;
using namespace lasnn::testing;

namespace {

NirBuilder good() {
  NirBuilder file;
  file.input({3}), file.output(), file.affine("fc1", 4, 3), file.integrateAndFire("lif1", 4), file.affine("fc2", 2, 4);
  file.chain({"input", "fc1", "lif1", "fc2", "output"});
  return file;
}

struct Case {
  const char *name;
  void (*spoil)(NirBuilder &);
  const char *text, *note = "";
};
class Wrong : public ::testing::TestWithParam<Case> {};

TEST_P(Wrong, IsReportedOnce) {
  NirBuilder file = good();
  GetParam().spoil(file);
  Imported imported(file.bytes());
  EXPECT_FALSE(imported.ok());
  ASSERT_EQ(imported.errors.size(), 1u) << imported.all();
  EXPECT_NE(imported.errors[0].find(GetParam().text), std::string::npos) << imported.all();
  EXPECT_TRUE(imported.says(GetParam().note)) << imported.all();
}

INSTANTIATE_TEST_SUITE_P(
    Files, Wrong,
    ::testing::Values(Case{"Type", [](NirBuilder &f) { NirBuilder::text(f.at("fc1"), "type", "Magic"); },
                           "node \"fc1\" (Magic): rule NIR3: its type is not supported", "CubaLIF"},
                      Case{"Edge", [](NirBuilder &f) { f.edges.emplace_back("lif", "fc2"); },
                           "rule NIR4: edge \"lif\" -> \"fc2\" of the graph names \"lif\", which is no node",
                           "the nearest name is \"lif1\""},
                      Case{"Unreached", [](NirBuilder &f) { f.integrateAndFire("alone", 2); },
                           "node \"alone\" (IF): rule NIR4: no edge leads to it, expected one"},
                      Case{"Field", [](NirBuilder &f) { f.at("fc2").arrays.erase("weight"); },
                           "node \"fc2\" (Affine): rule NIR3: it has no field \"weight\""},
                      Case{"Weight", [](NirBuilder &f) { f.affine("fc1", 4, 7); },
                           "node \"fc1\" (Affine): rule NIR5: its weight takes 7 values, its input has shape [3], expected [7]"},
                      Case{"Infinite", [](NirBuilder &f) { f.at("fc2").arrays["bias"].values[1] = 1e300; },
                           "node \"fc2\" (Affine): rule NIR2: its field \"bias\" holds 1e+300"},
                      Case{"Threshold",
                           [](NirBuilder &f) {
                             NirBuilder::set(f.at("lif1"), "v_threshold", {1, 1, 3, 1, 1, 1, 1, 1, 1});
                           },
                           "rule NIR5: its field \"v_threshold\" has shape [9], expected one value, or the shape of its input, [4]"},
                      Case{"Filter",
                           [](NirBuilder &f) {
                             NirBuilder::text(f.at("lif1"), "type", "CubaLIF");
                             for (const char *field : {"tau_mem", "r", "w_in", "v_threshold"})
                               NirBuilder::set(f.at("lif1"), field, {10, 10, 10, 10});
                             NirBuilder::set(f.at("lif1"), "r", {10, 10, 10, 10}), NirBuilder::set(f.at("lif1"), "tau_syn", {5, 5, 5, 5});
                             f.at("lif1").arrays["r"].values.assign(4, 10);
                             NirBuilder::set(f.at("lif1"), "v_leak", {0, 0, 0, 0});
                           },
                           "node \"lif1\" (CubaLIF): rule NIR6: its numbers decide no convention", "--nir-dialect"},
                      Case{"Memory", [](NirBuilder &f) { f.lif("lif1", 4, 0.0025, 1); },
                           "node \"lif1\" (LIF): rule NIR6: its numbers decide no convention", "would have no memory; pass --dt"},
                      Case{"Leaks",
                           [](NirBuilder &f) {
                             f.lif("lif1", 4, 20, 1);
                             f.at("lif1").arrays["tau"].values[3] = 10;
                           },
                           "node \"lif1\" (LIF): rule NIR7: its channels leak differently", "split the node"},
                      Case{"Loop",
                           [](NirBuilder &f) {
                             f.affine("rec", 3, 4);
                             f.edges.emplace_back("fc1", "rec");
                             f.edges.emplace_back("rec", "fc1");
                           },
                           "rule NIR9: a loop goes through no spiking neuron"},
                      Case{"Delay",
                           [](NirBuilder &f) {
                             NirBuilder::set(f.node("d", "Delay"), "delay", {1.5});
                             f.edges.emplace_back("lif1", "d");
                             f.edges.emplace_back("d", "fc2");
                           },
                           "node \"d\" (Delay): rule NIR9: it delays by 1.5 s, 1.5 steps of 1 s"},
                      Case{"Leaky readout",
                           [](NirBuilder &f) {
                             NirBuilder::text(f.at("fc2"), "type", "LI");
                             NirBuilder::set(f.at("fc2"), "tau", {20.0});
                             NirBuilder::set(f.at("fc2"), "r", {1.0});
                             NirBuilder::set(f.at("fc2"), "v_leak", {0.0});
                           },
                           "node \"fc2\" (LI): rule NIR8: it reads a leaky membrane", "replace it by I"},
                      Case{"Inputs", [](NirBuilder &f) { NirBuilder::set(f.node("input2", "Input"), "shape", {3.0}); },
                           "node \"input2\" (Input): rule S2"},
                      Case{"Shape", [](NirBuilder &f) { f.input({0}); }, "node \"input\" (Input): rule NIR5: its shape is [0]"}));

TEST(Errors, AllInOneRun) {
  NirBuilder file = good();
  file.at("fc1").arrays.erase("weight");
  NirBuilder::text(file.at("fc2"), "type", "Magic");
  file.edges.emplace_back("imput", "fc1");
  file.edges.emplace_back("fc2", "outptu");
  NirBuilder::set(file.node("input2", "Input"), "shape", {3.0});
  nir::ImportOptions options;
  Imported imported(file.bytes(), options, /*quiet=*/false);
  EXPECT_FALSE(imported.ok());
  EXPECT_EQ(imported.errors.size(), 6u) << imported.all(); // five above, and T
  for (const char *near : {"the nearest name is \"input\"", "the nearest name is \"output\"", "pass --timesteps=T"})
    EXPECT_TRUE(imported.says(near)) << imported.all();
}

TEST(Errors, OldFilesWithoutResetAndShape) {
  NirBuilder file = good();
  EXPECT_EQ(file.at("lif1").array("v_reset"), nullptr);
  Imported imported(file.bytes());
  EXPECT_TRUE(imported.ok()) << imported.all();
}

} // namespace
