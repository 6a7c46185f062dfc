// What the runtime computes on the emulated device equals the plain executor on random networks, to the bit: outputs, spikes, counts; all at once, in
// flight, and step by step. LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks; a failure names its seed.
#include "tests/runtime/cuda/session.h"

namespace lasnn::test {
namespace {

class CudaEqual : public testing::Test {
protected:
  void SetUp() override { configure(); }
  void TearDown() override { EXPECT_TRUE(nothingLeft()); }

  template <typename Body> void overNetworks(uint64_t count, const Body &body) {
    const uint64_t first = environmentNumber("LASNN_TEST_SEED", 1), last = first + environmentNumber("LASNN_TEST_COUNT", count);
    for (uint64_t seed = first; seed < last && !HasFailure(); ++seed) {
      const plan::Network plan = randomPlan(seed);
      if (isLarge(plan))
        continue; // kernels have tests of their own; here many small networks tell more
      SCOPED_TRACE("seed " + std::to_string(seed));
      body(seed, plan);
    }
  }

  static bool isLarge(const plan::Network &plan) {
    uint64_t values = 0;
    for (const plan::Buffer &b : plan.buffers)
      values += uint64_t(b.channels) * b.height * b.width;
    return values * plan.timesteps > 15000;
  }
};

cuda::Choice choiceOf(uint64_t seed) { return seed % 3 == 0 ? cuda::Choice::Auto : seed % 3 == 1 ? cuda::Choice::Dense : cuda::Choice::Event; }

void expectStats(lasnn_cuda_session *session, const std::vector<const Samples *> &runs, uint32_t timesteps) {
  lasnn_cuda_info info;
  ASSERT_EQ(lasnn_cuda_get_info(session, &info), LASNN_OK);
  for (uint32_t layer = 0; layer < info.network.layer_count; ++layer) {
    uint64_t spikes = 0, clips = 0, samples = 0;
    for (const Samples *run : runs) {
      samples += run->batch;
      for (const ReferenceResult &result : run->expected)
        spikes += result.layers[layer].fired, clips += result.layers[layer].clips;
    }
    lasnn_layer_stats stats;
    ASSERT_EQ(lasnn_cuda_get_layer_stats(session, layer, &stats), LASNN_OK) << lasnn_cuda_get_error(session);
    EXPECT_EQ(stats.spikes, spikes) << "layer " << layer;
    EXPECT_EQ(stats.clips, clips) << "layer " << layer;
    EXPECT_EQ(stats.steps, samples * timesteps);
    EXPECT_EQ(stats.neurons, uint64_t(stats.tensor.channels) * stats.tensor.height * stats.tensor.width);
  }
}

void expectSpikes(lasnn_cuda_session *session, const Samples &samples, uint32_t step, uint32_t from) {
  for (uint32_t n = 0; n < samples.batch; ++n)
    for (uint32_t layer = 0; layer < samples.expected[n].layers.size(); ++layer) {
      const std::vector<uint8_t> &expected = samples.expected[n].layers[layer].spikes[step];
      std::vector<uint8_t> spikes(expected.size(), 77);
      ASSERT_EQ(lasnn_cuda_get_spikes(session, n, layer, from, spikes.data(), spikes.size()), LASNN_OK) << lasnn_cuda_get_error(session);
      ASSERT_TRUE(spikes == expected) << "sample " << n << ", layer " << layer << ", step " << step;
    }
}

TEST_F(CudaEqual, RunsOfSeveralBatches) {
  overNetworks(30, [](uint64_t seed, const plan::Network &plan) {
    CudaFileOptions file;
    file.choice = choiceOf(seed), file.whole = seed % 4 != 3; // without: step by step inside the graph
    const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan, file)), cudaOptions(3));
    const Samples two(plan, seed, 2), three(plan, seed + 50, 3), one(plan, seed + 90, 1);
    for (const Samples *samples : {&two, &three, &one, &two})
      ASSERT_TRUE(runCuda(session.get(), *samples) == samples->outputs()) << "batch " << samples->batch;
    expectStats(session.get(), {&two, &three, &one, &two}, plan.timesteps);
    ASSERT_EQ(lasnn_cuda_stats_clear(session.get()), LASNN_OK);
    ASSERT_TRUE(runCuda(session.get(), one) == one.outputs());
    expectStats(session.get(), {&one}, plan.timesteps);
  });
}

TEST_F(CudaEqual, KeptSpikesOfEveryStep) {
  overNetworks(16, [](uint64_t seed, const plan::Network &plan) {
    CudaFileOptions file;
    file.choice = choiceOf(seed), file.whole = seed % 2 == 0;
    lasnn_cuda_options options = cudaOptions(3);
    options.keep_spikes = 1, options.streaming = 1;
    const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan, file)), options);
    for (uint32_t batch : {3u, 2u}) {
      const Samples samples(plan, seed + batch, batch);
      ASSERT_TRUE(runCuda(session.get(), samples) == samples.outputs());
      for (uint32_t t = 0; t < plan.timesteps; ++t)
        expectSpikes(session.get(), samples, t, t);
    }
    const Samples samples(plan, seed + 5, 2);
    for (uint32_t t = 0; t < plan.timesteps; ++t) {
      const std::vector<uint8_t> frame = samples.frame(plan, t);
      std::vector<int32_t> output(samples.outputs().size());
      ASSERT_EQ(lasnn_cuda_step(session.get(), frame.data(), frame.size(), 2, output.data(), output.size()), LASNN_OK);
      expectSpikes(session.get(), samples, t, 0);
    }
  });
}

TEST_F(CudaEqual, StepsAndRunsTakeTurns) {
  overNetworks(16, [](uint64_t seed, const plan::Network &plan) {
    CudaFileOptions file;
    file.choice = choiceOf(seed), file.whole = seed % 4 != 3;
    lasnn_cuda_options options = cudaOptions(3);
    options.streaming = 1;
    const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan, file)), options);
    const Samples two(plan, seed, 2), three(plan, seed + 50, 3);
    const auto step = [&](const Samples &samples, uint32_t t) {
      const std::vector<uint8_t> frame = samples.frame(plan, t);
      std::vector<int32_t> output(samples.outputs().size(), 123456789);
      ASSERT_EQ(lasnn_cuda_step(session.get(), frame.data(), frame.size(), samples.batch, output.data(), output.size()), LASNN_OK) << lasnn_cuda_get_error(session.get());
      ASSERT_TRUE(output == samples.outputs(t)) << "step " << t;
    };
    for (uint32_t t = 0; t < plan.timesteps; ++t)
      step(two, t);
    ASSERT_EQ(lasnn_cuda_reset(session.get()), LASNN_OK);
    step(three, 0); // another batch, from reset state
    ASSERT_TRUE(runCuda(session.get(), two) == two.outputs());
    for (uint32_t t = 0; t < plan.timesteps; ++t) // a run leaves reset state
      step(three, t);
  });
}

TEST_F(CudaEqual, SubmittedRunsOverlap) {
  overNetworks(16, [](uint64_t seed, const plan::Network &plan) {
    CudaFileOptions file;
    file.choice = choiceOf(seed), file.whole = seed % 4 != 3;
    const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan, file)), cudaOptions(3));
    std::vector<Samples> samples;
    std::vector<std::vector<int32_t>> outputs;
    for (uint32_t i = 0; i < 5; ++i) {
      samples.emplace_back(plan, seed + 10 * i, 1 + i % 3);
      outputs.emplace_back(samples.back().outputs().size(), 123456789);
    }
    for (uint32_t i = 0; i < 5; ++i) {
      std::vector<uint8_t> input = samples[i].input;
      ASSERT_EQ(lasnn_cuda_submit(session.get(), input.data(), input.size(), samples[i].batch, outputs[i].data(), outputs[i].size()), LASNN_OK);
      std::fill(input.begin(), input.end(), 0xEE); // it has been copied
      EXPECT_EQ(outputs[i][0], 123456789) << "written before it was waited for";
      if (i >= 2) {
        EXPECT_TRUE(outputs[i - 2] == samples[i - 2].outputs()) << "a third waits for the first";
      }
    }
    ASSERT_EQ(lasnn_cuda_wait(session.get()), LASNN_OK);
    for (uint32_t i = 0; i < 5; ++i)
      EXPECT_TRUE(outputs[i] == samples[i].outputs()) << i;
  });
}

TEST_F(CudaEqual, PtxAndCubinsAlike) {
  const plan::Network plan = randomPlan(3);
  const Samples samples(plan, 3, 2);
  CudaFileOptions file;
  file.architectures = {"compute_80"};
  const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan, file)), cudaOptions(2));
  EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
}

} // namespace
} // namespace lasnn::test
