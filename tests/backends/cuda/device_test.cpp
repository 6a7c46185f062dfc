// On a GPU: random networks through every kernel equal the plain executor to the bit: outputs, every spike, counts; runs of several batches, pipelined runs,
// steps, sessions side by side. Skipped where lasnn_cuda_available finds no GPU; LASNN_CUDA_DRIVER=<the emulated driver> rehearses it on a CPU.
// LASNN_TEST_SEED and LASNN_TEST_COUNT choose the networks, LASNN_TEST_SECONDS ends a test early; a failure names its seed.
#include "backends/cuda/forms.h"
#include "bench/gpu.h"
#include "lasnn/cuda.h"
#include "tests/runtime/model.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

#include <chrono>
#include <deque>
#include <future>
#include <thread>

namespace lasnn::test {
namespace {

struct DestroySession {
  void operator()(lasnn_cuda_session *s) const { lasnn_cuda_destroy(s); }
};
using Session = std::unique_ptr<lasnn_cuda_session, DestroySession>;

Session open(const AlignedBytes &model, uint32_t max_batch, bool streaming, bool keep_spikes, lasnn_cuda_session *share = nullptr) {
  lasnn_cuda_options options = {};
  options.size = sizeof options;
  options.max_batch = max_batch, options.streaming = streaming, options.keep_spikes = keep_spikes, options.share = share;
  lasnn_cuda_session *session = nullptr;
  char error[1024] = "";
  EXPECT_EQ(lasnn_cuda_create(model.data.get(), model.size, &options, &session, error, sizeof error), LASNN_OK) << error;
  return Session(session);
}

/// A network with its file, a batch of inputs and what is to come out.
struct Case {
  Case(const bench::Gpu &gpu, uint64_t number, const cuda::Options &options) : seed(number), plan(number % 4 == 0 ? randomRecurrentPlan(number) : randomPlan(number)), batch(1 + uint32_t(number % 5)) {
    bytes = bench::compileFor(gpu, plan, options, error).bytes;
    for (uint32_t n = 0; n < batch; ++n) {
      inputs.push_back(randomInput(plan, seed + 1000 * n));
      expected.push_back(Reference(plan).run(inputs.back()));
    }
  }

  std::vector<uint8_t> samples(uint32_t first, uint32_t count) const {
    std::vector<uint8_t> all;
    for (uint32_t n = first; n < first + count; ++n)
      all.insert(all.end(), inputs[n].begin(), inputs[n].end());
    return all;
  }
  std::vector<uint8_t> frames(uint32_t t) const {
    const size_t size = plan.encoding == plan::Encoding::Direct ? inputs[0].size() : inputs[0].size() / plan.timesteps, at = inputs[0].size() == size ? 0 : t * size;
    std::vector<uint8_t> all;
    for (const std::vector<uint8_t> &input : inputs)
      all.insert(all.end(), input.begin() + long(at), input.begin() + long(at + size));
    return all;
  }
  std::vector<int32_t> outputs(uint32_t t, uint32_t first, uint32_t count) const {
    std::vector<int32_t> all;
    for (uint32_t n = first; n < first + count; ++n)
      all.insert(all.end(), expected[n].outputs[t].begin(), expected[n].outputs[t].end());
    return all;
  }

  uint64_t seed;
  plan::Network plan;
  uint32_t batch;
  std::vector<uint8_t> bytes;
  std::string error;
  std::vector<std::vector<uint8_t>> inputs;
  std::vector<ReferenceResult> expected;
};

class Comparison {
public:
  explicit Comparison(const Case &one) : case_(one), model_(one.bytes), where_("seed " + std::to_string(one.seed)) {}

  void all() {
    ASSERT_EQ(case_.error, "") << where_;
    inspected_ = open(model_, case_.batch, true, true);
    overlapped_ = open(model_, case_.batch, false, false, inspected_.get());
    ASSERT_TRUE(inspected_ && overlapped_) << where_;
    run();
    steps();
    run(); // from reset state again, whatever the steps left behind
    pipelined();
  }

private:
  void run() {
    lasnn_cuda_stats_clear(inspected_.get());
    const std::vector<uint8_t> samples = case_.samples(0, case_.batch);
    std::vector<int32_t> output(size_t(case_.batch) * case_.plan.output_count, 7);
    ASSERT_EQ(lasnn_cuda_run(inspected_.get(), samples.data(), samples.size(), case_.batch, output.data(), output.size()), LASNN_OK) << where_ << said();
    EXPECT_EQ(output, case_.outputs(case_.plan.timesteps - 1, 0, case_.batch)) << where_;
    for (uint32_t t = 0; t < case_.plan.timesteps; ++t)
      spikes(t, t);
    stats();
  }

  void steps() {
    ASSERT_EQ(lasnn_cuda_reset(inspected_.get()), LASNN_OK) << where_ << said();
    for (uint32_t t = 0; t < case_.plan.timesteps; ++t) {
      const std::vector<uint8_t> frames = case_.frames(t);
      std::vector<int32_t> output(size_t(case_.batch) * case_.plan.output_count, 7);
      ASSERT_EQ(lasnn_cuda_step(inspected_.get(), frames.data(), frames.size(), case_.batch, output.data(), output.size()), LASNN_OK) << where_ << said();
      ASSERT_EQ(output, case_.outputs(t, 0, case_.batch)) << where_ << ", step " << t;
      spikes(t, 0);
    }
  }

  /// Several batches in flight, where buffers overlap.
  void pipelined() {
    std::vector<std::vector<int32_t>> outputs;
    std::vector<std::pair<uint32_t, uint32_t>> parts = {{0, case_.batch}, {case_.batch - 1, 1}, {0, (case_.batch + 1) / 2}, {0, case_.batch}};
    for (auto [first, count] : parts)
      outputs.emplace_back(size_t(count) * case_.plan.output_count, 7);
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::vector<uint8_t> samples = case_.samples(parts[i].first, parts[i].second);
      ASSERT_EQ(lasnn_cuda_submit(overlapped_.get(), samples.data(), samples.size(), parts[i].second, outputs[i].data(), outputs[i].size()), LASNN_OK) << where_ << said();
    }
    ASSERT_EQ(lasnn_cuda_wait(overlapped_.get()), LASNN_OK) << where_ << said();
    for (size_t i = 0; i < parts.size(); ++i)
      EXPECT_EQ(outputs[i], case_.outputs(case_.plan.timesteps - 1, parts[i].first, parts[i].second)) << where_ << ", part " << i;
  }

  void spikes(uint32_t t, uint32_t slot) {
    for (uint32_t n = 0; n < case_.batch; ++n)
      for (uint32_t i = 0; i < case_.expected[n].layers.size(); ++i) {
        const std::vector<uint8_t> &wanted = case_.expected[n].layers[i].spikes[t];
        std::vector<uint8_t> got(wanted.size());
        ASSERT_EQ(lasnn_cuda_get_spikes(inspected_.get(), n, i, slot, got.data(), got.size()), LASNN_OK) << where_ << said();
        ASSERT_TRUE(got == wanted) << where_ << ", sample " << n << ", spiking layer " << i << ", step " << t;
      }
  }

  void stats() {
    for (uint32_t i = 0; i < case_.expected[0].layers.size(); ++i) {
      uint64_t fired = 0, clips = 0;
      for (const ReferenceResult &one : case_.expected)
        fired += one.layers[i].fired, clips += one.layers[i].clips;
      lasnn_layer_stats stats;
      ASSERT_EQ(lasnn_cuda_get_layer_stats(inspected_.get(), i, &stats), LASNN_OK) << where_ << said();
      EXPECT_EQ(stats.spikes, fired) << where_ << ", " << stats.tensor.name;
      EXPECT_EQ(stats.clips, clips) << where_ << ", " << stats.tensor.name;
    }
  }

  std::string said() const { return std::string(": ") + lasnn_cuda_get_error(inspected_.get()) + lasnn_cuda_get_error(overlapped_.get()); }

  const Case &case_;
  AlignedBytes model_;
  std::string where_;
  Session inspected_, overlapped_;
};

class Device : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    int count = 0;
    char error[512] = "";
    if (const lasnn_status status = lasnn_cuda_available(nullptr, &count, error, sizeof error); status != LASNN_OK)
      GTEST_SKIP() << lasnn_status_name(status) << ": " << error;
    std::string why;
    gpu_ = bench::findGpu(why);
    ASSERT_TRUE(gpu_) << why;
  }

  /// Networks one after another; those to come are compiled meanwhile, on the other cores.
  void compareAll(const cuda::Options &options) {
    const uint64_t first = environmentNumber("LASNN_TEST_SEED", 1), count = environmentNumber("LASNN_TEST_COUNT", 20), seconds = environmentNumber("LASNN_TEST_SECONDS", 0);
    const auto start = std::chrono::steady_clock::now();
    const uint64_t ahead = std::min<uint64_t>(std::max(1u, std::thread::hardware_concurrency()), 12);
    std::deque<std::future<Case>> waiting;
    uint64_t next = first, compared = 0;
    auto inTime = [&] { return seconds == 0 || std::chrono::steady_clock::now() - start < std::chrono::seconds(seconds); };
    while (!HasFailure()) {
      for (; waiting.size() < ahead && next < first + count && inTime(); ++next)
        waiting.push_back(std::async(std::launch::async, [gpu = *gpu_, next, options] { return Case(gpu, next, options); }));
      if (waiting.empty())
        break;
      const Case one = waiting.front().get();
      waiting.pop_front();
      Comparison(one).all();
      ++compared;
    }
    RecordProperty("networks", int(compared));
    std::printf("%s, %s: %d networks\n", gpu_->name.c_str(), gpu_->architecture.c_str(), int(compared));
  }

  std::optional<bench::Gpu> gpu_;
};

/// The kernel named, for every layer that it can compute.
TEST_P(Device, EqualsReference) { compareAll(bench::optionsFor(*gpu_, GetParam(), 512, 0.1)); }

std::vector<std::string> layerKernels() {
  std::vector<std::string> names;
  for (const cuda::Form &form : cuda::forms())
    if (!form.tiles.empty())
      names.push_back(form.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Kernels, Device, testing::ValuesIn(layerKernels()), [](const auto &info) { return info.param; });

TEST_F(Device, ChosenForLargeBatches) { compareAll(bench::optionsFor(*gpu_, "auto", 512, 0.1)); }

TEST_F(Device, ChosenForOneSampleAndFused) {
  cuda::Options options = bench::optionsFor(*gpu_, "auto", 1, 0.05);
  options.fuse = cuda::Fuse::Always;
  compareAll(options);
}

TEST_F(Device, SessionsSideBySide) {
  const cuda::Options options = bench::optionsFor(*gpu_, "auto", 1, 0.1);
  const Case one(*gpu_, 3, options), other(*gpu_, 4, options);
  ASSERT_EQ(one.error + other.error, "");
  const AlignedBytes first(one.bytes), second(other.bytes);
  auto work = [repeats = gpu_->emulated ? 3 : 50](const Case &c, const AlignedBytes &model) {
    const Session session = open(model, c.batch, false, false);
    if (!session)
      return false;
    const std::vector<uint8_t> samples = c.samples(0, c.batch);
    const std::vector<int32_t> wanted = c.outputs(c.plan.timesteps - 1, 0, c.batch);
    for (int i = 0; i < repeats; ++i) {
      std::vector<int32_t> output(wanted.size(), 7);
      if (lasnn_cuda_run(session.get(), samples.data(), samples.size(), c.batch, output.data(), output.size()) != LASNN_OK || output != wanted)
        return false;
    }
    return true;
  };
  auto beside = std::async(std::launch::async, [&] { return work(other, second); });
  EXPECT_TRUE(work(one, first));
  EXPECT_TRUE(beside.get());
}

} // namespace
} // namespace lasnn::test
