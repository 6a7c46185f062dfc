// Networks as a whole: order of execution (S4, S5), steps and samples, statistics, fused layers (Y1), errors.
#include "tests/interpreter/fixture.h"

#include <gtest/gtest.h>

using namespace lasnn::test;

namespace {

const std::string kTwoLayers[] = {
    R"(%i = snn.input "in" : tensor<2xui8>)",
    R"(%x = snn.encode %i events {max_count = 3 : i64} : (tensor<2xui8>) -> tensor<2xui8>)",
    R"(%c = snn.linear %x {weight = dense<[[2, 1], [0, -1], [1, 1]]> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>)",
    R"(%s = snn.lif %c {decay = 2048 : i32, v_threshold = dense<3> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>)",
    R"(%d = snn.linear %s {weight = dense<[[1, 2, 3]]> : tensor<1x3xi8>, bias = dense<1> : tensor<1xi32>} : (tensor<3xui8>) -> tensor<1xi32>)",
    R"(%u = snn.if %d {v_threshold = dense<4> : tensor<1xi32>} : (tensor<1xi32>) -> tensor<1xui8>)",
    R"(%o = snn.linear %u {weight = dense<[[7], [-7]]> : tensor<2x1xi8>} : (tensor<1xui8>) -> tensor<2xi32>)",
    R"(%r = snn.readout %o sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>)",
    R"(snn.output "out" %r : tensor<2xi32>)"};
const std::vector<uint8_t> kSample = {1, 1, 2, 0, 0, 3, 1, 1}; // T = 4

std::string network(std::initializer_list<int> order) {
  std::string text = "snn.network @n timesteps = 4 {\n";
  for (int line : order) text += "  " + kTwoLayers[line] + "\n";
  return text + "}";
}

// By hand. I1 = 2a+b, -b, a+b. Step 1 (1,1): 3,-1,2 none. Step 2 (2,0): 1+4=5 fires, 0+0, 1+2=3 none.
// Step 3 (0,3): 0+3=3 none, 0-3=-3, 1+3=4 fires. Step 4 (1,1): 1+3=4 fires, -1-1=-2, 0+2=2 none.
// I2 = 1; 1+1=2; 1+3=4; 2 -> v: 1, 3, 7 fires, 2. Output 7, -7.
void expectTwoLayers(Network &n) {
  EXPECT_EQ(n.trace("lif"), (std::vector<Values>{{0, 0, 0}, {1, 0, 0}, {0, 0, 1}, {1, 0, 0}}));
  EXPECT_EQ(n.trace("if"), (std::vector<Values>{{0}, {0}, {1}, {0}}));
  EXPECT_EQ(n.output(), (Values{7, -7}));
}

TEST(Network, S5_two_layers_by_hand) {
  Network n(network({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(kSample), "");
  expectTwoLayers(n);
}

TEST(Network, S4_textual_order_is_free) {
  Network n(network({8, 5, 7, 3, 6, 2, 4, 1, 0}));
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(kSample), "");
  expectTwoLayers(n);
  EXPECT_EQ(n.order(), (std::vector<std::string>{"encode", "linear", "lif", "linear#1", "if", "linear#2", "readout"}));
}

TEST(Network, S4_ready_operations_keep_textual_order) {
  Network n(R"(
snn.network @n timesteps = 1 {
  snn.output "late" %r : tensor<2xf32>
  %i = snn.input "in" : tensor<2xf32>
  %x = snn.encode %i direct : (tensor<2xf32>) -> tensor<2xf32>
  %b = snn.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  %a = snn.flatten %x : (tensor<2xf32>) -> tensor<2xf32>
  %s = snn.add %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %s last : (tensor<2xf32>) -> tensor<2xf32>
  %q = snn.readout %a sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "early" %q : tensor<2xf32>
})");
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(std::vector<float>{-1, 1}), "");
  EXPECT_EQ(n.output(), (Values{-1, 2, -1, 1})); // S6: outputs in textual order
}

TEST(Network, S5_step_equals_run) {
  Network n(network({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  n.reset();
  for (size_t t = 0; t < 4; ++t) ASSERT_EQ(n.step(std::vector<uint8_t>{kSample[2 * t], kSample[2 * t + 1]}), "");
  expectTwoLayers(n);
  n.reset();
  ASSERT_EQ(n.step(std::vector<uint8_t>{3, 3}), "");
  ASSERT_EQ(n.run(kSample), ""); // run starts from reset state, whatever came before
  expectTwoLayers(n);
}

TEST(Network, S5_step_may_change_a_direct_image) {
  Network n(R"(
snn.network @n timesteps = 2 {
  %i = snn.input "in" : tensor<1xui8>
  %x = snn.encode %i direct : (tensor<1xui8>) -> tensor<1xf32>
  %c = snn.linear %x {weight = dense<255.0> : tensor<1x1xf32>} : (tensor<1xf32>) -> tensor<1xf32>
  %r = snn.readout %c sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
})");
  ASSERT_EQ(n.run(std::vector<uint8_t>{255}), "");
  EXPECT_EQ(n.output(), (Values{510}));
  n.reset();
  ASSERT_EQ(n.step(std::vector<uint8_t>{255}), "");
  ASSERT_EQ(n.step(std::vector<uint8_t>{0}), "");
  EXPECT_EQ(n.output(), (Values{255}));
}

TEST(Network, Y1_fused_layers_compute_the_same) {
  Network n(R"(
snn.network @n timesteps = 4 {
  snn.output "out" %2 : tensor<2xi32>
  %2 = snn.layer "head" (%u = %1 : tensor<1xui8>) -> tensor<2xi32> {
    %o = snn.linear %u {weight = dense<[[7], [-7]]> : tensor<2x1xi8>} : (tensor<1xui8>) -> tensor<2xi32>
    %r = snn.readout %o sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
    snn.yield %r : tensor<2xi32>
  }
  %1 = snn.layer "second" (%s = %0 : tensor<3xui8>) -> tensor<1xui8> attributes {current_bits = 16 : i64} {
    %d = snn.linear %s {weight = dense<[[1, 2, 3]]> : tensor<1x3xi8>, bias = dense<1> : tensor<1xi32>} : (tensor<3xui8>) -> tensor<1xi32>
    %u = snn.if %d {v_threshold = dense<4> : tensor<1xi32>} : (tensor<1xi32>) -> tensor<1xui8>
    snn.yield %u : tensor<1xui8>
  }
  %i = snn.input "in" : tensor<2xui8>
  %x = snn.encode %i events {max_count = 3 : i64} : (tensor<2xui8>) -> tensor<2xui8>
  %0 = snn.layer "first" (%e = %x : tensor<2xui8>) -> tensor<3xui8> {
    %c = snn.linear %e {weight = dense<[[2, 1], [0, -1], [1, 1]]> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.lif %c {decay = 2048 : i32, v_threshold = dense<3> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
})");
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(kSample), "");
  expectTwoLayers(n);
  EXPECT_EQ(n.stats()[0].name, "first");
  EXPECT_EQ(n.stats()[1].name, "second");
}

TEST(Stats, spikes_synops_steps_neurons) {
  Network n(network({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  ASSERT_EQ(n.run(kSample), "");
  auto stats = n.stats();
  ASSERT_EQ(stats.size(), 2u);
  EXPECT_EQ(stats[0].neurons, 3);
  EXPECT_EQ(stats[0].steps, 4u);
  EXPECT_EQ(stats[0].spikes, 3u);
  EXPECT_EQ(stats[0].clips, 0u);
  EXPECT_EQ(stats[0].synops, 3u * (2 + 2 + 3 + 2)); // each count meets the weights of all three results
  EXPECT_EQ(stats[1].synops, 3u);                   // three spikes, one neuron
  EXPECT_EQ(stats[1].spikes, 1u);
  EXPECT_EQ(stats[0].minI, -3);
  EXPECT_EQ(stats[0].maxV, 5);
  EXPECT_EQ(stats[1].maxAbsV, (Values{7}));
  ASSERT_EQ(n.run(kSample), ""); // they add up over samples
  EXPECT_EQ(n.stats()[0].spikes, 6u);
  EXPECT_EQ(n.stats()[0].steps, 8u);
  n.clearStats();
  EXPECT_EQ(n.stats()[0].spikes + n.stats()[0].synops + n.stats()[0].steps, 0u);
  EXPECT_EQ(n.stats()[0].maxAbsV, (Values{0, 0, 0}));
  ASSERT_EQ(n.run(kSample), "");
  EXPECT_EQ(n.stats(), stats);
}

TEST(Stats, synops_reach_the_neuron_through_add_and_flatten) {
  Network n(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<1x1x2xui8>
  %x = snn.encode %i events : (tensor<1x1x2xui8>) -> tensor<1x1x2xui8>
  %0 = snn.layer "sum" (%a = %x : tensor<1x1x2xui8>) -> tensor<4xui8> {
    %c = snn.conv2d %a {weight = dense<1> : tensor<2x1x1x1xi8>} : (tensor<1x1x2xui8>) -> tensor<2x1x2xi32>
    %d = snn.flatten %c : (tensor<2x1x2xi32>) -> tensor<4xi32>
    %f = snn.flatten %a : (tensor<1x1x2xui8>) -> tensor<2xui8>
    %e = snn.linear %f {weight = dense<1> : tensor<4x2xi8>} : (tensor<2xui8>) -> tensor<4xi32>
    %g = snn.add %d, %e : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
    %s = snn.if %g {v_threshold = dense<0> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
    snn.yield %s : tensor<4xui8>
  }
  %1 = snn.layer "out" (%a = %0 : tensor<4xui8>) -> tensor<1xi32> {
    %c = snn.linear %a {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %1 : tensor<1xi32>
})");
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(std::vector<uint8_t>{1, 0}), "");
  EXPECT_EQ(n.stats()[0].synops, 2u + 4u);
  EXPECT_EQ(n.output(), (Values{4}));
}

TEST(Stats, synops_at_the_border) { // a 3x3 kernel, padded, on 2x2: each spike meets only the windows inside the result
  Network n(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<1x3x3xui8>
  %x = snn.encode %i events {max_count = 2 : i64} : (tensor<1x3x3xui8>) -> tensor<1x3x3xui8>
  %c = snn.conv2d %x {weight = dense<1> : tensor<1x1x3x3xi8>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x3xui8>) -> tensor<1x3x3xi32>
  %s = snn.if %c {v_threshold = dense<0> : tensor<1xi32>} : (tensor<1x3x3xi32>) -> tensor<1x3x3xui8>
  %d = snn.conv2d %s {weight = dense<1> : tensor<1x1x3x3xi8>} : (tensor<1x3x3xui8>) -> tensor<1x1x1xi32>
  %r = snn.readout %d sum {scale = 1.0 : f32} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
  snn.output "out" %r : tensor<1x1x1xi32>
})");
  ASSERT_EQ(n.run(std::vector<uint8_t>{1, 0, 0, 0, 0, 0, 0, 0, 0}), "");
  EXPECT_EQ(n.stats()[0].synops, 4u);
  n.clearStats();
  ASSERT_EQ(n.run(std::vector<uint8_t>{0, 0, 0, 0, 2, 0, 0, 0, 0}), "");
  EXPECT_EQ(n.stats()[0].synops, 18u); // a count of 2 meets nine weights twice
}

TEST(Error, wrong_input_size) {
  Network n(network({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(n.run(std::vector<uint8_t>{1, 1}), "the input has 2 values, the network takes 8");
  EXPECT_EQ(n.step(std::vector<uint8_t>(8)), "the input has 8 values, the network takes 2");
}

TEST(Error, floats_for_bytes_and_bytes_for_floats) {
  Network bytes(network({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(bytes.run(std::vector<float>(8)), "the input is given as floats, the network takes bytes");
  EXPECT_EQ(bytes.step(std::vector<float>(2)), "the input is given as floats, the network takes bytes");
  Network floats(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<2xf32>
  %x = snn.encode %i direct : (tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %x last : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
})");
  EXPECT_EQ(floats.run(std::vector<uint8_t>(2)), "the input is given as bytes, the network takes floats");
}

TEST(Error, K1_current_beyond_2_30) {
  Network n(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<40000xui8>
  %x = snn.encode %i events {max_count = 255 : i64} : (tensor<40000xui8>) -> tensor<40000xui8>
  %c = snn.linear %x {weight = dense<127> : tensor<1x40000xi8>} : (tensor<40000xui8>) -> tensor<1xi32>
  %r = snn.readout %c last {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
})");
  EXPECT_NE(n.error().find("rule K1"), std::string::npos) << n.error();
}

TEST(Error, S6_output_of_no_readout) {
  Network n(R"(
snn.network @n timesteps = 1 {
  %i = snn.input "in" : tensor<2xf32>
  %x = snn.encode %i direct : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %x : tensor<2xf32>
})");
  EXPECT_NE(n.error().find("rule S6"), std::string::npos) << n.error();
}

} // namespace
