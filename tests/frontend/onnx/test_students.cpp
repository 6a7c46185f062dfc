// Students as docs/student-onnx.md defines them: all functions, what is believed of a body, and how state is wired.
#include "onnx_builder.h"

#include <gtest/gtest.h>

using namespace lasnn;
using namespace lasnn::testing;
using mlir::DiagnosticSeverity;

namespace {

struct Variant {
  const char *kind, *reset, *compare;
};
class Students : public ::testing::TestWithParam<Variant> {};

TEST_P(Students, ImportAsTheirBodySays) {
  auto [kind, reset, compare] = GetParam();
  Imported imported(student(kind, reset, compare));
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.messages.empty()) << imported.all();
  mlir::Operation *op = nullptr;
  imported.network().walk([&](mlir::Operation *o) {
    if (snn::getNeuron(o)) op = o;
  });
  snn::NeuronView neuron = snn::getNeuron(op);
  ASSERT_TRUE(bool(neuron));
  EXPECT_EQ(llvm::isa<snn::LIFOp>(op), kind == std::string("LIF"));
  if (neuron.beta) {
    EXPECT_EQ(neuron.beta.getValueAsDouble(), 0.5);
  }
  EXPECT_EQ(snn::stringifyReset(neuron.reset), reset);
  EXPECT_EQ(neuron.compare, compare == std::string("Greater") ? snn::Compare::Gt : snn::Compare::Ge);
  EXPECT_EQ(snn::floatValues(neuron.vThreshold), (llvm::SmallVector<float>{0.5f}));
  EXPECT_EQ(bool(neuron.vReset), reset == std::string("value"));
  if (neuron.vReset) {
    EXPECT_EQ(snn::floatValues(neuron.vReset), (llvm::SmallVector<float>{-0.125f}));
  }
  EXPECT_EQ(neuron.sMax, 1);
  EXPECT_FALSE(neuron.vMin || neuron.rho);
}
std::vector<Variant> variants() {
  std::vector<Variant> list;
  for (const char *kind : {"LIF", "IF"})
    for (const char *reset : {"zero", "subtract", "value", "none"})
      for (const char *compare : {"Greater", "GreaterOrEqual"}) list.push_back({kind, reset, compare});
  return list;
}
INSTANTIATE_TEST_SUITE_P(AllFunctions, Students, ::testing::ValuesIn(variants()), [](const auto &info) {
  return std::string(info.param.kind) + "_" + info.param.reset + (std::string(info.param.compare) == "Greater" ? "_gt" : "_ge");
});

TEST(Student, IsOneNetworkWithTheFilesNames) {
  Imported imported(student());
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::string text = imported.print();
  for (const char *line : {
           "snn.network @test timesteps = 4",
           "snn.input \"input\" : tensor<2x4x4xui8>",
           "direct {mean = array<f32: 5.000000e-01, 2.500000e-01>, std = array<f32: 5.000000e-01, 1.250000e-01>}",
           "-> tensor<3xf32>",
           "mean : (tensor<3xf32>) -> tensor<3xf32>",
           "snn.output \"logits\"",
       })
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nnot in\n" << text;
  std::vector<std::string> names;
  for (mlir::Operation &op : imported.network().getBody().front()) names.push_back(snn::nameOf(&op));
  EXPECT_EQ(names, (std::vector<std::string>{"input", "input.encode", "conv1", "conv1.lif", "fc.flatten", "fc", "logits", "logits"}));
}

TEST(Student, ThresholdShapes) {
  for (const Dims &shape : {Dims{}, Dims{1}, Dims{1, 1, 1}, Dims{2, 1, 1}, Dims{1, 2, 1, 1}}) {
    Imported imported(student("LIF", "zero", "Greater", shape));
    ASSERT_TRUE(imported.ok()) << imported.all();
    auto lif = imported.only<snn::LIFOp>();
    bool perChannel = shape.size() >= 3 && shape[shape.size() - 3] == 2;
    EXPECT_EQ(lif.getVThreshold().getShapedType().getShape(), llvm::ArrayRef<int64_t>{perChannel ? 2 : 1});
  }
}
TEST(Student, ThresholdAlongAnotherAxisIsRefused) {
  Model m = student("LIF", "zero", "Greater", {4}); // [4] is the width, as ONNX broadcasts
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "conv1.lif", "rule N10: v_threshold")) << imported.all();
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "conv1.lif", "expected [], [1] or [2,1,1]")) << imported.all();
}

TEST(Student, OptionsOverrideMetadata) {
  onnx_import::ImportOptions options;
  options.timesteps = 7;
  options.readout = snn::ReadoutMode::Sum;
  options.mean = {0.f};
  options.std = {1.f};
  options.networkName = "my net";
  Imported imported(student(), options);
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::string text = imported.print();
  EXPECT_NE(text.find("snn.network @my_net timesteps = 7"), std::string::npos) << text;
  EXPECT_NE(text.find("mean = array<f32: 0.000000e+00, 0.000000e+00>"), std::string::npos) << text;
  EXPECT_EQ(imported.only<snn::ReadoutOp>().getMode(), snn::ReadoutMode::Sum);
}
TEST(Student, EventsPassThroughWithoutMean) {
  Model m = student();
  m.meta("lasnn.encoding", "events");
  m.meta("lasnn.max_count", "15");
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto encode = imported.only<snn::EncodeOp>();
  EXPECT_EQ(encode.getEncoding(), snn::Encoding::Events);
  EXPECT_FALSE(encode.getMean() || encode.getStd());
  EXPECT_EQ(int64_t(encode.getMaxCount()), 15);
}
TEST(Student, WhatWasTrainedInIntegersIsRecorded) {
  Model m = student();
  m.meta("lasnn.weights", "int4");
  m.meta("lasnn.unit.conv1.lif", "0.25,0.5");
  m.meta("lasnn.unit.logits", "0.125");
  m.meta("lasnn.weights.logits", "int8");
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::string text = imported.print();
  EXPECT_NE(text.find("snn.quantized = {unit = array<f32: 2.500000e-01, 5.000000e-01>, weight_bits = 4 : i64}"), std::string::npos) << text;
  EXPECT_NE(text.find("snn.quantized = {unit = array<f32: 1.250000e-01>, weight_bits = 8 : i64}"), std::string::npos) << text;
}
TEST(Student, WithoutMeanAndStdWarns) {
  Model m = student();
  m.dropMeta("lasnn.mean");
  m.dropMeta("lasnn.std");
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Warning, "input", "rule E1: neither mean nor std is known")) << imported.all();
}

//===--- bodies ---===//

/// Replaces the body's nodes from the one that makes `output` on.
void keepBefore(onnx::FunctionProto *f, const std::string &output) {
  int k = 0;
  while (k < f->node_size() && f->node(k).output(0) != output) ++k;
  f->mutable_node()->DeleteSubrange(k, f->node_size() - k);
}

TEST(Body, O10_EqualSpellingsAreTheSameNeuron) {
  { // u * (1 - spike), operands swapped, Less instead of Greater
    Model m = student();
    auto *f = m.proto.mutable_functions(0);
    keepBefore(f, "kept");
    addNode(f, "Mul", {"decay", "v"}, {"kept"});
    addNode(f, "Add", {"current", "kept"}, {"u"});
    addNode(f, "Less", {"v_threshold", "u"}, {"fired"});
    setInt(addNode(f, "Cast", {"fired"}, {"spike"}), "to", 1);
    setFloat(addNode(f, "Constant", {}, {"one"}), "value_float", 1);
    addNode(f, "Sub", {"one", "spike"}, {"silent"});
    addNode(f, "Mul", {"silent", "u"}, {"v_next"});
    Imported imported(m);
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(imported.only<snn::LIFOp>().getReset(), snn::Reset::Zero);
    EXPECT_EQ(imported.only<snn::LIFOp>().getCompare(), snn::Compare::Gt);
  }
  { // heaviside(u - threshold), where() on the spike
    Model m = student("IF", "subtract");
    auto *f = m.proto.mutable_functions(0);
    keepBefore(f, "fired");
    addNode(f, "Sub", {"u", "v_threshold"}, {"over"});
    setFloat(addNode(f, "Constant", {}, {"nothing"}), "value_float", 0);
    addNode(f, "GreaterOrEqual", {"over", "nothing"}, {"fired"});
    addNode(f, "CastLike", {"fired", "u"}, {"spike"});
    setInt(addNode(f, "Cast", {"spike"}, {"again"}), "to", 9);
    addNode(f, "Where", {"again", "over", "u"}, {"v_next"});
    Imported imported(m);
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(imported.only<snn::IFOp>().getReset(), snn::Reset::Subtract);
    EXPECT_EQ(imported.only<snn::IFOp>().getCompare(), snn::Compare::Ge);
  }
  { // beta written in the body
    Model m = student();
    auto *f = m.proto.mutable_functions(0);
    f->clear_attribute();
    f->mutable_node(0)->clear_attribute();
    setFloat(f->mutable_node(0), "value_float", 0.75f);
    m.find("conv1.lif")->clear_attribute();
    Imported imported(m);
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(imported.only<snn::LIFOp>().getBeta()->convertToFloat(), 0.75f);
  }
}

struct BadBody {
  const char *kind, *reset;
  void (*spoil)(onnx::FunctionProto *);
  const char *text; ///< of the message
};
class BadBodies : public ::testing::TestWithParam<BadBody> {};
onnx::NodeProto *bodyNode(onnx::FunctionProto *f, const char *output) {
  for (auto &node : *f->mutable_node())
    if (node.output(0) == output) return &node;
  return nullptr;
}
const BadBody badBodies[] = {
    // a name that promises another reset than the body has
    {"LIF", "zero", [](auto *f) { f->set_name("LIF_subtract"); }, "its node \"v_next\": v_next after a spike is 0, expected u - v_threshold"},
    {"LIF", "subtract", [](auto *f) { f->set_name("LIF_zero"); }, "v_next after a spike is ((current + (v * beta)) - v_threshold), expected 0"},
    {"LIF", "none", [](auto *f) { f->set_name("LIF_zero"); }, "expected 0 for reset = zero"},
    {"IF", "zero", [](auto *f) { f->set_name("LIF_zero"); }, "its node \"u\": u is "},
    {"LIF", "zero", [](auto *f) { f->set_name("IF_zero"); }, "its node \"kept\": the leak is (v * beta), expected v"},
    // a body that is not what it was
    {"LIF", "zero", [](auto *f) { bodyNode(f, "u")->set_op_type("Sub"); }, "its node \"u\": u is ((v * beta) - current), expected v*beta + current"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "kept")->set_input(0, "current"); }, "its node \"kept\": the leak is"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "fired")->set_op_type("Less"); }, "its node \"fired\": the comparison is"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "fired")->set_input(1, "v"); }, "its node \"fired\": the comparison is"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "v_next")->set_input(2, "kept"); }, "its node \"kept\": v_next without a spike is (v * beta), expected u"},
    {"LIF", "zero", [](auto *f) { setFloat(bodyNode(f, "zero"), "value_float", 0.5f); }, "v_next after a spike is 0.5, expected 0"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "spike")->set_input(0, "u"); }, "spike is"},
    {"LIF", "subtract", [](auto *f) { bodyNode(f, "removed")->set_input(1, "u"); }, "v_next after a spike is 0, expected u - v_threshold"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "kept")->set_op_type("Tanh"); }, "operator \"Tanh\" is not one of a neuron's"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "kept")->set_input(0, "nowhere"); }, "input \"nowhere\" is not defined"},
    {"LIF", "zero", [](auto *f) { f->clear_attribute(); }, "refers to attribute \"beta\""},
    {"LIF", "zero", [](auto *f) { f->add_input("more"); }, "it has 4 inputs"},
    {"LIF", "zero", [](auto *f) { f->clear_opset_import(); }, "no opset"},
    {"LIF", "zero", [](auto *f) { f->clear_node(); }, "its body has 0 nodes"},
    {"LIF", "zero", [](auto *f) { f->set_output(1, "missing"); }, "output \"missing\" is computed by no node"},
    {"LIF", "zero", [](auto *f) { f->set_domain("other"); }, "has no body in the file"},
    {"LIF", "zero", [](auto *f) { bodyNode(f, "fired")->set_domain("evil"); }, "is of domain \"evil\""},
};
TEST_P(BadBodies, O10_AreNamedWithTheNodeThatDiffers) {
  const BadBody &bad = GetParam();
  Model m = student(bad.kind, bad.reset);
  auto *f = m.proto.mutable_functions(0);
  bad.spoil(f);
  m.find("conv1.lif")->set_op_type(f->name());
  if (f->name().rfind("IF", 0) == 0) m.find("conv1.lif")->clear_attribute();
  else setFloat(m.find("conv1.lif"), "beta", 0.5f);
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  ASSERT_EQ(imported.errors().size(), 1u) << imported.all();
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "conv1.lif", "rule O10: function \"" + f->name() + "\"")) << imported.all();
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "conv1.lif", bad.text)) << imported.all();
}
INSTANTIATE_TEST_SUITE_P(All, BadBodies, ::testing::ValuesIn(badBodies));

//===--- state ---===//

struct BadState {
  void (*spoil)(Model &);
  const char *where, *text;
};
class BadStates : public ::testing::TestWithParam<BadState> {};
const BadState badStates[] = {
    {[](Model &m) { m.find("conv1.lif")->set_input(1, "conv1.lif.v_threshold"); }, "conv1.lif", "rule O11: input 1 (v, \"conv1.lif.v_threshold\") is a constant"},
    {[](Model &m) { m.find("conv1.lif")->set_input(1, "conv1"); }, "conv1.lif", "is a value computed at run time, expected the graph input \"conv1.lif.v_in\""},
    {[](Model &m) { m.find("conv1.lif")->set_output(1, "lost"); }, "conv1.lif.v_out", "is computed by no node"},
    {[](Model &m) { m.graph()->mutable_output()->DeleteSubrange(1, 1); }, "conv1.lif", "expected a graph output \"conv1.lif.v_out\""},
    {[](Model &m) { m.input("other.v_in", {-1, 3}); }, "other", "enters the graph, but no neuron uses it"},
    {[](Model &m) {
       m.find("conv1.lif")->set_name("renamed");
       m.meta("lasnn.layers", "renamed");
     },
     "renamed", "the membrane is \"conv1.lif.v_in\", expected \"renamed.v_in\""},
    {[](Model &m) { m.graph()->mutable_input(1)->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(9); },
     "conv1.lif.v_in", "has 5 axes, expected 4"},
    {[](Model &m) { m.graph()->mutable_input(1)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(3)->set_dim_value(9); },
     "conv1.lif", "has shape [2,4,9] without its batch axis, expected [2,4,4]"},
    {[](Model &m) {
       m.neuron("LIF_zero", "again", "conv1", {2, 4, 4});
       m.find("again")->set_input(1, "conv1.lif.v_in");
       m.meta("lasnn.layers", "conv1.lif,again");
     },
     "again", "is used by node \"conv1.lif\" already"},
    {[](Model &m) { m.node("Relu", {"conv1.lif.v_in"}, {"r"}); }, "r", "is a membrane before the step, expected a value computed at run time"},
    {[](Model &m) { setFloat(m.find("conv1.lif"), "beta", 1.5f); }, "conv1.lif", "rule N9: beta is 1.5"},
    {[](Model &m) { m.find("conv1.lif")->clear_attribute(); }, "conv1.lif", "attribute beta is absent"},
    {[](Model &m) { setFloat(m.find("conv1.lif"), "alpha", 1.5f); }, "conv1.lif", "attribute \"alpha\" is not known"},
    {[](Model &m) { m.meta("lasnn.layers", "conv1.lif,gone"); }, "", "metadata lasnn.layers names \"gone\""},
    {[](Model &m) { m.meta("lasnn.layers", "gone"); }, "conv1.lif", "metadata lasnn.layers does not name it"},
    {[](Model &m) { m.find("conv1.lif")->set_input(2, "conv1"); }, "conv1.lif", "(v_threshold, \"conv1\") is a value computed at run time, expected a constant"},
};
TEST_P(BadStates, O11_AreRefused) {
  Model m = student();
  auto &bad = GetParam();
  bad.spoil(m);
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, bad.where, bad.text)) << imported.all();
}
INSTANTIATE_TEST_SUITE_P(All, BadStates, ::testing::ValuesIn(badStates));

TEST(Student, N11_NegativeThresholdWithSubtract) {
  Model m = student("LIF", "subtract");
  float minus = -1;
  m.initializer("conv1.lif.v_threshold")->set_raw_data(&minus, 4);
  Imported imported(m);
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "conv1.lif", "rule N11: v_threshold is -1")) << imported.all();
}

TEST(Student, StateMayPassThroughIdentity) {
  Model m = student();
  m.find("conv1.lif")->set_input(1, "state");
  m.find("conv1.lif")->set_output(1, "after");
  m.node("Identity", {"conv1.lif.v_in"}, {"state"});
  m.node("Identity", {"after"}, {"conv1.lif.v_out"});
  Imported imported(m);
  EXPECT_TRUE(imported.ok()) << imported.all();
}

/// As lasnn-distill writes a recurrent layer: its spikes of the step before enter the graph like a membrane.
TEST(Student, D1_SpikesOfTheStepBefore) {
  Model m = student();
  m.weights("back.weight", {2, 2, 1, 1});
  m.input("conv1.lif.s_in", {-1, 2, 4, 4});
  m.node("Conv", {"conv1.lif.s_in", "back.weight"}, {"back"});
  m.node("Add", {"conv1", "back"}, {"conv1.lif.current"});
  m.find("conv1.lif")->set_input(0, "conv1.lif.current");
  m.node("Identity", {"conv1.lif"}, {"conv1.lif.s_out"});
  m.output("conv1.lif.s_out", {-1, 2, 4, 4});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::vector<snn::DelayOp> delays;
  imported.network().walk([&](snn::DelayOp op) { delays.push_back(op); });
  ASSERT_EQ(delays.size(), 1u) << imported.print();
  EXPECT_EQ(snn::nameOf(delays[0]), "conv1.lif.s_in");
  EXPECT_EQ(snn::nameOf(delays[0].getInput().getDefiningOp()), "conv1.lif");
  ASSERT_TRUE(delays[0]->hasOneUse());
  EXPECT_EQ(snn::nameOf(*delays[0]->getUsers().begin()), "back");
}

} // namespace
