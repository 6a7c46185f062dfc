// Neurons: rules N1..N8, each in float and integer form where both have it.
#include "tests/interpreter/fixture.h"

#include <gtest/gtest.h>

using namespace lasnn::test;

namespace {

using Spikes = std::vector<Values>;

TEST(Neuron, N1_N3_integrates_exactly) { // IF, no reset: v = 3, 6, 9; theta 5 with gt
  auto driven = driveInteger("snn.if %x {v_threshold = dense<5> : tensor<1xi32>, reset = #snn<reset<none>>}", {{3}, {3}, {3}});
  ASSERT_EQ(driven.error, "");
  EXPECT_EQ(driven.spikes, (Spikes{{0}, {1}, {1}}));
  EXPECT_EQ(driven.stats.maxV, 9);
  EXPECT_EQ(driven.stats.maxI, 3);
}

TEST(Neuron, N2_leak_float) { // beta 0.5, reset none: v = 8, 4 + 1, 2.5 + 1
  auto driven = driveFloat("snn.lif %x {beta = 0.5 : f32, v_threshold = dense<4.0> : tensor<1xf32>, reset = #snn<reset<none>>}", {{8}, {1}, {1}});
  ASSERT_EQ(driven.error, "");
  EXPECT_EQ(driven.spikes, (Spikes{{1}, {1}, {0}}));
  EXPECT_EQ(driven.stats.maxV, 8);
}

TEST(Neuron, N2_if_keeps_v) {
  auto driven = driveFloat("snn.if %x {v_threshold = dense<2.5> : tensor<1xf32>}", {{1}, {1}, {1}, {1}});
  EXPECT_EQ(driven.spikes, (Spikes{{0}, {0}, {1}, {0}}));
}

TEST(Neuron, N2_leak_integer_rounds_to_zero) { // decay 2048 halves: 7 -> 3 -> 1 -> 0
  auto driven = driveInteger("snn.lif %x {decay = 2048 : i32, v_threshold = dense<1000> : tensor<1xi32>}", {{7, 1}, {0, 0}, {0, 0}, {0, 0}});
  EXPECT_EQ(driven.stats.maxAbsV, (Values{7, 1}));
  // v of channel 0 at step 4 is 0: -1 more would be seen as minV
  auto after = driveInteger("snn.lif %x {decay = 2048 : i32, v_threshold = dense<0> : tensor<1xi32>, reset = #snn<reset<none>>}", {{7}, {0}, {0}, {0}});
  EXPECT_EQ(after.spikes, (Spikes{{1}, {1}, {1}, {0}}));
}

TEST(Neuron, N2_leak_negative) { // -7 -> -3 -> -1 -> 0: towards 0, not to minus infinity (which gives -4, -2, -1)
  auto driven = driveInteger("snn.lif %x {decay = 2048 : i32, v_threshold = dense<-2> : tensor<1xi32>, reset = #snn<reset<none>>}", {{-7}, {0}, {0}, {0}});
  EXPECT_EQ(driven.spikes, (Spikes{{0}, {0}, {1}, {1}})); // -7, -3, -1, 0 against > -2
  EXPECT_EQ(driven.stats.minV, -7);
}

TEST(Neuron, N2_leak_limits) {
  // d = 4096 forgets all: v is I alone
  EXPECT_EQ(driveInteger("snn.lif %x {decay = 4096 : i32, v_threshold = dense<4> : tensor<1xi32>, reset = #snn<reset<none>>}", {{5}, {4}, {5}}).spikes, (Spikes{{1}, {0}, {1}}));
  // d = 0 is `if`
  EXPECT_EQ(driveInteger("snn.lif %x {decay = 0 : i32, v_threshold = dense<4> : tensor<1xi32>, reset = #snn<reset<none>>}", {{2}, {2}, {1}}).spikes, (Spikes{{0}, {0}, {1}}));
  // d = 1: 4095 * 4095 >> 12 = 4094
  EXPECT_EQ(driveInteger("snn.lif %x {decay = 1 : i32, v_threshold = dense<4093> : tensor<1xi32>, reset = #snn<reset<none>>}", {{4095}, {0}, {0}}).spikes, (Spikes{{1}, {1}, {0}}));
}

TEST(Neuron, N4_clamp_16_bits) { // 30000 + 30000 clamps to 32767, once; the negative side to -32768
  auto driven = driveInteger("snn.if %x {v_threshold = dense<32766> : tensor<1xi32>, reset = #snn<reset<none>>, state_bits = 16 : i64}",
                             {{30000, -30000}, {30000, -30000}, {-1, 32000}, {0, 770}});
  ASSERT_EQ(driven.error, "");
  EXPECT_EQ(driven.spikes, (Spikes{{0, 0}, {1, 0}, {0, 0}, {0, 0}})); // 32767 > 32766, then 32766; -32768 + 32770 = 2
  EXPECT_EQ(driven.stats.clips, 2u);
  EXPECT_EQ(driven.stats.maxV, 60000); // before the clamp
  EXPECT_EQ(driven.stats.minV, -60000);
  EXPECT_EQ(driven.stats.maxAbsV, (Values{60000, 60000}));
}

TEST(Neuron, N4_clamp_24_bits) { // bias 4194304 = 2^22: the second step would be 2^23, clamps to 2^23 - 1
  auto driven = driveInteger("snn.if %x {v_threshold = dense<8388606> : tensor<1xi32>, reset = #snn<reset<none>>}", {{0}, {0}, {0}}, 1 << 22);
  EXPECT_EQ(driven.spikes, (Spikes{{0}, {1}, {1}}));
  EXPECT_EQ(driven.stats.clips, 2u);
}

TEST(Neuron, N4_v_min) {
  auto integer = driveInteger("snn.if %x {v_threshold = dense<4> : tensor<1xi32>, v_min = -10 : i32}", {{-100}, {15}});
  EXPECT_EQ(integer.spikes, (Spikes{{0}, {1}})); // -10 + 15 = 5
  EXPECT_EQ(integer.stats.clips, 1u);
  auto real = driveFloat("snn.if %x {v_threshold = dense<4.0> : tensor<1xf32>, v_min = -10.0 : f32}", {{-100}, {15}});
  EXPECT_EQ(real.spikes, (Spikes{{0}, {1}}));
  EXPECT_EQ(real.stats.clips, 0u); // counted in integer form only
  auto zero = driveInteger("snn.if %x {v_threshold = dense<4> : tensor<1xi32>, v_min = 0 : i32}", {{-1}, {5}, {0}});
  EXPECT_EQ(zero.spikes, (Spikes{{0}, {1}, {0}}));
}

TEST(Neuron, N5_gt_and_ge) {
  EXPECT_EQ(driveFloat("snn.if %x {v_threshold = dense<1.0> : tensor<1xf32>}", {{1}, {0.5}}).spikes, (Spikes{{0}, {1}}));
  EXPECT_EQ(driveFloat("snn.if %x {v_threshold = dense<1.0> : tensor<1xf32>, compare = #snn<compare<ge>>}", {{1}, {0.5}}).spikes, (Spikes{{1}, {0}}));
  EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<3> : tensor<1xi32>}", {{3}, {1}}).spikes, (Spikes{{0}, {1}}));
}

TEST(Neuron, N5_threshold_per_channel) {
  EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<[1, 2, -1]> : tensor<3xi32>}", {{2, 2, 0}, {0, 1, -1}}).spikes, (Spikes{{1, 0, 1}, {0, 1, 0}}));
}

TEST(Neuron, N5_smax) { // theta 10, rho 4: thresholds 10, 14, 18; s_max 3
  std::string integer = "snn.if %x {v_threshold = dense<10> : tensor<1xi32>, rho = dense<4> : tensor<1xi32>, reset = #snn<reset<subtract>>, s_max = 3 : i64}";
  EXPECT_EQ(driveInteger(integer, {{10, 11, 14, 15, 18, 19, 100}}).spikes, (Spikes{{0, 1, 1, 2, 2, 3, 3}}));
  std::string real = "snn.if %x {v_threshold = dense<10.0> : tensor<1xf32>, rho = dense<4.0> : tensor<1xf32>, reset = #snn<reset<subtract>>, compare = #snn<compare<ge>>, s_max = 3 : i64}";
  EXPECT_EQ(driveFloat(real, {{9.5, 10, 14, 18, 100}}).spikes, (Spikes{{0, 1, 2, 3, 3}}));
  // N6: what is left after s spikes is v - s * rho
  EXPECT_EQ(driveInteger(integer, {{19}, {4}, {0}}).spikes, (Spikes{{3}, {1}, {0}})); // 7 left, 11 fires, 7 left
}

TEST(Neuron, N6_zero) { EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<3> : tensor<1xi32>}", {{100}, {3}, {1}}).spikes, (Spikes{{1}, {0}, {1}})); }

TEST(Neuron, N6_value) {
  EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<3> : tensor<1xi32>, reset = #snn<reset<value>>, v_reset = dense<[-2, 2]> : tensor<2xi32>}", {{9, 9}, {2, 2}, {4, 1}}).spikes,
            (Spikes{{1, 1}, {0, 1}, {1, 0}}));
  EXPECT_EQ(driveFloat("snn.if %x {v_threshold = dense<3.0> : tensor<1xf32>, reset = #snn<reset<value>>, v_reset = dense<-2.0> : tensor<1xf32>}", {{9}, {5}, {0.5}}).spikes,
            (Spikes{{1}, {0}, {1}}));
}

TEST(Neuron, N6_subtract) {
  EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<3> : tensor<1xi32>, rho = dense<2> : tensor<1xi32>, reset = #snn<reset<subtract>>}", {{9}, {0}, {0}, {0}}).spikes,
            (Spikes{{1}, {1}, {1}, {0}})); // 9, 7, 5, 3
  EXPECT_EQ(driveFloat("snn.if %x {v_threshold = dense<3.0> : tensor<1xf32>, reset = #snn<reset<subtract>>}", {{9}, {0}, {0}}).spikes,
            (Spikes{{1}, {1}, {0}})); // rho absent: theta (N11)
}

TEST(Neuron, N6_none) { EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<3> : tensor<1xi32>, reset = #snn<reset<none>>}", {{4}, {0}, {-1}}).spikes, (Spikes{{1}, {1}, {0}})); }

TEST(Neuron, N6_only_where_it_spiked) {
  EXPECT_EQ(driveInteger("snn.if %x {v_threshold = dense<3> : tensor<1xi32>, reset = #snn<reset<value>>, v_reset = dense<-5> : tensor<1xi32>}", {{3}, {1}}).spikes, (Spikes{{0}, {1}}));
}

TEST(Neuron, N7) { // rho 70000: 100 - 70000 clamps to -32768, one clip each time
  auto driven = driveInteger("snn.if %x {v_threshold = dense<50> : tensor<1xi32>, rho = dense<70000> : tensor<1xi32>, reset = #snn<reset<subtract>>, state_bits = 16 : i64}",
                             {{100}, {32000}, {819}, {0}, {1}});
  ASSERT_EQ(driven.error, "");
  EXPECT_EQ(driven.spikes, (Spikes{{1}, {0}, {1}, {0}, {0}})); // -32768, -768, 51 fires
  EXPECT_EQ(driven.stats.clips, 2u);
  auto floor = driveInteger("snn.if %x {v_threshold = dense<5> : tensor<1xi32>, rho = dense<20> : tensor<1xi32>, reset = #snn<reset<subtract>>, v_min = -3 : i32}", {{10}, {8}, {1}});
  EXPECT_EQ(floor.spikes, (Spikes{{1}, {0}, {1}})); // 10 - 20 clamps to v_min -3; 5; 6
  auto real = driveFloat("snn.if %x {v_threshold = dense<5.0> : tensor<1xf32>, rho = dense<20.0> : tensor<1xf32>, reset = #snn<reset<subtract>>, v_min = -3.0 : f32}", {{10}, {8}, {1}});
  EXPECT_EQ(real.spikes, (Spikes{{1}, {0}, {1}})); // the same in float form
  EXPECT_EQ(floor.stats.clips, 2u);                 // 6 - 20 as well
}

TEST(Neuron, N7_float) { // the same with v_min in float form: -10 clamps to -3, 5, 6
  EXPECT_EQ(driveFloat("snn.if %x {v_threshold = dense<5.0> : tensor<1xf32>, rho = dense<20.0> : tensor<1xf32>, reset = #snn<reset<subtract>>, v_min = -3.0 : f32}", {{10}, {8}, {1}}).spikes,
            (Spikes{{1}, {0}, {1}}));
}

TEST(Neuron, N7_large_products_are_exact) { // s * rho beyond 32 bits: 255 * 2000000000
  auto driven = driveInteger("snn.if %x {v_threshold = dense<-2147483648> : tensor<1xi32>, rho = dense<2000000000> : tensor<1xi32>, reset = #snn<reset<subtract>>, s_max = 255 : i64}",
                             {{0}, {0}});
  ASSERT_EQ(driven.error, "");
  EXPECT_EQ(driven.spikes, (Spikes{{2}, {2}})); // -2^31, -147483648 lie below 0; then v clamps to -2^23
  EXPECT_EQ(driven.stats.clips, 2u);
}

TEST(Neuron, N8_state_is_per_element) { // 1 channel, 3 pixels: one threshold, three membranes
  Network network(R"(
snn.network @n timesteps = 2 {
  %i = snn.input "in" : tensor<1x1x3xf32>
  %x = snn.encode %i direct : (tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  %s = snn.if %x {v_threshold = dense<1.5> : tensor<1xf32>} : (tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  %r = snn.readout %s sum : (tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  snn.output "out" %r : tensor<1x1x3xf32>
})");
  ASSERT_EQ(network.run(std::vector<float>{1, 2, 0}), "");
  EXPECT_EQ(network.trace("if"), (Spikes{{0, 1, 0}, {1, 1, 0}}));
  EXPECT_EQ(network.output(), (Values{1, 2, 0}));
}

TEST(Neuron, N9_to_N14_refused) {
  EXPECT_NE(driveInteger("snn.lif %x {beta = 0.5 : f32, v_threshold = dense<5> : tensor<1xi32>}", {{1}}).error.find("rule N9"), std::string::npos);
  EXPECT_NE(driveInteger("snn.if %x {v_threshold = dense<5> : tensor<1xi32>, compare = #snn<compare<ge>>}", {{1}}).error.find("rule N14"), std::string::npos);
  EXPECT_NE(driveInteger("snn.if %x {v_threshold = dense<5> : tensor<1xi32>, s_max = 2 : i64}", {{1}}).error.find("rule N12"), std::string::npos);
}

} // namespace
