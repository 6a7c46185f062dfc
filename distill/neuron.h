// A layer of leaky integrate-and-fire neurons over all T steps, with a surrogate gradient.
//
//   u[t] = beta * v[t-1] + I[t]          v[0] = 0
//   s[t] = 1 if u[t] > v_threshold       strict, as everywhere in LaSNN
//   v[t] = (1 - s[t]) * u[t]             reset "zero" (hard)
//        = u[t] - s[t] * v_threshold     reset "subtract" (soft)
//   ds/du := sigma'(u - v_threshold)     the surrogate: peak 1/width, area 1
//
// IF is beta = 1; PLIF learns beta (a layer's own, through a sigmoid).
#pragma once

#include <torch/torch.h>

#include <nlohmann/json_fwd.hpp>

namespace lasnn::distill {

enum class Reset { Zero, Subtract };
enum class Surrogate { Triangle, Sigmoid, Arctan, Rectangle };

struct NeuronOptions {
  std::string kind = "lif"; // lif, if, plif
  double beta = 0.5;        // PLIF: where it starts
  double vThreshold = 1.0;
  Reset reset = Reset::Zero;
  bool detachReset = false; // true: no gradient through the reset's s[t]
  Surrogate surrogate = Surrogate::Triangle;
  double width = 1.0;
};

nlohmann::json neuronToJson(const NeuronOptions &);
NeuronOptions neuronFromJson(const nlohmann::json &);
Reset resetFromName(const std::string &);
Surrogate surrogateFromName(const std::string &);

/// current [given*B, ...] with given = `steps`, or 1: the same current at every step; returns spikes [steps*B, ...], T slowest.
/// `beta` is a scalar tensor and receives a gradient when it asks for one. One pass forward, one back, no step saved:
/// the backward pass recomputes u from the current. float32 or bfloat16 in; spikes have the current's type.
torch::Tensor spikeSteps(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps,
                         const NeuronOptions &);

/// The plain version in ordinary autograd operations, step after step; what spikeSteps is tested against.
torch::Tensor spikeStepsPlain(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps,
                              const NeuronOptions &);

} // namespace lasnn::distill
