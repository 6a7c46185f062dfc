// The CUDA kernels, run on the CPU, equal the plain executor on random networks: outputs, every spike, clips.
// LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks; a failure names its seed.
#include "backends/cuda/forms.h"
#include "backends/cuda/host.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace lasnn::test {
namespace {

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// A buffer of one sample and step, [C][H][W], as the reference has it.
std::vector<uint8_t> unpacked(const cuda::Buffer &b, const std::vector<uint8_t> &bytes, uint32_t timesteps, uint32_t n, uint32_t t) {
  cuda::InputShape in = {};
  in.form = b.form, in.words = b.words, in.pool_h = in.pool_w = 1;
  const size_t pixels = size_t(b.height) * b.width;
  std::vector<uint8_t> values(b.channels * pixels);
  for (size_t pixel = 0; pixel < pixels; ++pixel)
    for (uint32_t c = 0; c < b.channels; ++c)
      values[c * pixels + pixel] = uint8_t(cuda::countAt(in, bytes.data(), (uint64_t(n) * timesteps + t) * pixels + pixel, c));
  return values;
}

cuda::Options preferring(const std::string &kernel) {
  cuda::Options options;
  options.prefer = kernel;
  return options;
}

/// Adds the kernels of the layers to `used`.
void compare(const plan::Network &plan, uint64_t seed, uint32_t batch, const cuda::Options &options, std::map<std::string, int> *used = nullptr) {
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, options, error);
  ASSERT_EQ(error, "");
  if (used)
    for (const cuda::Launch &launch : program.launches)
      ++(*used)[cuda::nameOf(launch.kernel) + (launch.layer() ? ":" + std::to_string(launch.tiles) : "")];
  std::vector<uint8_t> samples;
  std::vector<ReferenceResult> expected;
  for (uint32_t n = 0; n < batch; ++n) {
    const std::vector<uint8_t> input = randomInput(plan, seed + 1000 * n);
    samples.insert(samples.end(), input.begin(), input.end());
    expected.push_back(Reference(plan).run(input));
  }
  const cuda::HostResult result = cuda::runOnHost(program, samples, batch);
  uint32_t spiking = 0;
  for (size_t i = 0; i < program.launches.size(); ++i) {
    const cuda::Launch &launch = program.launches[i];
    if (!launch.spiking())
      continue;
    const std::string where = "seed " + std::to_string(seed) + ", " + cuda::nameOf(launch.kernel) + " launch " + std::to_string(i);
    uint64_t fired = 0, clips = 0;
    for (uint32_t n = 0; n < batch; ++n) {
      const ReferenceLayer &layer = expected[n].layers[spiking];
      fired += layer.fired, clips += layer.clips;
      for (uint32_t t = 0; t < plan.timesteps; ++t)
        ASSERT_TRUE(unpacked(program.buffers[launch.output], result.buffers[launch.output], plan.timesteps, n, t) == layer.spikes[t])
            << where << ", sample " << n << ", step " << t;
    }
    EXPECT_EQ(result.spikes[i], fired) << where;
    EXPECT_EQ(result.clips[i], clips) << where;
    ++spiking;
  }
  for (uint32_t n = 0; n < batch; ++n)
    EXPECT_EQ(std::vector<int32_t>(result.outputs.begin() + n * plan.output_count, result.outputs.begin() + (n + 1) * plan.output_count), expected[n].outputs.back())
        << "seed " << seed << ", sample " << n;
}

/// Step after step, with the membranes in memory between the steps.
void compareSteps(uint64_t seed, const std::string &kernel) {
  plan::Network plan = randomPlan(seed);
  const uint32_t batch = 2, T = plan.timesteps;
  std::vector<std::vector<uint8_t>> inputs;
  std::vector<ReferenceResult> expected;
  for (uint32_t n = 0; n < batch; ++n) {
    inputs.push_back(randomInput(plan, seed + 1000 * n));
    expected.push_back(Reference(plan).run(inputs.back()));
  }
  plan.timesteps = 1;
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, preferring(kernel), error);
  ASSERT_EQ(error, "");
  cuda::HostStream stream(program, batch);
  for (uint32_t t = 0; t < T; ++t) {
    std::vector<uint8_t> samples;
    for (const std::vector<uint8_t> &input : inputs) {
      const size_t from = input.size() == program.sample_bytes ? 0 : t * program.sample_bytes;
      samples.insert(samples.end(), input.begin() + from, input.begin() + from + program.sample_bytes);
    }
    const cuda::HostResult &result = stream.run(samples);
    for (uint32_t n = 0; n < batch; ++n)
      ASSERT_EQ(std::vector<int32_t>(result.outputs.begin() + n * plan.output_count, result.outputs.begin() + (n + 1) * plan.output_count), expected[n].outputs[t])
          << kernel << ", seed " << seed << ", sample " << n << ", step " << t;
  }
}

/// Every kernel for layers, with each of its tile counts, and "" for the model's choice.
std::vector<std::string> kernels() {
  std::vector<std::string> all = {""};
  for (const cuda::Form &form : cuda::forms())
    for (uint32_t tiles : form.tiles)
      all.push_back(std::string(form.name) + ":" + std::to_string(tiles));
  return all;
}

class CudaKernel : public testing::TestWithParam<std::string> {};

TEST_P(CudaKernel, EqualsReferenceOnRandomNetworks) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 60);
  std::map<std::string, int> used;
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed)
    compare(randomPlan(seed), seed, 1 + uint32_t(seed % 3), preferring(GetParam()), &used);
  if (!GetParam().empty() && count >= 60) {
    EXPECT_GE(used[GetParam()], 5) << "layers that the kernel can compute";
  }
}

TEST_P(CudaKernel, StreamsStepByStep) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 6);
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed)
    compareSteps(seed, GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, CudaKernel, testing::ValuesIn(kernels()), [](const auto &info) {
  std::string name = info.param.empty() ? "chosen" : info.param;
  std::replace(name.begin(), name.end(), ':', '_');
  return name;
});

} // namespace
} // namespace lasnn::test
