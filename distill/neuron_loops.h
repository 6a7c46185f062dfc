// The neuron's inner loops, free of Torch so that they can be compiled for several instruction sets.
#pragma once

#include <cstdint>

namespace lasnn::distill {

struct LoopShape {
  int64_t steps;    // T
  int64_t given;    // steps, or 1 when the current is the same at every step
  int64_t neurons;  // B*C*H*W: the distance from one step to the next
};

struct LoopNeuron {
  float beta, threshold, width;
  int surrogate;   // Surrogate's value
  bool subtract, detachReset;
};

/// Neurons [begin, end) over all steps. T is float, or uint16_t holding bfloat16 bits.
template <typename T>
void forwardLoop(const LoopShape &, const LoopNeuron &, const T *current, T *spikes, int64_t begin, int64_t end);

/// Writes the current's gradient and returns beta's, summed over the range.
template <typename T>
double backwardLoop(const LoopShape &, const LoopNeuron &, const T *current, const T *spikeGrad, T *currentGrad,
                    int64_t begin, int64_t end);

} // namespace lasnn::distill
