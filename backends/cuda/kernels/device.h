// The words that kernels are written in: CUDA's own under NVRTC, the shim's (emulate.h) on a CPU. A kernel uses nothing else, so its very
// source runs in tests on machines without a GPU.
#pragma once

#ifdef __CUDACC_RTC__
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define LASNN_DEVICE __device__ __forceinline__
#define LASNN_UNROLL _Pragma("unroll")
#define LASNN_ROLLED _Pragma("unroll 1") // long loops: unrolled, they spill and take seconds to compile

namespace lasnn::cuda {

LASNN_DEVICE uint32_t shuffleXor(uint32_t value, uint32_t mask) { return __shfl_xor_sync(0xffffffffu, value, int(mask)); }
LASNN_DEVICE uint32_t firstBit(uint32_t value) { return uint32_t(__ffs(int(value)) - 1); }
LASNN_DEVICE int32_t dot4(uint32_t a, uint32_t b, int32_t sum) { return __dp4a(int(a), int(b), sum); }
LASNN_DEVICE void addTo(uint64_t *at, uint64_t value) { atomicAdd(reinterpret_cast<unsigned long long *>(at), value); }
LASNN_DEVICE uint32_t loadOnce(const uint32_t *at) { return __ldg(at); }

/// d[t][n] += a[t] b[n] for all t and n: a is 16 rows of 32 unsigned bytes, b 32 signed bytes of 8 columns, d 16x8, spread over a
/// warp as PTX's mma.m16n8k32 lays them out (ISA 9.7.14.5.10).
template <int TS, int NT> LASNN_DEVICE void multiplyAdd(int32_t (&d)[TS][NT][4], const uint32_t (&a)[TS][4], const uint32_t (&b)[NT][2]) {
  LASNN_UNROLL
  for (int n = 0; n < NT; ++n)
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                   : "+r"(d[t][n][0]), "+r"(d[t][n][1]), "+r"(d[t][n][2]), "+r"(d[t][n][3])
                   : "r"(a[t][0]), "r"(a[t][1]), "r"(a[t][2]), "r"(a[t][3]), "r"(b[n][0]), "r"(b[n][1]));
}

} // namespace lasnn::cuda
#else
#include "backends/cuda/emulate.h"
#endif
