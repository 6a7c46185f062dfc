// The CUDA kernels, run on the CPU through an emulation of blocks and threads, against the CPU's loops: the same equations
// (neuron_step.h) in another order of loops, so spikes and gradients are equal to the bit. No GPU and no Torch needed.
#include "tests/distill/cuda_emulation.h"

#include "distill/neuron_kernels.cu"

#include <gtest/gtest.h>

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

template <typename T> void compare(int soma, bool subtract, bool detach, int surrogate, int64_t steps, bool once, int64_t channels) {
  SCOPED_TRACE(testing::Message() << "soma " << soma << " subtract " << subtract << " detach " << detach << " surrogate " << surrogate << " T " << steps
                                  << " once " << once << " channels " << channels << " bytes " << sizeof(T));
  const LoopShape shape{steps, once ? 1 : steps, 1100, channels, 5}; // 5 blocks, the last one not full
  const size_t neurons = size_t(shape.neurons), all = neurons * size_t(steps);
  const auto current = randoms<T>(neurons * size_t(shape.given), 1), grad = randoms<T>(all, 2);
  const float beta = 0.7f, alpha = 0.4f, thresholds[] = {0.8f, 0.4f, 1.1f};
  const LoopNeuron loop{soma, subtract, detach, surrogate, 1.3f, beta, alpha, thresholds};
  const KernelNeuron kernel{soma, subtract, detach, surrogate, 1.3f, &beta, &alpha, thresholds};
  struct Result {
    std::vector<T> spikes, current;
    std::vector<float> beta, alpha, threshold;
  };
  auto empty = [&] { return Result{std::vector<T>(all), std::vector<T>(current.size()), std::vector<float>(neurons), std::vector<float>(neurons), std::vector<float>(neurons)}; };
  Result a = empty(), b = empty();
  forwardLoop(shape, loop, current.data(), a.spikes.data(), 0, shape.neurons);
  backwardLoop(shape, loop, current.data(), grad.data(), LoopGrads<T>{a.current.data(), a.beta.data(), a.alpha.data(), a.threshold.data()}, 0, shape.neurons);
  std::vector<float> scratch(size_t(neuronScratch(shape)));
  const bool bfloat16 = sizeof(T) == 2;
  EXPECT_EQ(neuronForwardCuda(shape, kernel, bfloat16, current.data(), b.spikes.data(), nullptr), 0);
  EXPECT_EQ(neuronBackwardCuda(shape, kernel, bfloat16, current.data(), grad.data(), b.current.data(), b.beta.data(), b.alpha.data(), b.threshold.data(),
                               scratch.empty() ? nullptr : scratch.data(), nullptr), 0);
  EXPECT_EQ(a.spikes, b.spikes);
  EXPECT_EQ(a.current, b.current);
  EXPECT_EQ(a.beta, b.beta);
  EXPECT_EQ(a.alpha, b.alpha);
  EXPECT_EQ(a.threshold, b.threshold);
  size_t fired = 0;
  for (T s : a.spikes)
    fired += load(s) != 0;
  EXPECT_GT(fired, all / 50);
  EXPECT_NE(a.threshold, std::vector<float>(neurons));
}

TEST(Kernels, EqualTheLoops) {
  for (int soma : {somaLeaky, somaCuba, somaClif})
    for (bool subtract : {false, true})
      for (int surrogate : {0, 1, 2, 3})
        for (int64_t steps : {1, 4, 8, 9}) // in registers up to 8, through memory beyond
          for (bool once : {false, true}) {
            compare<float>(soma, subtract, surrogate % 2 == 0, surrogate, steps, once, once ? 1 : 3);
            compare<uint16_t>(soma, subtract, surrogate % 2 != 0, surrogate, steps, once, once ? 3 : 1);
          }
}

TEST(Kernels, PlainExpIsExp) {
  for (float x = -86; x < 88; x += 0.0137f)
    EXPECT_NEAR(plainExp(x) / std::exp(double(x)), 1, 4e-7) << x; // two ulp and what x itself is rounded by
  EXPECT_EQ(plainExp(0), 1);
  EXPECT_NEAR(plainSigmoid(-100), 0, 1e-30);
  EXPECT_EQ(plainSigmoid(100), 1);
}

} // namespace
