// The device code of random networks compiles for every architecture on a machine without a GPU, and no accumulator spills.
#include "backends/cuda/nvrtc.h"
#include "backends/cuda/source.h"
#include "tests/runtime/random_plan.h"

#include <gtest/gtest.h>

#include <cstring>

namespace lasnn::test {
namespace {

cuda::Program programOf(uint64_t seed, cuda::Choice choice) {
  std::string error;
  cuda::Program program = cuda::makeProgram(randomPlan(seed), choice, error);
  EXPECT_EQ(error, "");
  return program;
}

class Nvrtc : public testing::Test {
protected:
  void SetUp() override {
    std::string error;
    if (cuda::nvrtcVersion(error).empty())
      GTEST_SKIP() << error;
  }
};

TEST_F(Nvrtc, CompilesRandomNetworks) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const cuda::Program program = programOf(seed, seed % 2 ? cuda::Choice::Dense : cuda::Choice::Event);
    const std::string source = cuda::sourceOf(program);
    for (const char *architecture : {"sm_80", "sm_90", "sm_90a"}) {
      std::string error;
      const cuda::Cubin cubin = cuda::compileCuda(source, architecture, error);
      ASSERT_EQ(error, "") << "seed " << seed << ", " << architecture << "\n" << source;
      ASSERT_GT(cubin.bytes.size(), 4u);
      EXPECT_EQ(std::memcmp(cubin.bytes.data(), "\177ELF", 4), 0);
      for (size_t i = 0; i < program.launches.size(); ++i) {
        ASSERT_TRUE(cubin.kernels.count(cuda::kernelName(i))) << "seed " << seed << ", launch " << i;
        const cuda::KernelResources &r = cubin.kernels.at(cuda::kernelName(i));
        EXPECT_GT(r.registers, 0u);
        // Up to a handful of words are ptxas's own trade: at 56 or 40 registers it keeps some loop counters in memory rather than take 64 or 48.
        EXPECT_LE(r.spill_store_bytes + r.spill_load_bytes, 64u) << "seed " << seed << ", " << architecture << ", " << cuda::nameOf(program.launches[i].kernel);
      }
    }
  }
}

TEST_F(Nvrtc, PtxForNewerGpus) {
  std::string error;
  const cuda::Cubin ptx = cuda::compileCuda(cuda::sourceOf(programOf(1, cuda::Choice::Auto)), "compute_90", error);
  ASSERT_EQ(error, "");
  EXPECT_NE(std::string(ptx.bytes.begin(), ptx.bytes.end()).find(".target sm_90"), std::string::npos);
}

TEST_F(Nvrtc, SaysWhatIsWrong) {
  std::string error;
  EXPECT_TRUE(cuda::compileCuda("extern \"C\" __global__ void f() { nonsense; }", "sm_90", error).bytes.empty());
  EXPECT_NE(error.find("nonsense"), std::string::npos) << error;
  error.clear();
  EXPECT_TRUE(cuda::compileCuda("", "sm_1", error).bytes.empty());
  EXPECT_NE(error.find("sm_1"), std::string::npos) << error;
}

} // namespace
} // namespace lasnn::test
