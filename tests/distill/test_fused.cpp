// Normalisation and neuron in one operation, and synapses that keep bits: the same numbers as the operations one after another.
#include "distill/network.h"
#include "distill/packed_synapse.h"
#include "tests/distill/counting_allocator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace lasnn::distill;

namespace {

struct Inputs {
  torch::Tensor x, added, weight, gamma, shift, mean, variance, thresholds;
};

struct Outcome {
  torch::Tensor spikes, mean, variance;
  std::vector<std::pair<const char *, torch::Tensor>> grads;
};

/// One operation, or batch_norm and the plain neuron one after another, in float64 where `type` says so.
Outcome run(bool fused, const Inputs &in, int64_t given, int64_t steps, const NeuronOptions &o, bool training, torch::ScalarType type, bool last) {
  const auto format = last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous;
  auto leaf = [](const torch::Tensor &t, torch::ScalarType to) { return t.to(to).clone().set_requires_grad(true); };
  const auto wide = type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor x = in.x.to(type).contiguous(format).detach().clone(format).set_requires_grad(true);
  const torch::Tensor added = in.added.defined() ? in.added.to(type).contiguous(format).clone(format).set_requires_grad(true) : torch::Tensor();
  const torch::Tensor gamma = leaf(in.gamma, wide), shift = leaf(in.shift, wide);
  const NeuronParameters p{leaf(torch::tensor(o.beta), wide), leaf(torch::tensor(o.alpha), wide), leaf(in.thresholds, wide)};
  const torch::Tensor mean = in.mean.to(wide).clone(), variance = in.variance.to(wide).clone();
  torch::Tensor spikes;
  if (fused) {
    spikes = normalisedSpikeSteps(x, given, {gamma, shift, mean, variance, training, 0.1, 1e-5}, added, p, steps, o);
  } else {
    torch::Tensor current = torch::batch_norm(x, gamma, shift, mean, variance, training, 0.1, 1e-5, false);
    current = added.defined() ? current + added : current;
    spikes = spikeStepsPlain(current, given, p, steps, o);
  }
  (spikes.to(wide) * in.weight.to(wide)).sum().backward();
  Outcome out{spikes.detach().to(torch::kFloat64), mean.to(torch::kFloat64), variance.to(torch::kFloat64), {}};
  for (const auto &[name, tensor] : std::initializer_list<std::pair<const char *, torch::Tensor>>{
           {"x", x}, {"gamma", gamma}, {"shift", shift}, {"beta", p.beta}, {"threshold", p.threshold}})
    out.grads.emplace_back(name, tensor.grad().to(torch::kFloat64));
  if (o.kind == "cuba")
    out.grads.emplace_back("alpha", p.alpha.grad().to(torch::kFloat64));
  if (added.defined())
    out.grads.emplace_back("added", added.grad().to(torch::kFloat64));
  return out;
}

/// `relative`: of the largest value; sums of thousands of terms are compared as wholes.
void expectClose(const Outcome &a, const Outcome &b, double relative) {
  EXPECT_TRUE(torch::equal(a.spikes, b.spikes)) << (a.spikes - b.spikes).abs().sum().item<double>() << " spikes differ";
  for (size_t k = 0; k < a.grads.size(); ++k) {
    const auto &[name, x] = a.grads[k];
    const torch::Tensor &y = b.grads[k].second;
    ASSERT_EQ(x.sizes(), y.sizes()) << name;
    EXPECT_LE((x - y).abs().max().item<double>(), relative * (1e-2 + y.abs().max().item<double>())) << name;
    EXPECT_GT(y.abs().max().item<double>(), 0) << name;
  }
  EXPECT_TRUE(torch::allclose(a.mean, b.mean, 1e-5, 1e-6) && torch::allclose(a.variance, b.variance, 1e-5, 1e-6));
}

Inputs inputs(int64_t rows, int64_t steps, int64_t given, bool added, bool channels, torch::ScalarType roundedTo) {
  // Values of few bits are the same in every type, and membranes then lie apart from thresholds by more than rounding does.
  auto rounded = [&](const torch::Tensor &t) { return t.to(roundedTo).to(torch::kFloat32); };
  const std::vector<int64_t> one = {rows * given, 4, 5, 6}, all = {rows * steps, 4, 5, 6};
  Inputs in;
  in.x = rounded(torch::randn(one) * 2 + 0.5);
  if (added)
    in.added = rounded(torch::randn(one));
  in.weight = rounded(torch::randn(all));
  in.gamma = torch::tensor({0.8f, 1.2f, -0.7f, 1.0f}), in.shift = torch::tensor({0.3f, 0.1f, 0.5f, -0.2f});
  in.mean = torch::tensor({0.4f, 0.6f, 0.5f, 0.3f}), in.variance = torch::tensor({3.0f, 4.0f, 5.0f, 3.5f});
  in.thresholds = channels ? torch::tensor({0.5f, 0.8f, 1.0f, 0.3f}) : torch::tensor(0.8f);
  return in;
}

TEST(Fused, EqualsAutogradInFloat64) {
  torch::manual_seed(3);
  const int64_t T = 4, rows = 3;
  int turn = 0;
  for (const char *kind : {"lif", "if", "plif", "cuba", "clif"})
    for (Reset reset : {Reset::Zero, Reset::Subtract})
      for (Surrogate surrogate : {Surrogate::Triangle, Surrogate::Sigmoid, Surrogate::Arctan, Surrogate::Rectangle})
        for (bool training : {false, true})
          for (bool once : {false, true})
            for (bool last : {false, true})
              for (auto type : {torch::kFloat32, torch::kBFloat16}) {
                const bool detach = turn % 2, channels = turn % 3 == 0, added = turn % 5 < 2;
                SCOPED_TRACE(testing::Message() << kind << " reset " << int(reset) << " surrogate " << int(surrogate) << " training " << training << " once "
                                                << once << " channels last " << last << " type " << type << " detach " << detach << " added " << added);
                ++turn;
                NeuronOptions o;
                o.kind = kind, o.reset = reset, o.surrogate = surrogate, o.detachReset = detach, o.alpha = 0.4, o.width = 1.3;
                o.beta = o.kind == "if" ? 1.0 : 0.7;
                const Inputs in = inputs(rows, T, once ? 1 : T, added, channels, torch::kBFloat16);
                const Outcome fused = run(true, in, once ? 1 : T, T, o, training, type, last);
                const Outcome plain = run(false, in, once ? 1 : T, T, o, training, torch::kFloat64, last);
                // float32: 24 bits, T steps of a few operations, sums of 360 terms. bfloat16: d and x's gradient are rounded to 8 bits.
                expectClose(fused, plain, type == torch::kFloat32 ? 1e-4 : 2e-2);
                EXPECT_GT(fused.spikes.mean().item<double>(), 0.05);
              }
}

TEST(Fused, LinearLayersAndOddShapes) {
  torch::manual_seed(4);
  const int64_t T = 3, rows = 7, features = 13;
  Inputs in;
  in.x = torch::randn({rows * T, features}), in.weight = torch::randn({rows * T, features});
  in.gamma = torch::rand({features}) + 0.5, in.shift = torch::rand({features}), in.mean = torch::zeros({features}), in.variance = torch::ones({features});
  in.thresholds = torch::tensor(0.9f);
  NeuronOptions o;
  auto one = [&](bool fused, torch::ScalarType type) {
    const torch::Tensor x = in.x.to(type).clone().set_requires_grad(true), gamma = in.gamma.to(type).clone().set_requires_grad(true);
    const torch::Tensor shift = in.shift.to(type), mean = in.mean.to(type).clone(), variance = in.variance.to(type).clone();
    const NeuronParameters p{torch::tensor(0.5).to(type), torch::tensor(0.0).to(type), in.thresholds.to(type)};
    const torch::Tensor s = fused ? normalisedSpikeSteps(x, T, {gamma, shift, mean, variance, true, 0.1, 1e-5}, {}, p, T, o)
                                  : spikeStepsPlain(torch::batch_norm(x, gamma, shift, mean, variance, true, 0.1, 1e-5, false), T, p, T, o);
    (s * in.weight.to(type)).sum().backward();
    return std::vector<torch::Tensor>{s.detach().to(torch::kFloat64), x.grad().to(torch::kFloat64), gamma.grad().to(torch::kFloat64), variance.to(torch::kFloat64)};
  };
  const auto a = one(true, torch::kFloat32), b = one(false, torch::kFloat64);
  EXPECT_TRUE(torch::equal(a[0], b[0]));
  for (size_t k = 1; k < a.size(); ++k)
    EXPECT_TRUE(torch::allclose(a[k], b[k], 1e-4, 1e-5)) << k;
}

TEST(Fused, DoesNotDependOnThreads) {
  torch::manual_seed(5);
  Inputs in = inputs(2, 2, 2, true, false, torch::kFloat32);
  in.x = torch::randn({4, 4, 200, 100}), in.added = torch::randn({4, 4, 200, 100}), in.weight = torch::randn({4, 4, 200, 100}); // more than one share
  NeuronOptions o;
  at::set_num_threads(1);
  const Outcome one = run(true, in, 2, 2, o, true, torch::kFloat32, false), again = run(true, in, 2, 2, o, true, torch::kFloat32, false);
  for (size_t k = 0; k < one.grads.size(); ++k)
    EXPECT_TRUE(torch::equal(one.grads[k].second, again.grads[k].second)) << one.grads[k].first;
  at::set_num_threads(2);
  const Outcome two = run(true, in, 2, 2, o, true, torch::kFloat32, false);
  at::set_num_threads(1);
  expectClose(two, one, 1e-5); // torch's own statistics are added in shares
}

TEST(Fused, OnAGpuAsOnACpu) {
#ifdef LASNN_DISTILL_CUDA
  const bool gpu = torch::cuda::is_available();
#else
  const bool gpu = false;
#endif
  if (!gpu)
    GTEST_SKIP() << "no GPU, or a build without CUDA kernels";
  torch::manual_seed(9);
  for (const char *kind : {"lif", "cuba", "clif"})
    for (int64_t steps : {2, 4, 7, 16, 20})
      for (auto type : {torch::kFloat32, torch::kBFloat16})
        for (bool last : {false, true})
          for (bool added : {false, true})
            for (bool normalised : {false, true})
              for (bool learned : {false, true}) {
                SCOPED_TRACE(testing::Message() << kind << " T " << steps << " type " << type << " last " << last << " added " << added << " normalised "
                                                << normalised << " learned " << learned);
                NeuronOptions o;
                o.kind = kind, o.alpha = 0.4;
                const torch::Tensor values = torch::randn({6 * steps, 16, 8, 8}).to(type), more = torch::randn_like(values), weight = torch::randn_like(values);
                auto one = [&](torch::Device device) {
                  const auto format = last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous;
                  auto leaf = [&](const torch::Tensor &t, bool wants) { return t.to(device).clone().set_requires_grad(wants); };
                  const torch::Tensor x = values.to(device).contiguous(format).clone(format).set_requires_grad(true);
                  const torch::Tensor r = added ? more.to(device).contiguous(format).clone(format).set_requires_grad(true) : torch::Tensor();
                  const NeuronParameters p{leaf(torch::tensor(0.6f), learned), leaf(torch::tensor(0.4f), learned), leaf(torch::tensor(0.8f), learned)};
                  const torch::Tensor gamma = leaf(torch::linspace(0.5, 1.5, 16), true), shift = leaf(torch::linspace(0, 0.5, 16), true);
                  const torch::Tensor mean = torch::zeros({16}, device), variance = torch::ones({16}, device);
                  // Running statistics of 0 and 1: what the batch's are summed to differs by rounding from device to device, and spikes with it.
                  const torch::Tensor s = normalised ? normalisedSpikeSteps(x, steps, {gamma, shift, mean, variance, false, 0.1, 0}, r, p, steps, o)
                                                     : spikeSteps(x, steps, p, steps, o);
                  s.backward(weight.to(device).contiguous(format));
                  std::vector<torch::Tensor> out = {s.detach(), x.grad()};
                  for (const torch::Tensor &t : {gamma, shift, r, p.beta, p.threshold})
                    if (t.defined() && t.grad().defined())
                      out.push_back(t.grad());
                  for (torch::Tensor &t : out)
                    t = t.to(torch::kCPU).to(torch::kFloat32);
                  return out;
                };
                const auto a = one(torch::kCUDA), b = one(torch::kCPU);
                ASSERT_EQ(a.size(), b.size());
                EXPECT_TRUE(torch::equal(a[0], b[0])) << "spikes";
                for (size_t k = 1; k < a.size(); ++k)
                  EXPECT_LE((a[k] - b[k]).abs().max().item<double>(), 1e-4 * (1 + b[k].abs().max().item<double>())) << k;
              }
}

/// Deep, of one size: what every layer keeps outweighs what one needs while it works.
Arch deep(int layers) {
  nlohmann::json nodes = nlohmann::json::array();
  for (int k = 0; k < layers; ++k)
    nodes.push_back({{"name", fmt::format("c{}", k)}, {"conv", nlohmann::json::array({8, 3, 1, 1})}});
  nodes.push_back({{"name", "pool"}, {"avgpool", "all"}});
  nodes.push_back({{"name", "f"}, {"linear", 0}, {"readout", true}});
  Arch arch = archFromJson({{"name", "deep"}, {"nodes", nodes}});
  arch.channels = 3, arch.height = arch.width = 32, arch.classes = 10;
  return arch;
}

Arch named(const char *name, const char *shortcut) {
  ArchOptions o;
  o.width = 0.25, o.shortcut = shortcut;
  Arch arch = findArch(name, o);
  arch.channels = 3, arch.height = arch.width = 32, arch.classes = 10;
  return arch;
}

struct Trained {
  std::vector<double> losses;
  std::vector<torch::Tensor> grads, buffers; // grads: of the first step
};

/// A few steps of gradient descent on one batch.
Trained train(const Arch &arch, bool fused, bool bits, const NeuronOptions &o, int steps) {
  torch::manual_seed(6);
  Network n(arch, o);
  n.fusedNormalisation = fused, n.packSpikes = bits;
  const torch::Tensor x = torch::randn({4, 3, 32, 32}), labels = torch::arange(4);
  Trained out;
  for (int step = 0; step < steps; ++step) {
    n.zero_grad();
    const Forward f = n.forward({x, 1}, 3);
    torch::Tensor loss = torch::cross_entropy_loss(f.logits.x.view({f.logits.steps, 4, 10}).mean(0), labels);
    for (const auto &[name, value] : f.layers)
      loss = loss + 0.1 * meanOverSteps(value).pow(2).mean();
    loss.backward();
    out.losses.push_back(loss.item<double>());
    torch::NoGradGuard noGrad;
    for (const auto &p : n.parameters()) {
      if (step == 0)
        out.grads.push_back(p.grad().defined() ? p.grad().clone() : torch::zeros_like(p));
      if (p.grad().defined())
        torch::Tensor(p).sub_(p.grad(), 0.01);
    }
  }
  for (const auto &b : n.buffers())
    out.buffers.push_back(b.clone());
  return out;
}

TEST(Fused, NetworksTrainToTheSameLosses) {
  for (const auto &[name, shortcut] : {std::pair("vgg5", ""), {"resnet20", "plain"}, {"resnet20", "ms"}, {"resnet20", "sew"}}) {
    SCOPED_TRACE(testing::Message() << name << " " << shortcut);
    NeuronOptions o;
    o.learnThreshold = "channel";
    const Arch arch = named(name, shortcut);
    const Trained plain = train(arch, false, false, o, 1), fused = train(arch, true, false, o, 1);
    // One spike of thousands may lie within rounding of its threshold; its effect on a loss of 2 is far below this.
    EXPECT_NEAR(plain.losses[0], fused.losses[0], 2e-3 * plain.losses[0]);
    for (size_t k = 0; k < plain.grads.size(); ++k)
      EXPECT_LE((plain.grads[k] - fused.grads[k]).norm().item<double>(), 2e-2 * plain.grads[k].norm().item<double>() + 1e-6) << k;
    for (size_t k = 0; k < plain.buffers.size(); ++k)
      EXPECT_TRUE(torch::allclose(plain.buffers[k], fused.buffers[k], 1e-2, 1e-3)) << k;
  }
  const Arch arch = named("cnn-small", "");
  const Trained plain = train(arch, false, false, {}, 12), fused = train(arch, true, false, {}, 12);
  for (size_t k = 0; k < plain.losses.size(); ++k)
    EXPECT_NEAR(plain.losses[k], fused.losses[k], 0.02) << k;
  EXPECT_LT(plain.losses.back(), 0.9 * plain.losses.front()) << "it learns";
}

TEST(PackedSynapse, GradientsAreTheSameToTheBit) {
  torch::manual_seed(7);
  for (bool last : {false, true})
    for (int64_t groups : {1, 3})
      for (int64_t stride : {1, 2})
        for (auto type : {torch::kFloat32, torch::kBFloat16}) {
          SCOPED_TRACE(testing::Message() << "last " << last << " groups " << groups << " stride " << stride << " type " << type);
          const torch::Tensor bits = (torch::rand({4, 6, 7, 7}) < 0.3).to(type), w = torch::randn({9, 6 / groups, 3, 3}).to(type);
          auto one = [&](bool packed) {
            const torch::Tensor x = bits.contiguous(last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous).detach().clone().set_requires_grad(true);
            const torch::Tensor weight = w.clone().set_requires_grad(true);
            const torch::Tensor y = packed ? packedConv2d(x, weight, stride, 1, groups) : torch::conv2d(x, weight, {}, stride, 1, 1, groups);
            y.to(torch::kFloat32).pow(2).sum().backward();
            return std::vector<torch::Tensor>{y.detach(), x.grad(), weight.grad()};
          };
          const auto a = one(true), b = one(false);
          for (size_t k = 0; k < a.size(); ++k)
            EXPECT_TRUE(torch::equal(a[k], b[k])) << k;
        }
  const torch::Tensor bits = (torch::rand({5, 11}) < 0.4).to(torch::kFloat32), w = torch::randn({3, 11});
  auto linear = [&](bool packed) {
    const torch::Tensor x = bits.clone().set_requires_grad(true), weight = w.clone().set_requires_grad(true);
    (packed ? packedLinear(x, weight) : torch::linear(x, weight)).pow(2).sum().backward();
    return std::vector<torch::Tensor>{x.grad(), weight.grad()};
  };
  const auto a = linear(true), b = linear(false);
  EXPECT_TRUE(torch::allclose(a[0], b[0]) && torch::allclose(a[1], b[1]));
}

TEST(PackedSynapse, NetworksTrainToTheSameWeights) {
  for (const auto &[name, shortcut] : {std::pair("vgg5", ""), {"resnet20", "plain"}}) {
    SCOPED_TRACE(name);
    const Trained plain = train(named(name, shortcut), false, false, {}, 2), bits = train(named(name, shortcut), false, true, {}, 2);
    EXPECT_NEAR(plain.losses[1], bits.losses[1], 1e-5);
    for (size_t k = 0; k < plain.grads.size(); ++k)
      EXPECT_TRUE(torch::allclose(plain.grads[k], bits.grads[k], 1e-4, 1e-6)) << k;
  }
}

/// Peak bytes of a step, and what is kept between forward and backward.
std::pair<int64_t, int64_t> memoryOf(bool fused, bool bits) {
  torch::manual_seed(8);
  Network n(deep(12), NeuronOptions());
  n.fusedNormalisation = fused, n.packSpikes = bits;
  const torch::Tensor x = torch::randn({4, 3, 32, 32});
  const CountedMemory memory;
  torch::Tensor loss = n.forward({x, 1}, 8).logits.x.sum();
  const int64_t kept = memory.now();
  loss.backward();
  return {memory.peak(), kept};
}

TEST(Fused, MemoryIsWhatThePageSays) {
  // A layer over T steps, float32: normalisation's input, its output (the neuron's current) and the spikes, 4 + 4 + 4 bytes a neuron and step.
  // Fused: 4 + 4. With bits: 4 + 1/8. The first layer's input is an image, and its first two tensors are of one step of eight.
  const double tensor = 8 * 4 * 8 * 32 * 32 * 4.0, layers = 12;
  const auto [plainPeak, plainKept] = memoryOf(false, false);
  const auto [fusedPeak, fusedKept] = memoryOf(true, false);
  const auto [bitsPeak, bitsKept] = memoryOf(true, true);
  EXPECT_NEAR(double(plainKept) / tensor, 3 * layers - 2 + 2 / 8.0, 0.1);
  EXPECT_NEAR(double(fusedKept) / tensor, 2 * layers - 1 + 1 / 8.0, 0.1);
  EXPECT_NEAR(double(bitsKept) / tensor, layers - 1 + 1 / 8.0 + layers / 32, 0.1);
  RecordProperty("plain_peak_bytes", std::to_string(plainPeak)), RecordProperty("fused_peak_bytes", std::to_string(fusedPeak));
  RecordProperty("bits_peak_bytes", std::to_string(bitsPeak));
  EXPECT_LT(double(fusedPeak), 0.75 * double(plainPeak)) << fusedPeak << " of " << plainPeak;
  EXPECT_LT(double(bitsPeak), 0.5 * double(plainPeak)) << bitsPeak << " of " << plainPeak;
}

} // namespace
