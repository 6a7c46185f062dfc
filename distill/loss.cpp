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

torch::Tensor outputLoss(const torch::Tensor &stepLogits, const torch::Tensor &labels, const LossOptions &o, const torch::Tensor &labels2,
                         const torch::Tensor &mix) {
  auto crossEntropy = [&](const torch::Tensor &logits, int64_t steps) {
    auto options = F::CrossEntropyFuncOptions().label_smoothing(o.labelSmoothing);
    if (!labels2.defined())
      return F::cross_entropy(logits, labels.repeat({steps}), options);
    options = options.reduction(torch::kNone);
    const torch::Tensor share = mix.repeat({steps});
    return (share * F::cross_entropy(logits, labels.repeat({steps}), options) + (1 - share) * F::cross_entropy(logits, labels2.repeat({steps}), options)).mean();
  };
  torch::Tensor loss;
  if (o.tet < 1)
    loss = (1 - o.tet) * crossEntropy(stepLogits.mean(0), 1);
  if (o.tet > 0) {
    const torch::Tensor each = o.tet * crossEntropy(stepLogits.flatten(0, 1), stepLogits.size(0));
    loss = loss.defined() ? loss + each : each;
  }
  return loss;
}

torch::Tensor marginLoss(const torch::Tensor &stepLogits) { return (stepLogits - 1).pow(2).mean(); }

torch::Tensor selfLoss(const torch::Tensor &stepLogits, const torch::Tensor &labels, double tau, bool onlyCorrect) {
  const torch::Tensor z = stepLogits.detach();
  torch::Tensor target = z.mean(0, true);
  if (onlyCorrect) {
    const torch::Tensor right = (z.argmax(2) == labels.unsqueeze(0)).to(z.dtype()).unsqueeze(-1); // [T,B,1]
    const torch::Tensor count = right.sum(0, true);
    target = torch::where(count > 0, (z * right).sum(0, true) / count.clamp_min(1), target);
  }
  return logitKd(stepLogits.flatten(0, 1), target.expand_as(stepLogits).flatten(0, 1), tau);
}

torch::Tensor progressiveLoss(const torch::Tensor &stepLogits) {
  const int64_t T = stepLogits.size(0);
  if (T < 2)
    return torch::zeros({}, stepLogits.options());
  const torch::Tensor counts = torch::arange(1, T + 1, stepLogits.options()).view({T, 1, 1});
  const torch::Tensor c = stepLogits.cumsum(0) / counts;
  const torch::Tensor target = torch::softmax(c.narrow(0, 1, T - 1).detach(), 2), now = torch::log_softmax(c.narrow(0, 0, T - 1), 2);
  return -(target * now).sum(2).mean();
}

torch::Tensor rateLoss(const std::vector<torch::Tensor> &rates, const std::vector<double> &neurons, double target, bool network) {
  torch::Tensor sum;
  double all = 0;
  for (size_t l = 0; l < rates.size(); ++l) {
    const torch::Tensor term = network ? rates[l] * neurons[l] : torch::relu(rates[l] - target).pow(2);
    sum = sum.defined() ? sum + term : term;
    all += neurons[l];
  }
  return network ? torch::relu(sum / all - target).pow(2) : sum;
}

} // namespace lasnn::distill
