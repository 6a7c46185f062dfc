// The neuron's inner loops, free of Torch so that they can be compiled for several instruction sets.
#pragma once

#include <cstdint>

namespace lasnn::distill {

struct LoopShape {
  int64_t steps;    // T
  int64_t given;    // steps, or 1 when the current is the same at every step
  int64_t neurons;  // B*C*H*W: the distance from one step to the next
  int64_t channels = 1, inner = 1; // neuron n is of channel (n / inner) % channels
};

/// Normalisation as it is applied: the current is scale x + offset, and gradients' moments are taken about the mean. [channels] each;
/// null: x is the current.
struct LoopAffine {
  const float *scale = nullptr, *offset = nullptr, *mean = nullptr;
};

struct LoopNeuron {
  int soma;                  // neuron_step.h's
  bool subtract, detachReset;
  int surrogate;             // Surrogate's value
  float width, beta, alpha;
  const float *threshold;
  bool perChannel = false;   // threshold: [channels], else one number
  LoopAffine affine = {};
};

/// What a step's current is made of: x, normalised or not, and a second current where there is one (else null).
template <typename T> struct LoopInput {
  const T *x, *added = nullptr;
};

/// Where gradients go: the current's, and one number a neuron of the parameters that are learned (else null). With normalisation also
/// its two sums over the steps, of d and of d (x - mean), d the current's gradient.
template <typename T> struct LoopGrads {
  T *current;
  float *beta, *alpha, *threshold;
  float *sum = nullptr, *moment = nullptr;
};

/// Neurons [begin, end) over all steps. T is float, or uint16_t holding bfloat16 bits.
template <typename T>
void forwardLoop(const LoopShape &, const LoopNeuron &, const LoopInput<T> &, T *spikes, int64_t begin, int64_t end);

template <typename T>
void backwardLoop(const LoopShape &, const LoopNeuron &, const LoopInput<T> &, const T *spikeGrad, const LoopGrads<T> &,
                  int64_t begin, int64_t end);

/// The second half of normalisation's way back: xGrad = scale (d - share - (x - mean) slope), a number a channel each, over the given
/// steps. xGrad may be d.
struct LoopBack {
  const float *scale, *mean, *share, *slope;
};
template <typename T>
void normaliseBackLoop(const LoopShape &, const LoopBack &, const T *x, const T *d, T *xGrad, int64_t begin, int64_t end);

} // namespace lasnn::distill
