// The moving average of a network's weights, which is what is evaluated and shipped when it is kept (Polyak averaging).
//
//   w' := d_n w' + (1 - d_n) w       d_n = min(decay, (1 + n) / (10 + n)), n: steps so far; w' starts as w
//
// Normalisation's running statistics are averaged the same way, so that they fit the averaged weights.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace lasnn::distill {

class Ema {
public:
  Ema(const torch::nn::Module &module, double decay);
  /// After step n (from 0); `modules` are the replicas: weights are the first's, statistics the mean of all.
  void update(const std::vector<torch::nn::Module *> &modules, int64_t n);
  /// Exchanges the average with `module`'s own tensors; a second call undoes the first.
  void swap(torch::nn::Module &module);
  /// Parameters, then buffers, in the module's order; checkpoints write and fill them.
  std::vector<torch::Tensor> &tensors() { return average_; }
  /// The averaged statistics alone.
  std::vector<torch::Tensor> buffers() const { return {average_.begin() + std::ptrdiff_t(parameters_), average_.end()}; }

private:
  double decay_;
  size_t parameters_ = 0;
  std::vector<torch::Tensor> average_;
};

} // namespace lasnn::distill
