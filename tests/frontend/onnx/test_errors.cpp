// What is wrong with a file as a whole, with its names, tensors, shapes and metadata: each a diagnostic at its place, and
// all of them in one run.
#include "onnx_builder.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace lasnn;
using namespace lasnn::testing;
using mlir::DiagnosticSeverity;

namespace {

struct Bad {
  const char *label;
  void (*spoil)(Model &);
  const char *where, *text; ///< the diagnostic's name and a part of its text
};
class Errors : public ::testing::TestWithParam<Bad> {};

onnx::TensorShapeProto *inputShape(Model &m, int input = 0) {
  return m.graph()->mutable_input(input)->mutable_type()->mutable_tensor_type()->mutable_shape();
}
void setFloats(Model &m, const char *name, size_t at, float value) {
  std::string raw = m.initializer(name)->raw_data();
  std::memcpy(raw.data() + 4 * at, &value, 4);
  m.initializer(name)->set_raw_data(raw);
}

const Bad bads[] = {
    // the model
    {"O1_noGraph", [](Model &m) { m.proto.clear_graph(); }, "", "rule O1: the file holds no graph"},
    {"O1_irVersion", [](Model &m) { m.proto.set_ir_version(99); }, "", "rule O1: the IR version is 99, expected 3 to 13"},
    {"O2_opset", [](Model &m) { m.proto.mutable_opset_import(0)->set_version(99); }, "", "rule O2: the opset is 99, expected 1 to 22"},
    {"O2_noOpset", [](Model &m) { m.proto.clear_opset_import(); }, "", "rule O2: the opset of domain \"\" is given 0 times"},
    {"O2_lasnn", [](Model &m) { m.proto.mutable_opset_import(1)->set_version(2); }, "", "rule O2: domain lasnn has version 2, expected 1"},
    {"O2_opOpset", [](Model &m) { m.proto.mutable_opset_import(0)->set_version(6); }, "fc", "rule O2: opset 6 is not supported for it, expected 7 to 22"},
    {"O3_unknownOp", [](Model &m) { m.find("fc.flatten")->set_op_type("Softplus"); }, "fc.flatten", "rule O3: operator \"Softplus\" is not supported"},
    {"O3_unknownDomain", [](Model &m) { m.find("fc.flatten")->set_domain("com.acme"); }, "fc.flatten", "rule O3: domain \"com.acme\" is not known"},
    {"O3_subgraph", [](Model &m) {
       m.find("fc.flatten")->set_op_type("If");
       auto *attr = attribute(m.find("fc.flatten"), "then_branch");
       attr->set_type(onnx::AttributeProto::GRAPH);
       attr->mutable_g()->set_name("inner");
     }, "fc.flatten", "operator \"If\" holds a subgraph"},
    {"O3_inputs", [](Model &m) { m.find("fc.flatten")->add_input("conv1"); }, "fc.flatten", "rule O3: it has 2 inputs, expected 1"},
    {"O3_inputs0", [](Model &m) { m.find("fc.flatten")->clear_input(); }, "fc.flatten", "rule O3: it has 0 inputs, expected 1"},
    {"O3_outputs", [](Model &m) { m.find("fc.flatten")->add_output("more"); }, "fc.flatten", "rule O3: it has 2 outputs, expected 1"},
    // names
    {"O5_undefined", [](Model &m) { m.find("fc.flatten")->set_input(0, "ghost"); }, "fc.flatten", "rule O5: its input \"ghost\" is defined nowhere"},
    {"O5_twice", [](Model &m) { m.node("Relu", {"conv1"}, {"conv1.lif"}, "again"); }, "again", "rule O5: its output \"conv1.lif\" is the name of another value"},
    {"O5_initializerTwice", [](Model &m) { m.weights("fc.weight", {3, 32}); }, "fc.weight", "rule O5: the initializer's name \"fc.weight\" is taken"},
    {"O5_inputTwice", [](Model &m) { m.input("input", {-1, 2, 4, 4}); }, "input", "rule O5: the graph input's name \"input\" is taken"},
    {"O9_outputTwice", [](Model &m) { m.output("logits", {-1, 3}); }, "logits", "rule O9: the graph output's name \"logits\" is taken"},
    {"S4_cycle", [](Model &m) {
       m.node("Add", {"conv1", "loop2"}, {"loop1"});
       m.node("Relu", {"loop1"}, {"loop2"});
     }, "loop1", "rule S4: it depends on its own result"},
    // tensors
    {"O6_bytes", [](Model &m) { m.initializer("fc.weight")->mutable_raw_data()->resize(5); }, "fc.weight", "rule O6: initializer \"fc.weight\": it holds 5 bytes, expected 384"},
    {"O6_values", [](Model &m) { auto *t = m.initializer("fc.weight"); t->clear_raw_data(); t->add_float_data(1); }, "fc.weight", "it holds 1 values, expected 96"},
    {"O6_both", [](Model &m) { m.initializer("fc.weight")->add_float_data(1); }, "fc.weight", "raw_data and typed data as well"},
    {"O6_negative", [](Model &m) { m.initializer("fc.weight")->set_dims(0, -3); }, "fc.weight", "its shape is [-3,32], expected no negative size"},
    {"O6_huge", [](Model &m) { m.initializer("fc.weight")->set_dims(0, INT64_MAX); }, "fc.weight", "at most 268435456 elements"},
    {"O6_overflow", [](Model &m) { auto *t = m.initializer("fc.weight"); t->set_dims(0, int64_t(1) << 27); t->set_dims(1, int64_t(1) << 27); t->add_dims(int64_t(1) << 27); },
     "fc.weight", "at most 268435456 elements"},
    {"O6_external", [](Model &m) { m.initializer("fc.weight")->set_data_location(onnx::TensorProto::EXTERNAL); }, "fc.weight", "its data lies in the file \"\", expected a relative path"},
    {"O6_type", [](Model &m) { m.initializer("fc.weight")->set_data_type(onnx::TensorProto::STRING); }, "fc.weight", "its element type is number 8"},
    {"O6_axes", [](Model &m) { for (int k = 0; k < 9; ++k) m.initializer("fc.weight")->add_dims(1); }, "fc.weight", "it has 11 axes"},
    {"T3_nan", [](Model &m) { setFloats(m, "fc.weight", 7, NAN); }, "fc.weight", "rule T3: it holds NaN at flat index 7"},
    {"T3_inf", [](Model &m) { setFloats(m, "conv1.bias", 1, -INFINITY); }, "conv1.bias", "rule T3: it holds infinity at flat index 1"},
    {"T3_double", [](Model &m) { auto *t = m.initializer("conv1.bias"); t->clear_raw_data(); t->set_data_type(onnx::TensorProto::DOUBLE); t->add_double_data(1e300); t->add_double_data(0); },
     "conv1.bias", "rule T3: it holds infinity"},
    {"O6_sparse", [](Model &m) { m.graph()->add_sparse_initializer(); }, "", "rule O6: the graph has 1 sparse initializers"},
    // inputs
    {"S2_noInput", [](Model &m) { m.graph()->mutable_input()->DeleteSubrange(0, 1); }, "", "rule S2: the graph has 0 data inputs, expected 1"},
    {"S2_twoInputs", [](Model &m) { m.input("extra", {-1, 3}); }, "", "rule S2: the graph has 2 data inputs, expected 1"},
    {"O8_batch", [](Model &m) { inputShape(m)->mutable_dim(0)->set_dim_value(8); }, "input", "rule O8: graph input \"input\" has batch size 8, expected 1 or a symbolic size"},
    {"O8_type", [](Model &m) { m.graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::UINT8); }, "input", "has element type number 2, expected float"},
    {"O7_noShape", [](Model &m) { m.graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape(); }, "input", "has no tensor shape"},
    {"O7_rank", [](Model &m) { inputShape(m)->add_dim()->set_dim_value(2); }, "input", "has 5 axes"},
    {"O7_symbolic", [](Model &m) { inputShape(m)->mutable_dim(2)->set_dim_param("H"); }, "input", "has no fixed size on axis 2"},
    {"T2_zero", [](Model &m) { inputShape(m)->mutable_dim(2)->set_dim_value(0); }, "input", "rule T2"},
    {"T2_negative", [](Model &m) { inputShape(m)->mutable_dim(2)->set_dim_value(-4); }, "input", "rule T2"},
    {"T2_huge", [](Model &m) { inputShape(m)->mutable_dim(2)->set_dim_value(INT64_MAX), inputShape(m)->mutable_dim(3)->set_dim_value(INT64_MAX); }, "input", "rule T2"},
    {"O7_declared", [](Model &m) { Model::describe(m.graph()->add_value_info(), "conv1", {-1, 2, 4, 5}); }, "conv1", "rule O7: its output \"conv1\" is declared as [N,2,4,5], expected [N,2,4,4]"},
    {"O7_output", [](Model &m) { m.graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_value(4); }, "fc", "is declared as [N,4], expected [N,3]"},
    // outputs
    {"O9_noOutputs", [](Model &m) { m.graph()->mutable_output()->DeleteSubrange(0, 1); }, "", "rule O9: the graph has no output to read"},
    {"O9_missing", [](Model &m) { m.graph()->mutable_output(0)->set_name("nowhere"); }, "nowhere", "rule O9: graph output \"nowhere\" is computed by no node"},
    {"O9_constant", [](Model &m) { m.graph()->mutable_output(0)->set_name("fc.bias"); }, "fc.bias", "is a constant, expected a node's result"},
    {"S5_synapticCurrent", [](Model &m) { m.input("x.lif.i_in", {-1, 2, 4, 4}); }, "x.lif.i_in", "CubaLIF"},
    {"O11_spikesStay", [](Model &m) { m.input("x.lif.s_in", {-1, 2, 4, 4}); }, "x.lif.s_in", "but do not leave it, expected a graph output \"x.lif.s_out\""},
    {"O11_spikesOfAnotherShape", [](Model &m) {
       m.input("x.lif.s_in", {-1, 2, 4, 5});
       m.node("Identity", {"conv1.lif"}, {"x.lif.s_out"});
       m.output("x.lif.s_out", {-1, 2, 4, 4});
     }, "x.lif.s_out", "has shape [2,4,4] without its batch axis, expected that of \"x.lif.s_in\", [2,4,5]"},
    {"O9_spikesConstant", [](Model &m) { m.input("x.s_in", {-1, 3}); m.weights("x.s_out", {3}); m.output("x.s_out", {-1, 3}); }, "x.s_out", "is a constant, expected a node's result"},
    {"D3_spikesOfThemselves", [](Model &m) {
       m.input("x.s_in", {-1, 3});
       m.node("Identity", {"x.s_in"}, {"x.s_out"});
       m.output("x.s_out", {-1, 3});
     }, "x.s_in", "rule D3"},
    {"O11_falseMembrane", [](Model &m) { m.node("Relu", {"conv1"}, {"x.v_out"}); m.output("x.v_out", {-1, 2, 4, 4}); }, "x.v_out", "is no neuron's membrane"},
    // metadata
    {"S1_none", [](Model &m) { m.dropMeta("lasnn.timesteps"); }, "", "pass --timesteps=T"},
    {"O12_zeroSteps", [](Model &m) { m.meta("lasnn.timesteps", "0"); }, "", "rule O12: metadata lasnn.timesteps is \"0\", expected 1 to 65535"},
    {"O12_minusSteps", [](Model &m) { m.meta("lasnn.timesteps", "-4"); }, "", "metadata lasnn.timesteps is \"-4\""},
    {"O12_wordSteps", [](Model &m) { m.meta("lasnn.timesteps", "4x"); }, "", "metadata lasnn.timesteps is \"4x\""},
    {"O12_manySteps", [](Model &m) { m.meta("lasnn.timesteps", "99999999999999999999"); }, "", "metadata lasnn.timesteps is"},
    {"O12_readout", [](Model &m) { m.meta("lasnn.readout", "best"); }, "", "metadata lasnn.readout is \"best\", expected mean, sum or last"},
    {"O12_encoding", [](Model &m) { m.meta("lasnn.encoding", "poisson"); }, "", "metadata lasnn.encoding is \"poisson\""},
    {"O12_mean", [](Model &m) { m.meta("lasnn.mean", "0.5,,1"); }, "", "metadata lasnn.mean is \"0.5,,1\""},
    {"O12_meanNan", [](Model &m) { m.meta("lasnn.mean", "nan"); }, "", "metadata lasnn.mean is \"nan\""},
    {"E1_count", [](Model &m) { m.meta("lasnn.mean", "1,2,3"); }, "", "rule E1: mean has 3 entries, expected 1 or 2"},
    {"E1_std", [](Model &m) { m.meta("lasnn.std", "0,1"); }, "", "rule E1: a std is 0"},
    {"O12_weights", [](Model &m) { m.meta("lasnn.weights", "int9"); }, "", "metadata lasnn.weights is \"int9\", expected int2 to int8"},
    {"O12_unitAlone", [](Model &m) { m.meta("lasnn.unit.conv1.lif", "0.5"); }, "", "metadata lasnn.unit.conv1.lif is \"0.5\", expected lasnn.weights beside it"},
    {"O12_weightsAlone", [](Model &m) { m.meta("lasnn.weights.conv1.lif", "int4"); }, "", "expected lasnn.unit.conv1.lif beside it"},
    {"O12_unitZero", [](Model &m) { m.meta("lasnn.weights", "int4"); m.meta("lasnn.unit.conv1.lif", "0.5,0"); }, "", "expected positive numbers with commas between"},
    {"O12_unitCount", [](Model &m) { m.meta("lasnn.weights", "int4"); m.meta("lasnn.unit.conv1.lif", "1,2,3"); }, "",
     "metadata lasnn.unit.conv1.lif has 3 entries, expected 1 or 2, one a channel"},
    {"O12_unitName", [](Model &m) { m.meta("lasnn.weights", "int4"); m.meta("lasnn.unit.conv9", "1"); }, "",
     "metadata lasnn.unit.conv9 names no neuron's node and no output that is read"},
    {"O12_twice", [](Model &m) { *m.proto.add_metadata_props() = m.proto.metadata_props(0); }, "", "\"lasnn.timesteps\" is given twice"},
};
TEST_P(Errors, AreReportedAtTheirPlace) {
  const Bad &bad = GetParam();
  Model m = student();
  bad.spoil(m);
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, bad.where, bad.text)) << imported.all();
}
INSTANTIATE_TEST_SUITE_P(Each, Errors, ::testing::ValuesIn(bads), [](const auto &info) { return std::string(info.param.label); });

TEST(AllErrorsInOneRun, EachNodeTellsItsOwn) {
  Model m = student();
  setFloats(m, "conv1.weight", 0, NAN);                                         // an initializer
  setInts(m.find("conv1"), "strides", {0, 1});                                  // a synapse
  setFloat(m.find("conv1.lif"), "beta", -1);                                    // a neuron behind it
  setInt(m.find("fc.flatten"), "axis", 0);                                      // behind that
  setInt(m.find("fc"), "transA", 1);                                            // and behind that
  m.node("Softplus", {"conv1"}, {"soft"});                                      // an operator
  m.node("Relu", {"ghost"}, {"r"});                                             // a name
  m.meta("lasnn.timesteps", "0");                                               // metadata
  m.meta("lasnn.readout", "best");
  m.meta("lasnn.layers", "conv1.lif,gone");
  m.input("other.v_in", {-1, 3});                                               // state
  m.output("nowhere", {-1, 3});                                                 // an output
  for (const char *name : {"conv1", "conv1.lif"})                               // shapes are declared: nothing hides behind a failure
    Model::describe(m.graph()->add_value_info(), name, {-1, 2, 4, 4});
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  struct { const char *where, *text; } expected[] = {
      {"conv1.weight", "NaN"}, {"conv1", "strides"}, {"conv1.lif", "rule N9"}, {"fc.flatten", "axis"}, {"fc", "transA"}, {"soft", "Softplus"},
      {"r", "ghost"}, {"", "lasnn.timesteps"}, {"", "lasnn.readout"}, {"", "gone"}, {"other", "no neuron uses it"}, {"nowhere", "computed by no node"}};
  for (const auto &e : expected) EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, e.where, e.text)) << e.where << ": " << e.text;
  EXPECT_EQ(imported.errors().size(), std::size(expected)) << imported.all();
}

TEST(Names, AreEscapedAndCutInMessages) {
  Model m = student();
  m.find("fc.flatten")->set_op_type(std::string("\x1b[31m\n") + std::string(1000, 'a'));
  Imported imported(m);
  ASSERT_FALSE(imported.ok());
  EXPECT_LT(imported.all().size(), 2000u);
}
TEST(Names, RepeatedOrAbsentNodeNamesFallBackToTheOutput) {
  Model m = ann({-1, 4});
  m.node("Relu", {"x"}, {"a"}, "same");
  m.node("Relu", {"a"}, {"b"}, "same");
  m.node("Relu", {"b"}, {"y"})->clear_name();
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::vector<std::string> names;
  imported.network().walk([&](snn::ReluOp op) { names.push_back(snn::nameOf(op)); });
  EXPECT_EQ(names, (std::vector<std::string>{"same", "b", "y"}));
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Warning, "b", "the node name \"same\" is taken"));
}
TEST(Order, NodesMayStandInAnyOrder) {
  Model m = ann({-1, 4});
  m.node("Relu", {"a"}, {"y"});
  m.node("Identity", {"x"}, {"a"});
  Imported imported(m);
  EXPECT_TRUE(imported.ok()) << imported.all();
}
TEST(Cycle, NamesItsNodesAndNotThoseBehind) {
  Model m = ann({-1, 4});
  m.node("Add", {"x", "c"}, {"a"});
  m.node("Relu", {"a"}, {"b"});
  m.node("Identity", {"b"}, {"c"});
  m.node("Relu", {"c"}, {"y"});
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  for (const char *name : {"a", "b", "c"}) EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, name, "rule S4"));
  EXPECT_FALSE(imported.has(DiagnosticSeverity::Error, "y", "rule S4")) << imported.all();
}
TEST(Unused, ResultsAreLeftOutWithAWarning) {
  Model m = ann({-1, 4});
  m.node("Relu", {"x"}, {"y"});
  m.node("Relu", {"x"}, {"dead"});
  m.node("Relu", {"dead"}, {"deader"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.only<snn::ReluOp>());
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Warning, "deader", "its result is used by nothing"));
}
TEST(Options, AreCheckedAsWell) {
  onnx_import::ImportOptions options;
  options.timesteps = 0;
  options.std = {-1.f};
  options.mean = {NAN, 0.f, 0.f};
  Imported imported(student(), options);
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "", "rule S1: timesteps is given as 0")) << imported.all();
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "", "rule E1: a std is -1"));
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "", "rule E1: a mean is not finite"));
}

} // namespace
