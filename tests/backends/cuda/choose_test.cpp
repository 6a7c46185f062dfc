// Which kernel a layer gets, what is refused, and what fusing makes of a network.
#include "backends/cuda/choose.h"
#include "backends/cuda/host.h"
#include "tests/runtime/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lasnn::test {
namespace {

plan::Synapse synapse(uint32_t input, uint32_t out, uint32_t in, uint32_t kernel, uint32_t groups = 1) {
  plan::Synapse s;
  s.name = "s", s.input = input, s.kernel_h = s.kernel_w = kernel, s.pad_top = s.pad_left = int32_t(kernel / 2), s.groups = groups;
  std::mt19937 random(out * 3 + in);
  for (size_t i = 0; i < size_t(out) * (in / groups) * kernel * kernel; ++i)
    s.weight.push_back(int8_t(int32_t(random() % 61) - 30));
  return s;
}

plan::Layer spiking(const std::string &name, uint32_t output, uint32_t channels, uint32_t size, plan::Synapse s) {
  plan::Layer layer;
  layer.name = name, layer.output = output, layer.out_channels = channels, layer.out_height = layer.out_width = size,
  layer.synapses = {std::move(s)};
  layer.bias.assign(channels, 3), layer.neuron.v_threshold.assign(channels, 40), layer.neuron.v_reset.assign(channels, 0);
  return layer;
}

plan::Network oneLayer(uint32_t channels, uint32_t size, uint32_t groups = 1, uint32_t max_count = 1) {
  plan::Network plan;
  plan.name = "one", plan.timesteps = 4, plan.encoding = plan::Encoding::Events;
  plan.buffers = {{"in", channels, size, size, max_count}, {"out", channels, size, size, 1}};
  plan.layers = {spiking("conv", 1, channels, size, synapse(0, channels, channels, 3, groups))};
  return plan;
}

std::string refusal(const plan::Network &plan, const cuda::Options &options) {
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, options, error);
  EXPECT_TRUE(program.launches.empty());
  return error;
}

std::string kernelFor(const plan::Network &plan, const cuda::Options &options) {
  std::string error;
  const cuda::Program program = cuda::makeProgram(plan, options, error);
  EXPECT_EQ(error, "");
  return cuda::nameOf(program.launches.back().kernel);
}

TEST(CudaChoice, ForcedKernelIsTaken) {
  cuda::Options options;
  options.forced["conv"] = "split:2";
  std::string error;
  const cuda::Program program = cuda::makeProgram(oneLayer(64, 8), options, error);
  ASSERT_EQ(error, "");
  EXPECT_EQ(program.launches[1].kernel, cuda::Kernel::Split);
  EXPECT_EQ(program.launches[1].tiles, 2u);
  options.forced["conv"] = "event";
  EXPECT_EQ(kernelFor(oneLayer(64, 8), options), "event");
}

TEST(CudaChoice, RefusalsNameLayerAndKernel) {
  cuda::Options options;
  options.forced["conv"] = "fast";
  EXPECT_EQ(refusal(oneLayer(64, 8), options),
            "layer conv, kernel fast: there is no such kernel for layers; there are event, dense, warpgroup, split, skip, depthwise");
  options.forced["conv"] = "pool";
  EXPECT_NE(refusal(oneLayer(64, 8), options).find("kernel pool: there is no such kernel for layers"), std::string::npos);
  options.forced["conv"] = "dense";
  EXPECT_EQ(refusal(oneLayer(64, 8, 64), options), "layer conv, kernel dense: the kernel cannot compute the layer: it has 64 groups");
  options.forced["conv"] = "skip";
  EXPECT_EQ(refusal(oneLayer(64, 8, 1, 3), options),
            "layer conv, kernel skip: the kernel cannot compute the layer: it reads counts above 1");
  options.forced["conv"] = "depthwise";
  EXPECT_EQ(
      refusal(oneLayer(64, 8, 2), options),
      "layer conv, kernel depthwise: the kernel cannot compute the layer: 64 channels in 2 groups become 64, not each one of its own");
  options.forced["conv"] = "split:3";
  EXPECT_EQ(refusal(oneLayer(64, 8), options), "layer conv, kernel split:3: its tile counts are 1, 2, 4");
  options.forced = {{"cnov", "split"}};
  EXPECT_EQ(refusal(oneLayer(64, 8), options), "kernel split is asked for layer cnov: there is no layer with synapses of that name");
  options.forced.clear(), options.prefer = "fast";
  EXPECT_NE(refusal(oneLayer(64, 8), options).find("kernel fast: there is no such kernel"), std::string::npos);
}

// The model's order where it is not close: measurements may overrule it anywhere.
TEST(CudaChoice, ModelKnowsThroughputFromLatency) {
  cuda::Options options;
  EXPECT_EQ(kernelFor(oneLayer(64, 32), options), "dense");
  EXPECT_EQ(kernelFor(oneLayer(512, 4), options), "dense");
  EXPECT_EQ(kernelFor(oneLayer(64, 32, 64), options), "depthwise");
  EXPECT_EQ(kernelFor(oneLayer(64, 32, 4), options), "event");
  options.warpgroup = true;
  EXPECT_EQ(kernelFor(oneLayer(512, 4), options), "warpgroup");
  options.batch = 1;
  EXPECT_EQ(kernelFor(oneLayer(512, 4), options), "split");
  options.rates["in"] = 0.001;
  EXPECT_EQ(kernelFor(oneLayer(512, 4), options), "skip");
}

TEST(CudaChoice, FastestMeasuredKernelBeatsTheModel) {
  const std::string features = "b512 t4 bits 64x8x8 k3x3 s1x1 d1x1 g1 -> bits 64x8x8";
  cuda::Options options;
  const std::string modelled = kernelFor(oneLayer(64, 8), options);
  options.measured = {{"sm_80", features, "event", 1, 1},
                      {"sm_90a", features + " ", "event", 1, 1},
                      {"sm_90a", features, "depthwise", 1, 1},
                      {"sm_90a", features, "split", 3, 1}};
  EXPECT_EQ(kernelFor(oneLayer(64, 8), options), modelled); // another GPU, another layer, a kernel that cannot, tiles that are not
  options.measured.push_back({"sm_90a", features, "skip", 8, 30});
  options.measured.push_back({"sm_90a", features, "warpgroup", 4, 20});
  options.measured.push_back({"sm_90a", features, "split", 2, 25});
  EXPECT_EQ(kernelFor(oneLayer(64, 8), options), "warpgroup");
  options.forced["conv"] = "event";
  EXPECT_EQ(kernelFor(oneLayer(64, 8), options), "event");
}

TEST(CudaChoice, FeaturesTellLayersApart) {
  std::string error;
  const cuda::Program program = cuda::makeProgram(oneLayer(64, 8), cuda::Options(), error);
  EXPECT_EQ(cuda::featuresOf(program.launches[1], 512), "b512 t4 bits 64x8x8 k3x3 s1x1 d1x1 g1 -> bits 64x8x8");
}

/// in -> a; pool of a, or sum of in and a -> b -> read-out.
plan::Network withBetween(plan::LayerKind kind, plan::PoolKind pool, uint32_t channels, uint32_t size) {
  plan::Network plan;
  plan.name = "between", plan.timesteps = 3, plan.encoding = plan::Encoding::Events;
  const bool sum = kind == plan::LayerKind::Add;
  const uint32_t small = sum ? size : size / 2, most = sum ? 2 : pool == plan::PoolKind::Sum ? 4 : 1;
  plan.buffers = {{"in", channels, size, size, 1},
                  {"a", channels, size, size, 1},
                  {"between", channels, small, small, most},
                  {"b", 40, small, small, 1}};
  plan::Layer between;
  between.kind = kind, between.name = "between", between.output = 2, between.out_channels = channels,
  between.out_height = between.out_width = small;
  between.inputs = sum ? std::vector<uint32_t>{0, 1} : std::vector<uint32_t>{1};
  between.pool = pool;
  if (!sum) between.kernel_h = between.kernel_w = between.stride_h = between.stride_w = 2;
  plan::Layer out;
  out.kind = plan::LayerKind::Readout, out.name = "out", out.out_channels = 5, out.bias.assign(5, 0),
  out.synapses = {synapse(3, 5, 40 * small * small, 1)};
  out.synapses[0].kernel_h = out.synapses[0].kernel_w = small;
  plan.layers = {spiking("a", 1, channels, size, synapse(0, channels, channels, 3)), between,
                 spiking("b", 3, 40, small, synapse(2, 40, channels, 3)), out};
  plan.output_count = 5;
  return plan;
}

void expectFused(const plan::Network &plan, const std::string &kernel) {
  cuda::Options options;
  options.batch = 1, options.prefer = kernel;
  std::string error;
  const cuda::Program fused = cuda::makeProgram(plan, options, error);
  ASSERT_EQ(error, "");
  options.fuse = cuda::Fuse::Never;
  const cuda::Program apart = cuda::makeProgram(plan, options, error);
  EXPECT_EQ(fused.launches.size() + 1, apart.launches.size()) << kernel;
  std::vector<uint8_t> sample(fused.sample_bytes);
  std::mt19937 random(5);
  for (uint8_t &s : sample)
    s = random() % 3 == 0;
  const std::vector<int32_t> expected = Reference(plan).run(sample).outputs.back();
  EXPECT_EQ(cuda::runOnHost(fused, sample, 1).outputs, expected) << kernel;
  EXPECT_EQ(cuda::runOnHost(apart, sample, 1).outputs, expected) << kernel;
}

TEST(CudaFuse, PoolsAndSumsGoIntoTheirReader) {
  for (const cuda::Form &form : cuda::forms()) {
    if (form.tiles.empty() || form.kernel == cuda::Kernel::Depthwise) continue;
    expectFused(withBetween(plan::LayerKind::Pool, plan::PoolKind::Max, 64, 6), form.name);
    expectFused(withBetween(plan::LayerKind::Pool, plan::PoolKind::Sum, 64, 6), form.name);
    expectFused(withBetween(plan::LayerKind::Add, plan::PoolKind::Max, 64, 3), form.name);
  }
}

TEST(CudaFuse, DepthwiseTakesThePoolToo) {
  plan::Network plan = withBetween(plan::LayerKind::Pool, plan::PoolKind::Max, 40, 6);
  plan.layers[2].synapses[0] = synapse(2, 40, 40, 3, 40);
  expectFused(plan, "depthwise");
}

/// A pool of what a pool leaves, windows that overlap, two readers: those stay launches of their own.
TEST(CudaFuse, OthersStay) {
  const auto launches = [](const plan::Network &plan) {
    cuda::Options options;
    options.fuse = cuda::Fuse::Always;
    std::string error;
    return cuda::makeProgram(plan, options, error).launches.size();
  };
  plan::Network plan = withBetween(plan::LayerKind::Pool, plan::PoolKind::Max, 32, 6);
  EXPECT_EQ(launches(plan), 4u);
  plan.layers[1].kernel_h = 3;
  EXPECT_EQ(launches(plan), 5u);
  plan = withBetween(plan::LayerKind::Pool, plan::PoolKind::Max, 32, 6);
  plan.layers[2].synapses.push_back(plan.layers[2].synapses[0]);
  EXPECT_EQ(launches(plan), 5u);
  plan = withBetween(plan::LayerKind::Pool, plan::PoolKind::Max, 32, 6);
  plan.buffers[1].max_count = 2, plan.buffers[2].max_count = 2;
  EXPECT_EQ(launches(plan), 5u);
}

} // namespace
} // namespace lasnn::test
