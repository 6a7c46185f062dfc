// The CUDA kernels, run on the CPU through an emulation of blocks and threads, against the CPU's loops: the same equations
// (neuron_step.h) in another order of loops, so spikes and gradients are equal to the bit, and sums over a channel to rounding. No
// GPU and no Torch needed.
#include "tests/distill/cuda_emulation.h"

#include "distill/bits_kernels.cu"
#include "distill/neuron_kernels.cu"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace lasnn::distill;

namespace {

template <typename T> std::vector<T> randoms(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<T> values(count);
  for (T &value : values)
    store(value, normal(generator));
  return values;
}

struct Case {
  int soma, surrogate;
  bool subtract, detach;
  int64_t steps;
  bool once, normalised, added, learned;
  int64_t batch, channels, inner;
  size_t shift = 0; // of every address, in values
};

std::ostream &operator<<(std::ostream &to, const Case &c) {
  return to << "soma " << c.soma << " subtract " << c.subtract << " detach " << c.detach << " surrogate " << c.surrogate << " T " << c.steps << " once " << c.once
            << " normalised " << c.normalised << " added " << c.added << " learned " << c.learned << " batch " << c.batch << " channels " << c.channels
            << " inner " << c.inner << " shift " << c.shift;
}

/// Adds a number a neuron to a channel's sum, and what its rounding may be: sums of n floats, added in any order, lie within n eps of
/// the sum of their sizes; a thread adds at most a few hundred before the tree and float64 take over.
struct ChannelSums {
  std::vector<double> sum, size;
  ChannelSums(const LoopShape &shape, const std::vector<float> &each, const std::vector<float> &sizes)
      : sum(size_t(shape.channels)), size(size_t(shape.channels)) {
    for (size_t n = 0; n < each.size(); ++n) {
      const auto channel = size_t(int64_t(n) / shape.inner % shape.channels);
      sum[channel] += double(each[n]), size[channel] += std::abs(double(sizes[n]));
    }
  }
  void expect(const float *found, double scale, const char *what) const {
    for (size_t c = 0; c < sum.size(); ++c)
      EXPECT_NEAR(double(found[c]), sum[c] * scale, (1e-5 * size[c] + 1e-4) * std::abs(scale)) << what << " of channel " << c;
  }
};

template <typename T> void compare(const Case &c) {
  SCOPED_TRACE(testing::Message() << c << " bytes " << sizeof(T));
  const LoopShape shape{c.steps, c.once ? 1 : c.steps, c.batch * c.channels * c.inner, c.channels, c.inner};
  const size_t neurons = size_t(shape.neurons), all = neurons * size_t(c.steps), given = neurons * size_t(shape.given);
  auto x = randoms<T>(given + c.shift, 1), added = randoms<T>(given + c.shift, 3), grad = randoms<T>(all, 2);
  const float beta = 0.7f, alpha = 0.4f;
  std::vector<float> thresholds, scale, offset, mean, inverse;
  for (int64_t k = 0; k < c.channels; ++k) {
    thresholds.push_back(0.4f + 0.1f * float(k % 7));
    scale.push_back(0.8f + 0.2f * float(k % 3)), offset.push_back(0.1f * float(k % 5)), mean.push_back(0.3f - 0.1f * float(k % 4)), inverse.push_back(1.5f);
  }
  const LoopAffine affine = c.normalised ? LoopAffine{scale.data(), offset.data(), mean.data()} : LoopAffine{};
  const bool perChannel = c.learned;
  const LoopNeuron loop{c.soma, c.subtract, c.detach, c.surrogate, 1.3f, beta, alpha, thresholds.data(), perChannel, affine};
  const KernelNeuron kernel{c.soma, c.subtract, c.detach, c.surrogate, 1.3f, &beta, &alpha, thresholds.data(), perChannel, affine};
  const T *const more = c.added ? added.data() + c.shift : nullptr;
  const LoopInput<T> loopIn{x.data() + c.shift, more};
  const KernelInput kernelIn{x.data() + c.shift, more};
  const bool bfloat16 = sizeof(T) == 2;

  std::vector<T> spikes(all), kernelSpikes(all), current(given), kernelCurrent(given);
  std::vector<float> betas(neurons), alphas(neurons), thresholdGrads(neurons), sums(neurons), moments(neurons);
  forwardLoop(shape, loop, loopIn, spikes.data(), 0, shape.neurons);
  LoopGrads<T> to{current.data(), betas.data(), alphas.data(), thresholdGrads.data(), sums.data(), moments.data()};
  if (!c.normalised) // the loops then leave the sums to the caller; taken about 0 here
    sums.clear(), moments.clear();
  backwardLoop(shape, loop, loopIn, grad.data(), to, 0, shape.neurons);

  EXPECT_EQ(neuronForwardCuda(shape, kernel, bfloat16, kernelIn, kernelSpikes.data(), nullptr), 0);
  std::vector<float> rows(size_t(neuronSums * c.channels), NAN);
  const KernelSums wanted{c.learned, c.normalised ? inverse.data() : nullptr, float(given / size_t(c.channels)), c.normalised || c.learned ? rows.data() : nullptr};
  std::vector<float> room(size_t(neuronBackwardRoom(shape, kernel, bfloat16, kernelIn, wanted)), NAN);
  EXPECT_EQ(neuronBackwardCuda(shape, kernel, bfloat16, kernelIn, grad.data(), kernelCurrent.data(), wanted, room.data(), nullptr), 0);
  EXPECT_EQ(spikes, kernelSpikes);
  EXPECT_EQ(current, kernelCurrent);
  auto row = [&](NeuronSum which) { return rows.data() + size_t(which) * size_t(c.channels); };
  if (c.learned) {
    ChannelSums(shape, betas, betas).expect(row(sumOfBeta), 1, "beta");
    ChannelSums(shape, alphas, alphas).expect(row(sumOfAlpha), 1, "alpha");
    ChannelSums(shape, thresholdGrads, thresholdGrads).expect(row(sumOfThreshold), 1, "threshold");
  }
  if (c.normalised) {
    const double count = double(wanted.count);
    ChannelSums(shape, sums, sums).expect(row(sumOfCurrent), 1, "sum");
    ChannelSums(shape, moments, moments).expect(row(sumOfMoment), 1.5, "moment");
    ChannelSums(shape, sums, sums).expect(row(sumShare), 1 / count, "share");
    ChannelSums(shape, moments, moments).expect(row(sumSlope), 1.5 * 1.5 / count, "slope");
    const LoopBack back{scale.data(), mean.data(), row(sumShare), row(sumSlope)};
    std::vector<T> in(x.begin() + std::ptrdiff_t(c.shift), x.end()), xGrad(given);
    normaliseBackLoop(shape, back, in.data(), current.data(), xGrad.data(), 0, shape.neurons);
    EXPECT_EQ(normaliseBackCuda(shape, back, bfloat16, in.data(), kernelCurrent.data(), kernelCurrent.data(), nullptr), 0);
    EXPECT_EQ(xGrad, kernelCurrent);
    EXPECT_NE(xGrad, current);
  }
  size_t fired = 0;
  for (T s : spikes)
    fired += load(s) != 0;
  EXPECT_GT(fired, all / 50);
  EXPECT_NE(thresholdGrads, std::vector<float>(neurons));
}

struct Layout {
  int64_t batch, channels, inner;
};
/// Channels outside and inside; whole vectors and not; more columns than a tile, and a tile that is not full; several blocks.
constexpr Layout layouts[] = {{5, 3, 64}, {37, 24, 1}, {3, 320, 1}, {9, 3, 5}, {70, 5, 1}};

TEST(Kernels, EqualTheLoops) {
  unsigned turn = 0;
  for (int soma : {somaLeaky, somaCuba, somaClif})
    for (bool subtract : {false, true})
      for (int surrogate : {0, 1, 2, 3})
        for (int64_t steps : {1, 4, 6, 8, 13, 16, 17}) // in registers up to 16 or 8, through memory beyond
          for (bool once : {false, true})
            for (bool normalised : {false, true}) {
              const Layout &l = layouts[turn % 5];
              Case c{soma, surrogate, subtract, turn % 3 == 0, steps, once, normalised, turn % 4 == 1, turn % 7 == 2, l.batch, l.channels, l.inner};
              compare<float>(c);
              compare<uint16_t>(c);
              ++turn;
            }
}

TEST(Kernels, EveryLayoutEveryPath) {
  for (const Layout &l : layouts)
    for (int64_t steps : {4, 7, 16})
      for (bool added : {false, true})
        for (bool learned : {false, true})
          for (size_t shift : {size_t(0), size_t(1)}) { // an odd address: one value at a time
            const Case c{somaLeaky, 0, false, true, steps, false, true, added, learned, l.batch, l.channels, l.inner, shift};
            compare<float>(c);
            compare<uint16_t>(c);
          }
}

/// Many rows for each thread, and many slices.
TEST(Kernels, LargeLayers) {
  compare<uint16_t>({somaLeaky, 0, false, true, 4, false, true, false, false, 40, 8, 256});
  compare<uint16_t>({somaLeaky, 0, true, false, 2, false, true, false, false, 9000, 16, 1});
}

TEST(Kernels, ShortPathIsTaken) {
  const float number = 0.5f;
  const KernelNeuron n{somaLeaky, false, true, 0, 1, &number, &number, &number, false, {}};
  alignas(16) const uint16_t memory[8] = {};
  const LoopShape four{4, 4, 1024, 16, 64}, sixteen{16, 16, 1024, 16, 1};
  EXPECT_EQ(shortBound(four, n, true, {memory}, false), 4);
  EXPECT_EQ(shortBound(sixteen, n, true, {memory}, false), 16);
  EXPECT_EQ(shortBound(sixteen, n, true, {memory, memory}, false), 0) << "three tensors of 16 steps do not fit";
  EXPECT_EQ(shortBound(four, n, true, {memory + 1}, false), 0);
  EXPECT_EQ(shortBound(four, n, true, {memory}, true), 0);
}

template <typename T> void packAndBack(size_t count, size_t shift) {
  SCOPED_TRACE(testing::Message() << count << " values of " << sizeof(T) << " bytes, shift " << shift);
  std::vector<T> room(count + shift), back(count + shift), loopBack(count);
  T *const spikes = room.data() + shift;
  std::mt19937 random(7);
  for (size_t i = 0; i < count; ++i)
    store(spikes[i], random() % 3 == 0 ? 1.0f : 0.0f);
  const size_t bytes = (count + 7) / 8;
  std::vector<uint8_t> loop(bytes, 0xcc), kernel(bytes, 0xcc);
  packLoop(spikes, loop.data(), int64_t(count), 0, int64_t(bytes));
  EXPECT_EQ(packCuda(spikes, sizeof(T) == 2, kernel.data(), int64_t(count), nullptr), 0);
  EXPECT_EQ(loop, kernel);
  for (size_t i = 0; i < count; ++i)
    ASSERT_EQ(loop[i / 8] >> (i % 8) & 1, load(spikes[i]) != 0) << i;
  unpackLoop(loop.data(), loopBack.data(), int64_t(count), 0, int64_t(bytes));
  EXPECT_EQ(unpackCuda(kernel.data(), sizeof(T) == 2, back.data() + shift, int64_t(count), nullptr), 0);
  EXPECT_EQ(loopBack, std::vector<T>(spikes, spikes + count));
  EXPECT_EQ(loopBack, std::vector<T>(back.begin() + std::ptrdiff_t(shift), back.end()));
}

TEST(Kernels, BitsComeBack) {
  for (size_t count : {size_t(1), size_t(7), size_t(8), size_t(2048), size_t(2051)})
    for (size_t shift : {size_t(0), size_t(1)})
      packAndBack<float>(count, shift), packAndBack<uint16_t>(count, shift);
}

TEST(Kernels, PlainExpIsExp) {
  for (float x = -86; x < 88; x += 0.0137f)
    EXPECT_NEAR(plainExp(x) / std::exp(double(x)), 1, 4e-7) << x; // two ulp and what x itself is rounded by
  EXPECT_EQ(plainExp(0), 1);
  EXPECT_NEAR(plainSigmoid(-100), 0, 1e-30);
  EXPECT_EQ(plainSigmoid(100), 1);
}

} // namespace
