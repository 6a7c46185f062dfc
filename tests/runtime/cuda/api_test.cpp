// The C API for GPUs around its results: facts, memory, sharing, graphs, wrong calls.
#include "tests/runtime/cuda/session.h"

#include <algorithm>
#include <thread>

namespace lasnn::test {
namespace {

class CudaApi : public testing::Test {
protected:
  void SetUp() override { configure(); }
  void TearDown() override { EXPECT_TRUE(nothingLeft()); }
};

/// A network of the wanted encoding with at least `layers` spiking layers and two or three steps.
plan::Network planOf(plan::Encoding encoding, size_t layers) {
  for (uint64_t seed = 1;; ++seed) {
    const plan::Network plan = randomPlan(seed);
    const auto spiking = std::count_if(plan.layers.begin(), plan.layers.end(), [](const plan::Layer &l) { return l.kind == plan::LayerKind::Spiking; });
    if (plan.encoding == encoding && size_t(spiking) >= layers && plan.timesteps > 1 && plan.timesteps < 4)
      return plan;
  }
}

TEST_F(CudaApi, InfoAndMemoryAgree) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const plan::Network plan = randomPlan(seed);
    const AlignedBytes bytes(cudaFileOf(plan));
    for (uint32_t variant = 0; variant < 8; ++variant) {
      lasnn_cuda_options options = cudaOptions(variant % 2 ? 5 : 0);
      options.streaming = variant & 2, options.keep_spikes = variant & 4, options.no_stats = variant == 3;
      uint64_t memory = 0;
      char error[256];
      ASSERT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &memory, error, sizeof error), LASNN_OK) << error;
      const SessionPtr session = createCuda(bytes, options);
      lasnn_cuda_info info;
      ASSERT_EQ(lasnn_cuda_get_info(session.get(), &info), LASNN_OK);
      EXPECT_EQ(memory, info.constant_bytes + info.session_bytes);
      EXPECT_EQ(emulatedState().allocated_bytes, memory);
      EXPECT_EQ(info.max_batch, variant % 2 ? 5u : 1u);
      EXPECT_EQ(info.network.timesteps, plan.timesteps);
      EXPECT_EQ(info.network.output_count, plan.output_count);
      EXPECT_EQ(info.network.output_scale, plan.output_scale);
      EXPECT_EQ(info.network.input.channels, plan.buffers[0].channels);
      EXPECT_EQ(info.network.input_size, randomInput(plan, 1).size());
      EXPECT_STREQ(info.network.input.name, plan.buffers[0].name.c_str());
      EXPECT_STREQ(info.device_name, "Emulated GPU");
      EXPECT_STREQ(info.code, "sm_90");
      EXPECT_EQ(info.compute_major, 9);
      EXPECT_EQ(info.driver_version, 12040);
      EXPECT_EQ(info.launch_count, plan.layers.size() + 1);
      EXPECT_NE(std::string(lasnn_cuda_launch_name(session.get(), 0)).find(" (encode_"), std::string::npos);
      EXPECT_NE(std::string(lasnn_cuda_launch_name(session.get(), 1)).find(plan.layers[0].name + " ("), std::string::npos);
      EXPECT_STREQ(lasnn_cuda_launch_name(session.get(), info.launch_count), "");
    }
  }
}

TEST_F(CudaApi, BuffersOverlapUnlessSpikesAreKept) {
  // A chain of ten layers of 64 channels on 8x8 pixels: two neighbours' spikes are alive at a time.
  constexpr uint32_t layers = 10, T = 4;
  plan::Network plan;
  plan.name = "chain", plan.timesteps = T, plan.encoding = plan::Encoding::Events, plan.output_count = 1;
  plan.buffers = {{"in", 64, 8, 8, 1}};
  for (uint32_t i = 0; i <= layers; ++i) {
    plan::Layer layer;
    layer.kind = i < layers ? plan::LayerKind::Spiking : plan::LayerKind::Readout;
    layer.name = "l" + std::to_string(i), layer.output = i < layers ? i + 1 : 0;
    layer.out_channels = i < layers ? 64 : 1, layer.out_height = layer.out_width = i < layers ? 8 : 1;
    plan::Synapse s;
    s.input = i, s.weight.assign(size_t(layer.out_channels) * 64 * (i < layers ? 1 : 64), 1);
    if (i == layers)
      s.kernel_h = s.kernel_w = 8;
    layer.synapses = {s}, layer.bias.assign(layer.out_channels, 0), layer.neuron.v_threshold.assign(layer.out_channels, 1);
    plan.layers.push_back(layer);
    if (i < layers)
      plan.buffers.push_back({layer.name, 64, 8, 8, 1});
  }
  const AlignedBytes bytes(cudaFileOf(plan));
  constexpr uint64_t batch = 100, buffer = T * 64 * 64 / 8; // bytes of a sample
  lasnn_cuda_options options = cudaOptions(batch);
  uint64_t shared = 0, kept = 0;
  ASSERT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &shared, nullptr, 0), LASNN_OK);
  options.keep_spikes = 1;
  ASSERT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &kept, nullptr, 0), LASNN_OK);
  EXPECT_EQ(kept - shared, batch * buffer * (layers + 1 - 2));
}

TEST_F(CudaApi, ArenaKeepsApartWhatIsAliveTogether) {
  uint64_t planned = 0, apart = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::string error;
    const cuda::Program program = cuda::makeProgram(randomPlan(seed), cuda::Choice::Event, error);
    const cuda::ArenaPlan arena = cuda::planArena(program, {});
    planned += arena.bytes;
    for (const auto &place : arena.buffers) {
      EXPECT_EQ(place.offset % 256, 0u);
      EXPECT_LE(place.offset + place.bytes, arena.bytes);
      apart += place.bytes;
    }
    // Alive: from the launch that writes a buffer to the last that reads it. The launches tell, not the planner's own notes.
    for (size_t at = 0; at < program.launches.size(); ++at)
      for (uint32_t a = 0; a < program.buffers.size(); ++a)
        for (uint32_t b = 0; b < a; ++b) {
          const auto alive = [&](uint32_t buffer) {
            bool written = false, needed = false;
            for (size_t i = 0; i < program.launches.size(); ++i) {
              const cuda::Launch &l = program.launches[i];
              written |= i <= at && l.shape.out_form != cuda::formReadout && l.output == buffer;
              needed |= i >= at && (std::count(l.inputs.begin(), l.inputs.end(), buffer) > 0 || (i == at && l.shape.out_form != cuda::formReadout && l.output == buffer));
            }
            return written && needed;
          };
          if (!alive(a) || !alive(b))
            continue;
          const auto &x = arena.buffers[a], &y = arena.buffers[b];
          ASSERT_TRUE(x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset) << "seed " << seed << ", launch " << at;
        }
  }
  EXPECT_LT(planned, apart);
}

TEST_F(CudaApi, FilesAreReproducibleAndHoldConstantsOnce) {
  for (uint64_t seed = 1; seed <= 10; ++seed)
    EXPECT_EQ(cudaFileOf(randomPlan(seed)), cudaFileOf(randomPlan(seed)));
  // The step program has the same weights as the whole one: a file of both is hardly longer.
  const plan::Network plan = planOf(plan::Encoding::Events, 3);
  CudaFileOptions alone, both;
  alone.choice = both.choice = cuda::Choice::Event;
  alone.step = false;
  uint64_t weights = 0;
  for (const plan::Layer &layer : plan.layers)
    for (const plan::Synapse &s : layer.synapses)
      weights += s.weight.size();
  EXPECT_GT(weights, 20000u);
  EXPECT_LT(cudaFileOf(plan, both).size(), cudaFileOf(plan, alone).size() + 10000);
}

TEST_F(CudaApi, SharedWeightsOutliveTheirFirstSession) {
  const plan::Network plan = planOf(plan::Encoding::Direct, 2);
  const AlignedBytes bytes(cudaFileOf(plan)), other(cudaFileOf(planOf(plan::Encoding::Events, 1)));
  const Samples samples(plan, 5, 2);
  SessionPtr first = createCuda(bytes, cudaOptions(2));
  lasnn_cuda_info info;
  ASSERT_EQ(lasnn_cuda_get_info(first.get(), &info), LASNN_OK);
  const uint64_t before = emulatedState().allocated_bytes;
  lasnn_cuda_options options = cudaOptions(2);
  options.share = first.get(), options.streaming = 1; // needs kernels that the first did not load
  const SessionPtr second = createCuda(bytes, options);
  lasnn_cuda_info second_info;
  ASSERT_EQ(lasnn_cuda_get_info(second.get(), &second_info), LASNN_OK);
  EXPECT_EQ(emulatedState().allocated_bytes, before + second_info.session_bytes);
  EXPECT_EQ(emulatedState().contexts, 1u);

  lasnn_status status;
  std::string error;
  EXPECT_EQ(tryCreateCuda(other, options, status, error), nullptr);
  EXPECT_EQ(status, LASNN_INVALID_ARGUMENT);
  EXPECT_NE(error.find("another model"), std::string::npos) << error;
  options.device = 1;
  EXPECT_EQ(tryCreateCuda(bytes, options, status, error), nullptr);
  EXPECT_EQ(status, LASNN_INVALID_ARGUMENT);
  EXPECT_NE(error.find("another device"), std::string::npos) << error;

  EXPECT_TRUE(runCuda(first.get(), samples) == samples.outputs());
  first.reset();
  EXPECT_TRUE(runCuda(second.get(), samples) == samples.outputs());
  const std::vector<uint8_t> frame = samples.frame(plan, 0);
  std::vector<int32_t> output(samples.outputs().size());
  ASSERT_EQ(lasnn_cuda_step(second.get(), frame.data(), frame.size(), 2, output.data(), output.size()), LASNN_OK);
  EXPECT_TRUE(output == samples.outputs(0));
}

TEST_F(CudaApi, SessionsAreIndependent) {
  const plan::Network plan = planOf(plan::Encoding::Events, 2);
  const AlignedBytes bytes(cudaFileOf(plan));
  const SessionPtr one = createCuda(bytes, cudaOptions(2));
  lasnn_cuda_options options = cudaOptions(3);
  options.share = one.get();
  const SessionPtr two = createCuda(bytes, options), three = createCuda(bytes, cudaOptions(1));
  const auto work = [&](lasnn_cuda_session *session, uint32_t batch, bool &right) {
    right = true;
    for (uint64_t i = 0; i < 3; ++i) {
      const Samples samples(plan, 100 * batch + i, batch);
      right &= runCuda(session, samples) == samples.outputs();
    }
  };
  bool right[3];
  std::thread a(work, one.get(), 2, std::ref(right[0])), b(work, two.get(), 3, std::ref(right[1])), c(work, three.get(), 1, std::ref(right[2]));
  a.join(), b.join(), c.join();
  EXPECT_TRUE(right[0] && right[1] && right[2]);
}

TEST_F(CudaApi, GraphsAreRecordedOnceAndBounded) {
  const plan::Network plan = tinyPlan();
  const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan)), cudaOptions(12));
  for (uint32_t batch = 1; batch <= 12; ++batch) {
    const Samples samples(plan, batch, batch);
    EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
    EXPECT_EQ(emulatedState().executables, std::min(batch, 8u));
    EXPECT_EQ(emulatedState().graphs, 0u);
  }
  const Samples kept(plan, 1, 12), evicted(plan, 1, 2);
  const auto calls = [&](const Samples &samples) {
    const uint64_t before = emulatedState().calls;
    EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
    return emulatedState().calls - before;
  };
  const uint64_t replay = calls(kept), record = calls(evicted);
  EXPECT_LE(replay, 10u); // no call a kernel
  EXPECT_GT(record, replay + plan.layers.size());
  EXPECT_EQ(calls(kept), replay);
}

TEST_F(CudaApi, TimesEveryLaunchWithoutCounting) {
  const plan::Network plan = planOf(plan::Encoding::Direct, 2);
  for (bool whole : {true, false}) {
    CudaFileOptions file;
    file.whole = whole;
    const SessionPtr session = createCuda(AlignedBytes(cudaFileOf(plan, file)), cudaOptions(2));
    const Samples samples(plan, 3, 2);
    EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
    lasnn_layer_stats before, after;
    ASSERT_EQ(lasnn_cuda_get_layer_stats(session.get(), 0, &before), LASNN_OK);
    lasnn_cuda_info info;
    ASSERT_EQ(lasnn_cuda_get_info(session.get(), &info), LASNN_OK);
    std::vector<float> launch_us(info.launch_count, -1);
    float graph_us = -1;
    ASSERT_EQ(lasnn_cuda_time(session.get(), 2, 2, launch_us.data(), &graph_us), LASNN_OK) << lasnn_cuda_get_error(session.get());
    for (float us : launch_us)
      EXPECT_NEAR(us, 10, 0.1); // the emulated clock's 10 us a kernel
    EXPECT_NEAR(graph_us, 10.f * float(info.launch_count) * float(whole ? 1 : plan.timesteps), 1);
    ASSERT_EQ(lasnn_cuda_time(session.get(), 1, 2, nullptr, &graph_us), LASNN_OK);
    ASSERT_EQ(lasnn_cuda_get_layer_stats(session.get(), 0, &after), LASNN_OK);
    EXPECT_EQ(after.spikes, before.spikes);
    EXPECT_EQ(after.steps, before.steps);
    EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
    EXPECT_EQ(lasnn_cuda_time(session.get(), 3, 2, nullptr, &graph_us), LASNN_INVALID_ARGUMENT);
    EXPECT_EQ(lasnn_cuda_time(session.get(), 1, 0, nullptr, &graph_us), LASNN_INVALID_ARGUMENT);
    EXPECT_EQ(lasnn_cuda_time(session.get(), 1, 1001, nullptr, &graph_us), LASNN_INVALID_ARGUMENT);
  }
}

TEST_F(CudaApi, WrongCallsNameTheNumbers) {
  const plan::Network plan = planOf(plan::Encoding::Events, 1);
  const AlignedBytes bytes(cudaFileOf(plan));
  const SessionPtr session = createCuda(bytes, cudaOptions(2));
  const Samples samples(plan, 3, 3);
  std::vector<int32_t> output(samples.outputs().size(), 123456789);
  const size_t size = samples.input.size();
  const auto run = [&](const uint8_t *input, size_t input_size, uint32_t batch, size_t count) {
    const lasnn_status status = lasnn_cuda_run(session.get(), input, input_size, batch, output.data(), count);
    EXPECT_EQ(output, std::vector<int32_t>(output.size(), 123456789));
    return status == LASNN_INVALID_ARGUMENT ? std::string(lasnn_cuda_get_error(session.get())) : std::string(lasnn_status_name(status));
  };
  const auto has = [](const std::string &text, const std::string &part) { return testing::AssertionResult(text.find(part) != std::string::npos) << text; };
  EXPECT_TRUE(has(run(samples.input.data(), size, 3, output.size()), "batch of 3 samples, allowed 1..2"));
  EXPECT_TRUE(has(run(samples.input.data(), 0, 0, 0), "batch of 0"));
  EXPECT_TRUE(has(run(nullptr, size / 3, 1, plan.output_count), "null"));
  EXPECT_TRUE(has(run(samples.input.data(), size, 1, plan.output_count), std::to_string(size / 3) + " needed for 1"));
  EXPECT_TRUE(has(run(samples.input.data(), size / 3, 1, plan.output_count + 1), std::to_string(plan.output_count) + " needed for 1"));
  std::vector<uint8_t> input = samples.input;
  input[size / 3] = uint8_t(plan.buffers[0].max_count + 1);
  EXPECT_TRUE(has(run(input.data(), size / 3 * 2, 2, plan.output_count * 2), "sample 1, step 0 holds the count " + std::to_string(plan.buffers[0].max_count + 1)));
  EXPECT_EQ(lasnn_cuda_step(session.get(), input.data(), size / 3 / plan.timesteps, 1, output.data(), plan.output_count), LASNN_INVALID_ARGUMENT);
  EXPECT_TRUE(has(lasnn_cuda_get_error(session.get()), "options.streaming"));
  uint8_t spikes;
  EXPECT_EQ(lasnn_cuda_get_spikes(session.get(), 0, 0, 0, &spikes, 1), LASNN_INVALID_ARGUMENT);
  EXPECT_TRUE(has(lasnn_cuda_get_error(session.get()), "options.keep_spikes"));
  lasnn_layer_stats stats;
  EXPECT_EQ(lasnn_cuda_get_layer_stats(session.get(), 99, &stats), LASNN_INVALID_ARGUMENT);

  lasnn_cuda_options options = cudaOptions(2);
  options.streaming = options.keep_spikes = options.no_stats = 1;
  const SessionPtr stream = createCuda(bytes, options);
  EXPECT_EQ(lasnn_cuda_get_spikes(stream.get(), 0, 0, 0, &spikes, 1), LASNN_INVALID_ARGUMENT); // nothing has run
  EXPECT_EQ(lasnn_cuda_get_layer_stats(stream.get(), 0, &stats), LASNN_INVALID_ARGUMENT);
  EXPECT_TRUE(has(lasnn_cuda_get_error(stream.get()), "no_stats"));
  const std::vector<uint8_t> frame = samples.frame(plan, 0);
  EXPECT_EQ(lasnn_cuda_step(stream.get(), frame.data(), frame.size() / 3 * 2, 2, output.data(), plan.output_count * 2), LASNN_OK);
  EXPECT_EQ(lasnn_cuda_step(stream.get(), frame.data(), frame.size() / 3, 1, output.data(), plan.output_count), LASNN_INVALID_ARGUMENT);
  EXPECT_TRUE(has(lasnn_cuda_get_error(stream.get()), "a step of 1 samples, the ones since the last reset had 2"));
  EXPECT_EQ(lasnn_cuda_get_spikes(stream.get(), 0, 0, 1, &spikes, 1), LASNN_INVALID_ARGUMENT);

  lasnn_status status;
  std::string error;
  options.size = 8;
  EXPECT_EQ(tryCreateCuda(bytes, options, status, error), nullptr);
  EXPECT_EQ(status, LASNN_INVALID_ARGUMENT);
  options = cudaOptions(1u << 21);
  EXPECT_EQ(tryCreateCuda(bytes, options, status, error), nullptr);
  EXPECT_EQ(status, LASNN_INVALID_ARGUMENT);
  EXPECT_TRUE(has(error, "max_batch is 2097152"));
  EXPECT_EQ(lasnn_cuda_run(nullptr, nullptr, 0, 1, nullptr, 0), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_cuda_wait(nullptr), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_cuda_reset(nullptr), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_cuda_time(nullptr, 1, 1, nullptr, nullptr), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_cuda_get_info(nullptr, nullptr), LASNN_INVALID_ARGUMENT);

  CudaFileOptions file;
  file.step = false;
  options = cudaOptions(1);
  options.streaming = 1;
  EXPECT_EQ(tryCreateCuda(AlignedBytes(cudaFileOf(plan, file)), options, status, error), nullptr);
  EXPECT_EQ(status, LASNN_UNSUPPORTED);
  EXPECT_TRUE(has(error, "cannot stream"));
}

TEST_F(CudaApi, AGridLimitsTheBatch) {
  plan::Network plan;
  plan.name = "wide", plan.encoding = plan::Encoding::Direct, plan.output_count = 1;
  plan.buffers = {{"image", 3, 4096, 4096, 255}, {"spikes", 1, 1, 1, 1}};
  plan.encode_table.resize(3 * 256, 1);
  plan::Layer layer;
  layer.name = "one", layer.output = 1, layer.out_channels = 1;
  plan::Synapse s;
  s.weight = {1, 1, 1};
  layer.synapses = {s}, layer.bias = {0}, layer.neuron.v_threshold = {5};
  plan::Layer readout = layer;
  readout.kind = plan::LayerKind::Readout, readout.output = 0, readout.synapses[0].input = 1, readout.synapses[0].weight = {1};
  plan.layers = {layer, readout};
  const AlignedBytes bytes(cudaFileOf(plan));
  lasnn_cuda_options options = cudaOptions(256); // 2^24 threads a sample: 2^32 of them have no number
  uint64_t memory = 0;
  char error[256];
  EXPECT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &memory, error, sizeof error), LASNN_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error).find("at most 255"), std::string::npos) << error;
  options.max_batch = 255;
  EXPECT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &memory, error, sizeof error), LASNN_OK);
}

} // namespace
} // namespace lasnn::test
