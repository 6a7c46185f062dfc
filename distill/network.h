// The network of an Arch: a ReLU teacher, or a student of spiking neurons over T steps. Same names, same weights' shapes.
#pragma once

#include "distill/arch.h"
#include "distill/neuron.h"

#include <torch/torch.h>

#include <optional>

namespace lasnn::distill {

/// Values of T steps: x is [steps*B, ...], the step slowest. steps = 1 means the same at every step.
struct Steps {
  torch::Tensor x;
  int64_t steps = 1;
};

/// conv or linear, then batch normalisation or a bias; or the identity (Synapse::identity). Statistics run over batch, steps and positions alike.
struct SynapseModule : torch::nn::Module {
  Synapse desc;
  torch::Tensor weight, bias;                        // bias: only without batch normalisation
  torch::Tensor gamma, shift, runningMean, runningVar; // only with it
  int64_t added = 0;                                 // identity: channels of zeros on either side
  SynapseModule(const Synapse &desc, int64_t inputs, int64_t outputs);
  torch::Tensor forward(const torch::Tensor &x, bool bfloat16);
  /// Weight and bias with batch normalisation's eval-mode affine folded in (float32): w*g, shift - mean*g, g = gamma/sqrt(var+eps).
  std::pair<torch::Tensor, torch::Tensor> folded() const;
};

struct Forward {
  Steps logits;                                        // [steps*B, classes]
  std::vector<std::pair<std::string, Steps>> layers;   // each layer's output: ReLU's values, or spikes
};

struct Network : torch::nn::Module {
  Arch arch;
  std::optional<NeuronOptions> neuron; // none: ReLU
  bool bfloat16 = false;               // convolutions and neurons in bfloat16; normalisation and weights stay float32

  Network(const Arch &arch, std::optional<NeuronOptions> neuron);
  Forward forward(const Steps &input, int64_t steps);

  std::vector<std::shared_ptr<SynapseModule>> synapses() const;
  std::shared_ptr<SynapseModule> synapse(const std::string &name) const;
  std::vector<std::string> layerNames() const;
  std::vector<int64_t> layerShape(const std::string &name) const; // [C,H,W] or [F]
  torch::Tensor beta(const std::string &layer) const;             // scalar; PLIF: sigmoid of what is learned

private:
  std::map<std::string, std::shared_ptr<SynapseModule>> synapses_;
  std::map<std::string, std::vector<int64_t>> shapes_;
  std::map<std::string, torch::Tensor> plif_;
};

/// Time average over the steps: [steps*B, ...] -> [B, ...], float32.
torch::Tensor meanOverSteps(const Steps &);

/// Copies every weight, normalisation and bias whose name and shape agree; returns how many synapses were copied.
size_t copyMatching(const Network &from, Network &to);

} // namespace lasnn::distill
