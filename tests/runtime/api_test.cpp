// The C API's contract: arguments, arenas, ISA choice, state, names.
#include "tests/runtime/model.h"
#include "tests/runtime/random_plan.h"

#include <cstdio>
#include <unistd.h>

namespace lasnn::test {
namespace {

class Api : public testing::Test {
protected:
  Api() : plan(randomPlan(11)), input(randomInput(plan, 1)), bytes(fileOf(plan)), net(create(bytes)) { lasnn_get_info(net.get(), &info); }

  std::vector<int32_t> run(lasnn_network *n) {
    std::vector<int32_t> output(info.output_count);
    EXPECT_EQ(lasnn_run(n, input.data(), input.size(), output.data(), output.size()), LASNN_OK) << lasnn_get_error(n);
    return output;
  }

  plan::Network plan;
  std::vector<uint8_t> input;
  AlignedBytes bytes;
  NetworkPtr net;
  lasnn_network_info info;
};

TEST_F(Api, CallersArenaGivesTheSameResult) {
  size_t size = 0;
  ASSERT_EQ(lasnn_arena_size(bytes.data.get(), bytes.size, &size, nullptr, 0), LASNN_OK);
  const AlignedBytes arena(std::vector<uint8_t>(size, 0xa5)); // whatever it held before
  lasnn_options options = {sizeof(lasnn_options), LASNN_ISA_AUTO, arena.data.get(), size};
  lasnn_network *in_arena = nullptr;
  ASSERT_EQ(lasnn_create(bytes.data.get(), bytes.size, &options, &in_arena, nullptr, 0), LASNN_OK);
  EXPECT_EQ(run(in_arena), run(net.get()));
  lasnn_destroy(in_arena);

  char error[128];
  options.arena_size = size - 1;
  EXPECT_EQ(lasnn_create(bytes.data.get(), bytes.size, &options, &in_arena, error, sizeof error), LASNN_OUT_OF_MEMORY);
  EXPECT_NE(strstr(error, std::to_string(size).c_str()), nullptr) << error;
  options = {sizeof(lasnn_options), LASNN_ISA_AUTO, arena.data.get() + 8, size - 8};
  EXPECT_EQ(lasnn_create(bytes.data.get(), bytes.size, &options, &in_arena, error, sizeof error), LASNN_INVALID_ARGUMENT);
}

TEST_F(Api, WrongArgumentsLeaveOutputsAlone) {
  std::vector<int32_t> output(info.output_count, 77), before = output;
  EXPECT_EQ(lasnn_run(net.get(), nullptr, input.size(), output.data(), output.size()), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_run(net.get(), input.data(), input.size() + 1, output.data(), output.size()), LASNN_INVALID_ARGUMENT);
  EXPECT_STRNE(lasnn_get_error(net.get()), "");
  EXPECT_EQ(lasnn_run(net.get(), input.data(), input.size(), output.data(), output.size() + 1), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_step(net.get(), input.data(), info.step_input_size + 1, output.data(), output.size()), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(lasnn_run(nullptr, input.data(), input.size(), output.data(), output.size()), LASNN_INVALID_ARGUMENT);
  EXPECT_EQ(output, before);
  lasnn_layer_stats stats;
  EXPECT_EQ(lasnn_get_layer_stats(net.get(), info.layer_count, &stats), LASNN_INVALID_ARGUMENT);
  uint8_t spike;
  EXPECT_EQ(lasnn_get_spikes(net.get(), 0, 0, &spike, 1), LASNN_INVALID_ARGUMENT); // nothing has run
  EXPECT_EQ(lasnn_create(bytes.data.get() + 8, bytes.size - 8, nullptr, nullptr, nullptr, 0), LASNN_INVALID_ARGUMENT);
  lasnn_network *other = nullptr;
  EXPECT_EQ(lasnn_create(bytes.data.get() + 8, bytes.size - 8, nullptr, &other, nullptr, 0), LASNN_INVALID_ARGUMENT);
  lasnn_options options = {1, LASNN_ISA_AUTO, nullptr, 0};
  EXPECT_EQ(lasnn_create(bytes.data.get(), bytes.size, &options, &other, nullptr, 0), LASNN_INVALID_ARGUMENT);
  lasnn_destroy(nullptr);
}

TEST(ApiEvents, AnInputAboveTheBoundIsRefusedAndHarmless) {
  for (uint64_t seed = 1, found = 0; found < 8; ++seed) {
    const plan::Network plan = randomPlan(seed);
    if (plan.encoding != plan::Encoding::Events) continue;
    ++found;
    const AlignedBytes bytes(fileOf(plan));
    for (lasnn_isa isa : availableIsas()) {
      const NetworkPtr net = create(bytes, isa);
      std::vector<uint8_t> input = randomInput(plan, seed);
      std::vector<int32_t> expected(plan.output_count), output(plan.output_count, 5);
      ASSERT_EQ(lasnn_run(net.get(), input.data(), input.size(), expected.data(), expected.size()), LASNN_OK);
      const uint8_t kept = input.back();
      input.back() = uint8_t(plan.buffers[0].max_count + 1);
      EXPECT_EQ(lasnn_run(net.get(), input.data(), input.size(), output.data(), output.size()), LASNN_INVALID_ARGUMENT);
      EXPECT_EQ(output, std::vector<int32_t>(plan.output_count, 5));
      input.back() = kept;
      ASSERT_EQ(lasnn_run(net.get(), input.data(), input.size(), output.data(), output.size()), LASNN_OK);
      EXPECT_EQ(output, expected);
    }
  }
}

TEST_F(Api, IsaIsForcedOrRefusedNeverReplaced) {
  for (lasnn_isa isa : {LASNN_ISA_SCALAR, LASNN_ISA_AVX2, LASNN_ISA_AVX512}) {
    lasnn_options options = {sizeof(lasnn_options), isa, nullptr, 0};
    lasnn_network *forced = nullptr;
    char error[128] = "";
    const lasnn_status status = lasnn_create(bytes.data.get(), bytes.size, &options, &forced, error, sizeof error);
    if (lasnn_isa_available(isa)) {
      ASSERT_EQ(status, LASNN_OK);
      lasnn_get_info(forced, &info);
      EXPECT_EQ(info.isa, isa);
      lasnn_destroy(forced);
    } else {
      EXPECT_EQ(status, LASNN_UNSUPPORTED);
      EXPECT_NE(strstr(error, "lacks"), nullptr) << error;
    }
  }
  setenv("LASNN_ISA", "scalar", 1);
  lasnn_get_info(create(bytes).get(), &info);
  EXPECT_EQ(info.isa, LASNN_ISA_SCALAR);
  setenv("LASNN_ISA", "abacus", 1);
  lasnn_network *none = nullptr;
  EXPECT_EQ(lasnn_create(bytes.data.get(), bytes.size, nullptr, &none, nullptr, 0), LASNN_INVALID_ARGUMENT);
  unsetenv("LASNN_ISA");
  EXPECT_EQ(lasnn_isa_available(lasnn_isa(9)), 0);
}

TEST_F(Api, FileIsMappedAndMissingFileIsIo) {
  const std::string path = testing::TempDir() + "lasnn_api_" + std::to_string(getpid()) + ".lasnn";
  FILE *file = fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  fwrite(bytes.data.get(), 1, bytes.size, file);
  fclose(file);
  lasnn_network *mapped = nullptr;
  char error[256] = "";
  ASSERT_EQ(lasnn_create_from_file(path.c_str(), nullptr, &mapped, error, sizeof error), LASNN_OK) << error;
  EXPECT_EQ(run(mapped), run(net.get()));
  lasnn_destroy(mapped);
  remove(path.c_str());
  EXPECT_EQ(lasnn_create_from_file(path.c_str(), nullptr, &mapped, error, sizeof error), LASNN_IO);
  EXPECT_NE(strstr(error, path.substr(0, 100).c_str()), nullptr) << error;
  EXPECT_EQ(lasnn_create_from_file("/", nullptr, &mapped, error, sizeof error), LASNN_IO);
}

TEST_F(Api, ResetForgetsStepsAndStatsClear) {
  const std::vector<int32_t> expected = run(net.get());
  std::vector<int32_t> first(info.output_count), again(info.output_count);
  ASSERT_EQ(lasnn_step(net.get(), input.data(), info.step_input_size, first.data(), first.size()), LASNN_OK);
  ASSERT_EQ(lasnn_step(net.get(), input.data(), info.step_input_size, again.data(), again.size()), LASNN_OK);
  ASSERT_EQ(lasnn_reset(net.get()), LASNN_OK);
  ASSERT_EQ(lasnn_step(net.get(), input.data(), info.step_input_size, again.data(), again.size()), LASNN_OK);
  EXPECT_EQ(first, again);
  EXPECT_EQ(run(net.get()), expected);
  ASSERT_EQ(lasnn_stats_clear(net.get()), LASNN_OK);
  lasnn_layer_stats stats;
  ASSERT_EQ(lasnn_get_layer_stats(net.get(), 0, &stats), LASNN_OK);
  EXPECT_EQ(stats.steps + stats.spikes + stats.synops + stats.clips, 0u);
  EXPECT_GT(stats.neurons, 0u);
}

TEST_F(Api, TwoNetworksShareTheModel) {
  const NetworkPtr other = create(bytes, LASNN_ISA_SCALAR);
  std::vector<int32_t> output(info.output_count);
  lasnn_step(other.get(), input.data(), info.step_input_size, output.data(), output.size());
  EXPECT_EQ(run(net.get()), run(other.get()));
}

TEST(ApiStream, StepsBeyondTheLastSaturate) {
  // One pixel, weight 127 and the largest bias: the sum passes 2^31 within three steps.
  plan::Network plan;
  plan.encoding = plan::Encoding::Events;
  plan.timesteps = 1;
  plan.buffers = {{"in", 1, 1, 1, 1}};
  plan::Layer out;
  out.kind = plan::LayerKind::Readout;
  out.out_channels = 1;
  out.bias = {1 << 30};
  out.synapses.resize(1);
  out.synapses[0].weight = {127};
  plan.layers = {out};
  plan.output_count = 1;
  const AlignedBytes bytes(fileOf(plan));
  const NetworkPtr net = create(bytes);
  const uint8_t one = 1;
  int32_t value = 0;
  for (int i = 0; i < 4; ++i)
    ASSERT_EQ(lasnn_step(net.get(), &one, 1, &value, 1), LASNN_OK);
  EXPECT_EQ(value, INT32_MAX);
}

TEST(ApiDelays, ResetAndRunForgetWhatIsHeldBack) {
  // Bias 2, threshold 1, from its own spike of the step before -2: it fires at every other step.
  plan::Network plan;
  plan.encoding = plan::Encoding::Events;
  plan.timesteps = 5;
  plan.buffers = {{"in", 1, 1, 1, 1}, {"spikes", 1, 1, 1, 1}, {"late", 1, 1, 1, 1}};
  plan.delays = {{1, 2}};
  plan::Layer neuron, out;
  neuron.out_channels = out.out_channels = 1;
  neuron.output = 1;
  neuron.bias = {2}, out.bias = {0};
  neuron.neuron.v_threshold = {1};
  neuron.synapses.resize(2), out.synapses.resize(1);
  neuron.synapses[0].weight = {0};
  neuron.synapses[1].input = 2, neuron.synapses[1].weight = {-2};
  out.kind = plan::LayerKind::Readout;
  out.synapses[0].input = 1, out.synapses[0].weight = {1};
  plan.layers = {neuron, out};
  plan.output_count = 1;
  const AlignedBytes bytes(fileOf(plan));
  for (lasnn_isa isa : availableIsas()) {
    const NetworkPtr net = create(bytes, isa);
    const uint8_t frames[5] = {};
    int32_t value = 0;
    const auto step = [&] { return lasnn_step(net.get(), frames, 1, &value, 1) == LASNN_OK ? value : -1; };
    EXPECT_EQ(step(), 1);
    ASSERT_EQ(lasnn_reset(net.get()), LASNN_OK);
    EXPECT_EQ(step(), 1); // it would be silent had -2 come back
    EXPECT_EQ(step(), 1);
    EXPECT_EQ(step(), 2);
    ASSERT_EQ(lasnn_run(net.get(), frames, 5, &value, 1), LASNN_OK);
    EXPECT_EQ(value, 3);
    for (uint32_t t = 0; t < 5; ++t) {
      uint8_t spike = 9;
      ASSERT_EQ(lasnn_get_spikes(net.get(), 0, t, &spike, 1), LASNN_OK);
      EXPECT_EQ(spike, t % 2 == 0);
    }
    EXPECT_EQ(step(), 1); // a run leaves nothing behind
  }
}

TEST(ApiNames, StatusIsaVersion) {
  EXPECT_STREQ(lasnn_status_name(LASNN_BAD_MODEL), "bad model");
  EXPECT_STREQ(lasnn_status_name(lasnn_status(99)), "unknown status");
  EXPECT_STREQ(lasnn_isa_name(LASNN_ISA_AVX512), "avx512");
  EXPECT_STREQ(lasnn_version(), "0.1.0");
}

} // namespace
} // namespace lasnn::test
