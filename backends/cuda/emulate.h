// Runs kernels on the CPU. Threads of a block are fibers that run one after another; where a warp or the block acts as one (shuffle,
// barrier, matrix multiplication), each thread leaves its operands and waits, and the last one computes for all. Slow and exact: for tests.
//
// What a GPU does later is done as late as it may be: an asynchronous copy spoils its destination at once and arrives at the wait, a
// warpgroup's product reads its operands and writes its sums at the wait. A kernel that forgets a wait, or writes over what others still
// read, computes something else.
#pragma once

#include <cstdint>
#include <functional>

namespace lasnn::cuda {

struct Dim {
  unsigned x = 0;
};
/// Of the thread that runs.
extern thread_local Dim threadIdx, blockIdx;

/// Every thread of every block once, with `shared_bytes` of shared memory a block. A thread that leaves while others of its warp or block
/// wait for it, an access outside shared memory through a word of this file, or a copy nobody waited for ends the program with a message.
void emulate(uint32_t blocks, uint32_t threads, uint32_t shared_bytes, const std::function<void()> &kernel);

/// All 32 lanes, or all threads of the block, meet with a pointer each; `together` is called once with all pointers.
void meetWarp(void *mine, void (*together)(void *const *lanes));
void meetBlock(void *mine, void (*together)(void *const *threads));

/// The block's shared memory. On every machine it begins at an address of 16 bits' worth that is a multiple of 128, here 1024.
uint8_t *sharedMemory();
constexpr uint32_t sharedBase = 1024;
uint32_t sharedAddress(const void *at, uint32_t bytes);
const uint8_t *sharedAt(uint32_t address, uint32_t bytes);

void copyAsync16(void *shared, const void *global);
void commitCopies();
void waitCopiesBut(uint32_t groups);
template <int Groups> void waitCopies() { waitCopiesBut(Groups); }

#define LASNN_DEVICE inline
#define LASNN_UNROLL
#define LASNN_ROLLED

inline void syncBlock() {
  meetBlock(nullptr, [](void *const *) {});
}

inline uint32_t shuffleXor(uint32_t value, uint32_t mask) {
  struct Lane {
    uint32_t value, mask, result;
  } lane = {value, mask, 0};
  meetWarp(&lane, [](void *const *lanes) {
    for (uint32_t i = 0; i < 32; ++i)
      static_cast<Lane *>(lanes[i])->result = static_cast<Lane *>(lanes[i ^ static_cast<Lane *>(lanes[i])->mask])->value;
  });
  return lane.result;
}

/// The sum of the values of all lanes before this one.
inline uint32_t sumBefore(uint32_t value) {
  struct Lane {
    uint32_t value, result;
  } lane = {value, 0};
  meetWarp(&lane, [](void *const *lanes) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 32; sum += static_cast<Lane *>(lanes[i++])->value)
      static_cast<Lane *>(lanes[i])->result = sum;
  });
  return lane.result;
}

inline uint32_t firstBit(uint32_t value) { return uint32_t(__builtin_ctz(value)); }
inline uint32_t bitCount(uint32_t value) { return uint32_t(__builtin_popcount(value)); }
/// Four bytes out of the eight of b:a, chosen by the low three bits of each nibble of `which`.
inline uint32_t bytesOf(uint32_t a, uint32_t b, uint32_t which) {
  const uint64_t both = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i)
    result |= uint32_t(uint8_t(both >> (((which >> (4 * i)) & 7) * 8))) << (8 * i);
  return result;
}
inline int32_t dot4(uint32_t a, uint32_t b, int32_t sum) {
  for (uint32_t i = 0; i < 32; i += 8)
    sum += int32_t(int8_t(a >> i)) * int32_t(int8_t(b >> i));
  return sum;
}
/// a's bytes unsigned, b's signed.
inline int32_t dot4Counts(uint32_t a, uint32_t b, int32_t sum) {
  for (uint32_t i = 0; i < 32; i += 8)
    sum += int32_t(uint8_t(a >> i)) * int32_t(int8_t(b >> i));
  return sum;
}
inline void addTo(uint64_t *at, uint64_t value) { *at += value; }
inline uint32_t loadOnce(const uint32_t *at) { return *at; }

/// mma.m16n8k32 for TS fragments of a (unsigned bytes, or signed ones) and NT of b (signed). Lane 4g + q holds a[g][4q..] a[g+8][4q..]
/// a[g][16+4q..] a[g+8][16+4q..], b[4q..][g] b[16+4q..][g], d[g][2q] d[g][2q+1] d[g+8][2q] d[g+8][2q+1] (PTX ISA, "Matrix Fragments for
/// mma.m16n8k32").
template <bool Signed, int TS, int NT> void multiplyAdd(int32_t (&d)[TS][NT][4], const uint32_t (&a)[TS][4], const uint32_t (&b)[NT][2]) {
  struct Lane {
    int32_t (*d)[NT][4];
    const uint32_t (*a)[4];
    const uint32_t (*b)[2];
  } lane = {d, a, b};
  meetWarp(&lane, [](void *const *lanes) {
    int32_t left[16][32], right[8][32];
    auto of = [&](uint32_t i) { return static_cast<Lane *>(lanes[i]); };
    auto value = [](uint32_t word, uint32_t i) { return Signed ? int32_t(int8_t(word >> (8 * i))) : int32_t(uint8_t(word >> (8 * i))); };
    for (uint32_t n = 0; n < NT; ++n) {
      for (uint32_t column = 0; column < 8; ++column)
        for (uint32_t k = 0; k < 32; ++k)
          right[column][k] = int8_t(of(column * 4 + k % 16 / 4)->b[n][k / 16] >> (k % 4 * 8));
      for (uint32_t t = 0; t < TS; ++t) {
        for (uint32_t row = 0; row < 16; ++row)
          for (uint32_t k = 0; k < 32; ++k)
            left[row][k] = value(of(row % 8 * 4 + k % 16 / 4)->a[t][row / 8 + k / 16 * 2], k % 4);
        for (uint32_t row = 0; row < 16; ++row)
          for (uint32_t column = 0; column < 8; ++column) {
            int32_t sum = 0;
            for (uint32_t k = 0; k < 32; ++k)
              sum += left[row][k] * right[column][k];
            of(row % 8 * 4 + column / 2)->d[t][n][row / 8 * 2 + column % 2] += sum;
          }
      }
    }
  });
}

/// The fragments b of NT tiles that lie in shared memory as [tile][k half][8 columns][16 bytes of k].
template <int NT> void loadFragments(uint32_t (&b)[NT][2], const uint8_t *tiles) {
  const uint32_t at = sharedAddress(tiles, NT * 256), lane = threadIdx.x % 32;
  for (uint32_t n = 0; n < NT; ++n)
    for (uint32_t half = 0; half < 2; ++half)
      __builtin_memcpy(&b[n][half], sharedAt(at + n * 256 + half * 128 + lane * 4, 4), 4);
}

void fenceProducts(); ///< before a product whose registers were written
void commitProducts();
void waitProducts(); ///< for all
void fenceShared();  ///< between copies and products that read them

/// A product of a warpgroup that waits to be done: of lane i of it, where the operands are.
struct Product {
  int32_t *d[128];
  const uint32_t *a[128];
  uint64_t b;
  uint32_t columns;
  bool left_signed;
};
void issueProduct(const Product &product);

/// wgmma m64nNk32, N = 8 NT: d += a b, a from registers (as four warps' m16n8k32 fragments, a warp 16 rows), b through a matrix descriptor.
template <bool Signed, int NT> void multiplyAddGroup(int32_t (&d)[NT][4], const uint32_t (&a)[4], uint64_t b) {
  struct Thread {
    int32_t *d;
    const uint32_t *a;
    uint64_t b;
  } thread = {&d[0][0], a, b};
  meetBlock(&thread, [](void *const *threads) {
    Product product = {};
    for (uint32_t i = 0; i < 128; ++i) {
      auto *each = static_cast<Thread *>(threads[i]);
      product.d[i] = each->d, product.a[i] = each->a;
    }
    product.b = static_cast<Thread *>(threads[0])->b, product.columns = 8 * NT, product.left_signed = Signed;
    issueProduct(product);
  });
}

} // namespace lasnn::cuda
