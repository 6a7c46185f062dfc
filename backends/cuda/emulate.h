// Runs kernels on the CPU. Threads of a block are fibers that run one after another; where a warp acts as one (shuffle, matrix
// multiplication), each lane leaves its operands and waits, and the last one computes for all. Slow and exact: for tests.
#pragma once

#include <cstdint>
#include <functional>

namespace lasnn::cuda {

struct Dim {
  unsigned x = 0;
};
/// Of the thread that runs.
extern thread_local Dim threadIdx, blockIdx;

/// Every thread of every block once. A lane that leaves while others of its warp wait for it ends the program with a message.
void emulate(uint32_t blocks, uint32_t threads, const std::function<void()> &kernel);

/// All 32 lanes meet with a pointer each; `together` is called once with all pointers.
void meet(void *mine, void (*together)(void *const *lanes));

#define LASNN_DEVICE inline
#define LASNN_UNROLL
#define LASNN_ROLLED

inline uint32_t shuffleXor(uint32_t value, uint32_t mask) {
  struct Lane {
    uint32_t value, mask, result;
  } lane = {value, mask, 0};
  meet(&lane, [](void *const *lanes) {
    for (uint32_t i = 0; i < 32; ++i)
      static_cast<Lane *>(lanes[i])->result = static_cast<Lane *>(lanes[i ^ static_cast<Lane *>(lanes[i])->mask])->value;
  });
  return lane.result;
}

inline uint32_t firstBit(uint32_t value) { return uint32_t(__builtin_ctz(value)); }
inline int32_t dot4(uint32_t a, uint32_t b, int32_t sum) {
  for (uint32_t i = 0; i < 32; i += 8)
    sum += int32_t(int8_t(a >> i)) * int32_t(int8_t(b >> i));
  return sum;
}
inline void addTo(uint64_t *at, uint64_t value) { *at += value; }
inline uint32_t loadOnce(const uint32_t *at) { return *at; }

/// mma.m16n8k32 of unsigned a and signed b, for TS fragments of a and NT of b. Lane 4g + q holds a[g][4q..] a[g+8][4q..] a[g][16+4q..] a[g+8][16+4q..],
/// b[4q..][g] b[16+4q..][g], d[g][2q] d[g][2q+1] d[g+8][2q] d[g+8][2q+1] (PTX ISA, "Matrix Fragments for mma.m16n8k32").
template <int TS, int NT> void multiplyAdd(int32_t (&d)[TS][NT][4], const uint32_t (&a)[TS][4], const uint32_t (&b)[NT][2]) {
  struct Lane {
    int32_t (*d)[NT][4];
    const uint32_t (*a)[4];
    const uint32_t (*b)[2];
  } lane = {d, a, b};
  meet(&lane, [](void *const *lanes) {
    auto of = [&](uint32_t i) { return static_cast<Lane *>(lanes[i]); };
    for (uint32_t n = 0; n < NT; ++n)
      for (uint32_t t = 0; t < TS; ++t)
        for (uint32_t row = 0; row < 16; ++row)
          for (uint32_t column = 0; column < 8; ++column) {
            int32_t sum = 0;
            for (uint32_t q = 0; q < 4; ++q)
              for (uint32_t half = 0; half < 2; ++half) {
                const uint32_t left = of(row % 8 * 4 + q)->a[t][row / 8 + 2 * half], right = of(column * 4 + q)->b[n][half];
                for (uint32_t i = 0; i < 32; i += 8)
                  sum += int32_t(uint8_t(left >> i)) * int32_t(int8_t(right >> i));
              }
            of(row % 8 * 4 + column / 2)->d[t][n][row / 8 * 2 + column % 2] += sum;
          }
  });
}

} // namespace lasnn::cuda
