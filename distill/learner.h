// What the training loop runs: a network, what it minimises, and how many steps it takes.
#pragma once

#include "distill/batches.h"
#include "distill/network.h"
#include "distill/terms.h"

#include <functional>
#include <memory>

namespace lasnn::distill {

/// One replica: everything that is trained hangs below `root`.
struct Learner {
  std::shared_ptr<torch::nn::Module> root;
  /// Mean loss over the batch; adds each term times the batch's size to `terms` ("correct" counts images, "rate/LAYER" is a
  /// layer's spikes a neuron and step).
  std::function<torch::Tensor(const Batch &, uint64_t stream, Terms &terms)> loss;
  bool intensities = false;
  std::shared_ptr<Network> network;    // the network below `root`
  std::shared_ptr<int64_t> timesteps;  // steps that loss() takes; none: not a spiking network
  std::string looks;                   // what in loss() depends on more than the batch's tensors, so that it cannot be recorded once for all
};

} // namespace lasnn::distill
