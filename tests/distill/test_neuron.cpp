// The fused neuron against its plain version: same spikes, same gradients, for every reset, surrogate and kind of input.
#include "distill/neuron.h"

#include <gtest/gtest.h>

using namespace lasnn::distill;

namespace {

struct Grads {
  torch::Tensor spikes, current, beta;
};

template <typename Function>
Grads run(Function function, const torch::Tensor &current, int64_t given, int64_t steps, const NeuronOptions &o, const torch::Tensor &weight) {
  const torch::Tensor x = current.clone().set_requires_grad(true), beta = torch::tensor(float(o.beta)).set_requires_grad(true);
  const torch::Tensor s = function(x, given, beta, steps, o);
  (s.to(torch::kFloat32) * weight).sum().backward();
  return {s.detach(), x.grad(), beta.grad()};
}

TEST(Neuron, FusedEqualsPlain) {
  torch::manual_seed(7);
  const int64_t T = 5, B = 3;
  const torch::Tensor changing = torch::randn({T * B, 4, 5, 37}), fixed = torch::randn({B, 4, 5, 37}), weight = torch::randn({T * B, 4, 5, 37});
  for (Reset reset : {Reset::Zero, Reset::Subtract})
    for (Surrogate surrogate : {Surrogate::Triangle, Surrogate::Sigmoid, Surrogate::Arctan, Surrogate::Rectangle})
      for (bool detach : {false, true})
        for (bool once : {false, true}) {
          SCOPED_TRACE(testing::Message() << "reset " << int(reset) << " surrogate " << int(surrogate) << " detach " << detach << " once " << once);
          NeuronOptions o;
          o.reset = reset, o.surrogate = surrogate, o.detachReset = detach, o.beta = 0.7, o.vThreshold = 0.8, o.width = 1.3;
          const torch::Tensor &current = once ? fixed : changing;
          const Grads fused = run(spikeSteps, current, once ? 1 : T, T, o, weight), plain = run(spikeStepsPlain, current, once ? 1 : T, T, o, weight);
          EXPECT_TRUE(torch::equal(fused.spikes, plain.spikes));
          EXPECT_TRUE(torch::allclose(fused.current, plain.current, 1e-4, 1e-5)) << (fused.current - plain.current).abs().max();
          EXPECT_TRUE(torch::allclose(fused.beta, plain.beta, 1e-3, 1e-2)) << fused.beta << plain.beta;
          EXPECT_GT(fused.spikes.mean().item<double>(), 0.05);
        }
}

TEST(Neuron, ByHand) {
  // beta 0.5, threshold 1, current 0.8: u = 0.8, 1.2 (spike), then from zero 0.8 again.
  NeuronOptions o;
  const torch::Tensor current = torch::full({1, 1}, 0.8f), beta = torch::tensor(0.5f);
  EXPECT_TRUE(torch::equal(spikeSteps(current, 1, beta, 4, o).flatten(), torch::tensor({0.0f, 1.0f, 0.0f, 1.0f})));
  // Soft reset keeps 0.2: u = 0.8, 1.2, 0.9, 1.25.
  o.reset = Reset::Subtract;
  EXPECT_TRUE(torch::equal(spikeSteps(current, 1, beta, 4, o).flatten(), torch::tensor({0.0f, 1.0f, 0.0f, 1.0f})));
  // IF, current 0.5: u = 0.5, 1.0 (not above 1: strict), 1.5 (spike), 1.0.
  const torch::Tensor half = torch::full({1, 1}, 0.5f);
  EXPECT_TRUE(torch::equal(spikeSteps(half, 1, torch::tensor(1.0f), 4, o).flatten(), torch::tensor({0.0f, 0.0f, 1.0f, 0.0f})));
}

TEST(Neuron, ChannelsLastAndManyBlocks) {
  torch::manual_seed(8);
  const torch::Tensor current = torch::randn({4, 32, 14, 14}), weight = torch::randn({4, 32, 14, 14});
  const auto last = current.contiguous(torch::MemoryFormat::ChannelsLast);
  const NeuronOptions o;
  const Grads a = run(spikeSteps, current, 2, 2, o, weight), b = run(spikeSteps, last, 2, 2, o, weight);
  EXPECT_TRUE(torch::equal(a.spikes, b.spikes));
  EXPECT_TRUE(torch::allclose(a.current, b.current));
}

TEST(Neuron, Bfloat16FollowsFloat) {
  torch::manual_seed(9);
  const torch::Tensor current = torch::randn({8, 100}).to(torch::kBFloat16), weight = torch::randn({8, 100}).to(torch::kBFloat16).to(torch::kFloat32);
  const NeuronOptions o;
  const Grads low = run(spikeSteps, current, 4, 4, o, weight), full = run(spikeSteps, current.to(torch::kFloat32), 4, 4, o, weight);
  EXPECT_EQ(low.spikes.scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(torch::equal(low.spikes.to(torch::kFloat32), full.spikes)); // the membrane is float32 in both
  EXPECT_TRUE(torch::allclose(low.current.to(torch::kFloat32), full.current, 1e-2, 1e-2));
}

} // namespace
