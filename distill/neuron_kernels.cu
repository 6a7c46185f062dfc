// The kernels of neuron_kernels.h. The equations are neuron_step.h's, so CPU and GPU share them; neighbouring threads take
// neighbouring neurons, so every access of a warp is one piece of memory. tests/distill/test_kernels.cpp runs this very file
// on the CPU, with blocks and threads as loops.
#include "distill/neuron_kernels.h"
#include "distill/neuron_step.h"

#ifndef LASNN_LAUNCH // the test brings its own
#define LASNN_UNROLL _Pragma("unroll")
#define LASNN_LAUNCH(kernel, blocks, threads, stream, ...) kernel<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define LASNN_LAUNCHED() int(cudaGetLastError())
#endif

namespace lasnn::distill {
namespace {

constexpr int threadsPerBlock = 256;

struct Gradients {
  float *beta, *alpha, *threshold, *scratch;
};

__device__ NeuronNumbers numbersOf(const LoopShape &shape, const KernelNeuron &n, int64_t neuron) {
  return {*n.beta, *n.alpha, n.threshold[(neuron / shape.inner) % shape.channels]};
}

template <typename T, int soma, bool subtract>
__global__ void forwardKernel(LoopShape shape, KernelNeuron n, const T *current, T *spikes) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= shape.neurons)
    return;
  const NeuronNumbers numbers = numbersOf(shape, n, at);
  NeuronState x;
  for (int64_t t = 0; t < shape.steps; ++t) {
    const float in = load(current[(shape.given == 1 ? 0 : t * shape.neurons) + at]);
    const float u = neuronStep<soma, subtract>(x, in, numbers);
    store(spikes[t * shape.neurons + at], u > numbers.threshold ? 1.0f : 0.0f);
  }
}

/// What the way back needs of every step: u, and the state before it. In registers (short T, the loops unrolled), or in memory.
template <bool inRegisters> struct Trace;
template <> struct Trace<true> {
  float u[registerSteps], v[registerSteps], x[registerSteps];
  __device__ Trace(float *, int64_t, int64_t, int64_t) {}
  __device__ void put(int64_t t, float ut, float vt, float xt) { u[t] = ut, v[t] = vt, x[t] = xt; }
  __device__ void get(int64_t t, float &ut, float &vt, float &xt) const { ut = u[t], vt = v[t], xt = x[t]; }
};
template <> struct Trace<false> {
  float *from;
  int64_t stride, row;
  __device__ Trace(float *scratch, int64_t steps, int64_t neurons, int64_t at) : from(scratch + at), stride(neurons), row(steps * neurons) {}
  __device__ void put(int64_t t, float u, float v, float x) {
    from[t * stride] = u, from[row + t * stride] = v, from[2 * row + t * stride] = x;
  }
  __device__ void get(int64_t t, float &u, float &v, float &x) const {
    u = from[t * stride], v = from[row + t * stride], x = from[2 * row + t * stride];
  }
};

template <typename T, int soma, bool subtract, bool inRegisters>
__global__ void backwardKernel(LoopShape shape, KernelNeuron n, const T *current, const T *spikeGrad, T *currentGrad, Gradients to) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= shape.neurons)
    return;
  const NeuronNumbers numbers = numbersOf(shape, n, at);
  const bool once = shape.given == 1;
  Trace<inRegisters> trace(to.scratch, shape.steps, shape.neurons, at);
  // A bound known to the compiler lets it unroll, and an index known to it is a register.
  const int64_t bound = inRegisters ? registerSteps : shape.steps;
  NeuronState x;
LASNN_UNROLL
  for (int64_t t = 0; t < bound; ++t)
    if (!inRegisters || t < shape.steps) {
      const NeuronState before = x;
      const float u = neuronStep<soma, subtract>(x, load(current[(once ? 0 : t * shape.neurons) + at]), numbers);
      trace.put(t, u, before.v, soma == somaCuba ? before.i : before.m);
    }
  NeuronGrads g;
  const float keep = n.detachReset ? 0.0f : 1.0f;
  float sum = 0, m = x.m; // m: after step t
LASNN_UNROLL
  for (int64_t back = 0; back < bound; ++back) {
    const int64_t t = bound - 1 - back;
    if (!inRegisters || t < shape.steps) {
      float u, v, extra;
      trace.get(t, u, v, extra);
      const NeuronState before{v, soma == somaCuba ? extra : 0.0f, soma == somaClif ? extra : 0.0f};
      const float in = neuronStepBack<soma, subtract>(g, before, u, m, load(spikeGrad[t * shape.neurons + at]),
                                                      slopeOf(n.surrogate, u - numbers.threshold, n.width), keep, numbers);
      m = before.m;
      sum += in;
      if (!once)
        store(currentGrad[t * shape.neurons + at], in);
    }
  }
  if (once)
    store(currentGrad[at], sum);
  if (to.beta)
    to.beta[at] = g.beta;
  if (to.alpha)
    to.alpha[at] = g.alpha;
  if (to.threshold)
    to.threshold[at] = g.threshold;
}

template <typename T, int soma, bool subtract>
int runForward(const LoopShape &shape, const KernelNeuron &n, const void *current, void *spikes, void *stream) {
  const auto blocks = unsigned((shape.neurons + threadsPerBlock - 1) / threadsPerBlock);
  LASNN_LAUNCH((forwardKernel<T, soma, subtract>), blocks, threadsPerBlock, stream, shape, n, static_cast<const T *>(current), static_cast<T *>(spikes));
  return LASNN_LAUNCHED();
}

template <typename T, int soma, bool subtract>
int runBackward(const LoopShape &shape, const KernelNeuron &n, const void *current, const void *spikeGrad, void *currentGrad, const Gradients &to,
                void *stream) {
  const auto blocks = unsigned((shape.neurons + threadsPerBlock - 1) / threadsPerBlock);
  const T *in = static_cast<const T *>(current), *gs = static_cast<const T *>(spikeGrad);
  T *out = static_cast<T *>(currentGrad);
  if (shape.steps <= registerSteps)
    LASNN_LAUNCH((backwardKernel<T, soma, subtract, true>), blocks, threadsPerBlock, stream, shape, n, in, gs, out, to);
  else
    LASNN_LAUNCH((backwardKernel<T, soma, subtract, false>), blocks, threadsPerBlock, stream, shape, n, in, gs, out, to);
  return LASNN_LAUNCHED();
}

} // namespace

#define LASNN_CHOOSE(RUN, ...)                                                                                                 \
  if (n.soma == somaClif)                                                                                                      \
    return bfloat16 ? RUN<uint16_t, somaClif, true>(__VA_ARGS__) : RUN<float, somaClif, true>(__VA_ARGS__);                    \
  if (n.soma == somaCuba && n.subtract)                                                                                        \
    return bfloat16 ? RUN<uint16_t, somaCuba, true>(__VA_ARGS__) : RUN<float, somaCuba, true>(__VA_ARGS__);                    \
  if (n.soma == somaCuba)                                                                                                      \
    return bfloat16 ? RUN<uint16_t, somaCuba, false>(__VA_ARGS__) : RUN<float, somaCuba, false>(__VA_ARGS__);                  \
  if (n.subtract)                                                                                                              \
    return bfloat16 ? RUN<uint16_t, somaLeaky, true>(__VA_ARGS__) : RUN<float, somaLeaky, true>(__VA_ARGS__);                  \
  return bfloat16 ? RUN<uint16_t, somaLeaky, false>(__VA_ARGS__) : RUN<float, somaLeaky, false>(__VA_ARGS__)

int neuronForwardCuda(const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const void *current, void *spikes, void *stream) {
  if (shape.neurons == 0)
    return 0;
  LASNN_CHOOSE(runForward, shape, n, current, spikes, stream);
}

int neuronBackwardCuda(const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const void *current, const void *spikeGrad, void *currentGrad,
                       float *betaGrad, float *alphaGrad, float *thresholdGrad, float *scratch, void *stream) {
  if (shape.neurons == 0)
    return 0;
  const Gradients to{betaGrad, alphaGrad, thresholdGrad, scratch};
  LASNN_CHOOSE(runBackward, shape, n, current, spikeGrad, currentGrad, to, stream);
}

} // namespace lasnn::distill
