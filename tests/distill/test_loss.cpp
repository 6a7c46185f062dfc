// Loss terms against numbers worked out by hand.
#include "distill/loss.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace lasnn::distill;

namespace {

double value(const torch::Tensor &t) { return t.item<double>(); }

TEST(Loss, AttentionMap) {
  // Two channels, two positions: mean |F| = (2, 0).
  const torch::Tensor f = torch::tensor({1.0f, 0.0f, -3.0f, 0.0f}).view({1, 2, 1, 2});
  LossOptions o;
  const double e2 = std::exp(2.0);
  EXPECT_NEAR(value(attentionMap(f, o)[0][0][0][0]), e2 / (e2 + 1), 1e-6);
  o.attentionTemperature = 2;
  EXPECT_NEAR(value(attentionMap(f, o)[0][0][0][0]), std::exp(1.0) / (std::exp(1.0) + 1), 1e-6);
  o.attentionPower = 2; // mean F^2 = (5, 0)
  EXPECT_NEAR(value(attentionMap(f, o)[0][0][0][0]), std::exp(2.5) / (std::exp(2.5) + 1), 1e-6);
  o.attention = "l2";
  EXPECT_NEAR(value(attentionMap(f, o)[0][0][0][0]), 1, 1e-6);
  o.attentionScale = "mean";
  EXPECT_NEAR(value(attentionMap(torch::ones({1, 2, 2, 2}), o)[0][0][1][1]), 1, 1e-6);
  o.attention = "softmax";
  EXPECT_NEAR(value(attentionMap(torch::ones({1, 2, 2, 2}), o)[0][0][1][1]), 1, 1e-6);
  EXPECT_NEAR(value(attentionMap(torch::ones({1, 7}), o)), 1, 1e-6) << "flat features have one position";
}

TEST(Loss, LayerMse) {
  // Flat teacher map: A = 1/2 at both positions. D = mean (A S - F)^2.
  const torch::Tensor teacher = torch::ones({1, 1, 1, 2}), student = torch::tensor({1.0f, 0.0f}).view({1, 1, 1, 2});
  LossOptions o;
  EXPECT_NEAR(value(layerLoss(student, teacher, o)), (0.25 + 1) / 2, 1e-6);
  o.weightTeacher = true;
  EXPECT_NEAR(value(layerLoss(student, teacher, o)), (0 + 0.25) / 2, 1e-6);
  o.attentionMaps = true; // softmax(1,0) against (1/2,1/2)
  const double p = std::exp(1.0) / (std::exp(1.0) + 1);
  EXPECT_NEAR(value(layerLoss(student, teacher, o)), (p - 0.5) * (p - 0.5), 1e-6);
  o.distance = "kl";
  EXPECT_NEAR(value(layerLoss(student, teacher, o)), 0.5 * std::log(0.5 / p) + 0.5 * std::log(0.5 / (1 - p)), 1e-6);
}

TEST(Loss, LayerKl) {
  const torch::Tensor teacher = torch::zeros({1, 1, 1, 2}), student = torch::tensor({2.0f, 0.0f}).view({1, 1, 1, 2});
  LossOptions o;
  o.distance = "kl"; // A S = (1, 0); KL((1/2,1/2) || softmax(1,0))
  const double p = std::exp(1.0) / (std::exp(1.0) + 1);
  EXPECT_NEAR(value(layerLoss(student, teacher, o)), 0.5 * std::log(0.5 / p) + 0.5 * std::log(0.5 / (1 - p)), 1e-6);
}

TEST(Loss, LogitKd) {
  const torch::Tensor s = torch::tensor({{0.0f, 0.0f}}), t = torch::tensor({{2.0f, 0.0f}});
  const double p = std::exp(1.0) / (std::exp(1.0) + 1); // at tau = 2
  EXPECT_NEAR(value(logitKd(s, t, 2)), 4 * (p * std::log(p / 0.5) + (1 - p) * std::log((1 - p) / 0.5)), 1e-6);
  EXPECT_NEAR(value(logitKd(t, t, 3)), 0, 1e-6);
}

TEST(Loss, OutputAndTet) {
  // Steps disagree: logits (2,0) and (-2,0) average to (0,0).
  const torch::Tensor steps = torch::tensor({{{2.0f, 0.0f}}, {{-2.0f, 0.0f}}}), label = torch::zeros({1}, torch::kInt64);
  LossOptions o;
  const double mean = std::log(2.0), each = (std::log(1 + std::exp(-2.0)) + std::log(1 + std::exp(2.0))) / 2;
  EXPECT_NEAR(value(outputLoss(steps, label, o)), mean, 1e-6);
  o.tet = 1;
  EXPECT_NEAR(value(outputLoss(steps, label, o)), each, 1e-6);
  o.tet = 0.25;
  EXPECT_NEAR(value(outputLoss(steps, label, o)), 0.75 * mean + 0.25 * each, 1e-6);
  o.tet = 0, o.labelSmoothing = 0.2; // both classes equally likely: smoothing changes nothing
  EXPECT_NEAR(value(outputLoss(steps, label, o)), mean, 1e-6);
}

TEST(Loss, SelfDistillation) {
  const torch::Tensor label = torch::zeros({1}, torch::kInt64), two = torch::zeros({2}, torch::kInt64);
  EXPECT_NEAR(value(selfLoss(torch::ones({3, 2, 4}), two, 3, false)), 0, 1e-6);
  // Steps (2,0) and (-2,0): towards (0,0), KL((1/2,1/2) || softmax(+-2,0)); when right steps alone count, towards (2,0), of which only the
  // second is away: KL((p,1-p) || (1-p,p)).
  const torch::Tensor steps = torch::tensor({{{2.0f, 0.0f}}, {{-2.0f, 0.0f}}});
  const double p = 1 / (1 + std::exp(-2.0));
  EXPECT_NEAR(value(selfLoss(steps, label, 1, false)), 0.5 * std::log(0.5 / p) + 0.5 * std::log(0.5 / (1 - p)), 1e-6);
  EXPECT_NEAR(value(selfLoss(steps, label, 1, true)), 0.5 * (2 * p - 1) * std::log(p / (1 - p)), 1e-6);
  // No step is right: as if all counted.
  EXPECT_NEAR(value(selfLoss(-steps.abs(), label, 1, true)), value(selfLoss(-steps.abs(), label, 1, false)), 1e-6);
}

TEST(Loss, Margin) { EXPECT_NEAR(value(marginLoss(torch::tensor({{{3.0f, 1.0f}}, {{1.0f, 0.0f}}}))), (4 + 1) / 4.0, 1e-6); }

TEST(Loss, Progressive) {
  EXPECT_EQ(value(progressiveLoss(torch::ones({1, 2, 3}))), 0);
  // c_1 = (2,0), c_2 = (0,0): CE((1/2,1/2), softmax(2,0)). The later answer is a target, so its logits get no gradient of their own.
  const torch::Tensor steps = torch::tensor({{{2.0f, 0.0f}}, {{-2.0f, 0.0f}}}).requires_grad_();
  const double p = 1 / (1 + std::exp(-2.0));
  const torch::Tensor loss = progressiveLoss(steps);
  EXPECT_NEAR(value(loss), -0.5 * (std::log(p) + std::log(1 - p)), 1e-6);
  loss.backward();
  EXPECT_GT(steps.grad()[0].abs().sum().item<double>(), 0.1);
  EXPECT_EQ(steps.grad()[1].abs().sum().item<double>(), 0);
}

TEST(Loss, RateTarget) {
  const std::vector<torch::Tensor> rates = {torch::tensor(0.3f), torch::tensor(0.05f)};
  EXPECT_NEAR(value(rateLoss(rates, {100, 300}, 0.1, false)), 0.04, 1e-6) << "each layer for itself";
  EXPECT_NEAR(value(rateLoss(rates, {100, 300}, 0.1, true)), 0.0125 * 0.0125, 1e-7) << "the network's mean is 0.1125";
  EXPECT_EQ(value(rateLoss(rates, {100, 700}, 0.1, true)), 0) << "below the target";
}

} // namespace
