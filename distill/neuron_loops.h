// The neuron's inner loops, free of Torch so that they can be compiled for several instruction sets.
#pragma once

#include <cstdint>

namespace lasnn::distill {

struct LoopShape {
  int64_t steps;    // T
  int64_t given;    // steps, or 1 when the current is the same at every step
  int64_t neurons;  // B*C*H*W: the distance from one step to the next
  int64_t channels = 1, inner = 1; // neuron n has threshold (n / inner) % channels
};

struct LoopNeuron {
  int soma;                  // neuron_step.h's
  bool subtract, detachReset;
  int surrogate;             // Surrogate's value
  float width, beta, alpha;
  const float *threshold;     // [channels]
};

/// Where gradients go: the current's, and one number a neuron of the parameters that are learned (else null).
template <typename T> struct LoopGrads {
  T *current;
  float *beta, *alpha, *threshold;
};

/// Neurons [begin, end) over all steps. T is float, or uint16_t holding bfloat16 bits.
template <typename T>
void forwardLoop(const LoopShape &, const LoopNeuron &, const T *current, T *spikes, int64_t begin, int64_t end);

template <typename T>
void backwardLoop(const LoopShape &, const LoopNeuron &, const T *current, const T *spikeGrad, const LoopGrads<T> &,
                  int64_t begin, int64_t end);

} // namespace lasnn::distill
