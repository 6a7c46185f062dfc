// Enough of CUDA to run a kernel file on the CPU: blocks and threads are loops. Kernels that synchronise cannot run so; ours
// have a thread a neuron and nothing shared.
#pragma once

#define __global__
#define __device__
#define LASNN_UNROLL

struct EmulatedDim {
  unsigned x = 0;
};
inline EmulatedDim blockIdx, threadIdx, blockDim;

template <typename Body> void emulate(unsigned blocks, unsigned threads, const Body &body) {
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
      body();
}

#define LASNN_UNPACK(...) __VA_ARGS__
#define LASNN_LAUNCH(kernel, blocks, threads, stream, ...) \
  do { (void)(stream); emulate(blocks, threads, [&] { LASNN_UNPACK kernel(__VA_ARGS__); }); } while (false)
#define LASNN_LAUNCHED() 0
