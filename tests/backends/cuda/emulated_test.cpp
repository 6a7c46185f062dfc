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
#include <random>

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
void compareSteps(uint64_t seed, plan::Network plan, const std::string &kernel) {
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

/// Every kernel for layers, and "" for the model's choice.
std::vector<std::string> kernels() {
  std::vector<std::string> all = {""};
  for (const cuda::Form &form : cuda::forms())
    if (!form.tiles.empty())
      all.push_back(form.name);
  return all;
}

/// With a tile count, another one each time.
std::string tiled(const std::string &kernel, uint64_t turn) {
  if (kernel.empty())
    return "";
  const std::vector<uint32_t> &tiles = cuda::formNamed(kernel)->tiles;
  return kernel + ":" + std::to_string(tiles[turn % tiles.size()]);
}

bool uses(const plan::Network &plan, const std::string &kernel) {
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, preferring(kernel), error);
  return kernel.empty() || std::any_of(program.launches.begin(), program.launches.end(), [&](const cuda::Launch &l) { return cuda::nameOf(l.kernel) == kernel; });
}

class CudaKernel : public testing::TestWithParam<std::string> {};

/// Networks that have a layer which the kernel can compute; every other one with its pools and sums fused.
TEST_P(CudaKernel, EqualsReferenceOnRandomNetworks) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 60);
  std::map<std::string, int> used;
  uint64_t done = 0;
  for (uint64_t seed = first; done < count && seed < first + 100 * count && !HasFailure(); ++seed) {
    const plan::Network plan = randomPlan(seed);
    if (!uses(plan, GetParam()))
      continue;
    cuda::Options options = preferring(tiled(GetParam(), done));
    options.fuse = seed % 2 ? cuda::Fuse::Always : cuda::Fuse::Never;
    options.warpgroup = true;
    compare(plan, seed, 1 + uint32_t(seed % 3), options, &used);
    ++done;
  }
  EXPECT_EQ(done, count);
  if (!GetParam().empty() && count >= 60) {
    for (uint32_t tiles : cuda::formNamed(GetParam())->tiles)
      EXPECT_GE(used[GetParam() + ":" + std::to_string(tiles)], 10);
  }
}

TEST_P(CudaKernel, StreamsStepByStep) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 5);
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed)
    compareSteps(seed, randomPlan(seed), tiled(GetParam(), seed));
}

TEST_P(CudaKernel, StreamsWithDelays) {
  const uint64_t first = fromEnvironment("LASNN_TEST_SEED", 1), count = fromEnvironment("LASNN_TEST_COUNT", 6);
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed)
    compareSteps(seed, randomRecurrentPlan(seed), tiled(GetParam(), seed));
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

struct Case {
  uint32_t timesteps, channels, out_channels, height, width, kernel, stride, groups, max_count, batch;
};

/// One layer and a linear read-out of it, at the sizes of real networks' layers.
plan::Network layerOf(const Case &c) {
  plan::Network plan;
  plan.name = "layer", plan.timesteps = c.timesteps, plan.encoding = plan::Encoding::Events;
  const uint32_t height = (c.height + c.stride - 1) / c.stride, width = (c.width + c.stride - 1) / c.stride;
  plan.buffers = {{"in", c.channels, c.height, c.width, c.max_count}, {"out", c.out_channels, height, width, 1}};
  std::mt19937 random(c.channels * 31 + c.out_channels * 7 + c.timesteps);
  const auto weights = [&](size_t count) {
    std::vector<int8_t> all(count);
    for (int8_t &w : all)
      w = int8_t(int32_t(random() % 255) - 127);
    return all;
  };
  plan::Layer layer;
  layer.name = "layer", layer.output = 1, layer.out_channels = c.out_channels, layer.out_height = height, layer.out_width = width;
  plan::Synapse s;
  s.name = "conv", s.kernel_h = s.kernel_w = c.kernel, s.stride_h = s.stride_w = c.stride, s.pad_top = s.pad_left = int32_t(c.kernel / 2), s.groups = c.groups;
  s.weight = weights(size_t(c.out_channels) * (c.channels / c.groups) * c.kernel * c.kernel);
  layer.synapses = {s};
  for (uint32_t k = 0; k < c.out_channels; ++k)
    layer.bias.push_back(int32_t(random() % 200) - 100), layer.neuron.v_threshold.push_back(int32_t(random() % 500)), layer.neuron.rho.push_back(200);
  layer.neuron.decay = 1024, layer.neuron.reset = plan::Reset::Subtract, layer.neuron.state_bits = 24;
  plan::Layer out;
  out.kind = plan::LayerKind::Readout, out.name = "classes", out.out_channels = 10, out.bias.assign(10, 5);
  plan::Synapse fc;
  fc.name = "fc", fc.input = 1, fc.kernel_h = height, fc.kernel_w = width, fc.weight = weights(size_t(10) * c.out_channels * height * width);
  out.synapses = {fc};
  plan.layers = {layer, out}, plan.output_count = 10;
  return plan;
}

TEST_P(CudaKernel, EqualsReferenceAtRealSizes) {
  const Case cases[] = {
      // T, channels, out, height, width, kernel, stride, groups, max_count, batch
      {4, 64, 64, 5, 7, 3, 1, 1, 1, 5},   {1, 128, 128, 3, 5, 3, 2, 1, 1, 1}, {2, 64, 192, 3, 3, 1, 1, 1, 1, 5}, {3, 96, 64, 3, 5, 3, 1, 1, 1, 1},
      {8, 64, 64, 3, 3, 3, 1, 1, 1, 1},   {4, 64, 72, 3, 5, 3, 1, 1, 4, 1},   {2, 256, 256, 2, 2, 3, 1, 1, 1, 1}, {4, 160, 160, 5, 3, 3, 1, 160, 1, 5},
      {8, 72, 72, 3, 5, 3, 2, 72, 3, 1},
  };
  int computed = 0;
  for (const Case &c : cases) {
    if (HasFailure() || !uses(layerOf(c), GetParam()))
      continue;
    for (uint64_t turn = 0; turn < 2; ++turn) {
      cuda::Options options = preferring(tiled(GetParam(), turn + c.timesteps));
      options.batch = c.batch;
      compare(layerOf(c), 7 + turn, c.batch, options);
    }
    ++computed;
  }
  EXPECT_GE(computed, 2);
}

INSTANTIATE_TEST_SUITE_P(All, CudaKernel, testing::ValuesIn(kernels()),
                         [](const auto &info) { return info.param.empty() ? std::string("chosen") : info.param; });

} // namespace
} // namespace lasnn::test
