// SGD (Nesterov), Adam and AdamW as one thing with a rate; and what happens to a gradient before its step.
#pragma once

#include "distill/options.h"

#include <torch/torch.h>

#include <memory>

namespace lasnn::distill {

/// Weight decay on synapses only: on normalisation and biases it would move firing thresholds (usual practice).
std::unique_ptr<torch::optim::Optimizer> makeOptimizer(const TrainOptions &, const torch::nn::Module &);

/// Sets the rate, and SGD's momentum.
void setRate(torch::optim::Optimizer &, const TrainOptions &, double rate, double momentum);

/// ||g||_2 over all gradients, a scalar on their device.
torch::Tensor gradientNorm(const std::vector<torch::Tensor> &parameters);

/// g := g * min(1, limit / norm)   (Pascanu et al. 2013)
void clipGradients(const std::vector<torch::Tensor> &parameters, const torch::Tensor &norm, double limit);

} // namespace lasnn::distill
