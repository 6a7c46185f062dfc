// Layouts, constants and what is left out or written in another way: structure and refusals. What they compute is held
// against onnxruntime by onnx_networks.py.
#include "onnx_builder.h"

#include <gtest/gtest.h>

using namespace lasnn;
using namespace lasnn::testing;
using mlir::DiagnosticSeverity;

namespace {

void expectError(const Model &m, const std::string &where, const std::string &text) {
  Imported imported(m);
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, where, text)) << "wanted: " << text << "\n" << imported.all();
}
template <typename OpT> int count(Imported &imported) {
  int found = 0;
  imported.network().walk([&](OpT) { ++found; });
  return found;
}
/// x [N,2,4,6] through one node that takes it and constants.
Model one(const std::string &op, int64_t opset = 15) {
  Model m = ann({-1, 2, 4, 6}, opset);
  m.node(op, {"x"}, {"y"});
  return m;
}

TEST(Layout, ChannelsLastInputAndTransposesCancel) {
  Model m = ann({-1, 4, 6, 2});
  setInts(m.node("Transpose", {"x"}, {"t"}), "perm", {0, 3, 1, 2});
  m.weights("w", {3, 2, 3, 3});
  m.node("Conv", {"t", "w"}, {"c"});
  setInts(m.node("Transpose", {"c"}, {"last"}), "perm", {0, 2, 3, 1});
  m.node("Relu", {"last"}, {"r"});
  m.ints("shape", {2}, {-1, 24});
  m.node("Reshape", {"r", "shape"}, {"f"});
  m.weights("v", {24, 2});
  m.node("MatMul", {"f", "v"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Remark, "x", "rule O8: graph input \"x\" is [N,H,W,C]")) << imported.all();
  // The column of ONNX's feature (y, x, k) stands where the tensor has (k, y, x).
  auto weight = snn::floatValues(imported.only<snn::LinearOp>().getWeight());
  auto given = m.initializer("v");
  std::vector<float> v(48);
  std::memcpy(v.data(), given->raw_data().data(), 48 * 4);
  for (int k = 0; k < 3; ++k)
    for (int at = 0; at < 8; ++at)
      for (int o = 0; o < 2; ++o)
        EXPECT_EQ(weight[size_t(o * 24 + k * 8 + at)], v[size_t((at * 3 + k) * 2 + o)]);
}
TEST(Layout, Refusals) {
  Model m = one("Transpose");
  setInts(m.find("y"), "perm", {1, 0, 2, 3});
  expectError(m, "y", "rule O4: attribute perm is [1,0,2,3], expected 0 first");
  setInts(m.find("y"), "perm", {0, 1, 1, 3});
  expectError(m, "y", "expected each of 0 to 3 once");
  setInts(m.find("y"), "perm", {0, 2, 3, 1});
  expectError(m, "y", "rule O9: graph output \"y\" is in another order");
  m = one("Transpose");
  setInts(m.find("y"), "perm", {0, 2, 3, 1});
  *m.find("y")->mutable_output(0) = "t";
  m.weights("w", {3, 6, 1, 1});
  m.node("Conv", {"t", "w"}, {"y"}, "conv");
  expectError(m, "conv", "rule O7: input 0 (input, \"t\") has shape [4,6,2] without its batch axis, which is another layout of [2,4,6]");
  m = one("Reshape");
  m.ints("s", {4}, {-1, 4, 3, 4});
  m.find("y")->add_input("s");
  expectError(m, "y", "rule F1: an activation of shape [2,4,6]");
  m = one("Squeeze", 11);
  expectError(m, "y", "rule O7: the axes that are not given reach the batch axis");
  setInts(m.find("y"), "axes", {1});
  expectError(m, "y", "axis 1 of shape [N,2,4,6] is squeezed, expected size 1");
}

TEST(Concat, AConvIsSplitOverTheParts) {
  Model m = ann({-1, 2, 4, 6});
  m.node("Relu", {"x"}, {"a"});
  m.node("Concat", {"a", "x"}, {"cat"})->add_input("a");
  setInt(m.find("cat"), "axis", 1);
  m.weights("w", {3, 6, 3, 3});
  m.weights("b", {3});
  m.node("Conv", {"cat", "w", "b"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_EQ(count<snn::Conv2DOp>(imported), 3) << imported.print();
  EXPECT_EQ(count<snn::AddOp>(imported), 2);
  for (const auto &message : imported.messages)
    EXPECT_EQ(message.text.find("left out"), std::string::npos) << message.text;
  setInt(m.find("cat"), "axis", 2);
  expectError(m, "cat", "rule O4: attribute axis is 2, expected 1");
}
TEST(Concat, MemoryOfAShortFileIsBounded) {
  Model m = ann({-1, 2, 4, 6});
  std::string last = "x";
  for (int k = 0; k < 12; ++k, last = "c" + std::to_string(k - 1))
    setInt(m.node("Concat", {last, last}, {"c" + std::to_string(k)}), "axis", 1);
  m.node("Relu", {last}, {"y"});
  expectError(m, "c11", "rule T2: the result has 8192 channels, expected at most 4096");
}

TEST(Pad, GoesIntoTheConvBehindIt) {
  Model m = ann({-1, 2, 4, 6});
  m.ints("pads", {8}, {0, 0, 1, 2, 0, 0, 3, 4});
  m.node("Pad", {"x", "pads"}, {"p"});
  m.weights("w", {3, 2, 3, 3});
  setInts(m.node("Conv", {"p", "w"}, {"y"}), "pads", {1, 0, 0, 0});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto conv = imported.only<snn::Conv2DOp>();
  ASSERT_TRUE(conv) << imported.print();
  EXPECT_EQ(conv.getPads(), (llvm::ArrayRef<int64_t>{2, 2, 3, 4}));
  setString(m.find("p"), "mode", "reflect");
  expectError(m, "p", "rule O4: attribute mode is \"reflect\"");
  setString(m.find("p"), "mode", "constant");
  m.initializer("pads")->set_int64_data(2, -1);
  expectError(m, "p", "rule C3: pads are [0,0,-1,2,0,0,3,4], expected 8 values");
}

TEST(Arithmetic, Refusals) {
  auto with = [](const std::string &op, const Names &inputs, const Dims &dims, std::vector<float> values) {
    Model m = ann({-1, 2, 4, 6});
    m.floats("c", dims, values);
    m.node(op, inputs, {"y"});
    return m;
  };
  expectError(with("Mul", {"x", "x"}, {}, {1}), "y", "rule O3: two values computed at run time are multiplied");
  expectError(with("Div", {"c", "x"}, {}, {1}), "y", "rule O3: a constant is divided by an activation");
  expectError(with("Div", {"x", "c"}, {}, {0}), "y", "rule T3: the constant divides by 0");
  expectError(with("Mul", {"x", "c"}, {1, 6}, {1, 2, 3, 4, 5, 6}), "y", "rule B1: the constant has shape [1,6]");
  expectError(with("Div", {"c", "c"}, {}, {0}), "y", "rule T3: the constants 0 and 0 give no finite value");
  Model m = ann({-1, 2});
  m.weights("a", {5000, 1});
  m.weights("b", {1, 5000});
  m.node("Add", {"a", "b"}, {"big"});
  m.node("Add", {"x", "big"}, {"y"});
  expectError(m, "big", "rule O7: both inputs are constants, of shapes [5000,1] and [1,5000]");
}
TEST(Clip, Bounds) {
  Model m = ann({-1, 2, 4, 6});
  m.floats("low", {}, {0});
  m.floats("high", {}, {6});
  m.node("Clip", {"x", "low", "high"}, {"y"});
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_EQ(count<snn::ReluOp>(imported), 2);
  EXPECT_TRUE(imported.has(DiagnosticSeverity::Remark, "y", "relu(x) - relu(x - 6)")) << imported.all();
  float negative = -1;
  m.initializer("low")->set_raw_data(&negative, 4);
  expectError(m, "y", "rule U1: the value is bounded to -1 to 6, expected 0");
}
TEST(Last, SoftmaxOnlyAtTheEnd) {
  for (const char *op : {"Softmax", "LogSoftmax", "ArgMax", "Sigmoid"}) {
    Model m = ann({-1, 5});
    m.weights("w", {5, 3});
    m.node("MatMul", {"x", "w"}, {"h"});
    m.node(op, {"h"}, {"y"});
    if (op != std::string("Sigmoid")) setInt(m.find("y"), "axis", 1);
    Imported imported(m);
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_TRUE(imported.has(DiagnosticSeverity::Remark, "y", "is left out")) << imported.all();
    m.node("Relu", {"y"}, {"z"});
    expectError(m, "y", "rule O3: its result \"y\" is used by another node");
  }
}

/// x -> Q -> DQ -> y with the zero point given.
Model quantized(int8_t zero) {
  Model m = ann({-1, 4});
  m.weights("w", {4, 4});
  m.node("MatMul", {"x", "w"}, {"h"});
  m.floats("s", {}, {0.1f});
  auto *z = m.tensor("z", {});
  z->set_data_type(onnx::TensorProto::INT8);
  z->add_int32_data(zero);
  m.node("QuantizeLinear", {"h", "s", "z"}, {"q"});
  m.node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  return m;
}
TEST(Quantize, ActivationsPassAndAZeroPointAtTheEndIsARelu) {
  for (int zero : {0, -128}) {
    Imported imported(quantized(int8_t(zero)));
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(count<snn::ReluOp>(imported), zero == -128 ? 1 : 0);
    EXPECT_TRUE(imported.has(DiagnosticSeverity::Remark, "q", "activations are not rounded to units of 0.1")) << imported.all();
  }
}
TEST(Quantize, ConstantsAsOnnxDefinesThem) {
  Model m = ann({-1, 4});
  m.floats("w", {1, 4}, {0.25f, 0.75f, -100, 1000}); // halves go to even, the ends saturate
  m.floats("s", {}, {0.5f});
  auto *z = m.tensor("z", {});
  z->set_data_type(onnx::TensorProto::INT8);
  z->add_int32_data(1);
  m.node("QuantizeLinear", {"w", "s", "z"}, {"q"});
  m.node("DequantizeLinear", {"q", "s", "z"}, {"dq"});
  setInt(m.node("Gemm", {"x", "dq"}, {"y"}), "transB", 1);
  Imported imported(m);
  ASSERT_TRUE(imported.ok()) << imported.all();
  EXPECT_EQ(snn::floatValues(imported.only<snn::LinearOp>().getWeight()), (llvm::SmallVector<float>{0, 1, -64.5f, 63}));
}
TEST(Quantize, Refusals) {
  Model open = quantized(0);
  *open.find("q")->mutable_output(0) = "y";
  open.graph()->mutable_node()->RemoveLast();
  expectError(open, "y", "rule O9: graph output \"y\" leaves the graph as a quantizer's integers");
  Model m = quantized(0);
  m.find("y")->set_input(0, "h");
  expectError(m, "y", "rule O7: its input is no result of a QuantizeLinear");
  m = quantized(0);
  float negative = -1;
  m.initializer("s")->set_raw_data(&negative, 4);
  expectError(m, "q", "rule O6: the scale is -1, expected positive ones");
  m = quantized(0);
  m.initializer("z")->set_data_type(onnx::TensorProto::INT32);
  expectError(m, "q", "rule O6: the zero point has element type number 6");
}

} // namespace
