// Normalisation and the neuron on a GPU. Free of Torch: pointers into device memory and a stream. Nothing waits for the GPU, so a
// training step can be recorded as a CUDA graph.
#pragma once

#include "distill/neuron_loops.h"

#include <initializer_list>

namespace lasnn::distill {

/// As LoopNeuron, with the numbers in device memory: nothing waits for the GPU to read them back.
struct KernelNeuron {
  int soma;
  bool subtract, detachReset;
  int surrogate;
  float width;
  const float *beta, *alpha, *threshold;
  bool perChannel = false;
  LoopAffine affine = {};
};

/// x and `added` (null: none), the same shape.
struct KernelInput {
  const void *x, *added = nullptr;
};

/// `bfloat16` says what currents, spikes and gradients hold, else float. Returns cudaGetLastError()'s code, 0 for success.
int neuronForwardCuda(const LoopShape &, const KernelNeuron &, bool bfloat16, const KernelInput &, void *spikes, void *stream);

/// What neuronBackwardCuda sums over a channel's neurons and steps, a row of [channels] floats each: d, d (x - mean) / std, the gradients
/// of beta, alpha and threshold; then normalisation's `share` and `slope` (neuron_step.h).
enum NeuronSum { sumOfCurrent, sumOfMoment, sumOfBeta, sumOfAlpha, sumOfThreshold, sumShare, sumSlope, neuronSums };

/// Which sums are wanted, and what the last three rows need.
struct KernelSums {
  bool learned = false;           // beta's, alpha's, threshold's
  const float *inverse = nullptr; // normalisation's 1/std, [channels]; null: no normalisation
  float count = 0;                // its N; 0: running statistics
  float *to = nullptr;            // [neuronSums][channels]; null: no sums
};

/// Floats of working memory that neuronBackwardCuda needs.
int64_t neuronBackwardRoom(const LoopShape &, const KernelNeuron &, bool bfloat16, const KernelInput &, const KernelSums &);
int neuronBackwardCuda(const LoopShape &, const KernelNeuron &, bool bfloat16, const KernelInput &, const void *spikeGrad, void *currentGrad,
                       const KernelSums &, float *room, void *stream);

/// normaliseBackLoop; xGrad may be d.
int normaliseBackCuda(const LoopShape &, const LoopBack &, bool bfloat16, const void *x, const void *d, void *xGrad, void *stream);

/// Whether all of these addresses can be read 16 bytes at a time; Torch's allocations can, a view into one need not.
inline bool aligned16(std::initializer_list<const void *> addresses) {
  for (const void *at : addresses)
    if (reinterpret_cast<uintptr_t>(at) % 16)
      return false;
  return true;
}

} // namespace lasnn::distill
