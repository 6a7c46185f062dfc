// Synapses and pools: rules C1..C5, L1, P1..P4, A1, F1, B1, U1.
#include "tests/interpreter/fixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace lasnn::test;

namespace {

TEST(Conv, C1_plain) { // 3x3 image 1..9, kernel 2x2 [1 2; 3 4], bias 10
  EXPECT_EQ(evaluateFloat("1x3x3", "snn.conv2d %x {weight = dense<[[[[1.0, 2.0], [3.0, 4.0]]]]> : tensor<1x1x2x2xf32>, bias = dense<10.0> : tensor<1xf32>}",
                          "1x2x2", {1, 2, 3, 4, 5, 6, 7, 8, 9}),
            (Values{47, 57, 77, 87}));
}

TEST(Conv, C1_pads_top_left_bottom_right) { // pads 1,0,0,2 on a 2x2 image with kernel 2x2: result 2x3
  EXPECT_EQ(evaluateCounts("1x2x2", "snn.conv2d %x {weight = dense<[[[[1, 10], [100, -3]]]]> : tensor<1x1x2x2xi8>, pads = array<i64: 1, 0, 0, 2>}",
                           "1x2x3", {1, 2, 3, 4}),
            (Values{100 - 6, 200, 0, 1 + 20 + 300 - 12, 2 + 400, 0}));
}

TEST(Conv, C1_strides_and_dilations) { // 1x5 image, kernel 1x2 at distance 3, stride 1; then stride 2 by itself
  EXPECT_EQ(evaluateCounts("1x1x5", "snn.conv2d %x {weight = dense<[[[[1, 10]]]]> : tensor<1x1x1x2xi8>, dilations = array<i64: 1, 3>}", "1x1x2", {1, 2, 3, 4, 5}),
            (Values{41, 52}));
  EXPECT_EQ(evaluateCounts("1x1x5", "snn.conv2d %x {weight = dense<[[[[1, 10]]]]> : tensor<1x1x1x2xi8>, strides = array<i64: 1, 2>}", "1x1x2", {1, 2, 3, 4, 5}),
            (Values{21, 43}));
}

TEST(Conv, C1_groups) { // 4 channels in 2 groups, 4 results: group 0 sees channels 0 and 1 only
  EXPECT_EQ(evaluateCounts("4x1x1", "snn.conv2d %x {weight = dense<[[[[1]], [[2]]], [[[3]], [[4]]], [[[5]], [[6]]], [[[7]], [[8]]]]> : tensor<4x2x1x1xi8>, "
                                    "bias = dense<[1000, 2000, 3000, 4000]> : tensor<4xi32>, groups = 2 : i64}",
                           "4x1x1", {1, 10, 100, 200}),
            (Values{1000 + 21, 2000 + 43, 3000 + 1700, 4000 + 2300}));
}

TEST(Conv, C1_depthwise_with_multiplier) { // groups = C = 2, K = 4: channel c feeds results 2c and 2c + 1
  EXPECT_EQ(evaluateCounts("2x1x1", "snn.conv2d %x {weight = dense<[[[[1]]], [[[2]]], [[[3]]], [[[4]]]]> : tensor<4x1x1x1xi8>, groups = 2 : i64}", "4x1x1", {10, 20}),
            (Values{10, 20, 60, 80}));
}

TEST(Conv, C5_analog_input_is_signed) {
  std::string table = "dense<[[";
  for (int p = 0; p < 256; ++p) table += (p ? ", " : "") + std::to_string(p - 128);
  Network network(R"(
snn.network @n timesteps = 2 {
  %i = snn.input "in" : tensor<1x1x2xui8>
  %x = snn.encode %i direct {scale = 1.0 : f32, table = )" + table + R"(]]> : tensor<1x256xi8>} : (tensor<1x1x2xui8>) -> tensor<1x1x2xi8>
  %c = snn.conv2d %x {weight = dense<[[[[-128, 3]]]]> : tensor<1x1x1x2xi8>} : (tensor<1x1x2xi8>) -> tensor<1x1x1xi32>
  %r = snn.readout %c last {scale = 1.0 : f32} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
  snn.output "out" %r : tensor<1x1x1xi32>
})");
  ASSERT_EQ(network.run(std::vector<uint8_t>{0, 118}), "");
  EXPECT_EQ(network.output(), (Values{128 * 128 - 30}));
}

/// C1 as it stands in the spec, over random geometries, for integers (exact).
TEST(Conv, C1_equation) {
  std::mt19937 random(1);
  auto draw = [&](int lo, int hi) { return int(random() % unsigned(hi - lo + 1)) + lo; };
  int cases = 0;
  while (cases < 150) {
    int g = draw(1, 3), C = g * draw(1, 3), K = g * draw(1, 3), H = draw(1, 7), W = draw(1, 7), KH = draw(1, 4), KW = draw(1, 4), sh = draw(1, 3), sw = draw(1, 3),
        dh = draw(1, 3), dw = draw(1, 3), top = draw(0, 3), left = draw(0, 3), bottom = draw(0, 3), right = draw(0, 3);
    int spanH = H + top + bottom - dh * (KH - 1) - 1, spanW = W + left + right - dw * (KW - 1) - 1;
    if (spanH < 0 || spanW < 0) continue;
    ++cases;
    int OH = spanH / sh + 1, OW = spanW / sw + 1, cg = C / g;
    std::vector<int> weight(size_t(K * cg * KH * KW)), bias(size_t(K), 0);
    for (int &w : weight) w = draw(-128, 127);
    for (int &b : bias) b = draw(-5000, 5000);
    std::vector<uint8_t> x(size_t(C * H * W));
    for (uint8_t &v : x) v = uint8_t(draw(0, 3) ? 0 : draw(0, 255));
    std::string text, biasText;
    for (int k = 0; k < K; ++k) {
      text += k ? ", [" : "[", biasText += (k ? ", " : "") + std::to_string(bias[size_t(k)]);
      for (int c = 0; c < cg; ++c) {
        text += c ? ", [" : "[";
        for (int i = 0; i < KH; ++i) {
          text += i ? ", [" : "[";
          for (int j = 0; j < KW; ++j) text += (j ? ", " : "") + std::to_string(weight[size_t(((k * cg + c) * KH + i) * KW + j)]);
          text += "]";
        }
        text += "]";
      }
      text += "]";
    }
    auto n = [](int v) { return std::to_string(v); };
    auto shape = [&](std::initializer_list<int> dims) {
      std::string s;
      for (int d : dims) s += (s.empty() ? "" : "x") + n(d);
      return s;
    };
    std::string op = "snn.conv2d %x {weight = dense<[" + text + "]> : tensor<" + shape({K, cg, KH, KW}) + "xi8>, bias = dense<[" + biasText + "]> : tensor<" + n(K) +
                     "xi32>, strides = array<i64: " + n(sh) + ", " + n(sw) + ">, pads = array<i64: " + n(top) + ", " + n(left) + ", " + n(bottom) + ", " + n(right) +
                     ">, dilations = array<i64: " + n(dh) + ", " + n(dw) + ">, groups = " + n(g) + " : i64}";
    Values expected;
    for (int k = 0; k < K; ++k)
      for (int y = 0; y < OH; ++y)
        for (int xx = 0; xx < OW; ++xx) {
          double sum = bias[size_t(k)];
          for (int c = 0; c < cg; ++c)
            for (int i = 0; i < KH; ++i)
              for (int j = 0; j < KW; ++j) {
                int row = y * sh - top + i * dh, column = xx * sw - left + j * dw;
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                sum += weight[size_t(((k * cg + c) * KH + i) * KW + j)] * x[size_t(((k * g / K) * C / g + c) * H * W + row * W + column)];
              }
          expected.push_back(sum);
        }
    ASSERT_EQ(evaluateCounts(shape({C, H, W}), op, shape({K, OH, OW}), x), expected) << op;
  }
}

TEST(Linear, L1) {
  EXPECT_EQ(evaluateFloat("2", "snn.linear %x {weight = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>, bias = dense<[0.5, 0.0, -1.0]> : tensor<3xf32>}", "3", {10, 100}),
            (Values{210.5, 430, 649}));
  EXPECT_EQ(evaluateCounts("2", "snn.linear %x {weight = dense<[[1, 2], [-3, 4], [-128, 127]]> : tensor<3x2xi8>}", "3", {10, 100}), (Values{210, 370, 11420}));
}

TEST(Pool, P1_padding_adds_nothing) {
  EXPECT_EQ(evaluateFloat("1x2x3", "snn.sum_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 0, 1, 1>}", "1x2x2", {1, 2, 3, 4, 5, 6}),
            (Values{3, 3, 9, 6}));
}

TEST(Pool, P1_integer) {
  Network network(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<2x2x2xui8>
  %x = snn.encode %i events {max_count = 60 : i64} : (tensor<2x2x2xui8>) -> tensor<2x2x2xui8>
  %p = snn.sum_pool %x {kernel = array<i64: 2, 2>} : (tensor<2x2x2xui8>) -> tensor<2x1x1xui8>
  %m = snn.max_pool %x {kernel = array<i64: 2, 2>} : (tensor<2x2x2xui8>) -> tensor<2x1x1xui8>
  %a = snn.add %p, %m : (tensor<2x1x1xui8>, tensor<2x1x1xui8>) -> tensor<2x1x1xui8>
  %f = snn.flatten %a : (tensor<2x1x1xui8>) -> tensor<2xui8>
  %c = snn.linear %f {weight = dense<[[1, 0], [0, 1]]> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
  snn.output "out" %r : tensor<2xi32>
})");
  ASSERT_EQ(network.run(std::vector<uint8_t>{1, 0, 0, 3, 0, 60, 7, 0}), "");
  EXPECT_EQ(network.trace("sum_pool")[0], (Values{4, 67}));
  EXPECT_EQ(network.trace("max_pool")[0], (Values{3, 60}));
  EXPECT_EQ(network.output(), (Values{7, 127})); // A1, F1
}

TEST(Pool, P2_padding_never_wins) { // all inputs negative: a padding of 0 would win
  EXPECT_EQ(evaluateFloat("1x2x2", "snn.max_pool %x {kernel = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>}", "1x2x2", {-4, -3, -2, -1}), (Values{-4, -3, -2, -1}));
}

TEST(Pool, P3_padding_counts) {
  EXPECT_EQ(evaluateFloat("1x2x2", "snn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>}", "1x2x2", {4, 8, 12, 16}),
            (Values{1, 2, 3, 4}));
}

TEST(Pool, P4_size_rounds_down) { // 5 wide, kernel 2, stride 2: 2 windows, the last column is not read
  EXPECT_EQ(evaluateFloat("1x1x5", "snn.sum_pool %x {kernel = array<i64: 1, 2>, strides = array<i64: 1, 2>}", "1x1x2", {1, 2, 3, 4, 100}), (Values{3, 7}));
}

TEST(Add, A1) {
  Network network(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<3xf32>
  %x = snn.encode %i direct : (tensor<3xf32>) -> tensor<3xf32>
  %y = snn.relu %x : (tensor<3xf32>) -> tensor<3xf32>
  %a = snn.add %x, %y : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  %r = snn.readout %a last : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
})");
  ASSERT_EQ(network.run(std::vector<float>{1, -2, 0.5f}), "");
  EXPECT_EQ(network.output(), (Values{2, -2, 1}));
}

TEST(Flatten, F1_row_major) {
  EXPECT_EQ(evaluateFloat("2x2x3", "snn.flatten %x", "12", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), (Values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(BatchNorm, B1) {
  EXPECT_EQ(evaluateFloat("2x1x2", "snn.batch_norm %x {gamma = dense<[2.0, -1.0]> : tensor<2xf32>, beta = dense<[0.5, 0.0]> : tensor<2xf32>, mean = dense<[1.0, 2.0]> : tensor<2xf32>, "
                                   "variance = dense<[3.0, 0.25]> : tensor<2xf32>, epsilon = 1.0 : f32}", "2x1x2", {1, 3, 2, 7}),
            (Values{0.5, 2.5, 0, -5.f / std::sqrt(1.25f)}));
}

TEST(Relu, U1) { EXPECT_EQ(evaluateFloat("3", "snn.relu %x", "3", {-1, 0, 2.5}), (Values{0, 0, 2.5})); }

} // namespace
