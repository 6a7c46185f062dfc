#include "distill/loss.h"

#include <cmath>

namespace lasnn::distill {

namespace F = torch::nn::functional;

torch::Tensor attentionMap(const torch::Tensor &features, const LossOptions &o) {
  const torch::Tensor f = features.dim() == 2 ? features.unsqueeze(-1).unsqueeze(-1) : features;
  const int64_t batch = f.size(0), positions = f.size(2) * f.size(3);
  const torch::Tensor magnitude = o.attentionPower == 1 ? f.abs() : f.pow(o.attentionPower);
  const torch::Tensor m = magnitude.mean(1).view({batch, positions});
  const bool mean = o.attentionScale == "mean";
  torch::Tensor a;
  if (o.attention == "l2")
    a = F::normalize(m, F::NormalizeFuncOptions().p(2).dim(1)) * (mean ? std::sqrt(double(positions)) : 1.0);
  else
    a = torch::softmax(m / o.attentionTemperature, 1) * (mean ? double(positions) : 1.0);
  return a.view({batch, 1, f.size(2), f.size(3)});
}

namespace {

/// KL(p || q) of distributions along the last axis, mean over the rows; q given as logarithms.
torch::Tensor kl(const torch::Tensor &p, const torch::Tensor &logQ) {
  return torch::kl_div(logQ, p, at::Reduction::Sum) / double(p.size(0));
}

} // namespace

torch::Tensor layerLoss(const torch::Tensor &adapted, const torch::Tensor &teacher, const LossOptions &o) {
  auto square = [](const torch::Tensor &x) { return x.dim() == 2 ? x.unsqueeze(-1).unsqueeze(-1) : x; };
  const torch::Tensor s = square(adapted), t = square(teacher), a = attentionMap(t, o);
  if (o.attentionMaps) {
    const torch::Tensor q = attentionMap(s, o);
    if (o.distance == "kl") {
      // Maps are compared as distributions: whatever their scale, they are divided by their sum first.
      const torch::Tensor p = a.flatten(1) / a.flatten(1).sum(1, true), r = q.flatten(1) / (q.flatten(1).sum(1, true) + 1e-12);
      return kl(p, torch::log(r + 1e-12));
    }
    return torch::mse_loss(q, a);
  }
  const torch::Tensor weighted = a * s, target = o.weightTeacher ? a * t : t;
  if (o.distance == "kl")
    return kl(torch::softmax(target.flatten(1), 1), torch::log_softmax(weighted.flatten(1), 1));
  return torch::mse_loss(weighted, target);
}

torch::Tensor logitKd(const torch::Tensor &student, const torch::Tensor &teacher, double tau) {
  return tau * tau * kl(torch::softmax(teacher / tau, 1), torch::log_softmax(student / tau, 1));
}

torch::Tensor outputLoss(const torch::Tensor &stepLogits, const torch::Tensor &labels, const LossOptions &o) {
  auto crossEntropy = [&](const torch::Tensor &logits, const torch::Tensor &y) {
    return F::cross_entropy(logits, y, F::CrossEntropyFuncOptions().label_smoothing(o.labelSmoothing));
  };
  torch::Tensor loss;
  if (o.tet < 1)
    loss = (1 - o.tet) * crossEntropy(stepLogits.mean(0), labels);
  if (o.tet > 0) {
    const torch::Tensor each = o.tet * crossEntropy(stepLogits.flatten(0, 1), labels.repeat({stepLogits.size(0)}));
    loss = loss.defined() ? loss + each : each;
  }
  return loss;
}

torch::Tensor selfLoss(const torch::Tensor &stepLogits, double tau) {
  const torch::Tensor target = stepLogits.mean(0, true).detach().expand_as(stepLogits).flatten(0, 1);
  return logitKd(stepLogits.flatten(0, 1), target, tau);
}

torch::Tensor rateLoss(const std::vector<torch::Tensor> &rates, double target) {
  torch::Tensor sum;
  for (const torch::Tensor &rate : rates) {
    const torch::Tensor excess = torch::relu(rate.mean() - target).pow(2);
    sum = sum.defined() ? sum + excess : excess;
  }
  return sum;
}

} // namespace lasnn::distill
