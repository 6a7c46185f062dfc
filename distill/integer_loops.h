// The integer neuron (N1..N8 of ir/spec.md) over T steps, forward and back. Free of Torch.
#pragma once

#include <cstdint>

namespace lasnn::distill {

struct IntegerShape {
  int64_t steps;  // T
  int64_t given;  // steps of the current: T, or 1 for the same at every step
  int64_t batch;
  int64_t size;   // elements of one sample
};

/// Constants of every element of one sample, in the order of its memory.
struct IntegerNeuron {
  const int32_t *threshold; // N14: fires above it
  const int32_t *rho;       // subtract only
  const float *unit;        // what one unit is worth: gradients are taken in real currents
  int32_t keep;             // 4096 - decay
  int32_t lo, hi;           // N4
  float width;
  int surrogate;
  bool subtract, detachReset;
};

/// `current` holds whole numbers, as float32 or float64. Of samples begin..end.
template <typename T> void integerForward(const IntegerShape &, const IntegerNeuron &, const T *current, float *spikes, int64_t begin, int64_t end);

/// The gradient of the currents in units; returns that of beta. With u the membrane in units and e what one is worth, the
/// slope is taken at (u - threshold - 1/2) e: half way between the last value that is silent and the first that fires.
template <typename T>
double integerBackward(const IntegerShape &, const IntegerNeuron &, const T *current, const float *spikeGrad, float *currentGrad, int64_t begin,
                       int64_t end);

} // namespace lasnn::distill
