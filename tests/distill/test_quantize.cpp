// Students in integers: the neuron against its plain version, what training may move, files, and what rounding loses.
// That the compiled network computes the same is tests/e2e/trained_is_compiled_test.py.
#include "distill/export.h"
#include "distill/integer_neuron.h"
#include "distill/learn.h"
#include "distill/model_file.h"
#include "distill/quantize.h"
#include "distill/trainer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <filesystem>

namespace fs = std::filesystem;
using namespace lasnn::distill;

namespace {

//===--- the neuron ---===//

IntegerLayer randomLayer(int64_t channels) {
  IntegerLayer layer{torch::randint(20, 60, {channels}, torch::kInt32), torch::randint(20, 60, {channels}, torch::kInt32),
                     torch::rand({channels}) * 0.03f + 0.01f, 1234, -(1 << 23), (1 << 23) - 1};
  return layer;
}

struct Grads {
  torch::Tensor spikes, current, beta;
};
template <typename Function>
Grads run(Function function, const torch::Tensor &current, int64_t given, int64_t steps, const IntegerLayer &layer, const NeuronOptions &o,
          const torch::Tensor &weight) {
  const torch::Tensor x = current.clone().set_requires_grad(true), beta = torch::tensor(0.7f).set_requires_grad(true);
  const torch::Tensor s = function(x, given, beta, steps, layer, o);
  (s * weight).sum().backward();
  return {s.detach(), x.grad(), beta.grad()};
}

TEST(IntegerNeuron, FusedEqualsPlain) {
  torch::manual_seed(7);
  const int64_t T = 5, B = 3;
  const IntegerLayer layer = randomLayer(4);
  const torch::Tensor weight = torch::randn({T * B, 4, 5, 37});
  for (Reset reset : {Reset::Zero, Reset::Subtract})
    for (Surrogate surrogate : {Surrogate::Triangle, Surrogate::Sigmoid, Surrogate::Arctan, Surrogate::Rectangle})
      for (bool detach : {false, true})
        for (bool once : {false, true})
          for (bool last : {false, true}) {
            SCOPED_TRACE(testing::Message() << "reset " << int(reset) << " surrogate " << int(surrogate) << " detach " << detach << " once " << once);
            NeuronOptions o;
            o.reset = reset, o.surrogate = surrogate, o.detachReset = detach, o.width = 1.3;
            torch::Tensor current = torch::randint(-90, 90, {once ? B : T * B, 4, 5, 37}).to(torch::kFloat32);
            if (last)
              current = current.contiguous(torch::MemoryFormat::ChannelsLast);
            const Grads fused = run(integerSpikes, current, once ? 1 : T, T, layer, o, weight);
            const Grads plain = run(integerSpikesPlain, current, once ? 1 : T, T, layer, o, weight);
            EXPECT_TRUE(torch::equal(fused.spikes, plain.spikes));
            EXPECT_TRUE(torch::allclose(fused.current, plain.current.to(torch::kFloat32), 1e-4, 1e-5)) << (fused.current - plain.current).abs().max();
            EXPECT_TRUE(torch::allclose(fused.beta, plain.beta.to(torch::kFloat32), 1e-3, 1e-2)) << fused.beta << plain.beta;
            EXPECT_GT(fused.spikes.mean().item<double>(), 0.05);
          }
}

/// N2..N7 of ir/spec.md in int64, element by element.
TEST(IntegerNeuron, FollowsTheSpecAtItsLimits) {
  torch::manual_seed(8);
  const int64_t T = 20, n = 600;
  // Currents up to 2^23 either way: leaks of large and negative membranes, clamps at 24 bits.
  const torch::Tensor current = (torch::randn({T * n, 1}) * 3e6).round().clamp(-8e6, 8e6).to(torch::kFloat64);
  for (bool subtract : {false, true})
    for (int32_t decay : {0, 1, 1234, 4095, 4096}) {
      IntegerLayer layer{torch::tensor({1000000}, torch::kInt32), torch::tensor({999999}, torch::kInt32), torch::ones({1}), decay, -(1 << 23), (1 << 23) - 1};
      NeuronOptions o;
      o.reset = subtract ? Reset::Subtract : Reset::Zero;
      const torch::Tensor spikes = integerSpikes(current, T, torch::tensor(0.5f), T, layer, o);
      int64_t clips = 0, wrong = 0;
      for (int64_t e = 0; e < n; ++e) {
        int64_t v = 0;
        for (int64_t t = 0; t < T; ++t) {
          const int64_t leaked = (std::abs(v) * (4096 - decay)) >> 12;
          v = (v < 0 ? -leaked : leaked) + int64_t(current.data_ptr<double>()[t * n + e]);
          const int64_t clamped = std::clamp<int64_t>(v, layer.lo, layer.hi);
          clips += clamped != v;
          v = clamped;
          const bool s = v > 1000000;
          if (s)
            v = subtract ? std::clamp<int64_t>(v - 999999, layer.lo, layer.hi) : 0;
          wrong += spikes.data_ptr<float>()[t * n + e] != float(s);
        }
      }
      EXPECT_EQ(wrong, 0) << "decay " << decay << " subtract " << subtract;
      EXPECT_GT(clips, decay == 0 ? 0 : -1);
    }
}

//===--- networks ---===//

/// Four classes told apart by which quarter is a little brighter, under noise: too hard for very few bits without training.
lasnn::data::Dataset stripes(size_t count, uint64_t seed) {
  lasnn::data::Dataset set;
  set.name = "stripes", set.channels = 1, set.height = 8, set.width = 8, set.classes = 4, set.count = count;
  set.mean = {0.4f}, set.std = {0.25f};
  for (size_t i = 0; i < count; ++i) {
    set.labels.push_back(uint16_t(i % 4));
    for (size_t p = 0; p < 64; ++p)
      set.pixels.push_back(uint8_t((p / 16 == i % 4 ? 45 : 0) + mixSeed({seed, i, p}) % 200));
  }
  return set;
}

Model tinyStudent(NeuronOptions neuron = {}) {
  torch::manual_seed(3);
  Arch arch = archFromJson(nlohmann::json::parse(R"({"name": "tiny", "nodes": [
    {"name": "c1", "conv": [12, 3, 1, 1]}, {"name": "p", "avgpool": 2},
    {"name": "c2", "conv": [12, 3, 1, 1], "shortcut": {"name": "c2.short", "from": "p", "conv": [12, 1, 1, 0]}},
    {"name": "fc", "linear": 0, "readout": true}]})"));
  arch.channels = 1, arch.height = arch.width = 8, arch.classes = 4;
  Model model{std::make_shared<Network>(arch, neuron),
              {{"kind", "student"}, {"timesteps", 3}, {"encoding", "direct"}, {"data", {{"name", "stripes"}, {"mean", {0.4f}}, {"std", {0.25f}}}}}};
  model.network->eval();
  return model;
}

TrainOptions fewEpochs(int64_t epochs, double lr) {
  TrainOptions o;
  o.epochs = epochs, o.batch = 40, o.lr = lr, o.augment = "none", o.threads = 1;
  return o;
}

void trainOn(const Model &model, const lasnn::data::Dataset &set, int64_t epochs, double lr) {
  StudentOptions s;
  s.noDistill = true, s.timesteps = model.timesteps(), s.neuron = *model.network->neuron;
  const TrainOptions o = fewEpochs(epochs, lr);
  train(o, set, [&](int) { return studentLearner(model.network, nullptr, o, s); }, nlohmann::json::object());
  model.network->eval();
}

double accuracy(const Model &model, const lasnn::data::Dataset &set) {
  torch::InferenceMode inference;
  std::vector<uint32_t> order(set.count);
  for (size_t i = 0; i < set.count; ++i)
    order[i] = uint32_t(i);
  const Batch batch = makeBatch(set, order, {}, 0, false);
  const Forward result = model.network->forward({batch.images, 1}, model.timesteps());
  return (predictions(result, int64_t(set.count)) == batch.labels).to(torch::kFloat32).mean().item<double>();
}

Widths all(int bits) { return {bits, {}}; }

TEST(Quantize, EightBitsFollowTheFloatStudent) {
  const auto set = stripes(200, 1);
  const Model student = tinyStudent();
  const Model rounded = quantized(student, all(8), "best", 3);
  torch::InferenceMode inference;
  std::vector<uint32_t> order(64);
  for (uint32_t i = 0; i < 64; ++i)
    order[i] = i;
  const Batch batch = makeBatch(set, order, {}, 0, false);
  const Forward a = student.network->forward({batch.images, 1}, 3), b = rounded.network->forward({batch.images, 1}, 3);
  ASSERT_EQ(a.layers.size(), b.layers.size());
  // Noise near the threshold moves some spikes; a wrong scale anywhere would move most of them.
  EXPECT_LT((a.layers[0].second.x != b.layers[0].second.x).to(torch::kFloat32).mean().item<double>(), 0.03);
  EXPECT_LT((a.layers[1].second.x != b.layers[1].second.x).to(torch::kFloat32).mean().item<double>(), 0.06);
  EXPECT_GT(b.layers[0].second.x.mean().item<double>(), 0.02);
  EXPECT_TRUE(torch::equal(b.integerLogits->x, b.integerLogits->x.round()));
}

TEST(Quantize, TrainingRecoversWhatRoundingLoses) {
  const auto set = stripes(800, 1), test = stripes(400, 2);
  const Model student = tinyStudent();
  trainOn(student, set, 6, 0.01);
  const double asFloat = accuracy(student, test);
  EXPECT_GT(asFloat, 0.85);
  for (int bits : {2, 4}) {
    const Model rounded = quantized(student, all(bits), "max", 3), trained = quantized(student, all(bits), "learned", 3);
    const double before = accuracy(rounded, test);
    trainOn(trained, set, 4, 0.005);
    const double after = accuracy(trained, test);
    fmt::print("{} bits: float {:.3f}, rounded {:.3f}, trained {:.3f}\n", bits, asFloat, before, after);
    EXPECT_GT(after, asFloat - 0.08) << bits << " bits";
    if (bits == 2) {
      EXPECT_LT(before, asFloat - 0.1) << "rounding alone was expected to hurt, or this test shows nothing";
      EXPECT_GT(after, before + (asFloat - before) / 2);
    }
  }
}

TEST(Quantize, FilesKeepEveryUnitToTheBit) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("lasnn-quantize-{}", getpid());
  fs::create_directories(folder);
  const auto set = stripes(200, 1);
  for (const char *unit : {"learned", "best", "max"}) {
    SCOPED_TRACE(unit);
    const Model model = quantized(tinyStudent(), widthsFromText("int4,c1=int8"), unit, 3);
    const torch::Tensor start = model.network->integer->unit("c2").clone();
    trainOn(model, set, 1, 0.02);
    EXPECT_EQ(torch::equal(start, model.network->integer->unit("c2")), std::string(unit) == "best") << "best stays, the others move";
    model.network->train();
    saveModel(model, folder / "q.pt");
    const Model back = loadModel(folder / "q.pt");
    model.network->eval();
    ASSERT_TRUE(back.network->integer);
    EXPECT_EQ(widthsToText(back.network->integer->options.widths), "int4,c1=int8");
    for (const char *node : {"c1", "c2", "fc"})
      EXPECT_TRUE(torch::equal(back.network->integer->unit(node), model.network->integer->unit(node))) << node;
    EXPECT_EQ(studentOnnx(back), studentOnnx(model));
  }
  fs::remove_all(folder);
}

TEST(Quantize, TheLearnedUnitFollowsItsGradient) {
  // One weight a channel, w/u = 2.4 rounds to 2, and 9 is clamped at 3 (3 bits). With the current's gradient 1:
  // dI/du = 2 - 2.4 and 3; I = u * w_int with the rest of u's share in the comment of quantize.h.
  Arch arch = archFromJson(nlohmann::json::parse(R"({"name": "one", "nodes": [{"name": "fc", "linear": 0, "readout": true}]})"));
  arch.channels = 1, arch.height = 1, arch.width = 2, arch.classes = 1;
  Network network(arch, NeuronOptions());
  {
    torch::NoGradGuard noGrad;
    network.synapse("fc")->weight.copy_(torch::tensor({2.4f, 9.0f}).view({1, 2}));
  }
  makeInteger(network, {all(3), "learned", "poisson", 1, {}, {}});
  network.train();
  torch::Tensor logUnit;
  for (auto &p : network.named_parameters())
    if (p.key().find("log_unit") != std::string::npos)
      logUnit = p.value();
  ASSERT_TRUE(logUnit.defined());
  {
    torch::NoGradGuard noGrad;
    logUnit.zero_(); // u = 1
  }
  network.forward({torch::ones({1, 1, 1, 2}), 1}, 1).logits.x.sum().backward();
  const double damp = 1 / std::sqrt(2.0 * 3);
  EXPECT_NEAR(logUnit.grad().item<double>(), (2 - 2.4 + 3) * damp, 1e-5);
  EXPECT_TRUE(torch::allclose(network.synapse("fc")->weight.grad(), torch::tensor({1.0f, 0.0f}).view({1, 2}))) << "none through the clamp";
}

TEST(Quantize, ExportSaysWhatWasTrained) {
  const Model model = quantized(tinyStudent(), widthsFromText("int4,fc=int8"), "best", 3);
  onnx::ModelProto file;
  ASSERT_TRUE(file.ParseFromString(studentOnnx(model)));
  std::map<std::string, std::string> meta;
  for (const auto &entry : file.metadata_props())
    meta[entry.key()] = entry.value();
  EXPECT_EQ(meta["lasnn.weights"], "int4");
  EXPECT_EQ(meta["lasnn.weights.logits"], "int8");
  EXPECT_EQ(meta.count("lasnn.weights.c1.lif"), 0u);
  EXPECT_EQ(std::stof(meta["lasnn.unit.c1.lif"]), model.network->integer->unit("c1")[0].item<float>());
  EXPECT_EQ(std::count(meta["lasnn.unit.c2.lif"].begin(), meta["lasnn.unit.c2.lif"].end(), ','), 11);
  EXPECT_EQ(meta["lasnn.unit.logits"].find(','), std::string::npos) << "one unit for a read-out";
}

TEST(Quantize, Refusals) {
  auto message = [](auto body) {
    try {
      body();
    } catch (const std::exception &e) {
      return std::string(e.what());
    }
    return std::string("no exception");
  };
  EXPECT_NE(message([] { widthsFromText("int9"); }).find("'int9' is not understood; give int8"), std::string::npos);
  EXPECT_NE(message([] { widthsFromText("int4,int8"); }).find("'int8' is not understood"), std::string::npos);
  EXPECT_NE(message([] { widthsFromText(""); }).find("'' is not understood"), std::string::npos);
  EXPECT_EQ(widthsFromText("ternary").all, 2);
  EXPECT_NE(message([] { quantized(tinyStudent(), widthsFromText("int4,conv9=int8"), "best", 3); }).find("conv9 is no layer; this student has c1, c2, fc"),
            std::string::npos);
  NeuronOptions other;
  other.kind = "clif";
  EXPECT_NE(message([&] { quantized(tinyStudent(other), all(8), "best", 3); }).find("neurons of kind clif have no integer form"), std::string::npos);
  Model pooled = tinyStudent();
  Arch arch = archFromJson(nlohmann::json::parse(R"({"name": "t", "nodes": [{"name": "p", "avgpool": 2}, {"name": "fc", "linear": 0, "readout": true}]})"));
  arch.channels = 1, arch.height = arch.width = 8, arch.classes = 4;
  pooled.network = std::make_shared<Network>(arch, NeuronOptions());
  EXPECT_NE(message([&] { quantized(pooled, all(8), "best", 3); }).find("an average pool of the input image has no integer form"), std::string::npos);
  Model teacher = tinyStudent();
  teacher.meta["kind"] = "teacher";
  EXPECT_NE(message([&] { quantized(teacher, all(8), "best", 3); }).find("only students"), std::string::npos);
}

} // namespace
