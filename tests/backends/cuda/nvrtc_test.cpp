// The device code of random networks compiles for every architecture on a machine without a GPU, and no accumulator spills.
#include "backends/cuda/forms.h"
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

/// What ptxas says of every kernel of a program.
void expectResources(const cuda::Program &program, const std::string &architecture, const std::string &where, uint32_t spills_allowed) {
  std::string error;
  const cuda::Cubin cubin = cuda::compileCuda(cuda::sourceOf(program), architecture, error);
  ASSERT_EQ(error, "") << where << ", " << architecture << "\n" << cuda::sourceOf(program);
  ASSERT_GT(cubin.bytes.size(), 4u);
  EXPECT_EQ(std::memcmp(cubin.bytes.data(), "\177ELF", 4), 0);
  for (size_t i = 0; i < program.launches.size(); ++i) {
    const cuda::Launch &launch = program.launches[i];
    const std::string what = where + ", " + architecture + ", " + cuda::nameOf(launch.kernel) + ":" + std::to_string(launch.tiles) + " T " +
                             std::to_string(launch.shape.timesteps);
    ASSERT_TRUE(cubin.kernels.count(cuda::kernelName(program, i))) << what;
    const cuda::KernelResources &r = cubin.kernels.at(cuda::kernelName(program, i));
    EXPECT_GT(r.registers, 0u) << what;
    EXPECT_LE(r.spill_store_bytes + r.spill_load_bytes, spills_allowed) << what;
    EXPECT_EQ(r.shared_bytes, 0u) << what; // all of it is the launch's
    EXPECT_LE(launch.sharedBytes(), 48u << 10) << what;
    EXPECT_LE(r.registers * cuda::threadsPerBlock * 2, 65536u) << what << ": two blocks on an SM";
  }
}

/// Odd cases may spill some words: seed 3's read-out over counts and seven steps 88 bytes.
TEST_F(Nvrtc, CompilesRandomNetworks) {
  for (uint64_t seed = 1; seed <= 3; ++seed)
    for (const char *architecture : {"sm_80", "sm_90", "sm_90a"})
      expectResources(programOf(seed, seed % 2 ? cuda::Choice::Dense : cuda::Choice::Event), architecture, "seed " + std::to_string(seed), 128);
}

/// One layer a kernel and tile count, one after another, of those that can compute it.
cuda::Program everyKernel(uint32_t timesteps, uint32_t channels, uint32_t max_count) {
  plan::Network plan;
  plan.name = "every", plan.timesteps = timesteps, plan.encoding = plan::Encoding::Events;
  plan.buffers = {{"in", channels, 8, 8, max_count}};
  cuda::Options options;
  for (const cuda::Form &form : cuda::forms())
    for (uint32_t tiles : form.tiles) {
      if (form.kernel == cuda::Kernel::Skip && max_count > 1)
        continue;
      plan::Synapse s;
      s.input = uint32_t(plan.buffers.size()) - 1, s.kernel_h = s.kernel_w = 3, s.pad_top = s.pad_left = 1;
      s.groups = form.kernel == cuda::Kernel::Depthwise ? channels : 1;
      s.weight.assign(size_t(channels) * (channels / s.groups) * 9, 1);
      plan::Layer layer;
      layer.name = std::string(form.name) + ":" + std::to_string(tiles), layer.output = uint32_t(plan.buffers.size());
      layer.out_channels = channels, layer.out_height = layer.out_width = 8, layer.synapses = {s}, layer.bias.assign(channels, 0);
      layer.neuron.decay = 100, layer.neuron.reset = plan::Reset::Subtract, layer.neuron.state_bits = 24;
      layer.neuron.v_threshold.assign(channels, 9), layer.neuron.rho.assign(channels, 9);
      options.forced[layer.name] = layer.name;
      plan.buffers.push_back({layer.name, channels, 8, 8, max_count});
      plan.layers.push_back(layer);
    }
  std::string error;
  cuda::Program program = cuda::makeProgram(plan, options, error);
  EXPECT_EQ(error, "");
  return program;
}

/// Up to a handful of words are ptxas's own trade: at 56 or 40 registers it keeps some loop counters in memory rather than take 64 or 48.
TEST_F(Nvrtc, EveryKernelFitsEveryArchitecture) {
  for (const char *architecture : {"sm_80", "sm_90", "sm_90a"})
    expectResources(everyKernel(4, 128, 1), architecture, "bits, 128 channels", 64);
  expectResources(everyKernel(8, 64, 1), "sm_80", "bits, 64 channels", 64);
  expectResources(everyKernel(1, 64, 1), "sm_90a", "bits, 64 channels", 64);
  expectResources(everyKernel(4, 96, 3), "sm_90a", "counts, 96 channels", 64);
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
