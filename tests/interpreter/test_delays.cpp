// Delays (D1), by hand: alone, one behind the other, and as feedback through neurons, in both forms, fused and not.
#include "tests/interpreter/fixture.h"

#include <gtest/gtest.h>

using namespace lasnn::test;

namespace {

const std::vector<uint8_t> kCounts = {3, 0, 2, 1}; // T = 4
const std::vector<Values> kOneLate = {{0}, {3}, {0}, {2}}, kTwoLate = {{0}, {0}, {3}, {0}};

/// `form` is f32 or ui8; the delays stand before what they read.
std::string twoDelays(const std::string &form, const std::string &current, const std::string &weight, const std::string &scale) {
  return R"(
snn.network @n timesteps = 4 {
  %b = snn.delay %a : (tensor<1x)" + form + R"(>) -> tensor<1x)" + form + R"(>
  %a = snn.delay %x : (tensor<1x)" + form + R"(>) -> tensor<1x)" + form + R"(>
  %i = snn.input "in" : tensor<1xui8>
  %x = snn.encode %i events {max_count = 3 : i64} : (tensor<1xui8>) -> tensor<1x)" + form + R"(>
  %c = snn.linear %b {weight = dense<7> : tensor<1x1x)" + weight + R"(>} : (tensor<1x)" + form + R"(>) -> tensor<1x)" + current + R"(>
  %r = snn.readout %c sum )" + scale + R"( : (tensor<1x)" + current + R"(>) -> tensor<1x)" + current + R"(>
  snn.output "out" %r : tensor<1x)" + current + R"(>
})";
}

TEST(Delay, D1_a_delay_of_a_delay_is_two_steps_long) {
  Network integer(twoDelays("ui8", "i32", "i8", "{scale = 1.0 : f32}"));
  std::string text = twoDelays("f32", "f32", "f32", "");
  Network real(text.replace(text.find("dense<7>"), 8, "dense<7.0>"));
  for (Network *n : {&integer, &real}) {
    ASSERT_EQ(n->error(), "");
    for (int again = 0; again < 2; ++again) { // a run begins with nothing held back
      ASSERT_EQ(n->run(kCounts), "");
      EXPECT_EQ(n->trace("delay#1"), kOneLate);
      EXPECT_EQ(n->trace("delay"), kTwoLate);
      EXPECT_EQ(n->output(), Values{21});
    }
  }
}

// Bias 2, theta 1, from its own spike -2: it fires at every other step. The reset is to 0.
const char *kSelf = R"(
snn.network @n timesteps = 5 {
  %s = snn.if %sum {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1xi32>) -> tensor<1xui8>
  %i = snn.input "in" : tensor<1xui8>
  %x = snn.encode %i events : (tensor<1xui8>) -> tensor<1xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<1x1xi8>, bias = dense<2> : tensor<1xi32>} : (tensor<1xui8>) -> tensor<1xi32>
  %back = snn.delay %s : (tensor<1xui8>) -> tensor<1xui8>
  %w = snn.linear %back {weight = dense<-2> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
  %sum = snn.add %c, %w : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
  %o = snn.linear %s {weight = dense<5> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
  %r = snn.readout %o sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
})";

TEST(Delay, S4_a_layer_feeds_back_to_itself) {
  Network n(kSelf);
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(std::vector<uint8_t>{0, 0, 0, 0, 0}), "");
  EXPECT_EQ(n.trace("if"), (std::vector<Values>{{1}, {0}, {1}, {0}, {1}}));
  EXPECT_EQ(n.trace("delay"), (std::vector<Values>{{0}, {1}, {0}, {1}, {0}}));
  EXPECT_EQ(n.output(), Values{15});
  // With an input at step 2: I = 2 + 1 - 2 = 1 does not reach beyond theta.
  ASSERT_EQ(n.run(std::vector<uint8_t>{0, 1, 0, 0, 0}), "");
  EXPECT_EQ(n.trace("if"), (std::vector<Values>{{1}, {0}, {1}, {0}, {1}}));
  EXPECT_EQ(n.stats()[0].synops, 5u); // over both runs: twice two spikes that came back, and the input
}

TEST(Delay, D1_reset_forgets_what_is_held_back) {
  Network n(kSelf);
  n.reset();
  ASSERT_EQ(n.step(std::vector<uint8_t>{0}), "");
  EXPECT_EQ(n.output(), Values{5});
  n.reset();
  ASSERT_EQ(n.step(std::vector<uint8_t>{0}), "");
  EXPECT_EQ(n.output(), Values{5}); // it fires again: no -2 comes back
  ASSERT_EQ(n.step(std::vector<uint8_t>{0}), "");
  EXPECT_EQ(n.output(), Values{5});
  EXPECT_EQ(n.trace("delay"), (std::vector<Values>{{0}, {1}}));
}

TEST(Delay, Y1_a_loop_through_two_fused_layers) {
  // The second layer hears the first, and the first what the second said a step ago. "first": I = 2x - 3b, theta 1, reset to 0;
  // "second": I = s, theta 1, subtract 1, so that it fires from its second spike on. Inputs 1 1 1 1 1:
  // t1: I 2 fires; v2 1.            t2: I 2 fires; v2 2 fires, 1.  t3: I 2 - 3 = -1, v -1; v2 1.
  // t4: I 2, v 1 no; v2 1.          t5: I 2, v 3 fires; v2 2 fires.
  Network n(R"(
snn.network @n timesteps = 5 {
  %first = snn.layer "first" (%a = %x : tensor<1xui8>, %b = %back : tensor<1xui8>) -> tensor<1xui8> {
    %c = snn.linear %a {weight = dense<2> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
    %d = snn.linear %b {weight = dense<-3> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
    %e = snn.add %c, %d : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
    %s = snn.if %e {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1xi32>) -> tensor<1xui8>
    snn.yield %s : tensor<1xui8>
  }
  %back = snn.delay %second : (tensor<1xui8>) -> tensor<1xui8>
  %second = snn.layer "second" (%a = %first : tensor<1xui8>) -> tensor<1xui8> {
    %c = snn.linear %a {weight = dense<1> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
    %s = snn.if %c {v_threshold = dense<1> : tensor<1xi32>, reset = #snn<reset<subtract>>, rho = dense<1> : tensor<1xi32>} : (tensor<1xi32>) -> tensor<1xui8>
    snn.yield %s : tensor<1xui8>
  }
  %i = snn.input "in" : tensor<1xui8>
  %x = snn.encode %i events : (tensor<1xui8>) -> tensor<1xui8>
  %o = snn.layer "out" (%a = %second : tensor<1xui8>) -> tensor<1xi32> {
    %c = snn.linear %a {weight = dense<1> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
})");
  ASSERT_EQ(n.error(), "");
  ASSERT_EQ(n.run(std::vector<uint8_t>{1, 1, 1, 1, 1}), "");
  EXPECT_EQ(n.trace("if"), (std::vector<Values>{{1}, {1}, {0}, {0}, {1}}));
  EXPECT_EQ(n.trace("if#1"), (std::vector<Values>{{0}, {1}, {0}, {0}, {1}}));
  EXPECT_EQ(n.output(), Values{2});
}

} // namespace
