// The kernels of neuron_kernels.h. The equations are neuron_step.h's, so CPU and GPU share them. tests/distill/test_kernels.cpp runs
// this very file on the CPU, with threads as fibers.
//
// Speed is memory: a pass should take what a copy of its bytes takes. So a thread reads and writes 16 bytes at a time (8 where T is
// long), a warp whole lines, and every value once: forward x -> spikes; backward x, spikes' gradient -> current's gradient, with u
// computed again and kept in registers. Registers are spent on that rather than on many warps: T = 4 takes 152 a thread at most without
// a second current, so three blocks of 128 threads have 16 bytes of two tensors and four steps each under way, 48 KiB on a multiprocessor;
// hiding the latency of memory takes about 15 (H100: 3.35 TB/s times 0.6 us over 132 multiprocessors). What does not fit - learned
// decays and thresholds, cuba, clif, long T, odd shapes - takes a thread a neuron.
#include "distill/neuron_kernels.h"
#include "distill/kernel_tools.h"
#include "distill/neuron_grid.h"
#include "distill/neuron_step.h"

namespace lasnn::distill {
namespace {

/// A channel's numbers. Without normalisation x * 1 + 0 is x.
struct Channel {
  float scale, offset, mean, threshold;
};
__device__ Channel channelOf(const KernelNeuron &n, uint32_t channel) {
  const bool on = n.affine.scale != nullptr;
  return {on ? n.affine.scale[channel] : 1.0f, on ? n.affine.offset[channel] : 0.0f, on ? n.affine.mean[channel] : 0.0f,
          n.threshold[n.perChannel ? channel : 0]};
}

/// Where a thread begins and how it goes on.
struct Place {
  uint32_t column, row, step;
  bool inside;
};
__device__ Place placeOf(const NeuronGrid &g) {
  const uint32_t tile = blockIdx.x % g.tiles, slice = blockIdx.x / g.tiles;
  const uint32_t column = tile * g.tile + threadIdx.x % g.tile;
  return {column, slice * g.rowsAtOnce() + threadIdx.x / g.tile, g.slices * g.rowsAtOnce(), column < g.columns};
}

template <typename T, int soma, bool subtract, int lanes>
__global__ void __launch_bounds__(threadsPerBlock, 6) forwardKernel(NeuronGrid g, LoopShape shape, KernelNeuron n, const T *__restrict__ x,
                                                                 const T *__restrict__ added, T *__restrict__ spikes) {
  Place p = placeOf(g);
  if (!p.inside)
    return;
  Channel c[lanes];
LASNN_UNROLL
  for (int lane = 0; lane < lanes; ++lane)
    c[lane] = channelOf(n, p.column * g.channelsPerColumn + (g.channelsPerColumn == 1 ? 0 : uint32_t(lane)));
  const float beta = *n.beta, alpha = soma == somaCuba ? *n.alpha : 0.0f;
  const int64_t given = shape.given == 1 ? 0 : shape.neurons;
  for (; p.row < g.rows; p.row += p.step) {
    const uint32_t at = g.at(p.column, p.row);
    NeuronState state[lanes];
LASNN_UNROLL_FOUR // what the steps read does not depend on them: four reads under way
    for (int64_t t = 0; t < shape.steps; ++t) {
      const Vector<T, lanes> in = vectorAt<T, lanes>(x, t * given + at);
      Vector<T, lanes> more{}, out{};
      if (added)
        more = vectorAt<T, lanes>(added, t * given + at);
LASNN_UNROLL
      for (int lane = 0; lane < lanes; ++lane) {
        float current = c[lane].scale * in.get(lane) + c[lane].offset;
        if (added)
          current = current + more.get(lane);
        const float u = neuronStep<soma, subtract>(state[lane], current, {beta, alpha, c[lane].threshold});
        out.set(lane, u > c[lane].threshold ? 1.0f : 0.0f);
      }
      keepAt<T, lanes>(spikes, t * shape.neurons + at, out);
    }
  }
}

/// A block's sums, each thread's `mine[sum][lane]`, to room[slice][sum][channel]. The same order at every run: no atomics.
template <int sums, int lanes> __device__ void keepSums(const NeuronGrid &g, const Place &p, float (&mine)[sums][lanes], int64_t channels, float *room) {
  __shared__ float shared[sums * lanes][threadsPerBlock];
  const bool one = g.channelsPerColumn == 1;
LASNN_UNROLL
  for (int s = 0; s < sums; ++s)
LASNN_UNROLL
    for (int lane = 0; lane < lanes; ++lane)
      if (lane > 0 && one)
        mine[s][0] += mine[s][lane]; // lanes of one channel
      else
        shared[s * lanes + lane][threadIdx.x] = mine[s][lane];
LASNN_UNROLL
  for (int s = 0; s < sums; ++s)
    if (one)
      shared[s * lanes][threadIdx.x] = mine[s][0];
  const uint32_t row = threadIdx.x / g.tile;
  for (uint32_t half = g.rowsAtOnce() / 2; half > 0; half /= 2) {
    __syncthreads();
    if (row < half)
      for (int k = 0; k < sums * lanes; k += one ? lanes : 1)
        shared[k][threadIdx.x] += shared[k][threadIdx.x + half * g.tile];
  }
  if (row == 0 && p.inside)
    for (int k = 0; k < sums * lanes; k += one ? lanes : 1)
      room[(int64_t(blockIdx.x / g.tiles) * sums + k / lanes) * channels + p.column * g.channelsPerColumn + k % lanes] = shared[k][threadIdx.x];
}

/// Leaky neurons with nothing learned, T <= bound: u of a lane in registers, x and gradients as they were read.
template <typename T, bool subtract, int surrogate, int bound, int lanes, bool twice>
__global__ void __launch_bounds__(threadsPerBlock, bound == 4 ? 3 : 2) backwardShort(NeuronGrid g, LoopShape shape, KernelNeuron n, const T *__restrict__ x,
                                                                 const T *__restrict__ added, const T *__restrict__ spikeGrad,
                                                                 T *__restrict__ currentGrad, float *room) {
  Place p = placeOf(g);
  const bool once = shape.given == 1;
  const int64_t given = once ? 0 : shape.neurons;
  const int steps = int(shape.steps);
  const float beta = *n.beta, keep = n.detachReset ? 0.0f : 1.0f;
  float sums[2][lanes] = {};
  for (; p.inside && p.row < g.rows; p.row += p.step) {
    const uint32_t at = g.at(p.column, p.row);
    Vector<T, lanes> in[bound], more[twice ? bound : 1], grad[bound];
LASNN_UNROLL
    for (int t = 0; t < bound; ++t)
      if (t < steps) {
        in[t] = vectorAt<T, lanes>(x, t * given + at); // the same address again where once: the cache has it
        if constexpr (twice)
          more[t] = vectorAt<T, lanes>(added, t * given + at);
        grad[t] = vectorAt<T, lanes>(spikeGrad, t * shape.neurons + at);
      }
    Vector<T, lanes> whole{};
LASNN_UNROLL
    for (int lane = 0; lane < lanes; ++lane) {
      const Channel c = channelOf(n, p.column * g.channelsPerColumn + (g.channelsPerColumn == 1 ? 0 : uint32_t(lane)));
      const NeuronNumbers numbers{beta, 0, c.threshold};
      NeuronState state;
      float u[bound];
LASNN_UNROLL
      for (int t = 0; t < bound; ++t)
        if (t < steps) {
          float current = c.scale * in[t].get(lane) + c.offset;
          if constexpr (twice)
            current = current + more[t].get(lane);
          u[t] = neuronStep<somaLeaky, subtract>(state, current, numbers);
        }
      NeuronGrads back;
      float sum = 0;
LASNN_UNROLL
      for (int t = bound - 1; t >= 0; --t)
        if (t < steps) {
          const float d = neuronStepBack<somaLeaky, subtract>(back, NeuronState(), u[t], 0, grad[t].get(lane),
                                                              slope<surrogate>(u[t] - c.threshold, n.width), keep, numbers);
          sum += d;
          if (!once) {
            sums[1][lane] += d * (in[t].get(lane) - c.mean);
            grad[t].set(lane, d);
          }
        }
      sums[0][lane] += sum;
      if (once) {
        sums[1][lane] += sum * (in[0].get(lane) - c.mean);
        whole.set(lane, sum);
      }
    }
    if (once)
      keepAt<T, lanes>(currentGrad, at, whole);
    else
LASNN_UNROLL
      for (int t = 0; t < bound; ++t)
        if (t < steps)
          keepAt<T, lanes>(currentGrad, t * shape.neurons + at, grad[t]);
  }
  if (room)
    keepSums<2, lanes>(g, p, sums, shape.channels, room);
}

/// What the way back needs of every step: u, and the state before it. In registers (short T, the loops unrolled), or in memory.
constexpr int64_t registerSteps = 8;
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

/// Any neuron, any T, any shape: a thread a neuron. All five sums.
template <typename T, int soma, bool subtract, bool inRegisters>
__global__ void __launch_bounds__(threadsPerBlock, 6) backwardAny(NeuronGrid g, LoopShape shape, KernelNeuron n, const T *x, const T *added,
                                                               const T *spikeGrad, T *currentGrad, float *scratch, float *room) {
  Place p = placeOf(g);
  const bool once = shape.given == 1;
  const Channel c = p.inside ? channelOf(n, p.column) : Channel();
  const NeuronNumbers numbers{*n.beta, *n.alpha, c.threshold};
  const float keep = n.detachReset ? 0.0f : 1.0f;
  // A bound known to the compiler lets it unroll, and an index known to it is a register.
  const int64_t bound = inRegisters ? registerSteps : shape.steps;
  NeuronGrads back; // its parameters' sums go on from row to row
  float sums[neuronSums - 2][1] = {};
  for (; p.inside && p.row < g.rows; p.row += p.step) {
    const uint32_t at = g.at(p.column, p.row);
    Trace<inRegisters> trace(scratch, shape.steps, shape.neurons, at);
    NeuronState state;
LASNN_UNROLL
    for (int64_t t = 0; t < bound; ++t)
      if (!inRegisters || t < shape.steps) {
        const NeuronState before = state;
        const int64_t from = (once ? 0 : t * shape.neurons) + at;
        float current = c.scale * load(x[from]) + c.offset;
        if (added)
          current = current + load(added[from]);
        const float u = neuronStep<soma, subtract>(state, current, numbers);
        trace.put(t, u, before.v, soma == somaCuba ? before.i : before.m);
      }
    back.v = back.i = back.m = 0;
    float sum = 0, m = state.m; // m: after step t
LASNN_UNROLL
    for (int64_t later = 0; later < bound; ++later) {
      const int64_t t = bound - 1 - later;
      if (!inRegisters || t < shape.steps) {
        float u, v, extra;
        trace.get(t, u, v, extra);
        const NeuronState before{v, soma == somaCuba ? extra : 0.0f, soma == somaClif ? extra : 0.0f};
        const float d = neuronStepBack<soma, subtract>(back, before, u, m, load(spikeGrad[t * shape.neurons + at]),
                                                       slopeOf(n.surrogate, u - c.threshold, n.width), keep, numbers);
        m = before.m;
        sum += d;
        if (!once) {
          sums[sumOfMoment][0] += d * (load(x[t * shape.neurons + at]) - c.mean);
          store(currentGrad[t * shape.neurons + at], d);
        }
      }
    }
    sums[sumOfCurrent][0] += sum;
    if (once) {
      sums[sumOfMoment][0] += sum * (load(x[at]) - c.mean);
      store(currentGrad[at], sum);
    }
  }
  sums[sumOfBeta][0] = back.beta, sums[sumOfAlpha][0] = back.alpha, sums[sumOfThreshold][0] = back.threshold;
  if (room)
    keepSums<neuronSums - 2, 1>(g, p, sums, shape.channels, room);
}

/// Adds the blocks' sums, 16 channels a block and 8 threads a channel, in float64; then what normalisation's second pass needs.
constexpr uint32_t channelsAtOnce = 16, helpers = threadsPerBlock / channelsAtOnce;
template <int sums> __global__ void finishKernel(uint32_t slices, int64_t channels, KernelSums wanted, const float *room) {
  __shared__ double shared[sums][threadsPerBlock];
  const uint32_t helper = threadIdx.x / channelsAtOnce;
  const int64_t channel = int64_t(blockIdx.x) * channelsAtOnce + threadIdx.x % channelsAtOnce;
  double mine[sums] = {};
  for (uint32_t slice = helper; slice < slices && channel < channels; slice += helpers)
LASNN_UNROLL
    for (int s = 0; s < sums; ++s)
      mine[s] += double(room[(int64_t(slice) * sums + s) * channels + channel]);
LASNN_UNROLL
  for (int s = 0; s < sums; ++s)
    shared[s][threadIdx.x] = mine[s];
  __syncthreads();
  if (helper != 0 || channel >= channels)
    return;
  for (int s = 0; s < sums; ++s) {
    double all = 0;
    for (uint32_t k = 0; k < helpers; ++k)
      all += shared[s][k * channelsAtOnce + threadIdx.x];
    const double inverse = wanted.inverse ? double(wanted.inverse[channel]) : 1.0, share = wanted.count > 0 ? 1 / double(wanted.count) : 0.0;
    wanted.to[s * channels + channel] = float(s == sumOfMoment ? all * inverse : all);
    if (s == sumOfCurrent)
      wanted.to[sumShare * channels + channel] = float(all * share);
    if (s == sumOfMoment)
      wanted.to[sumSlope * channels + channel] = float(all * inverse * inverse * share);
  }
}

template <typename T, int lanes>
__global__ void __launch_bounds__(threadsPerBlock, 6) normaliseBackKernel(NeuronGrid g, LoopShape shape, LoopBack b, const T *x, const T *d, T *to) {
  Place p = placeOf(g);
  if (!p.inside)
    return;
  float scale[lanes], mean[lanes], share[lanes], slope[lanes];
LASNN_UNROLL
  for (int lane = 0; lane < lanes; ++lane) {
    const uint32_t channel = p.column * g.channelsPerColumn + (g.channelsPerColumn == 1 ? 0 : uint32_t(lane));
    scale[lane] = b.scale[channel], mean[lane] = b.mean[channel], share[lane] = b.share[channel], slope[lane] = b.slope[channel];
  }
  for (; p.row < g.rows; p.row += p.step) {
    const uint32_t at = g.at(p.column, p.row);
    for (int64_t t = 0; t < shape.given; ++t) {
      const Vector<T, lanes> in = vectorAt<T, lanes>(x, t * shape.neurons + at), grad = vectorAt<T, lanes>(d, t * shape.neurons + at);
      Vector<T, lanes> out{};
LASNN_UNROLL
      for (int lane = 0; lane < lanes; ++lane)
        out.set(lane, normaliseBackOne(scale[lane], mean[lane], share[lane], slope[lane], in.get(lane), grad.get(lane)));
      keepAt<T, lanes>(to, t * shape.neurons + at, out);
    }
  }
}

/// Which kernel takes the way back: T's bound of backwardShort, or 0 for backwardAny.
int shortBound(const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const KernelInput &in, bool learned) {
  if (n.soma != somaLeaky || learned || shape.steps > (in.added ? 8 : 16) || !aligned16({in.x, in.added}))
    return 0;
  const uint32_t full = bfloat16 ? 8 : 4;
  if (!divides(shape, full) || shape.neurons % full)
    return 0;
  return shape.steps <= 4 ? 4 : shape.steps <= 8 ? 8 : 16;
}
uint32_t shortLanes(int bound, bool bfloat16) { return (bfloat16 ? 8u : 4u) / (bound == 16 ? 2u : 1u); }

template <typename T, bool subtract, int surrogate, int bound, bool twice>
void runShort(const LoopShape &shape, const KernelNeuron &n, const KernelInput &in, const void *grad, void *to, float *room, void *stream) {
  constexpr int lanes = int(16 / sizeof(T)) / (bound == 16 ? 2 : 1);
  const NeuronGrid g = neuronGrid(shape, lanes);
  LASNN_LAUNCH((backwardShort<T, subtract, surrogate, bound, lanes, twice>), g.blocks(), threadsPerBlock, stream, g, shape, n, static_cast<const T *>(in.x),
               static_cast<const T *>(in.added), static_cast<const T *>(grad), static_cast<T *>(to), room);
}

template <typename T, bool subtract, int surrogate>
int chooseShort(int bound, const LoopShape &shape, const KernelNeuron &n, const KernelInput &in, const void *grad, void *to, float *room, void *stream) {
  if (bound == 4)
    in.added ? runShort<T, subtract, surrogate, 4, true>(shape, n, in, grad, to, room, stream)
             : runShort<T, subtract, surrogate, 4, false>(shape, n, in, grad, to, room, stream);
  else if (bound == 8)
    in.added ? runShort<T, subtract, surrogate, 8, true>(shape, n, in, grad, to, room, stream)
             : runShort<T, subtract, surrogate, 8, false>(shape, n, in, grad, to, room, stream);
  else
    runShort<T, subtract, surrogate, 16, false>(shape, n, in, grad, to, room, stream);
  return LASNN_LAUNCHED();
}

template <typename T>
int backwardShortOf(int bound, const LoopShape &shape, const KernelNeuron &n, const KernelInput &in, const void *grad, void *to, float *room, void *stream) {
#define LASNN_SURROGATE(SUBTRACT)                                                                                              \
  switch (n.surrogate) {                                                                                                       \
  case 0: return chooseShort<T, SUBTRACT, 0>(bound, shape, n, in, grad, to, room, stream);                                     \
  case 1: return chooseShort<T, SUBTRACT, 1>(bound, shape, n, in, grad, to, room, stream);                                     \
  case 2: return chooseShort<T, SUBTRACT, 2>(bound, shape, n, in, grad, to, room, stream);                                     \
  default: return chooseShort<T, SUBTRACT, 3>(bound, shape, n, in, grad, to, room, stream);                                    \
  }
  if (n.subtract)
    LASNN_SURROGATE(true)
  LASNN_SURROGATE(false)
#undef LASNN_SURROGATE
}

template <typename T, int soma, bool subtract>
int runForward(const LoopShape &shape, const KernelNeuron &n, const KernelInput &in, void *spikes, void *stream) {
  constexpr int full = 16 / sizeof(T);
  const T *x = static_cast<const T *>(in.x), *added = static_cast<const T *>(in.added);
  const bool wide = divides(shape, full) && shape.neurons % full == 0 && aligned16({in.x, in.added, spikes});
  const NeuronGrid g = neuronGrid(shape, wide ? full : 1);
  if (wide)
    LASNN_LAUNCH((forwardKernel<T, soma, subtract, full>), g.blocks(), threadsPerBlock, stream, g, shape, n, x, added, static_cast<T *>(spikes));
  else
    LASNN_LAUNCH((forwardKernel<T, soma, subtract, 1>), g.blocks(), threadsPerBlock, stream, g, shape, n, x, added, static_cast<T *>(spikes));
  return LASNN_LAUNCHED();
}

template <typename T, int soma, bool subtract>
int runAny(const LoopShape &shape, const KernelNeuron &n, const KernelInput &in, const void *grad, void *to, float *scratch, float *room, void *stream) {
  const NeuronGrid g = neuronGrid(shape, 1);
  const T *x = static_cast<const T *>(in.x), *added = static_cast<const T *>(in.added), *gs = static_cast<const T *>(grad);
  if (shape.steps <= registerSteps)
    LASNN_LAUNCH((backwardAny<T, soma, subtract, true>), g.blocks(), threadsPerBlock, stream, g, shape, n, x, added, gs, static_cast<T *>(to), scratch, room);
  else
    LASNN_LAUNCH((backwardAny<T, soma, subtract, false>), g.blocks(), threadsPerBlock, stream, g, shape, n, x, added, gs, static_cast<T *>(to), scratch, room);
  return LASNN_LAUNCHED();
}

template <typename T> int runBack(const LoopShape &shape, const LoopBack &b, const void *x, const void *d, void *to, void *stream) {
  constexpr int full = 16 / sizeof(T);
  const bool wide = divides(shape, full) && shape.neurons % full == 0 && aligned16({x, d, to});
  const NeuronGrid g = neuronGrid(shape, wide ? full : 1);
  if (wide)
    LASNN_LAUNCH((normaliseBackKernel<T, full>), g.blocks(), threadsPerBlock, stream, g, shape, b, static_cast<const T *>(x), static_cast<const T *>(d),
                 static_cast<T *>(to));
  else
    LASNN_LAUNCH((normaliseBackKernel<T, 1>), g.blocks(), threadsPerBlock, stream, g, shape, b, static_cast<const T *>(x), static_cast<const T *>(d),
                 static_cast<T *>(to));
  return LASNN_LAUNCHED();
}

/// Floats that the blocks' sums take, and before them the states of a long T.
int64_t scratchFloats(const LoopShape &shape, int bound) { return bound == 0 && shape.steps > registerSteps ? 3 * shape.steps * shape.neurons : 0; }

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

int neuronForwardCuda(const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const KernelInput &in, void *spikes, void *stream) {
  if (shape.neurons == 0)
    return 0;
  LASNN_CHOOSE(runForward, shape, n, in, spikes, stream);
}

int64_t neuronBackwardRoom(const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const KernelInput &in, const KernelSums &wanted) {
  const int bound = shortBound(shape, n, bfloat16, in, wanted.learned);
  const NeuronGrid g = neuronGrid(shape, bound ? shortLanes(bound, bfloat16) : 1);
  return scratchFloats(shape, bound) + (wanted.to ? int64_t(g.slices) * neuronSums * shape.channels : 0);
}

namespace {

int backward(int bound, const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const KernelInput &in, const void *grad, void *to, float *scratch,
             float *room, void *stream) {
  if (bound)
    return bfloat16 ? backwardShortOf<uint16_t>(bound, shape, n, in, grad, to, room, stream)
                    : backwardShortOf<float>(bound, shape, n, in, grad, to, room, stream);
  LASNN_CHOOSE(runAny, shape, n, in, grad, to, scratch, room, stream);
}

} // namespace

int neuronBackwardCuda(const LoopShape &shape, const KernelNeuron &n, bool bfloat16, const KernelInput &in, const void *spikeGrad, void *currentGrad,
                       const KernelSums &wanted, float *room, void *stream) {
  if (shape.neurons == 0)
    return 0;
  const int bound = shortBound(shape, n, bfloat16, in, wanted.learned);
  float *sums = wanted.to ? room + scratchFloats(shape, bound) : nullptr;
  if (const int code = backward(bound, shape, n, bfloat16, in, spikeGrad, currentGrad, room, sums, stream); code || !sums)
    return code;
  const uint32_t slices = neuronGrid(shape, bound ? shortLanes(bound, bfloat16) : 1).slices;
  const auto blocks = unsigned((shape.channels + channelsAtOnce - 1) / channelsAtOnce);
  if (bound)
    LASNN_LAUNCH((finishKernel<2>), blocks, threadsPerBlock, stream, slices, shape.channels, wanted, sums);
  else
    LASNN_LAUNCH((finishKernel<neuronSums - 2>), blocks, threadsPerBlock, stream, slices, shape.channels, wanted, sums);
  return LASNN_LAUNCHED();
}

int normaliseBackCuda(const LoopShape &shape, const LoopBack &b, bool bfloat16, const void *x, const void *d, void *xGrad, void *stream) {
  if (shape.neurons == 0)
    return 0;
  return bfloat16 ? runBack<uint16_t>(shape, b, x, d, xGrad, stream) : runBack<float>(shape, b, x, d, xGrad, stream);
}

} // namespace lasnn::distill
