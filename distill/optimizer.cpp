#include "distill/optimizer.h"

namespace lasnn::distill {

std::unique_ptr<torch::optim::Optimizer> makeOptimizer(const TrainOptions &o, const torch::nn::Module &module) {
  std::vector<torch::Tensor> synapses, others;
  for (const torch::Tensor &p : module.parameters())
    (p.dim() > 1 ? synapses : others).push_back(p);
  auto groups = [&]<typename Options>(Options options) {
    auto plain = std::make_unique<Options>(options);
    plain->weight_decay(0);
    return std::vector<torch::optim::OptimizerParamGroup>{
        torch::optim::OptimizerParamGroup(synapses, std::make_unique<Options>(options)),
        torch::optim::OptimizerParamGroup(others, std::move(plain))};
  };
  if (o.optimizer == "sgd") {
    const auto options = torch::optim::SGDOptions(o.lr).momentum(o.momentum).nesterov(o.momentum > 0).weight_decay(o.weightDecay);
    return std::make_unique<torch::optim::SGD>(groups(options), options);
  }
  if (o.optimizer == "adam") {
    const auto options = torch::optim::AdamOptions(o.lr).weight_decay(o.weightDecay);
    return std::make_unique<torch::optim::Adam>(groups(options), options);
  }
  const auto options = torch::optim::AdamWOptions(o.lr).weight_decay(o.weightDecay);
  return std::make_unique<torch::optim::AdamW>(groups(options), options);
}

void setRate(torch::optim::Optimizer &optimizer, const TrainOptions &o, double rate, double momentum) {
  for (auto &group : optimizer.param_groups()) {
    if (o.optimizer == "sgd") {
      auto &options = static_cast<torch::optim::SGDOptions &>(group.options());
      options.lr(rate);
      if (o.momentum > 0)
        options.momentum(momentum);
    } else if (o.optimizer == "adam") {
      static_cast<torch::optim::AdamOptions &>(group.options()).lr(rate);
    } else {
      static_cast<torch::optim::AdamWOptions &>(group.options()).lr(rate);
    }
  }
}

torch::Tensor gradientNorm(const std::vector<torch::Tensor> &parameters) {
  torch::NoGradGuard noGrad;
  std::vector<torch::Tensor> norms;
  for (const torch::Tensor &p : parameters)
    if (p.grad().defined())
      norms.push_back(p.grad().norm());
  return norms.empty() ? torch::zeros({}) : torch::stack(norms).norm();
}

void clipGradients(const std::vector<torch::Tensor> &parameters, const torch::Tensor &norm, double limit) {
  torch::NoGradGuard noGrad;
  const torch::Tensor factor = (limit / (norm + 1e-6)).clamp_max(1.0);
  for (const torch::Tensor &p : parameters)
    if (p.grad().defined())
      p.grad().mul_(factor);
}

} // namespace lasnn::distill
