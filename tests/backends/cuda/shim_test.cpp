// The emulation itself: what it computes together, and that it ends a kernel which a GPU would leave undefined.
#include "backends/cuda/emulate.h"
#include "runtime/cuda/arguments.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

namespace lasnn::cuda {
namespace {

TEST(CudaShim, BarrierSharesMemory) {
  std::array<uint32_t, 256> out = {};
  emulate(2, threadsPerBlock, 512, [&] {
    auto *words = reinterpret_cast<uint32_t *>(sharedMemory());
    words[threadIdx.x] = threadIdx.x;
    syncBlock();
    out[blockIdx.x * 128 + threadIdx.x] = words[127 - threadIdx.x] + 1000 * blockIdx.x;
  });
  for (uint32_t i = 0; i < 256; ++i)
    EXPECT_EQ(out[i], 127 - i % 128 + i / 128 * 1000);
}

TEST(CudaShim, SumBeforeAndBytes) {
  std::array<uint32_t, 32> out = {};
  emulate(1, 32, 0, [&] { out[threadIdx.x] = sumBefore(threadIdx.x); });
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(out[i], i * (i - 1) / 2);
  EXPECT_EQ(bytesOf(0x33221100, 0x77665544, 0x7531), 0x77553311u);
  EXPECT_EQ(dot4Counts(0x000000ff, 0x000000ff, 1), 1 - 255);
  EXPECT_EQ(dot4(0x000000ff, 0x000000ff, 1), 2);
}

TEST(CudaShim, CopyArrivesAtItsWaitOnly) {
  alignas(16) const std::array<uint8_t, 32> global = {1, 2, 3};
  emulate(1, 1, 512, [&] {
    if (threadIdx.x > 0) return;
    uint8_t *shared = sharedMemory();
    shared[0] = 9;
    copyAsync16(shared, global.data());
    commitCopies();
    copyAsync16(shared + 16, global.data());
    commitCopies();
    EXPECT_NE(shared[0], 9) << "the place is the copy's from its issue on";
    EXPECT_NE(shared[0], 1);
    waitCopies<1>();
    EXPECT_EQ(shared[0], 1);
    EXPECT_NE(shared[16], 1);
    waitCopies<0>();
    EXPECT_EQ(shared[16], 1);
  });
}

/// d = a b for a warpgroup, b laid out for these two offsets.
int32_t firstSum(uint32_t leading, uint32_t stride, bool fenced) {
  std::vector<int32_t> sums(128, 0);
  emulate(1, threadsPerBlock, 4096, [&] {
    if (threadIdx.x == 0) {
      std::memset(sharedMemory(), 0, 4096);
      for (uint32_t k = 0; k < 32; ++k) // column 8 holds 1 ... 32
        sharedMemory()[1 * stride + k / 16 * leading + k % 16] = uint8_t(k + 1);
    }
    syncBlock();
    int32_t d[4][4] = {};
    uint32_t a[4] = {0x01010101, 0x01010101, 0x01010101, 0x01010101};
    const uint64_t b = uint64_t(sharedAddress(sharedMemory(), 1024) >> 4) | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32;
    if (fenced) fenceProducts();
    multiplyAddGroup<false, 4>(d, a, b);
    commitProducts();
    EXPECT_EQ(d[1][0], 0) << "not before the wait";
    waitProducts();
    sums[threadIdx.x] = d[1][0];
  });
  EXPECT_EQ(sums[1], 0); // column 10
  return sums[0];
}

TEST(CudaShim, ProductReadsThroughItsDescriptor) {
  EXPECT_EQ(firstSum(128, 256, true), 528);
  EXPECT_EQ(firstSum(1024, 128, true), 528);
}

TEST(CudaShimDeathTest, UndefinedKernelsEnd) {
  alignas(16) static const std::array<uint8_t, 64> global = {};
  EXPECT_DEATH(emulate(1, threadsPerBlock, 0,
                       [] {
                         if (threadIdx.x != 77) syncBlock();
                       }),
               "127 of them wait, and thread 77 has left");
  EXPECT_DEATH(emulate(1, 32, 0,
                       [] {
                         if (threadIdx.x != 5) shuffleXor(1, 1);
                       }),
               "31 of them wait, and thread 5 has left");
  EXPECT_DEATH(emulate(1, threadsPerBlock, 0, [] { threadIdx.x < 32 ? void(shuffleXor(1, 1)) : syncBlock(); }), "thread 0 has left");
  EXPECT_DEATH(emulate(1, 1, 64, [] { copyAsync16(sharedMemory() + 56, global.data()); }), "16 bytes at 56 of 64 bytes of shared memory");
  EXPECT_DEATH(emulate(1, 1, 64, [] { copyAsync16(sharedMemory(), global.data() + 4); }), "not aligned to 16");
  EXPECT_DEATH(emulate(1, 1, 64, [] { copyAsync16(sharedMemory(), global.data()); }), "1 copies that it did not wait for");
  EXPECT_DEATH(firstSum(128, 256, false), "product without a fence");
}

} // namespace
} // namespace lasnn::cuda
