// Layers that feed back: there is no sequence of all steps, delays carry spikes from one to the next. Against the equation, written out.
#include "tests/runtime/cuda/emulated_code.h"
#include "tests/runtime/cuda/session.h"

#include <random>

namespace lasnn::test {
namespace {

constexpr uint32_t C = 5, K = 40, T = 6, outputs = 3;

/// K neurons that see C input channels, their own spikes of one step ago, and through a chain of two delays those of two steps ago; and a read-out of sums.
/// Buffers: 0 input, 1 spikes, 2 one step ago, 3 two steps ago.
struct Recurrent {
  plan::Network plan;
  std::vector<cuda::DelayedBuffer> delays = {{1, 2}, {2, 3}}; // the writer puts them into an order that keeps both

  explicit Recurrent(uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto synapse = [&](uint32_t from, uint32_t in, uint32_t out, int limit) {
      plan::Synapse s;
      s.name = "s", s.input = from;
      for (uint32_t i = 0; i < in * out; ++i)
        s.weight.push_back(int8_t(int(random() % uint32_t(2 * limit + 1)) - limit));
      return s;
    };
    plan.name = "recurrent", plan.timesteps = T, plan.encoding = plan::Encoding::Events, plan.output_count = outputs;
    plan.buffers = {{"x", C, 1, 1, 1}, {"s", K, 1, 1, 1}, {"d1", K, 1, 1, 1}, {"d2", K, 1, 1, 1}};
    plan::Layer layer;
    layer.name = "hidden", layer.output = 1, layer.out_channels = K;
    layer.synapses = {synapse(0, C, K, 60), synapse(2, K, K, 20), synapse(3, K, K, 20)};
    layer.bias.assign(K, 3);
    layer.neuron.reset = plan::Reset::Subtract, layer.neuron.state_bits = 24;
    layer.neuron.v_threshold.assign(K, 25), layer.neuron.rho.assign(K, 30);
    plan::Layer readout;
    readout.kind = plan::LayerKind::Readout, readout.name = "out", readout.out_channels = outputs;
    readout.synapses = {synapse(1, K, outputs, 100)};
    readout.bias.assign(outputs, 1);
    plan.layers = {layer, readout};
  }

  std::vector<uint8_t> file() const {
    std::string error;
    plan::Network one = plan;
    one.timesteps = 1;
    const cuda::Program step = cuda::makeProgram(one, cuda::Choice::Auto, error);
    cuda::FileContent content;
    content.step = &step, content.timesteps = T, content.input_max = 1, content.delays = delays;
    content.codes = {{"sm_90", {}, emulatedCode(step, "sm_90")}};
    const std::vector<uint8_t> bytes = cuda::writeLasnn(content, {}, {}, error);
    EXPECT_EQ(error, "");
    return bytes;
  }

  /// One sample: spikes [T][K], outputs [T][outputs].
  void run(const uint8_t *input, std::vector<std::vector<uint8_t>> &spikes, std::vector<std::vector<int32_t>> &sums) const {
    std::vector<int32_t> v(K, 0), out(outputs, 0);
    const std::vector<uint8_t> none(K, 0);
    const auto product = [](const plan::Synapse &s, const uint8_t *x, uint32_t in, uint32_t k) {
      int32_t sum = 0;
      for (uint32_t c = 0; c < in; ++c)
        sum += s.weight[k * in + c] * x[c];
      return sum;
    };
    for (uint32_t t = 0; t < T; ++t) {
      const std::vector<uint8_t> &d1 = t > 0 ? spikes[t - 1] : none, &d2 = t > 1 ? spikes[t - 2] : none;
      std::vector<uint8_t> now(K);
      for (uint32_t k = 0; k < K; ++k) {
        const plan::Layer &l = plan.layers[0];
        v[k] += l.bias[k] + product(l.synapses[0], input + t * C, C, k) + product(l.synapses[1], d1.data(), K, k) + product(l.synapses[2], d2.data(), K, k);
        now[k] = v[k] > l.neuron.v_threshold[k];
        v[k] -= now[k] * l.neuron.rho[k];
      }
      spikes.push_back(now);
      for (uint32_t o = 0; o < outputs; ++o)
        out[o] += plan.layers[1].bias[o] + product(plan.layers[1].synapses[0], now.data(), K, o);
      sums.push_back(out);
    }
  }
};

class CudaFeedback : public testing::TestWithParam<int> {
protected:
  void SetUp() override { configure(); }
  void TearDown() override { EXPECT_TRUE(nothingLeft()); }
};

TEST_P(CudaFeedback, RunsAndStepsEqualTheEquation) {
  const bool keep = GetParam() != 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Recurrent network(seed);
    const uint32_t batch = 3;
    std::mt19937_64 random(seed + 9);
    std::vector<uint8_t> input(batch * T * C);
    for (uint8_t &x : input)
      x = random() % 3 == 0;
    std::vector<std::vector<std::vector<uint8_t>>> spikes(batch);
    std::vector<std::vector<std::vector<int32_t>>> sums(batch);
    uint64_t fired = 0;
    for (uint32_t n = 0; n < batch; ++n) {
      network.run(input.data() + n * T * C, spikes[n], sums[n]);
      for (const auto &step : spikes[n])
        for (uint8_t s : step)
          fired += s;
    }
    EXPECT_GT(fired, batch * T * K / 20);
    EXPECT_LT(fired, batch * T * K * 19 / 20);

    lasnn_cuda_options options = cudaOptions(4);
    options.streaming = 1, options.keep_spikes = keep;
    const SessionPtr session = createCuda(AlignedBytes(network.file()), options);
    const auto expectOutputs = [&](const std::vector<int32_t> &output, uint32_t t) {
      for (uint32_t n = 0; n < batch; ++n)
        for (uint32_t o = 0; o < outputs; ++o)
          ASSERT_EQ(output[n * outputs + o], sums[n][t][o]) << "seed " << seed << ", sample " << n << ", step " << t;
    };
    std::vector<int32_t> output(batch * outputs);
    for (int repeat = 0; repeat < 2; ++repeat) { // the second one begins with what the first left in the delays
      ASSERT_EQ(lasnn_cuda_run(session.get(), input.data(), input.size(), batch, output.data(), output.size()), LASNN_OK) << lasnn_cuda_get_error(session.get());
      expectOutputs(output, T - 1);
      for (uint32_t n = 0; keep && n < batch; ++n)
        for (uint32_t t = 0; t < T; ++t) {
          std::vector<uint8_t> got(K);
          ASSERT_EQ(lasnn_cuda_get_spikes(session.get(), n, 0, t, got.data(), K), LASNN_OK);
          ASSERT_EQ(got, spikes[n][t]) << "sample " << n << ", step " << t;
        }
      for (uint32_t t = 0; t < T; ++t) {
        std::vector<uint8_t> frame;
        for (uint32_t n = 0; n < batch; ++n)
          frame.insert(frame.end(), input.begin() + (n * T + t) * C, input.begin() + (n * T + t + 1) * C);
        ASSERT_EQ(lasnn_cuda_step(session.get(), frame.data(), frame.size(), batch, output.data(), output.size()), LASNN_OK);
        expectOutputs(output, t);
      }
      lasnn_layer_stats stats;
      ASSERT_EQ(lasnn_cuda_get_layer_stats(session.get(), 0, &stats), LASNN_OK);
      EXPECT_EQ(stats.spikes, fired * 2 * uint32_t(repeat + 1));
      ASSERT_EQ(lasnn_cuda_reset(session.get()), LASNN_OK);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, CudaFeedback, testing::Values(0, 1), [](const auto &p) { return p.param ? "KeptSpikes" : "SharedArena"; });

TEST(CudaFeedbackFile, DelaysWithoutSpikesAreRefused) {
  Recurrent network(1);
  network.plan.buffers.push_back({"d3", K, 1, 1, 1});
  std::string error;
  plan::Network one = network.plan;
  one.timesteps = 1;
  const cuda::Program step = cuda::makeProgram(one, cuda::Choice::Auto, error);
  cuda::FileContent content;
  content.step = &step, content.timesteps = T, content.input_max = 1;
  content.codes = {{"sm_90", {}, emulatedCode(step, "sm_90")}};
  content.delays = {{1, 2}, {3, 4}, {4, 3}};
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_NE(error.find("delays"), std::string::npos) << error;
  content.delays = {{1, 2}}; // buffer 3 is read, and nothing writes it
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_NE(error.find("before it is written"), std::string::npos) << error;
  content.delays = {{1, 2}, {1, 2}, {2, 3}};
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_NE(error.find("a second time"), std::string::npos) << error;
}

} // namespace
} // namespace lasnn::test
