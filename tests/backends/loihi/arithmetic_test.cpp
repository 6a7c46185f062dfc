// The chip's rules one by one, with numbers worked out by hand.
#include "backends/loihi/sim/arithmetic.h"

#include <gtest/gtest.h>

namespace lasnn::loihi {
namespace {

TEST(LoihiArithmetic, DecayCutsTowardsZero) {
  EXPECT_EQ(decayed(1000, 0), 1000);
  EXPECT_EQ(decayed(1000, 4096), 0);
  EXPECT_EQ(decayed(1000, 1024), 750);
  EXPECT_EQ(decayed(3, 2048), 1);   // 1.5
  EXPECT_EQ(decayed(-3, 2048), -1); // -1.5: not -2
  EXPECT_EQ(decayed(-1, 1), 0);     // 0.9998
  EXPECT_EQ(decayed((1 << 23) - 1, 1), 8386559); // 8388607 * 4095 / 4096 = 8386559.0002
  EXPECT_EQ(decayed(-((1 << 23) - 1), 1), -8386559);
}

TEST(LoihiArithmetic, DecayIsTheSpecs) {
  for (int32_t v = -5000; v <= 5000; v += 7)
    for (uint32_t d : {0u, 1u, 17u, 2048u, 4000u, 4095u, 4096u}) {
      const int32_t magnitude = (std::abs(v) * int32_t(4096 - d)) / 4096;
      EXPECT_EQ(decayed(v, d), v < 0 ? -magnitude : magnitude) << v << " " << d;
    }
}

TEST(LoihiArithmetic, TheCurrentCannotBeHeld) {
  EXPECT_EQ(decayedCurrent(4096, 0, true), 4095);
  EXPECT_EQ(decayedCurrent(4096, 0, false), 4096);
  EXPECT_EQ(decayedCurrent(4096, 4096, true), 0);
  EXPECT_EQ(decayedCurrent(4096, 4095, true), 0);
}

TEST(LoihiArithmetic, TheAccumulatorSaturatesTheCurrentWrapsTheVoltageClips) {
  uint64_t events = 0;
  EXPECT_EQ(saturated(2097151, 22, events), 2097151);
  EXPECT_EQ(events, 0u);
  EXPECT_EQ(saturated(2097152, 22, events), 2097151);
  EXPECT_EQ(saturated(-2097152, 22, events), -2097151);
  EXPECT_EQ(events, 2u);
  events = 0;
  EXPECT_EQ(wrapped(8388607, 24, events), 8388607);
  EXPECT_EQ(wrapped(8388608, 24, events), -8388608);
  EXPECT_EQ(wrapped(-8388609, 24, events), 8388607);
  EXPECT_EQ(events, 2u);
  events = 0;
  EXPECT_EQ(clipped(int64_t(8388607) + 5, -8388607, 8388607, events), 8388607);
  EXPECT_EQ(clipped(-8388608, -8388607, 8388607, events), -8388607);
  EXPECT_EQ(clipped(-3, 0, 10, events), 0);
  EXPECT_EQ(clipped(3, 0, 10, events), 3);
  EXPECT_EQ(events, 3u);
}

TEST(LoihiArithmetic, ASpikeNeedsMoreThanTheThreshold) {
  EXPECT_EQ(spikesOf(64, 64, 64, 1), 0u);
  EXPECT_EQ(spikesOf(65, 64, 64, 1), 1u);
  EXPECT_EQ(spikesOf(65, 64, 64, 4), 1u);
  EXPECT_EQ(spikesOf(129, 64, 64, 4), 2u); // 128 is the second threshold
  EXPECT_EQ(spikesOf(128, 64, 64, 4), 1u);
  EXPECT_EQ(spikesOf(100000, 64, 64, 4), 4u);
  EXPECT_EQ(spikesOf(0, -1, 0, 1), 1u);
}

TEST(LoihiArithmetic, WeightsAreMantissasTimesAPowerOfTwo) {
  EXPECT_EQ(weightOf(-256, 6), -16384);
  EXPECT_EQ(weightOf(255, 13), 255 << 13);
  EXPECT_EQ(weightOf(254, -1), 127); // wexp -7 undoes the shift of the mixed sign mode
  EXPECT_EQ(weightOf(-254, -1), -127);
  EXPECT_EQ(weightOf(-1, -2), -1);
}

TEST(LoihiArithmetic, BiasRegisters) {
  EXPECT_TRUE(biasFits(0, 0, 13, 7));
  EXPECT_FALSE(biasFits(1, 0, 13, 7));
  EXPECT_TRUE(biasFits(4095, 1, 13, 7));
  EXPECT_TRUE(biasFits(-4096, 1, 13, 7));
  EXPECT_FALSE(biasFits(4097, 1, 13, 7));
  EXPECT_TRUE(biasFits(4098, 1, 13, 7)); // 2049 << 1
  EXPECT_TRUE(biasFits(4097, 2, 13, 7));
  EXPECT_TRUE(biasFits(4095 << 7, 1, 13, 7));
  EXPECT_FALSE(biasFits((4095 << 7) + 1, 1, 13, 7));
  EXPECT_TRUE(biasFits((4095 << 7) + 1, 2, 13, 7));
  EXPECT_FALSE(biasFits((4095 << 7) * 2 + 4096, 2, 13, 7));
  EXPECT_TRUE(biasFits(-(4096 << 7) - 4096, 2, 13, 7));
}

} // namespace
} // namespace lasnn::loihi
