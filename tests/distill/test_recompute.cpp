// Activation checkpointing: bits come back, gradients and statistics are those of the plain pass, and memory falls.
#include "distill/bits.h"
#include "distill/network.h"
#include "distill/recompute.h"
#include "tests/distill/counting_allocator.h"

#include <nlohmann/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace lasnn::distill;

namespace {

Arch shaped(const char *name, double width, const char *shortcut = "") {
  ArchOptions o;
  o.width = width, o.shortcut = shortcut;
  Arch arch = findArch(name, o);
  arch.channels = 3, arch.height = arch.width = 32, arch.classes = 10;
  return arch;
}

TEST(Recompute, BitsComeBack) {
  torch::manual_seed(1);
  for (const std::vector<int64_t> &sizes : {std::vector<int64_t>{3, 5, 7, 2}, {9}, {2, 8}})
    for (auto type : {torch::kFloat32, torch::kBFloat16}) {
      torch::Tensor spikes = (torch::rand(sizes) < 0.3).to(type);
      const torch::Tensor packed = packBits(spikes);
      EXPECT_EQ(packed.numel(), (spikes.numel() + 7) / 8);
      EXPECT_TRUE(torch::equal(unpackBits(packed, sizes, spikes.suggest_memory_format(), spikes.options()), spikes));
      if (sizes.size() == 4) {
        spikes = spikes.contiguous(torch::MemoryFormat::ChannelsLast);
        const torch::Tensor back = unpackBits(packBits(spikes), sizes, torch::MemoryFormat::ChannelsLast, spikes.options());
        EXPECT_TRUE(torch::equal(back, spikes));
        EXPECT_EQ(back.strides(), spikes.strides());
      }
    }
}

struct Pass {
  std::vector<torch::Tensor> grads, buffers;
};

Pass pass(Network &n, const torch::Tensor &x, bool lean) {
  n.train();
  n.zero_grad();
  n.checkpointActivations = lean;
  const Forward f = n.forward({x, 1}, 3);
  torch::Tensor loss = (f.logits.x * torch::linspace(-1, 1, 10)).sum();
  for (const auto &[name, value] : f.layers)
    loss = loss + meanOverSteps(value).pow(2).sum();
  loss.backward();
  Pass out;
  for (const auto &p : n.parameters())
    out.grads.push_back(p.grad().defined() ? p.grad().clone() : torch::zeros_like(p));
  for (const auto &b : n.buffers())
    out.buffers.push_back(b.clone());
  return out;
}

TEST(Recompute, GradientsAndStatisticsAreEqual) {
  bool fused = false; // every other: normalisation and neuron as one
  for (const auto &[name, shortcut] : {std::pair("vgg5", ""), {"resnet20", "plain"}, {"vgg5", ""}, {"resnet20", "ms"}, {"resnet20", "plain"}, {"resnet20", "sew"}, {"rnn", ""}}) {
    SCOPED_TRACE(testing::Message() << name << " " << shortcut << " fused " << fused);
    NeuronOptions neuron;
    neuron.kind = "cuba", neuron.learnDecay = true, neuron.learnThreshold = "channel";
    const Arch arch = shaped(name, 0.25, shortcut);
    torch::manual_seed(2);
    Network plain(arch, neuron);
    torch::manual_seed(2);
    Network lean(arch, neuron);
    plain.fusedNormalisation = lean.fusedNormalisation = fused;
    fused = !fused;
    const torch::Tensor x = torch::randn({2, 3, 32, 32});
    const Pass a = pass(plain, x, false), b = pass(lean, x, true);
    for (size_t k = 0; k < a.grads.size(); ++k) {
      const double scale = a.grads[k].abs().max().item<double>();
      EXPECT_LE((a.grads[k] - b.grads[k]).abs().max().item<double>(), 1e-5 * scale) << plain.named_parameters()[k].key();
    }
    for (size_t k = 0; k < a.buffers.size(); ++k)
      EXPECT_TRUE(torch::equal(a.buffers[k], b.buffers[k])) << plain.named_buffers()[k].key();
  }
}

TEST(Recompute, MemoryFalls) {
  // Twelve layers of one size: what is kept of all of them outweighs what one of them needs while it is computed again.
  nlohmann::json nodes = nlohmann::json::array();
  for (int k = 0; k < 12; ++k)
    nodes.push_back({{"name", fmt::format("c{}", k)}, {"conv", nlohmann::json::array({8, 3, 1, 1})}});
  nodes.push_back({{"name", "pool"}, {"avgpool", "all"}});
  nodes.push_back({{"name", "f"}, {"linear", 0}, {"readout", true}});
  Arch arch = archFromJson({{"name", "deep"}, {"nodes", nodes}});
  arch.channels = 3, arch.height = arch.width = 32, arch.classes = 10;
  torch::manual_seed(3);
  Network n(arch, NeuronOptions());
  int64_t peaks[2];
  for (bool lean : {false, true}) {
    n.zero_grad();
    const torch::Tensor x = torch::randn({4, 3, 32, 32});
    n.checkpointActivations = lean;
    const CountedMemory memory;
    n.forward({x, 1}, 8).logits.x.sum().backward();
    peaks[lean] = memory.peak();
  }
  EXPECT_GT(peaks[0], 0);
  EXPECT_LT(double(peaks[1]), 0.5 * double(peaks[0])) << peaks[1] << " of " << peaks[0] << " bytes";
}

TEST(Qcfs, IsTheStaircase) {
  Arch arch = archFromJson({{"name", "x"}, {"nodes", {{{"name", "a"}, {"linear", 1}, {"bn", false}}, {{"name", "f"}, {"linear", 0}, {"readout", true}}}}});
  arch.channels = arch.height = arch.width = 1, arch.classes = 2;
  Activation activation;
  activation.kind = "qcfs", activation.levels = 4, activation.lambda = 2;
  Network n(arch, std::nullopt, activation);
  {
    torch::NoGradGuard noGrad;
    n.synapse("a")->weight.fill_(1);
  }
  // lambda 2, L 4: steps of 0.5, the first at 0.25.
  const torch::Tensor x = torch::tensor({-1.0f, 0.2f, 0.3f, 1.0f, 1.7f, 1.8f, 5.0f});
  torch::Tensor y = n.forward({x.view({-1, 1, 1, 1}), 1}, 1).layers[0].second.x;
  EXPECT_TRUE(torch::allclose(y.flatten(), torch::tensor({0.0f, 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 2.0f})));
  y.sum().backward();
  // By lambda: h / lambda - x / lambda inside the clip, 1 above it, 0 below.
  const double expected = (0 + (0 - 0.1) + (0.25 - 0.15) + (0.5 - 0.5) + (0.75 - 0.85) + (1 - 0.9) + 1);
  EXPECT_NEAR(n.lambda("a").grad().item<double>(), expected, 1e-5);
  EXPECT_NEAR(n.synapse("a")->weight.grad().item<double>(), 0.2 + 0.3 + 1.0 + 1.7 + 1.8, 1e-5);
}

TEST(Qcfs, SeedsAStudent) {
  // IF with soft reset over many steps fires at clip(current / lambda): times lambda that is the teacher's value, to half a level and a step.
  Activation activation;
  activation.kind = "qcfs", activation.levels = 8, activation.lambda = 1.5;
  for (const char *learn : {"none", "layer", "channel"}) {
    SCOPED_TRACE(learn);
    const Arch arch = shaped("cnn-small", 0.25);
    torch::manual_seed(4);
    Network teacher(arch, std::nullopt, activation);
    NeuronOptions neuron;
    neuron.kind = "if", neuron.reset = Reset::Subtract, neuron.learnThreshold = learn, neuron.vThreshold = 0.7;
    Network student(arch, neuron);
    EXPECT_EQ(copyMatching(teacher, student), 4u);
    teacher.eval(), student.eval();
    torch::NoGradGuard noGrad;
    const int64_t T = 64;
    const torch::Tensor x = torch::randn({2, 3, 32, 32});
    const Forward theirs = teacher.forward({x, 1}, 1), ours = student.forward({x, 1}, T);
    const torch::Tensor first = meanOverSteps(ours.layers[0].second) * 1.5;
    EXPECT_LT((first - theirs.layers[0].second.x).abs().max().item<double>(), 1.5 * (1.0 / 16 + 1.0 / T) + 1e-4);
    const torch::Tensor a = meanOverSteps(ours.logits).flatten(), b = theirs.logits.x.flatten();
    EXPECT_GT((a * b).sum().item<double>() / (a.norm() * b.norm()).item<double>(), 0.95) << "logits point the same way";
    EXPECT_NEAR((a.norm() / b.norm()).item<double>(), 1, 0.3) << "in the same units";
  }
  Network sew(shaped("resnet20", 0.5, "sew"), NeuronOptions()), from(shaped("resnet20", 0.5, "sew"), std::nullopt, activation);
  EXPECT_THROW(copyMatching(from, sew), std::invalid_argument);
}

} // namespace
