// Every ISA equals the plain executor, to the bit, on random networks: outputs, spikes, statistics, runs and steps.
// LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks; a failure names its seed.
#include "tests/runtime/model.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

namespace lasnn::test {
namespace {

class Comparison {
public:
  Comparison(uint64_t seed, const plan::Network &plan, const std::vector<uint8_t> &input, const ReferenceResult &expected, lasnn_network *net)
      : plan_(plan), input_(input), expected_(expected), net_(net), where_("seed " + std::to_string(seed)) {
    lasnn_get_info(net, &info_);
    where_ += std::string(", isa ") + lasnn_isa_name(info_.isa);
  }

  void all() {
    ASSERT_EQ(info_.layer_count, expected_.layers.size()) << where_;
    ASSERT_EQ(info_.input_size, input_.size()) << where_;
    run();
    stats(1);
    steps();
    run(); // from reset state again, whatever the steps left behind
    stats(3);
  }

private:
  void run() {
    std::vector<int32_t> output(info_.output_count, 7);
    ASSERT_EQ(lasnn_run(net_, input_.data(), input_.size(), output.data(), output.size()), LASNN_OK) << where_ << lasnn_get_error(net_);
    EXPECT_EQ(output, expected_.outputs.back()) << where_;
    for (uint32_t t = 0; t < info_.timesteps; ++t)
      spikes(t, t);
  }

  void steps() {
    const bool events = info_.encoding == LASNN_EVENTS;
    for (uint32_t t = 0; t < info_.timesteps; ++t) {
      std::vector<int32_t> output(info_.output_count, 7);
      const uint8_t *frame = input_.data() + (events ? t * info_.step_input_size : 0);
      ASSERT_EQ(lasnn_step(net_, frame, info_.step_input_size, output.data(), output.size()), LASNN_OK) << where_;
      EXPECT_EQ(output, expected_.outputs[t]) << where_ << ", step " << t;
      spikes(t, 0);
    }
  }

  void spikes(uint32_t t, uint32_t slot) {
    for (uint32_t i = 0; i < info_.layer_count; ++i) {
      std::vector<uint8_t> got(expected_.layers[i].spikes[t].size());
      ASSERT_EQ(lasnn_get_spikes(net_, i, slot, got.data(), got.size()), LASNN_OK) << where_;
      ASSERT_TRUE(got == expected_.layers[i].spikes[t]) << where_ << ", spiking layer " << i << ", step " << t;
    }
  }

  void stats(uint64_t runs) {
    for (uint32_t i = 0; i < info_.layer_count; ++i) {
      lasnn_layer_stats stats;
      ASSERT_EQ(lasnn_get_layer_stats(net_, i, &stats), LASNN_OK);
      EXPECT_EQ(stats.spikes, runs * expected_.layers[i].fired) << where_ << ", " << stats.tensor.name;
      EXPECT_EQ(stats.clips, runs * expected_.layers[i].clips) << where_ << ", " << stats.tensor.name;
      EXPECT_EQ(stats.synops, runs * expected_.layers[i].synops) << where_ << ", " << stats.tensor.name;
      EXPECT_EQ(stats.steps, runs * info_.timesteps) << where_;
    }
  }

  const plan::Network &plan_;
  const std::vector<uint8_t> &input_;
  const ReferenceResult &expected_;
  lasnn_network *net_;
  lasnn_network_info info_;
  std::string where_;
};

void compareAll(plan::Network (*make)(uint64_t)) {
  const uint64_t first = environmentNumber("LASNN_TEST_SEED", 1), count = environmentNumber("LASNN_TEST_COUNT", 400);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const plan::Network plan = make(seed);
    const std::vector<uint8_t> input = randomInput(plan, seed);
    const ReferenceResult expected = Reference(plan).run(input);
    const AlignedBytes bytes(fileOf(plan));
    ASSERT_GT(bytes.size, 0u) << "seed " << seed;
    for (lasnn_isa isa : availableIsas()) {
      const NetworkPtr net = create(bytes, isa);
      ASSERT_TRUE(net) << "seed " << seed;
      Comparison(seed, plan, input, expected, net.get()).all();
      if (testing::Test::HasFailure()) FAIL() << "seed " << seed << ", isa " << lasnn_isa_name(isa);
    }
  }
}

TEST(Equal, RandomNetworksOnEveryIsa) { compareAll(randomPlan); }
TEST(Equal, RandomNetworksWithDelaysOnEveryIsa) { compareAll(randomRecurrentPlan); }

} // namespace
} // namespace lasnn::test
