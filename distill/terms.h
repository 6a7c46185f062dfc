// What a training step reports: sums over images, by name. Sums of tensors stay on the tensors' device until somebody reads
// them, so that a GPU is not stopped once a term.
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>

namespace lasnn::distill {

class Terms {
public:
  /// Adds `images` times a mean over so many images.
  void add(const std::string &name, const torch::Tensor &mean, double images) {
    torch::NoGradGuard noGrad;
    const torch::Tensor sum = mean.detach().to(torch::kFloat64) * images;
    torch::Tensor &held = sums_[name];
    held = held.defined() ? held + sum : sum;
  }
  /// Adds what another holds; its tensors may change afterwards.
  void add(const Terms &other) {
    torch::NoGradGuard noGrad;
    for (const auto &[name, number] : other.numbers_)
      numbers_[name] += number;
    for (const auto &[name, sum] : other.sums_) {
      torch::Tensor &held = sums_[name];
      held = held.defined() ? held + sum : sum.clone();
    }
  }
  const std::map<std::string, torch::Tensor> &sums() const { return sums_; }
  double &operator[](const std::string &name) { return numbers_[name]; }

  std::map<std::string, double> read() const {
    std::map<std::string, double> all = numbers_;
    for (const auto &[name, sum] : sums_)
      all[name] += sum.item<double>();
    return all;
  }

private:
  std::map<std::string, double> numbers_;
  std::map<std::string, torch::Tensor> sums_;
};

} // namespace lasnn::distill
