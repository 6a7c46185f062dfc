// The CUDA kernels, run on the CPU, equal the plain executor on random networks: outputs, every spike, clips.
// LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks; a failure names its seed.
#include "backends/cuda/host.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace lasnn::test {
namespace {

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// A buffer of one sample and step, [C][H][W], as the reference has it.
std::vector<uint8_t> unpacked(const cuda::Buffer &b, const std::vector<uint8_t> &bytes, uint32_t timesteps, uint32_t n, uint32_t t) {
  cuda::InputShape in = {};
  in.form = b.form, in.words = b.words;
  const size_t pixels = size_t(b.height) * b.width;
  std::vector<uint8_t> values(b.channels * pixels);
  for (size_t pixel = 0; pixel < pixels; ++pixel)
    for (uint32_t c = 0; c < b.channels; ++c)
      values[c * pixels + pixel] = uint8_t(cuda::countAt(in, bytes.data(), (uint64_t(n) * timesteps + t) * pixels + pixel, c));
  return values;
}

void compare(uint64_t seed, cuda::Choice choice) {
  const plan::Network plan = randomPlan(seed);
  const uint32_t batch = 1 + uint32_t(seed % 3);
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, choice, error);
  ASSERT_EQ(error, "");
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

void compareAll(cuda::Choice choice) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 60);
  for (uint64_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed)
    compare(seed, choice);
}

/// Step after step, with the membranes in memory between the steps.
void compareSteps(uint64_t seed, plan::Network plan, cuda::Choice choice) {
  const uint32_t batch = 2, T = plan.timesteps;
  std::vector<std::vector<uint8_t>> inputs;
  std::vector<ReferenceResult> expected;
  for (uint32_t n = 0; n < batch; ++n) {
    inputs.push_back(randomInput(plan, seed + 1000 * n));
    expected.push_back(Reference(plan).run(inputs.back()));
  }
  plan.timesteps = 1;
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, choice, error);
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
          << "seed " << seed << ", sample " << n << ", step " << t;
  }
}

TEST(CudaEmulated, StreamsStepByStep) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 30);
  for (uint64_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed)
    compareSteps(seed, randomPlan(seed), seed % 2 ? cuda::Choice::Dense : cuda::Choice::Event);
}

TEST(CudaEmulated, StreamsWithDelays) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 40);
  for (uint64_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed)
    compareSteps(seed, randomRecurrentPlan(seed), seed % 2 ? cuda::Choice::Dense : cuda::Choice::Event);
}

TEST(CudaEmulated, DelaysNeedAProgramOfOneStep) {
  plan::Network plan;
  for (uint64_t seed = 1; plan.delays.empty(); ++seed)
    plan = randomRecurrentPlan(seed);
  plan.timesteps = 3;
  std::string error;
  EXPECT_TRUE(cuda::makeProgram(plan, cuda::Choice::Auto, error).launches.empty());
  EXPECT_NE(error.find("the network has delays, and its layers cannot run over 3 time-steps at once"), std::string::npos) << error;
}

TEST(CudaEmulated, EventFormEqualsReference) { compareAll(cuda::Choice::Event); }
TEST(CudaEmulated, DenseFormEqualsReference) { compareAll(cuda::Choice::Dense); }
TEST(CudaEmulated, ChosenFormsEqualReference) { compareAll(cuda::Choice::Auto); }

} // namespace
} // namespace lasnn::test
