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

// The warpgroup's products exist on sm_90a only; elsewhere the forms that use them compile to a warp's.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define LASNN_WARPGROUP 1
#else
#define LASNN_WARPGROUP 0
#endif

namespace lasnn::cuda {

extern "C" __shared__ __align__(128) uint8_t lasnn_shared[];
LASNN_DEVICE uint8_t *sharedMemory() { return lasnn_shared; }
LASNN_DEVICE uint32_t sharedAddress(const void *at, uint32_t) { return uint32_t(__cvta_generic_to_shared(at)); }

LASNN_DEVICE void syncBlock() { __syncthreads(); }
LASNN_DEVICE uint32_t shuffleXor(uint32_t value, uint32_t mask) { return __shfl_xor_sync(0xffffffffu, value, int(mask)); }
/// The sum of the values of all lanes before this one.
LASNN_DEVICE uint32_t sumBefore(uint32_t value) {
  uint32_t sum = value;
  LASNN_UNROLL
  for (uint32_t step = 1; step < 32; step *= 2) {
    const uint32_t other = __shfl_up_sync(0xffffffffu, sum, step);
    sum += threadIdx.x % 32 >= step ? other : 0;
  }
  return sum - value;
}
LASNN_DEVICE uint32_t firstBit(uint32_t value) { return uint32_t(__ffs(int(value)) - 1); }
LASNN_DEVICE uint32_t bitCount(uint32_t value) { return uint32_t(__popc(value)); }
/// Four bytes out of the eight of b:a, chosen by the low three bits of each nibble of `which`.
LASNN_DEVICE uint32_t bytesOf(uint32_t a, uint32_t b, uint32_t which) { return __byte_perm(a, b, which); }
LASNN_DEVICE int32_t dot4(uint32_t a, uint32_t b, int32_t sum) { return __dp4a(int(a), int(b), sum); }
/// a's bytes unsigned, b's signed.
LASNN_DEVICE int32_t dot4Counts(uint32_t a, uint32_t b, int32_t sum) {
  asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  return sum;
}
LASNN_DEVICE void addTo(uint64_t *at, uint64_t value) { atomicAdd(reinterpret_cast<unsigned long long *>(at), value); }
LASNN_DEVICE uint32_t loadOnce(const uint32_t *at) { return __ldg(at); }

/// 16 bytes from global to shared memory, without a register and later: by the time the group they are committed in is waited for.
LASNN_DEVICE void copyAsync16(void *shared, const void *global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(sharedAddress(shared, 16)), "l"(global) : "memory");
}
LASNN_DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// For all groups but the last `Groups`.
template <int Groups> LASNN_DEVICE void waitCopies() { asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory"); }

/// d[t][n] += a[t] b[n] for all t and n: a is 16 rows of 32 bytes (unsigned, or signed), b 32 signed bytes of 8 columns, d 16x8, spread over a
/// warp as PTX's mma.m16n8k32 lays them out (ISA 9.7.14.5.10).
template <bool Signed, int TS, int NT>
LASNN_DEVICE void multiplyAdd(int32_t (&d)[TS][NT][4], const uint32_t (&a)[TS][4], const uint32_t (&b)[NT][2]) {
  LASNN_UNROLL
  for (int n = 0; n < NT; ++n)
    LASNN_UNROLL
    for (int t = 0; t < TS; ++t)
      if (Signed)
        asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+r"(d[t][n][0]), "+r"(d[t][n][1]), "+r"(d[t][n][2]), "+r"(d[t][n][3])
                     : "r"(a[t][0]), "r"(a[t][1]), "r"(a[t][2]), "r"(a[t][3]), "r"(b[n][0]), "r"(b[n][1]));
      else
        asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+r"(d[t][n][0]), "+r"(d[t][n][1]), "+r"(d[t][n][2]), "+r"(d[t][n][3])
                     : "r"(a[t][0]), "r"(a[t][1]), "r"(a[t][2]), "r"(a[t][3]), "r"(b[n][0]), "r"(b[n][1]));
}

/// The fragments b of NT tiles that lie in shared memory as [tile][k half][8 columns][16 bytes of k]: a matrix of ldmatrix is 8 rows of 16 bytes, lane
/// i names row i % 8 of matrix i / 8, and lane 4g + q gets word q of row g. 128 bytes a matrix: every bank once.
template <int NT> LASNN_DEVICE void loadFragments(uint32_t (&b)[NT][2], const uint8_t *tiles) {
  static_assert(NT % 2 == 0, "two tiles an instruction");
  const uint32_t at = sharedAddress(tiles, NT * 256) + threadIdx.x % 32 * 16;
  LASNN_UNROLL
  for (int n = 0; n < NT; n += 2)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(b[n][0]), "=r"(b[n][1]), "=r"(b[n + 1][0]), "=r"(b[n + 1][1])
                 : "r"(at + n * 256)
                 : "memory");
}

#if LASNN_WARPGROUP
/// Before a product: what was written to its registers counts (PTX ISA, wgmma.fence).
LASNN_DEVICE void fenceProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
LASNN_DEVICE void commitProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
LASNN_DEVICE void waitProducts() { asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory"); }
/// Products read shared memory through another proxy than copies write it.
LASNN_DEVICE void fenceShared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#define LASNN_FOUR(d, n) "+r"(d[n][0]), "+r"(d[n][1]), "+r"(d[n][2]), "+r"(d[n][3])
/// wgmma m64nNk32, N = 8 NT: d += a b, a from registers (as four warps' m16n8k32 fragments, a warp 16 rows), b through a matrix descriptor.
template <bool Signed, int NT> LASNN_DEVICE void multiplyAddGroup(int32_t (&d)[NT][4], const uint32_t (&a)[4], uint64_t b) {
  static_assert(NT == 4 || NT == 8, "written out below");
  if constexpr (NT == 8) {
#define LASNN_PRODUCT(type)                                                                                                                          \
  asm volatile("wgmma.mma_async.sync.aligned.m64n64k32.s32." type ".s8 {%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,"     \
               "%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, {%32,%33,%34,%35}, %36, 1;"                                                            \
               : LASNN_FOUR(d, 0), LASNN_FOUR(d, 1), LASNN_FOUR(d, 2), LASNN_FOUR(d, 3), LASNN_FOUR(d, 4), LASNN_FOUR(d, 5), LASNN_FOUR(d, 6),          \
                 LASNN_FOUR(d, 7)                                                                                                                    \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
    if constexpr (Signed)
      LASNN_PRODUCT("s8");
    else
      LASNN_PRODUCT("u8");
#undef LASNN_PRODUCT
  } else {
#define LASNN_PRODUCT(type)                                                                                                                          \
  asm volatile("wgmma.mma_async.sync.aligned.m64n32k32.s32." type ".s8 {%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15}, {%16,%17,%18,%19}, "    \
               "%20, 1;"                                                                                                                             \
               : LASNN_FOUR(d, 0), LASNN_FOUR(d, 1), LASNN_FOUR(d, 2), LASNN_FOUR(d, 3)                                                                \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
    if constexpr (Signed)
      LASNN_PRODUCT("s8");
    else
      LASNN_PRODUCT("u8");
#undef LASNN_PRODUCT
  }
}
#undef LASNN_FOUR
#endif

} // namespace lasnn::cuda
#else
#include "backends/cuda/emulate.h"
#define LASNN_WARPGROUP 1
#endif
