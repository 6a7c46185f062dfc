// The fused neuron against its plain version: same spikes, same gradients, for every neuron, reset, surrogate and kind of input.
#include "distill/neuron.h"

#include <gtest/gtest.h>

using namespace lasnn::distill;

namespace {

struct Grads {
  torch::Tensor spikes, current, beta, alpha, threshold;
};

template <typename Function>
Grads run(Function function, const torch::Tensor &current, int64_t given, int64_t steps, const NeuronOptions &o, const torch::Tensor &weight,
          const torch::Tensor &thresholds = {}) {
  auto leaf = [](const torch::Tensor &x) { return x.clone().set_requires_grad(true); };
  const torch::Tensor x = leaf(current);
  const NeuronParameters p{leaf(torch::tensor(float(o.beta))), leaf(torch::tensor(float(o.alpha))),
                           leaf(thresholds.defined() ? thresholds : torch::tensor(float(o.vThreshold)))};
  const torch::Tensor s = function(x, given, p, steps, o);
  (s.to(torch::kFloat32) * weight).sum().backward();
  return {s.detach(), x.grad(), p.beta.grad(), p.alpha.grad(), p.threshold.grad()};
}

void expectClose(const torch::Tensor &a, const torch::Tensor &b, const char *what) {
  ASSERT_TRUE(a.defined() && b.defined()) << what;
  const double scale = 1 + b.abs().max().item<double>(); // sums of thousands of terms: relative to the largest
  EXPECT_LT((a - b).abs().max().item<double>(), 2e-5 * scale) << what << " " << a.flatten()[0] << b.flatten()[0];
}

TEST(Neuron, FusedEqualsPlain) {
  torch::manual_seed(7);
  const int64_t T = 5, B = 2;
  const torch::Tensor changing = torch::randn({T * B, 4, 5, 37}), fixed = torch::randn({B, 4, 5, 37}), weight = torch::randn({T * B, 4, 5, 37});
  const torch::Tensor perChannel = torch::tensor({0.5f, 0.8f, 1.0f, 0.3f});
  for (const char *kind : {"lif", "cuba", "clif"})
    for (Reset reset : {Reset::Zero, Reset::Subtract})
      for (Surrogate surrogate : {Surrogate::Triangle, Surrogate::Sigmoid, Surrogate::Arctan, Surrogate::Rectangle})
        for (bool detach : {false, true})
          for (bool once : {false, true})
            for (bool channels : {false, true}) {
              SCOPED_TRACE(testing::Message() << kind << " reset " << int(reset) << " surrogate " << int(surrogate) << " detach " << detach << " once "
                                              << once << " thresholds " << channels);
              NeuronOptions o;
              o.kind = kind, o.reset = reset, o.surrogate = surrogate, o.detachReset = detach, o.beta = 0.7, o.alpha = 0.4, o.vThreshold = 0.8, o.width = 1.3;
              const torch::Tensor &current = once ? fixed : changing;
              const torch::Tensor thresholds = channels ? perChannel : torch::Tensor();
              const Grads fused = run(spikeSteps, current, once ? 1 : T, T, o, weight, thresholds);
              const Grads plain = run(spikeStepsPlain, current, once ? 1 : T, T, o, weight, thresholds);
              EXPECT_TRUE(torch::equal(fused.spikes, plain.spikes));
              expectClose(fused.current, plain.current, "current");
              expectClose(fused.beta, plain.beta, "beta");
              expectClose(fused.threshold, plain.threshold, "threshold");
              EXPECT_EQ(fused.threshold.sizes(), plain.threshold.sizes());
              if (o.kind == "cuba")
                expectClose(fused.alpha, plain.alpha, "alpha");
              EXPECT_GT(fused.spikes.mean().item<double>(), 0.05);
              EXPECT_GT(fused.threshold.abs().max().item<double>(), 1e-3);
            }
}

TEST(Neuron, ByHand) {
  // beta 0.5, threshold 1, current 0.8: u = 0.8, 1.2 (spike), then from zero 0.8 again.
  NeuronOptions o;
  const torch::Tensor current = torch::full({1, 1}, 0.8f), zero = torch::tensor(0.0f), half = torch::tensor(0.5f), one = torch::tensor(1.0f);
  auto spikes = [&](const torch::Tensor &in, const NeuronParameters &p, int64_t steps) { return spikeSteps(in, 1, p, steps, o).flatten(); };
  EXPECT_TRUE(torch::equal(spikes(current, {half, zero, one}, 4), torch::tensor({0.0f, 1.0f, 0.0f, 1.0f})));
  // Soft reset keeps 0.2: u = 0.8, 1.2, 0.9, 1.25.
  o.reset = Reset::Subtract;
  EXPECT_TRUE(torch::equal(spikes(current, {half, zero, one}, 4), torch::tensor({0.0f, 1.0f, 0.0f, 1.0f})));
  // IF, current 0.5: u = 0.5, 1.0 (not above 1: strict), 1.5 (spike), 1.0.
  EXPECT_TRUE(torch::equal(spikes(torch::full({1, 1}, 0.5f), {one, zero, one}, 4), torch::tensor({0.0f, 0.0f, 1.0f, 0.0f})));
  // CUBA, alpha 0.5, beta 0.5, current 0.5: i = 0.5, 0.75, 0.875, 0.9375; u = 0.5, 1.0 (not above), 1.375 (spike, keeps 0.375), 1.125 (spike).
  o.kind = "cuba";
  EXPECT_TRUE(torch::equal(spikes(torch::full({1, 1}, 0.5f), {half, half, one}, 4), torch::tensor({0.0f, 0.0f, 1.0f, 1.0f})));
  // CLIF, beta 0.5, current 1.2: u = 1.2 (spike), m = 1, v = 1.2 - 1 - S(1) = -0.53106; u = 0.93447 (no), m = S(0.46723) = 0.61473;
  // u = 1.66723 (spike), m = 0.61473 S(0.83362) + 1 = 1.42863, v = 1.66723 - 1 - S(1.42863) = -0.13939; u = 1.13030 (spike).
  o.kind = "clif";
  EXPECT_TRUE(torch::equal(spikes(torch::full({1, 1}, 1.2f), {half, zero, one}, 4), torch::tensor({1.0f, 0.0f, 1.0f, 1.0f})));
  // One threshold a channel: 0.8 is above 0.7 and below 0.9.
  o = {};
  EXPECT_TRUE(torch::equal(spikes(torch::full({1, 2}, 0.8f), {half, zero, torch::tensor({0.7f, 0.9f})}, 1), torch::tensor({1.0f, 0.0f})));
}

TEST(Neuron, ChannelsLastAndManyBlocks) {
  torch::manual_seed(8);
  const torch::Tensor current = torch::randn({4, 32, 14, 14}), weight = torch::randn({4, 32, 14, 14}), thresholds = torch::rand({32}) + 0.2;
  const auto last = current.contiguous(torch::MemoryFormat::ChannelsLast);
  NeuronOptions o;
  o.kind = "cuba";
  const Grads a = run(spikeSteps, current, 2, 2, o, weight, thresholds), b = run(spikeSteps, last, 2, 2, o, weight, thresholds);
  EXPECT_TRUE(torch::equal(a.spikes, b.spikes));
  EXPECT_TRUE(torch::allclose(a.current, b.current));
  EXPECT_TRUE(torch::allclose(a.threshold, b.threshold, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(a.alpha, b.alpha, 1e-4, 1e-3));
}

TEST(Neuron, Bfloat16FollowsFloat) {
  torch::manual_seed(9);
  const torch::Tensor current = torch::randn({8, 100}).to(torch::kBFloat16), weight = torch::randn({8, 100}).to(torch::kBFloat16).to(torch::kFloat32);
  for (const char *kind : {"lif", "cuba", "clif"}) {
    NeuronOptions o;
    o.kind = kind;
    const Grads low = run(spikeSteps, current, 4, 4, o, weight), full = run(spikeSteps, current.to(torch::kFloat32), 4, 4, o, weight);
    EXPECT_EQ(low.spikes.scalar_type(), torch::kBFloat16);
    EXPECT_TRUE(torch::equal(low.spikes.to(torch::kFloat32), full.spikes)) << "the membrane is float32 in both";
    EXPECT_TRUE(torch::allclose(low.current.to(torch::kFloat32), full.current, 1e-2, 1e-2));
    EXPECT_TRUE(torch::allclose(low.beta, full.beta, 1e-3, 1e-3)) << "only the current's gradient is rounded";
  }
}

TEST(Neuron, GradientsDoNotDependOnThreads) {
  torch::manual_seed(10);
  const torch::Tensor current = torch::randn({4, 64, 40, 40}), weight = torch::randn({4, 64, 40, 40}); // more than one share
  const NeuronOptions o;
  at::set_num_threads(1);
  const Grads one = run(spikeSteps, current, 2, 2, o, weight);
  at::set_num_threads(2);
  const Grads two = run(spikeSteps, current, 2, 2, o, weight);
  at::set_num_threads(1);
  EXPECT_TRUE(torch::equal(one.spikes, two.spikes) && torch::equal(one.current, two.current));
  EXPECT_TRUE(torch::allclose(one.beta, two.beta, 1e-6, 0)) << "a float64 sum";
}

} // namespace
