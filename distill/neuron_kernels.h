// The neuron on a GPU: one thread a neuron, all T steps. Free of Torch: pointers into device memory and a stream.
#pragma once

#include "distill/neuron_loops.h"

namespace lasnn::distill {

/// As LoopNeuron, with the numbers in device memory: nothing waits for the GPU to read them back.
struct KernelNeuron {
  int soma;
  bool subtract, detachReset;
  int surrogate;
  float width;
  const float *beta, *alpha, *threshold;
};

/// `bfloat16` says what `current`, `spikes` and gradients hold, else float. Returns cudaGetLastError()'s code, 0 for success.
int neuronForwardCuda(const LoopShape &, const KernelNeuron &, bool bfloat16, const void *current, void *spikes, void *stream);

/// Parameter gradients, a number a neuron, may be null. `scratch`: neuronScratch floats, null where that is 0.
int neuronBackwardCuda(const LoopShape &, const KernelNeuron &, bool bfloat16, const void *current, const void *spikeGrad, void *currentGrad,
                       float *betaGrad, float *alphaGrad, float *thresholdGrad, float *scratch, void *stream);

/// The longest T whose states a thread keeps in registers; beyond it they go through memory.
constexpr int64_t registerSteps = 8;
constexpr int64_t neuronScratch(const LoopShape &s) { return s.steps <= registerSteps ? 0 : 3 * s.steps * s.neurons; }

} // namespace lasnn::distill
