// The networks of benchmarks spike at the rate asked for, as the x86 runtime counts it, and have the shapes and sizes of the real ones.
#include "bench/random_network.h"
#include "tests/runtime/model.h"

namespace lasnn::test {
namespace {

/// Rates on the sample that calibrate took.
std::vector<double> ratesOf(const plan::Network &network, double rate, uint32_t seed) {
  const AlignedBytes bytes(fileOf(network));
  const NetworkPtr net = create(bytes);
  const std::vector<uint8_t> sample = bench::randomSamples(network, 1, rate, seed);
  std::vector<int32_t> output(network.output_count);
  EXPECT_EQ(lasnn_run(net.get(), sample.data(), sample.size(), output.data(), output.size()), LASNN_OK);
  std::vector<double> rates;
  lasnn_network_info info;
  lasnn_get_info(net.get(), &info);
  for (uint32_t i = 0; i < info.layer_count; ++i) {
    lasnn_layer_stats s;
    lasnn_get_layer_stats(net.get(), i, &s);
    rates.push_back(double(s.spikes) / double(s.neurons * s.steps));
  }
  return rates;
}

TEST(BenchNetwork, LayersSpikeAtTheRateAskedFor) {
  for (const double rate : {0.05, 0.2})
    for (plan::Network network : {bench::resnet18({16, 16, 10}, 4, 3), bench::resnet18({8, 32, 5, 4}, 2, 3), bench::oneLayer(24, 9, 40, 2, 3, 3)}) {
      const std::vector<double> found = bench::calibrate(network, rate, 5);
      EXPECT_EQ(found, ratesOf(network, rate, 5)) << network.name; // its own forward pass equals the runtime
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_LE(found[i], rate) << network.name << ", layer " << i;
        EXPECT_GT(found[i], rate / 2) << network.name << ", layer " << i;
      }
    }
}

TEST(BenchNetwork, ResNet18HasItsSize) {
  const plan::Network network = bench::resnet18({64, 32, 10}, 4, 1);
  double macs = 0, parameters = 0;
  for (const plan::Layer &layer : network.layers) {
    macs += bench::denseMacs(network, layer);
    for (const plan::Synapse &s : layer.synapses)
      parameters += double(s.weight.size());
  }
  EXPECT_EQ(network.layers.size(), 19u); // 17 of neurons, the pool, the read-out
  // 11.16 M weights of convolutions and the read-out, and identities as 1x1 convolutions: 2*64^2 + 128^2 + 256^2 + 512^2
  EXPECT_EQ(parameters, 11164352.0 + 2 * 64 * 64 + 128 * 128 + 256 * 256 + 512 * 512);
  EXPECT_NEAR(macs, 4 * 0.555e9, 4 * 0.03e9); // 0.555 G of the ANN, identities added, the first layer once
}

} // namespace
} // namespace lasnn::test
