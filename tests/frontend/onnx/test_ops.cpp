// Every operator of the table: what it becomes, and the limits it refuses with its rule.
#include "onnx_builder.h"
#include "frontend/onnx/constant.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace lasnn;
using namespace lasnn::testing;
using mlir::DiagnosticSeverity;

namespace {

llvm::SmallVector<int64_t> list(llvm::ArrayRef<int64_t> values) { return {values.begin(), values.end()}; }
llvm::SmallVector<int64_t> ints(std::initializer_list<int64_t> values) { return values; }
llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) { return snn::tensorType(value).getShape(); }

/// x of shape [N,4,8,9] through a Conv of 6 kernels 3x3.
Model conv(const Dims &weight = {6, 4, 3, 3}) {
  Model m = ann({-1, 4, 8, 9});
  m.weights("w", weight);
  m.node("Conv", {"x", "w"}, {"y"});
  return m;
}
void expectError(const Model &m, const std::string &where, const std::string &text) {
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, where, text)) << "wanted: " << text << "\n" << imported.all();
}

//===--- Conv ---===//

TEST(Conv, DefaultsAndAllAttributes) {
  Model m = conv();
  Imported plain(m);
  ASSERT_TRUE(plain.ok()) << plain.all();
  auto op = plain.only<snn::Conv2DOp>();
  EXPECT_EQ(list(shapeOf(op.getResult())), ints({6, 6, 7}));
  EXPECT_FALSE(op.getBias());
  EXPECT_EQ(snn::nameOf(op), "y");

  m = conv({6, 2, 3, 2});
  m.weights("b", {6});
  auto *node = m.find("y");
  node->add_input("b");
  setInt(node, "group", 2);
  setInts(node, "strides", {2, 3});
  setInts(node, "pads", {1, 0, 2, 1});
  setInts(node, "dilations", {2, 1});
  setInts(node, "kernel_shape", {3, 2});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  op = imported.only<snn::Conv2DOp>();
  EXPECT_EQ(list(shapeOf(op.getResult())), ints({6, (8 + 3 - 5) / 2 + 1, (9 + 1 - 2) / 3 + 1}));
  EXPECT_EQ(list(op.getPads()), ints({1, 0, 2, 1}));
  EXPECT_EQ(list(op.getStrides()), ints({2, 3}));
  EXPECT_EQ(list(op.getDilations()), ints({2, 1}));
  EXPECT_EQ(op.getGroups(), 2u);
  EXPECT_TRUE(op.getBias());
}
TEST(Conv, AutoPad) {
  struct { const char *mode; int64_t stride; llvm::SmallVector<int64_t> pads, result; } cases[] = {
      {"SAME_UPPER", 1, {1, 1, 1, 1}, {6, 8, 9}},
      {"SAME_UPPER", 2, {0, 1, 1, 1}, {6, 4, 5}}, // height 8: one row of padding, below
      {"SAME_LOWER", 2, {1, 1, 0, 1}, {6, 4, 5}}, // and above
      {"VALID", 2, {0, 0, 0, 0}, {6, 3, 4}},
      {"NOTSET", 1, {0, 0, 0, 0}, {6, 6, 7}},
  };
  for (const auto &c : cases) {
    Model m = conv();
    setString(m.find("y"), "auto_pad", c.mode);
    setInts(m.find("y"), "strides", {c.stride, c.stride});
    Imported imported(m);
    ASSERT_TRUE(imported.ok()) << imported.all();
    auto op = imported.only<snn::Conv2DOp>();
    EXPECT_EQ(list(op.getPads()), c.pads) << c.mode;
    EXPECT_EQ(list(shapeOf(op.getResult())), c.result) << c.mode;
  }
}
TEST(Conv, Refusals) {
  auto with = [](auto change) {
    Model m = conv();
    change(m, m.find("y"));
    return m;
  };
  expectError(with([](Model &, auto *n) { setInts(n, "strides", {0, 1}); }), "y", "rule C3: attribute strides is [0,1], expected 2 values from 1");
  expectError(with([](Model &, auto *n) { setInts(n, "strides", {1}); }), "y", "rule C3: attribute strides is [1]");
  expectError(with([](Model &, auto *n) { setInts(n, "pads", {-1, 0, 0, 0}); }), "y", "rule C3: attribute pads is [-1,0,0,0]");
  expectError(with([](Model &, auto *n) { setInts(n, "dilations", {INT64_MAX, 1}); }), "y", "rule C3: attribute dilations");
  expectError(with([](Model &, auto *n) { setInts(n, "dilations", {9, 1}); }), "y", "rule C4: the window (height 19) is larger than the padded input (8)");
  expectError(with([](Model &, auto *n) { setInts(n, "kernel_shape", {5, 5}); }), "y", "kernel_shape is [5,5], expected [3,3], the weight's");
  expectError(with([](Model &, auto *n) { setInt(n, "group", 0); }), "y", "rule C3: group is 0");
  expectError(with([](Model &, auto *n) { setInt(n, "group", 4); }), "y", "rule C3: group is 4, expected a divisor of 6");
  expectError(with([](Model &, auto *n) { setInt(n, "group", 2); }), "y", "takes 8 channels, expected 4");
  expectError(with([](Model &, auto *n) { setString(n, "auto_pad", "MIRROR"); }), "y", "auto_pad is \"MIRROR\"");
  expectError(with([](Model &, auto *n) { setString(n, "auto_pad", "VALID"), setInts(n, "pads", {1, 1, 1, 1}); }), "y", "pads is [1,1,1,1], expected zeros");
  expectError(with([](Model &, auto *n) { setInt(n, "strides", 1); }), "y", "attribute strides has type number 2, expected a list of integers");
  expectError(with([](Model &, auto *n) { setInt(n, "mystery", 1); }), "y", "rule O4: attribute \"mystery\" is not known");
  expectError(with([](Model &m, auto *n) { m.weights("b", {5}), n->add_input("b"); }), "y", "(bias, \"b\") has shape [5], expected [6]");
  expectError(with([](Model &, auto *n) { n->set_input(1, "x"); }), "y", "(weight, \"x\") is a value computed at run time, expected a constant");
  expectError(conv({6, 4, 3}), "y", "rule C2: the weight has shape [6,4,3]");
  expectError(conv({6, 4, 0, 3}), "y", "rule C2: the weight has shape [6,4,0,3], expected no size below 1");
  Model flat = ann({-1, 7});
  flat.weights("w", {6, 4, 3, 3});
  flat.node("Conv", {"x", "w"}, {"y"});
  expectError(flat, "y", "rule C2: input 0 has shape [7] without its batch axis, expected [C,H,W]");
}
TEST(Conv, AllOfANodesProblemsInOneRun) {
  Model m = conv();
  setInts(m.find("y"), "strides", {0, 1});
  setInts(m.find("y"), "pads", {-1, 0, 0, 0});
  setInt(m.find("y"), "group", 4);
  Imported imported(m);
  EXPECT_EQ(imported.errors().size(), 3u) << imported.all();
}

//===--- Gemm, MatMul, biases ---===//

TEST(Gemm, TransposeAlphaBeta) {
  Model m = ann({-1, 2});
  m.floats("w", {2, 3}, {1, 2, 3, 4, 5, 6}); // [in, out]
  m.floats("b", {1, 3}, {1, 2, 4});
  auto *node = m.node("Gemm", {"x", "w", "b"}, {"y"});
  setFloat(node, "alpha", 2);
  setFloat(node, "beta", 0.5f);
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto op = imported.only<snn::LinearOp>();
  EXPECT_EQ(snn::floatValues(op.getWeight()), (llvm::SmallVector<float>{2, 8, 4, 10, 6, 12}));
  EXPECT_EQ(snn::floatValues(*op.getBias()), (llvm::SmallVector<float>{0.5f, 1, 2}));

  m.initializer("w")->set_dims(0, 3), m.initializer("w")->set_dims(1, 2); // [out, in]
  setInt(node, "transB", 1);
  Imported transposed(m);
  ASSERT_TRUE(transposed.ok()) << transposed.all();
  EXPECT_EQ(snn::floatValues(transposed.only<snn::LinearOp>().getWeight()), (llvm::SmallVector<float>{2, 4, 6, 8, 10, 12}));
}
TEST(Gemm, Refusals) {
  auto with = [](auto change, Dims input = {-1, 2}) {
    Model m = ann(input);
    m.weights("w", {2, 3});
    m.weights("b", {3});
    change(m, m.node("Gemm", {"x", "w", "b"}, {"y"}));
    return m;
  };
  expectError(with([](Model &, auto *n) { setInt(n, "transA", 1); }), "y", "attribute transA is 1, expected 0");
  expectError(with([](Model &, auto *n) { setInt(n, "transB", 1); }), "y", "rule L2: the weight takes 3 inputs, expected 2");
  expectError(with([](Model &m, auto *n) { m.weights("c", {2}), n->set_input(2, "c"); }), "y", "rule L2: the bias has shape [2], expected [3] or [1,3]");
  expectError(with([](Model &, auto *n) { setFloat(n, "alpha", INFINITY); }), "y", "rule T3: attribute alpha is not finite");
  expectError(with([](Model &, auto *n) { setFloat(n, "alpha", 3e38f); n->set_input(1, "big"); }), "y", "\"big\" is defined nowhere");
  expectError(with([](Model &m, auto *n) { m.floats("big", {2, 3}, {1, 2, 3, 4, 5, 6}), setFloat(n, "alpha", 3e38f), n->set_input(1, "big"); }), "y",
              "the weight times its factor leaves f32's range");
  expectError(with([](Model &, auto *) {}, {-1, 2, 4, 4}), "y", "rule L2: input 0 has shape [2,4,4] without its batch axis, expected [F]");
  expectError(with([](Model &m, auto *n) { m.ints("i", {2, 3}, {1, 2, 3, 4, 5, 6}), n->set_input(1, "i"); }), "y", "holds integers, expected float");
}
TEST(MatMul, WithAConstantAddIsOneLinear) {
  Model m = ann({-1, 2});
  m.floats("w", {2, 2}, {1, 2, 3, 4});
  m.floats("b", {2}, {5, 6});
  m.node("MatMul", {"x", "w"}, {"product"}, "fc");
  m.node("Add", {"b", "product"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto op = imported.only<snn::LinearOp>();
  ASSERT_TRUE(op && op.getBias());
  EXPECT_EQ(snn::nameOf(op), "fc");
  EXPECT_EQ(snn::floatValues(op.getWeight()), (llvm::SmallVector<float>{1, 3, 2, 4}));
  EXPECT_EQ(snn::floatValues(*op.getBias()), (llvm::SmallVector<float>{5, 6}));
}
TEST(Add, ConstantsBecomeTheBiasOnlyWhereNothingElseUsesTheSum) {
  Model m = conv();
  m.find("y")->set_output(0, "c");
  m.find("y")->set_name("c");
  m.weights("b", {6, 1, 1});
  m.weights("b2", {1, 6, 1, 1});
  m.node("Add", {"c", "b"}, {"c1"});
  m.node("Add", {"c1", "b2"}, {"c2"});
  m.node("Add", {"c2", "c2"}, {"y"});
  Imported folded(m);
  ASSERT_TRUE(folded.ok()) << folded.all();
  EXPECT_FALSE(folded.only<snn::BatchNormOp>());
  auto bias = snn::floatValues(*folded.only<snn::Conv2DOp>().getBias());
  EXPECT_FLOAT_EQ(bias[1], 0.04f); // both adds

  m.find("y")->set_input(1, "c"); // the sum without bias is used as well
  Imported kept(m);
  ASSERT_TRUE(kept.ok()) << kept.all();
  EXPECT_FALSE(kept.only<snn::Conv2DOp>().getBias());
  EXPECT_NE(kept.print().find("snn.batch_norm"), std::string::npos);
}
TEST(Add, A1_Refusals) {
  Model m = conv();
  m.find("y")->set_output(0, "c");
  m.find("y")->set_name("c");
  m.weights("b", {7});
  m.node("Add", {"c", "b"}, {"y"});
  expectError(m, "y", "rule A1: the constant has shape [7] beside an activation of shape [6,6,7]"); // varies along the width
  m.find("y")->set_input(1, "x");
  expectError(m, "y", "rule A1: the inputs have shapes [6,6,7] and [4,8,9]");
}
TEST(Add, TensorsOfOneShape) {
  Model m = ann({-1, 4, 8, 9});
  m.node("Relu", {"x"}, {"r"});
  m.node("Add", {"x", "r"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.only<snn::AddOp>());
}

//===--- BatchNormalization ---===//

Model batchNorm(float variance = 1, int64_t opset = 15) {
  Model m = ann({-1, 2, 3, 3}, opset);
  for (const char *name : {"scale", "bias", "mean"}) m.weights(name, {2});
  m.floats("var", {2}, {1, variance});
  m.node("BatchNormalization", {"x", "scale", "bias", "mean", "var"}, {"y"});
  return m;
}
TEST(BatchNorm, InferenceForm) {
  Model m = batchNorm();
  setFloat(m.find("y"), "epsilon", 0.001f);
  setFloat(m.find("y"), "momentum", 0.9f);
  setInt(m.find("y"), "training_mode", 0);
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto op = imported.only<snn::BatchNormOp>();
  EXPECT_FLOAT_EQ(op.getEpsilon().convertToFloat(), 0.001f);
  EXPECT_EQ(snn::floatValues(op.getVariance()), (llvm::SmallVector<float>{1, 1}));
}
TEST(BatchNorm, Refusals) {
  expectError(batchNorm(-2), "y", "rule B1: variance is -2 at channel 1");
  Model training = batchNorm();
  setInt(training.find("y"), "training_mode", 1);
  expectError(training, "y", "training_mode is 1, expected 0");
  Model outputs = batchNorm();
  outputs.find("y")->add_output("m");
  expectError(outputs, "y", "output 1 is used");
  Model size = batchNorm();
  size.weights("three", {3});
  size.find("y")->set_input(3, "three");
  expectError(size, "y", "(mean, \"three\") has shape [3], expected [2]");
  Model spatial = batchNorm(1, 8);
  setInt(spatial.find("y"), "spatial", 0);
  expectError(spatial, "y", "spatial is 0, expected 1");
}

//===--- pools ---===//

Model pool(const std::string &op) {
  Model m = ann({-1, 3, 6, 7});
  setInts(m.node(op, {"x"}, {"y"}), "kernel_shape", {2, 3});
  return m;
}
TEST(Pools, Shapes) {
  Model m = pool("MaxPool");
  setInts(m.find("y"), "strides", {2, 2});
  setInts(m.find("y"), "pads", {1, 2, 0, 1});
  Imported max(m);
  ASSERT_TRUE(max.ok()) << max.all();
  EXPECT_EQ(list(shapeOf(max.only<snn::MaxPoolOp>().getResult())), ints({3, 3, 4}));
  EXPECT_EQ(list(max.only<snn::MaxPoolOp>().getPads()), ints({1, 2, 0, 1}));

  m = pool("AveragePool");
  Imported average(m);
  ASSERT_TRUE(average.ok()) << average.all();
  EXPECT_EQ(list(shapeOf(average.only<snn::AvgPoolOp>().getResult())), ints({3, 5, 5}));

  setInts(m.find("y"), "pads", {1, 1, 1, 1});
  setInt(m.find("y"), "count_include_pad", 1);
  Imported padded(m);
  EXPECT_TRUE(padded.ok()) << padded.all();

  Model global = ann({-1, 3, 6, 7});
  global.node("GlobalAveragePool", {"x"}, {"y"});
  Imported gap(global);
  ASSERT_TRUE(gap.ok()) << gap.all();
  EXPECT_EQ(list(gap.only<snn::AvgPoolOp>().getKernel()), ints({6, 7}));
  EXPECT_EQ(list(shapeOf(gap.only<snn::AvgPoolOp>().getResult())), ints({3, 1, 1}));
}
TEST(Pools, Refusals) {
  auto with = [](const char *op, auto change) {
    Model m = pool(op);
    change(m.find("y"));
    return m;
  };
  expectError(with("AveragePool", [](auto *n) { setInts(n, "pads", {1, 1, 1, 1}); }), "y", "rule P3: pads are [1,1,1,1] with count_include_pad = 0");
  expectError(with("AveragePool", [](auto *n) { setString(n, "auto_pad", "SAME_UPPER"); }), "y", "rule P3: pads are");
  expectError(with("MaxPool", [](auto *n) { setInts(n, "pads", {2, 0, 0, 0}); }), "y", "rule P4: pads are [2,0,0,0], expected each below the kernel [2,3]");
  expectError(with("MaxPool", [](auto *n) { setInts(n, "dilations", {2, 1}); }), "y", "dilations is [2,1], expected [1,1]");
  expectError(with("AveragePool", [](auto *n) { setInt(n, "ceil_mode", 1), setInts(n, "strides", {3, 3}); }), "y", "attribute ceil_mode is 1");
  expectError(with("MaxPool", [](auto *n) { n->add_output("indices"); }), "y", "output 1 (indices) is used");
  expectError(with("MaxPool", [](auto *n) { setInt(n, "storage_order", 1); }), "y", "storage_order is 1, expected 0");
  expectError(with("MaxPool", [](auto *n) { n->clear_attribute(); }), "y", "kernel_shape is absent");
  expectError(with("MaxPool", [](auto *n) { setInts(n, "kernel_shape", {7, 1}); }), "y", "is larger than the padded input (6)");
  Imported harmless(with("MaxPool", [](auto *n) { setInt(n, "ceil_mode", 1); })); // stride 1 divides everything
  EXPECT_TRUE(harmless.ok()) << harmless.all();
}

//===--- shapes and nothing ---===//

TEST(Shapes, FlattenAndReshape) {
  struct { const char *op; Dims shape; bool ok; } cases[] = {
      {"Flatten", {1}, true}, {"Flatten", {-3}, true}, {"Flatten", {0}, false}, {"Flatten", {2}, false},
      {"Reshape", {0, -1}, true}, {"Reshape", {1, -1}, true}, {"Reshape", {-1, 24}, true}, {"Reshape", {0, 24}, true}, {"Reshape", {1, 24}, true},
      {"Reshape", {-1, 12}, false}, {"Reshape", {2, -1}, false}, {"Reshape", {-1, -1}, false}, {"Reshape", {0, 6, 4}, false},
      {"Reshape", {-1}, false}, {"Reshape", {0, 2, 3, 4}, true}, {"Reshape", {0, 4, 3, 2}, false}, {"Reshape", {0, 0}, false},
  };
  for (const auto &c : cases) {
    Model m = ann({-1, 2, 3, 4});
    if (c.op == std::string("Flatten")) {
      setInt(m.node("Flatten", {"x"}, {"y"}), "axis", c.shape[0]);
    } else {
      m.ints("shape", {int64_t(c.shape.size())}, c.shape);
      m.node("Reshape", {"x", "shape"}, {"y"});
    }
    Imported imported(m);
    EXPECT_EQ(imported.ok(), c.ok) << c.op << onnx_import::shapeText(c.shape) << imported.all();
    if (!c.ok) {
      EXPECT_EQ(imported.errors().size(), 1u) << imported.all();
    } else if (c.shape.size() < 4) {
      EXPECT_EQ(list(shapeOf(imported.only<snn::FlattenOp>().getResult())), ints({24}));
    }
  }
}
TEST(Shapes, ComputedAtImport) { // x.view(x.shape[0], -1), as PyTorch 1.x writes it
  Model m = ann({-1, 2, 3, 4}, 11);
  m.ints("zero", {}, {0});
  m.ints("rest", {1}, {-1});
  m.node("Shape", {"x"}, {"s"});
  setInt(m.node("Gather", {"s", "zero"}, {"n"}), "axis", 0);
  setInts(m.node("Unsqueeze", {"n"}, {"n1"}), "axes", {0});
  setInt(m.node("Concat", {"n1", "rest"}, {"shape"}), "axis", 0);
  m.node("Reshape", {"x", "shape"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.only<snn::FlattenOp>());
}
TEST(Shapes, ReshapedWeight) { // as CNTK writes it
  Model m = ann({1, 24});
  m.weights("w", {2, 3, 4, 5});
  m.ints("shape", {2}, {24, -1});
  m.node("Reshape", {"w", "shape"}, {"flat"});
  m.node("MatMul", {"x", "flat"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_EQ(list(imported.only<snn::LinearOp>().getWeight().getShapedType().getShape()), ints({5, 24}));
  m.initializer("shape")->set_int64_data(0, 7);
  expectError(m, "flat", "a constant of shape [2,3,4,5] is reshaped to [7,-1]");
}
TEST(Nothing, IdentityDropoutCast) {
  Model m = ann({-1, 4});
  m.node("Identity", {"x"}, {"a"});
  m.floats("ratio", {}, {0.5f});
  m.node("Dropout", {"a", "ratio"}, {"b"});
  setInt(m.node("Cast", {"b"}, {"c"}), "to", onnx::TensorProto::FLOAT);
  m.node("Relu", {"c"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto relu = imported.only<snn::ReluOp>();
  EXPECT_TRUE(relu.getInput().getDefiningOp<snn::EncodeOp>());
  setInt(m.find("c"), "to", onnx::TensorProto::INT64);
  expectError(m, "c", "attribute to is 7, expected a float type");
  setInt(m.find("c"), "to", onnx::TensorProto::FLOAT);
  m.find("b")->add_output("mask");
  expectError(m, "b", "output 1 (mask) is used");
}
TEST(Constants, OfEveryKindAndType) {
  Model m = ann({-1, 2});
  auto *value = attribute(m.node("Constant", {}, {"w"}), "value");
  value->set_type(onnx::AttributeProto::TENSOR);
  auto *tensor = value->mutable_t();
  tensor->add_dims(2), tensor->add_dims(2);
  tensor->set_data_type(onnx::TensorProto::FLOAT16);
  for (int bits : {0x3c00, 0x4000, 0xc000, 0x3800}) tensor->add_int32_data(bits); // 1, 2, -2, 0.5
  auto *bias = m.tensor("b", {2});
  bias->set_data_type(onnx::TensorProto::DOUBLE);
  bias->add_double_data(0.25), bias->add_double_data(-3);
  m.node("Gemm", {"x", "w", "b"}, {"g"});
  auto *floats = attribute(m.node("Constant", {}, {"f"}), "value_floats");
  floats->set_type(onnx::AttributeProto::FLOATS);
  floats->add_floats(1), floats->add_floats(2);
  m.node("Add", {"g", "f"}, {"h"});
  setFloat(m.node("Constant", {}, {"one"}), "value_float", 1);
  m.node("Add", {"h", "one"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto op = imported.only<snn::LinearOp>();
  EXPECT_EQ(snn::floatValues(op.getWeight()), (llvm::SmallVector<float>{1, -2, 2, 0.5f}));
  EXPECT_EQ(snn::floatValues(*op.getBias()), (llvm::SmallVector<float>{2.25f, 0}));
}
TEST(Relu, AnAnnRunsOneStepAndReadsTheLast) {
  Model m = ann({-1, 4});
  m.node("Relu", {"x"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_EQ(imported.network().getTimesteps(), 1u);
  EXPECT_EQ(imported.only<snn::ReadoutOp>().getMode(), snn::ReadoutMode::Last);
  EXPECT_EQ(imported.only<snn::OutputOp>().getName(), "y");
}

TEST(Table, IsTheDocumentsTable) {
  std::ifstream file(LASNN_SOURCE_DIR "/docs/onnx.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const auto &op : onnx_import::supportedOps()) {
    std::string line = ("| `" + op.name + "` | " + std::to_string(op.firstOpset) + "–" + std::to_string(op.lastOpset) + " | " + op.becomes + " | " + op.limits + " |").str();
    EXPECT_NE(text.str().find(line), std::string::npos) << "docs/onnx.md lacks the line\n" << line;
  }
}

} // namespace
