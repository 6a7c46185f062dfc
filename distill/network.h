// The network of an Arch: a ReLU teacher, or a student of spiking neurons over T steps. Same names, same weights' shapes.
//
// It runs on whatever device its parameters are on: .to(device) moves it, forward makes no tensor elsewhere.
#pragma once

#include "distill/arch.h"
#include "distill/neuron.h"

#include <torch/torch.h>

#include <functional>
#include <optional>

namespace lasnn::distill {

class IntegerForm; // quantize.h

/// Values of T steps: x is [steps*B, ...], the step slowest. steps = 1 means the same at every step.
struct Steps {
  torch::Tensor x;
  int64_t steps = 1;
};

/// conv or linear, a pool if any, then batch normalisation or a bias; or the identity. Statistics run over batch, steps and
/// positions alike.
///
/// An average pool and its convolution are one convolution of a larger stride (the box filter is linear): that is how it is
/// computed and exported. Before a max pool, normalisation must not turn the order round, so there its scale is |gamma|;
/// then max(y) |g| + b = max(y |g| + b), and the fold into the weights stays exact.
struct SynapseModule : torch::nn::Module {
  Synapse desc;
  torch::Tensor weight, bias;                        // bias: only without batch normalisation
  torch::Tensor gamma, shift, runningMean, runningVar; // only with it
  int64_t added = 0;                                 // identity: channels of zeros on either side
  double momentum = 0.1;                             // of the running statistics: share of the newest batch (torch.nn.BatchNorm2d's)
  bool recomputing = false;                          // a second pass over the same batch, for the gradient
  static constexpr double epsilon = 1e-5;            // torch.nn.BatchNorm2d's
  SynapseModule(const Synapse &desc, int64_t inputs, int64_t outputs);
  /// `packed`: x holds nothing but 0 and 1, of which the backward pass then keeps bits.
  torch::Tensor forward(const torch::Tensor &x, bool bfloat16, bool packed = false);
  /// The two halves of forward() where there is batch normalisation: what it normalises, and how.
  torch::Tensor beforeNormalisation(const torch::Tensor &x, bool bfloat16, bool packed);
  Normalisation normalisation() const;
  /// Weight and bias with batch normalisation's eval-mode affine folded in (float32): w*g, shift - mean*g, g = gamma/sqrt(var+eps).
  /// The identity is given as a 1x1 convolution.
  std::pair<torch::Tensor, torch::Tensor> folded() const;
  /// What the weight convolves with: `weight`, or with an average pool the two in one.
  torch::Tensor kernel(const torch::Tensor &weight) const;
  /// That convolution's shape, and no average pool any more.
  Synapse geometry() const;
  bool hasWeight() const { return !desc.identity; }
};

struct Forward {
  Steps logits;                                        // [steps*B, classes]
  std::vector<std::pair<std::string, Steps>> layers;   // each layer's output: ReLU's values, or spikes
  std::optional<Steps> integerLogits;                  // of a student in integers: the read-out's whole numbers
};

/// What a node's values are, of a student.
enum class Values { Analog, Spikes, Counts }; // anything, 0 or 1, small whole numbers

/// What stands in for the network's own neurons and max pools in one forward pass: a converted network carries their state from
/// pass to pass (convert.h). Either may be empty.
struct Stages {
  std::function<Steps(const Node &, const Steps &current, int64_t steps)> neuron;
  std::function<Steps(const Node &, const Steps &in)> maxPool;
};

struct Network : torch::nn::Module {
  Arch arch;
  std::optional<NeuronOptions> neuron; // none: ReLU
  /// Called with every synapse's name and currents, in forward order; diagnosis sets it.
  std::function<void(const std::string &, const torch::Tensor &)> probe;
  std::shared_ptr<IntegerForm> integer; // set: forward() computes in the integers of ir/spec.md
  Activation activation;               // a teacher's
  bool bfloat16 = false;               // convolutions and neurons in bfloat16; normalisation and weights stay float32
  /// Keep no activations for the backward pass but each node's input, spikes at a bit each, and compute the rest again. In training
  /// Forward.layers then holds each layer's mean over the steps (steps = 1), which is what losses read.
  bool checkpointActivations = false;
  /// Batch normalisation and the neuron after it as one operation (neuron.h), which keeps one tensor less.
  bool fusedNormalisation = false;
  /// Keep a synapse's input spikes at a bit each; also then Forward.layers holds means over the steps in training.
  bool packSpikes = false;

  Network(const Arch &arch, std::optional<NeuronOptions> neuron, const Activation &activation = {});
  Forward forward(const Steps &input, int64_t steps, const Stages *stages = nullptr);

  std::vector<std::shared_ptr<SynapseModule>> synapses() const; // those with weights, in order
  std::shared_ptr<SynapseModule> synapse(const std::string &name) const;
  std::vector<std::string> layerNames() const;
  std::vector<int64_t> layerShape(const std::string &name) const; // of any node, [C,H,W] or [F]
  Values valuesOf(const std::string &node) const { return values_.at(node); }
  NeuronParameters neuronParameters(const std::string &layer) const;
  NeuronParameters storedParameters(const std::string &layer) const { return learned_.at(layer); } // what is learned: logits, log
  bool hasLambda(const std::string &layer) const { return lambda_.count(layer) != 0; }
  torch::Tensor lambda(const std::string &layer) const { return lambda_.at(layer); }               // QCFS
  std::shared_ptr<SynapseModule> moduleOf(const Node &node, const Synapse &s) const;
  static std::vector<std::string> inputsOf(const Node &node);
  torch::Tensor beta(const std::string &layer) const { return neuronParameters(layer).beta; }

private:
  std::map<std::string, std::shared_ptr<SynapseModule>> synapses_;
  std::map<std::string, std::vector<int64_t>> shapes_;
  std::map<std::string, Values> values_;
  std::map<std::string, NeuronParameters> learned_; // as stored: sigmoid gives the decays, exp the threshold; undefined: fixed
  std::map<std::string, torch::Tensor> lambda_;
  std::map<std::string, size_t> lastUse_;

  void addSynapse(const Node &node, const Synapse &s, std::vector<int64_t> &shape);
  void addNeuron(const Node &node);
  Steps currentOf(const Node &node, const std::vector<Steps> &inputs, const Synapse *without = nullptr);
  const Synapse *fusable(const Node &node, const std::vector<Steps> &inputs, const Stages *stages) const;
  Steps fusedLayer(const Node &node, const std::vector<Steps> &inputs, int64_t steps, const Synapse &);
  bool packs(const Synapse &) const;
  torch::Tensor activated(const std::string &layer, const torch::Tensor &current) const;
  Steps activate(const Node &node, const Steps &current, int64_t steps);
  Steps evaluate(const Node &node, const std::vector<Steps> &inputs, int64_t steps, const Stages *stages = nullptr);
  Steps recomputed(const Node &node, const std::vector<Steps> &inputs, int64_t steps);
  std::vector<torch::Tensor> parametersOf(const Node &node) const;
};

/// Time average over the steps: [steps*B, ...] -> [B, ...], float32.
torch::Tensor meanOverSteps(const Steps &);

/// The answer of each of `images` images: the largest logit over all steps, the first among equals. In integers where there are.
torch::Tensor predictions(const Forward &, int64_t images);

/// A read-out in integers over T steps: [images, classes] int32.
torch::Tensor summedLogits(const Steps &integerLogits, int64_t images, int64_t steps);

/// Copies every weight, normalisation and bias whose name and shape agree, and to a student a QCFS teacher's thresholds; returns how many synapses were copied.
size_t copyMatching(const Network &from, Network &to);

} // namespace lasnn::distill
