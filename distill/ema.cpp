#include "distill/ema.h"

#include <algorithm>

namespace lasnn::distill {
namespace {

std::vector<torch::Tensor> tensorsOf(const torch::nn::Module &module) {
  std::vector<torch::Tensor> all = module.parameters();
  for (const torch::Tensor &buffer : module.buffers())
    all.push_back(buffer);
  return all;
}

} // namespace

Ema::Ema(const torch::nn::Module &module, double decay) : decay_(decay), parameters_(module.parameters().size()) {
  for (const torch::Tensor &tensor : tensorsOf(module))
    average_.push_back(tensor.detach().clone());
}

void Ema::update(const std::vector<torch::nn::Module *> &modules, int64_t n) {
  torch::NoGradGuard noGrad;
  const double d = std::min(decay_, double(1 + n) / double(10 + n));
  std::vector<std::vector<torch::Tensor>> now;
  for (const torch::nn::Module *module : modules)
    now.push_back(tensorsOf(*module));
  for (size_t i = 0; i < average_.size(); ++i) {
    if (!average_[i].is_floating_point()) {
      average_[i].copy_(now[0][i]);
      continue;
    }
    if (i < parameters_) {
      average_[i].lerp_(now[0][i], 1 - d);
      continue;
    }
    torch::Tensor mean = now[0][i];
    for (size_t k = 1; k < now.size(); ++k)
      mean = mean + now[k][i];
    average_[i].lerp_(now.size() > 1 ? mean / double(now.size()) : mean, 1 - d);
  }
}

void Ema::swap(torch::nn::Module &module) {
  torch::NoGradGuard noGrad;
  std::vector<torch::Tensor> own = tensorsOf(module);
  for (size_t i = 0; i < average_.size(); ++i) {
    const torch::Tensor kept = own[i].detach().clone();
    own[i].detach().copy_(average_[i]); // in place: replicas share the storage
    average_[i].copy_(kept);
  }
}

} // namespace lasnn::distill
