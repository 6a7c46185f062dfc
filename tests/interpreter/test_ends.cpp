// Encoding, read-out: rules E1..E3, R1..R4.
#include "tests/interpreter/fixture.h"

#include <gtest/gtest.h>

using namespace lasnn::test;

namespace {

std::string pixels(const std::string &attributes) {
  return R"(
snn.network @n timesteps = 2 {
  %i = snn.input "in" : tensor<2x1x2xui8>
  %x = snn.encode %i direct )" + attributes + R"( : (tensor<2x1x2xui8>) -> tensor<2x1x2xf32>
  %r = snn.readout %x sum : (tensor<2x1x2xf32>) -> tensor<2x1x2xf32>
  snn.output "out" %r : tensor<2x1x2xf32>
})";
}

TEST(Encode, E1_mean_and_std_per_channel) {
  Network network(pixels("{mean = array<f32: 0.5, 0.25>, std = array<f32: 0.5, 0.125>}"));
  ASSERT_EQ(network.error(), "");
  ASSERT_EQ(network.run(std::vector<uint8_t>{0, 255, 0, 255}), "");
  EXPECT_EQ(network.trace("encode"), (std::vector<Values>{{-1, 1, -2, 6}, {-1, 1, -2, 6}})); // the same at every step
}

TEST(Encode, E1_absent_is_mean_0_std_1) {
  Network network(pixels(""));
  ASSERT_EQ(network.run(std::vector<uint8_t>{0, 51, 102, 255}), "");
  EXPECT_EQ(network.trace("encode")[0], (Values{0, 51.f / 255.f, 102.f / 255.f, 1}));
}

TEST(Encode, E1_in_float32_order) { // division by 255 first, then the mean, then the std: each rounded to f32
  Network network(pixels("{mean = array<f32: 0.4914, 0.4822>, std = array<f32: 0.2470, 0.2435>}"));
  ASSERT_EQ(network.run(std::vector<uint8_t>{7, 129, 200, 33}), "");
  volatile float a = 7.f / 255.f, b = a - 0.4914f, c = b / 0.2470f;
  EXPECT_EQ(network.trace("encode")[0][0], double(c));
}

TEST(Encode, E1_float_input_as_it_is) {
  Network network(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<3xf32>
  %x = snn.encode %i direct : (tensor<3xf32>) -> tensor<3xf32>
  %r = snn.readout %x last : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
})");
  ASSERT_EQ(network.run(std::vector<float>{-1.5f, 0.f, 300.25f}), "");
  EXPECT_EQ(network.output(), (Values{-1.5, 0, 300.25}));
}

TEST(Encode, E2_table_per_channel) {
  std::string table = "dense<[["; // channel 0: p - 128; channel 1: 127 - p
  for (int p = 0; p < 256; ++p) table += (p ? ", " : "") + std::to_string(p - 128);
  table += "], [";
  for (int p = 0; p < 256; ++p) table += (p ? ", " : "") + std::to_string(127 - p);
  table += "]]> : tensor<2x256xi8>";
  Network network(R"(
snn.network @n timesteps = 3 {
  %i = snn.input "in" : tensor<2x1x2xui8>
  %x = snn.encode %i direct {scale = 0.5 : f32, table = )" + table + R"(} : (tensor<2x1x2xui8>) -> tensor<2x1x2xi8>
  %c = snn.conv2d %x {weight = dense<[[[[1]], [[0]]], [[[0]], [[1]]]]> : tensor<2x2x1x1xi8>} : (tensor<2x1x2xi8>) -> tensor<2x1x2xi32>
  %r = snn.readout %c sum {scale = 0.25 : f32} : (tensor<2x1x2xi32>) -> tensor<2x1x2xi32>
  snn.output "out" %r : tensor<2x1x2xi32>
})");
  ASSERT_EQ(network.error(), "");
  EXPECT_TRUE(network.isInteger());
  ASSERT_EQ(network.run(std::vector<uint8_t>{0, 255, 3, 255}), "");
  EXPECT_EQ(network.trace("encode")[0], (Values{-128, 127, 124, -128}));
  EXPECT_EQ(network.output(), (Values{-384, 381, 372, -384})); // the same value at all three steps
  EXPECT_EQ(network.outputScale(), 0.25f);
  EXPECT_TRUE(network.stats().empty());
}

std::string events(const std::string &attributes, const std::string &element, int steps = 2) {
  bool integer = element == "ui8";
  std::string current = integer ? "i32" : "f32", scale = integer ? "{scale = 1.0 : f32}" : "",
              weight = integer ? "dense<1> : tensor<1x2xi8>" : "dense<1.0> : tensor<1x2xf32>";
  return "snn.network @n timesteps = " + std::to_string(steps) + R"( {
  %i = snn.input "in" : tensor<2xui8>
  %x = snn.encode %i events )" + attributes + " : (tensor<2xui8>) -> tensor<2x" + element + R"(>
  %c = snn.linear %x {weight = )" + weight + "} : (tensor<2x" + element + ">) -> tensor<1x" + current + R"(>
  %r = snn.readout %c sum )" + scale + " : (tensor<1x" + current + ">) -> tensor<1x" + current + R"(>
  snn.output "out" %r : tensor<1x)" + current + ">\n}";
}

TEST(Encode, E3_one_frame_a_step) {
  for (std::string element : {"ui8", "f32"}) {
    Network network(events("{max_count = 9 : i64}", element));
    ASSERT_EQ(network.error(), "");
    EXPECT_EQ(network.inputSize(), 4u);
    ASSERT_EQ(network.run(std::vector<uint8_t>{1, 2, 9, 0}), "");
    EXPECT_EQ(network.trace("encode"), (std::vector<Values>{{1, 2}, {9, 0}}));
    EXPECT_EQ(network.output(), (Values{12}));
  }
}

TEST(Encode, E3_count_above_bound) {
  Network network(events("{max_count = 9 : i64}", "ui8"));
  EXPECT_EQ(network.run(std::vector<uint8_t>{1, 2, 10, 0}), "rule E3: the spike count at index 2 is 10, expected at most 9");
  EXPECT_EQ(network.step(std::vector<uint8_t>{1, 255}), "rule E3: the spike count at index 1 is 255, expected at most 9");
  Network bits(events("", "ui8")); // max_count is 1 unless given
  EXPECT_NE(bits.run(std::vector<uint8_t>{1, 1, 2, 0}), "");
  EXPECT_EQ(bits.run(std::vector<uint8_t>{1, 1, 1, 0}), "");
}

std::string readout(const std::string &mode, const std::string &element) {
  bool integer = element == "i32";
  std::string in = integer ? "ui8" : "f32", scale = integer ? "{scale = 1.0 : f32}" : "",
              weight = integer ? "dense<[[3, 0], [0, -2]]> : tensor<2x2xi8>" : "dense<[[3.0, 0.0], [0.0, -2.0]]> : tensor<2x2xf32>";
  return R"(
snn.network @n timesteps = 4 {
  %i = snn.input "in" : tensor<2xui8>
  %x = snn.encode %i events {max_count = 255 : i64} : (tensor<2xui8>) -> tensor<2x)" + in + R"(>
  %c = snn.linear %x {weight = )" + weight + "} : (tensor<2x" + in + ">) -> tensor<2x" + element + R"(>
  %r = snn.readout %c )" + mode + " " + scale + " : (tensor<2x" + element + ">) -> tensor<2x" + element + R"(>
  snn.output "out" %r : tensor<2x)" + element + ">\n}";
}
const std::vector<uint8_t> kFourFrames = {1, 2, 0, 5, 7, 0, 2, 1};

TEST(Readout, R1_sum) {
  for (std::string element : {"f32", "i32"}) {
    Network network(readout("sum", element));
    ASSERT_EQ(network.error(), "");
    ASSERT_EQ(network.run(kFourFrames), "");
    EXPECT_EQ(network.output(), (Values{30, -16}));
    EXPECT_EQ(network.trace("readout"), (std::vector<Values>{{3, -4}, {3, -14}, {24, -14}, {30, -16}}));
    ASSERT_EQ(network.run(kFourFrames), ""); // a new sample starts from 0
    EXPECT_EQ(network.output(), (Values{30, -16}));
  }
}

TEST(Readout, R2_mean_divides_by_T) {
  Network network(readout("mean", "f32"));
  ASSERT_EQ(network.run(kFourFrames), "");
  EXPECT_EQ(network.output(), (Values{7.5, -4}));
}

TEST(Readout, R3_last) {
  for (std::string element : {"f32", "i32"}) {
    Network network(readout("last", element));
    ASSERT_EQ(network.run(kFourFrames), "");
    EXPECT_EQ(network.output(), (Values{6, -2}));
  }
}

TEST(Readout, R4_scale_is_reported) {
  Network network(readout("sum", "i32"));
  EXPECT_EQ(network.outputScale(), 1.f);
  EXPECT_NE(Network(readout("mean", "i32")).error(), ""); // R2: float only
}

TEST(Readout, R1_stream_beyond_T_saturates) {
  Network network(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<1xui8>
  %x = snn.encode %i events : (tensor<1xui8>) -> tensor<1xui8>
  %c = snn.linear %x {weight = dense<0> : tensor<1x1xi8>, bias = dense<1073741824> : tensor<1xi32>} : (tensor<1xui8>) -> tensor<1xi32>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
})");
  ASSERT_EQ(network.error(), "");
  for (double expected : {1073741824., 2147483647., 2147483647.}) {
    ASSERT_EQ(network.step(std::vector<uint8_t>{0}), "");
    EXPECT_EQ(network.output(), (Values{expected}));
  }
}

} // namespace
