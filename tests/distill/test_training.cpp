// The trainer: what the gradient reaches, files that come back, runs that resume to the bit, workers that agree.
#include "distill/learn.h"
#include "distill/model_file.h"
#include "distill/presets.h"
#include "distill/schedule.h"
#include "distill/trainer.h"
#include "tests/distill/tiny.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace lasnn::distill;
using namespace lasnn::distill::tiny;

namespace {

TEST(Training, TeacherLearns) {
  const auto set = stripes(256);
  TrainOptions o = tinyOptions();
  const TrainResult r = train(o, set, [&](int) { torch::manual_seed(1); return teacherLearner(std::make_shared<Network>(tinyArch(), std::nullopt), o); }, {});
  EXPECT_GT(r.top1, 0.95);
}

TEST(Training, GradientReachesStudentAndAdaptersOnly) {
  torch::manual_seed(1);
  const auto set = stripes(32);
  auto teacher = std::make_shared<Network>(tinyArch(), std::nullopt), student = std::make_shared<Network>(tinyArch(), NeuronOptions());
  const TrainOptions o = tinyOptions();
  StudentOptions s;
  s.loss.kd = 1, s.loss.tet = 0.5, s.loss.selfDistill = 0.5, s.loss.rateWeight = 1, s.loss.rateTarget = 0, s.loss.kdPerStep = true;
  Learner learner = studentLearner(student, networkTeacher(teacher), o, s);
  learner.root->train();
  const auto before = state(*teacher);
  std::vector<uint32_t> order = epochOrder(32, 1, 0);
  Terms terms;
  learner.loss(makeBatch(set, order, {}, 0, false), 0, terms).backward();
  for (const auto &p : learner.root->named_parameters())
    EXPECT_TRUE(p.value().grad().defined() && p.value().grad().abs().sum().item<double>() > 0) << p.key();
  EXPECT_EQ(learner.root->parameters().size(), student->parameters().size() + 4) << "two adapters of weight and bias";
  for (const auto &p : teacher->parameters())
    EXPECT_FALSE(p.requires_grad() || p.grad().defined());
  EXPECT_FALSE(teacher->is_training());
  EXPECT_TRUE(equal(before, state(*teacher))) << "weights and running statistics stay";
}

TEST(Training, AdaptersRefuseWhatCannotAlign) {
  Network student(tinyArch(), NeuronOptions());
  Arch wide = tinyArch(), other = tinyArch();
  wide.nodes[0].synapses[0].out = 16;
  EXPECT_THROW(Adapters("identity", "auto", student, *networkTeacher(std::make_shared<Network>(wide, std::nullopt))), std::invalid_argument);
  EXPECT_NO_THROW(Adapters("conv1x1", "auto", student, *networkTeacher(std::make_shared<Network>(wide, std::nullopt))));
  other.height = other.width = 16; // resampled
  Adapters adapters("conv1x1", "auto", student, *networkTeacher(std::make_shared<Network>(other, std::nullopt)));
  EXPECT_EQ(adapters.list[0]->forward(torch::ones({2, 8, 4, 4})).sizes(), (std::vector<int64_t>{2, 8, 8, 8}));
}

TEST(Training, ModelRoundTrip) {
  const Folder folder;
  NeuronOptions neuron;
  neuron.kind = "plif", neuron.reset = Reset::Subtract, neuron.width = 0.5;
  Model model{std::make_shared<Network>(tinyArch(), neuron), {{"kind", "student"}, {"timesteps", 3}, {"data", {{"mean", {0.3f}}, {"std", {0.3f}}}}}};
  saveModel(model, folder / "m.pt");
  const Model back = loadModel(folder / "m.pt");
  EXPECT_TRUE(equal(state(*model.network), state(*back.network)));
  EXPECT_EQ(back.timesteps(), 3);
  EXPECT_EQ(archToJson(back.network->arch), archToJson(model.network->arch));
  EXPECT_EQ(neuronToJson(*back.network->neuron), neuronToJson(neuron));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), {}), 1) << "no temporary file stays";
  EXPECT_THROW(loadModel(folder / "absent.pt"), std::runtime_error);
  std::ofstream(folder / "bad.pt") << "not an archive";
  EXPECT_THROW(loadModel(folder / "bad.pt"), std::runtime_error);
  fs::resize_file(folder / "m.pt", fs::file_size(folder / "m.pt") / 2);
  EXPECT_THROW(loadModel(folder / "m.pt"), std::runtime_error);
}

TEST(Training, ResumeEqualsUninterrupted) {
  const auto set = stripes(100);
  torch::manual_seed(5);
  auto teacher = std::make_shared<Network>(tinyArch(), std::nullopt);
  for (const char *optimizer : {"sgd", "adam", "adamw"})
    for (int workers : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} workers {}", optimizer, workers));
      const Folder folder;
      TrainOptions o = tinyOptions();
      o.optimizer = optimizer, o.workers = workers, o.lr = 0.005;
      StudentOptions s;
      std::vector<torch::Tensor> end;
      auto go = [&](const TrainOptions &options) {
        torch::manual_seed(1);
        std::shared_ptr<torch::nn::Module> root;
        train(options, set, [&](int k) {
          Learner l = studentLearner(std::make_shared<Network>(tinyArch(), NeuronOptions()), networkTeacher(teacher), options, s);
          if (k == 0)
            root = l.root;
          return l;
        }, {{"lr", options.lr}});
        end = state(*root);
      };
      go(o);
      const auto whole = end;
      o.checkpoint = folder / "c.pt";
      o.stopAfter = 1;
      go(o);
      EXPECT_FALSE(equal(whole, end));
      o.stopAfter = 0, o.resume = true;
      go(o);
      EXPECT_TRUE(equal(whole, end));
      o.lr = 0.006;
      EXPECT_THROW(go(o), std::runtime_error) << "a checkpoint of other options";
    }
}

TEST(Training, WorkersGiveTheWholeBatchsGradient) {
  const auto set = stripes(64);
  TrainOptions o = tinyOptions();
  o.optimizer = "sgd", o.epochs = 1, o.augment = "none", o.batch = 15; // shards of 5 and of 7 and 8
  std::vector<std::vector<torch::Tensor>> ends;
  for (int workers : {1, 2, 3}) {
    o.workers = workers;
    torch::manual_seed(3);
    std::shared_ptr<torch::nn::Module> root;
    train(o, set, [&](int k) {
      Learner l = teacherLearner(std::make_shared<Network>(tinyArch(false), std::nullopt), o); // no normalisation: its statistics are per shard
      if (k == 0)
        root = l.root;
      return l;
    }, {});
    ends.push_back(state(*root));
  }
  for (size_t i = 0; i < ends[0].size(); ++i) {
    EXPECT_TRUE(torch::allclose(ends[0][i], ends[1][i], 1e-4, 1e-5));
    EXPECT_TRUE(torch::allclose(ends[0][i], ends[2][i], 1e-4, 1e-5));
  }
}

TEST(Training, PoissonIsRepeatableAndFollowsIntensity) {
  const torch::Tensor p = torch::full({4, 1000}, 0.3f);
  EXPECT_TRUE(torch::equal(poissonSpikes(p, 5, 9), poissonSpikes(p, 5, 9)));
  EXPECT_FALSE(torch::equal(poissonSpikes(p, 5, 9), poissonSpikes(p, 5, 10)));
  EXPECT_NEAR(poissonSpikes(p, 5, 9).mean().item<double>(), 0.3, 0.02);
}

TEST(Training, RateSchedule) {
  TrainOptions o;
  o.lr = 1, o.warmup = 0.1;
  EXPECT_NEAR(learningRate(o, 0, 100), 0.1, 1e-9);
  EXPECT_NEAR(learningRate(o, 10, 100), 1, 1e-9);
  EXPECT_NEAR(learningRate(o, 55, 100), 0.5, 1e-9);
  EXPECT_NEAR(learningRate(o, 100, 100), 0, 1e-9);
  o.schedule = "constant";
  EXPECT_NEAR(learningRate(o, 99, 100), 1, 1e-9);
}

TEST(Arch, TableIsSoundAndErrorsSpeak) {
  for (const char *name : {"mlp", "cnn-small", "vgg5", "resnet"}) {
    Arch arch = findArch(name);
    arch.channels = 1, arch.height = arch.width = 28, arch.classes = 10;
    Network student(arch, NeuronOptions());
    EXPECT_EQ(student.forward({torch::zeros({2, 1, 28, 28}), 1}, 3).logits.x.sizes(), (std::vector<int64_t>{6, 10})) << name;
    EXPECT_EQ(archToJson(archFromJson(archToJson(arch))), archToJson(arch));
  }
  auto refuses = [](const char *text) { EXPECT_THROW(archFromJson(nlohmann::json::parse(text)), std::invalid_argument) << text; };
  refuses(R"({"name": "x"})");
  refuses(R"({"name": "x", "nodes": []})");
  refuses(R"({"name": "x", "nodes": [{"name": "a", "linear": 5}]})");
  refuses(R"({"name": "x", "nodes": [{"name": "a", "linear": 0, "readout": true, "from": "b"}]})");
  refuses(R"({"name": "x", "nodes": [{"name": "a", "linear": 5}, {"name": "a", "linear": 0, "readout": true}]})");
  refuses(R"({"name": "x", "nodes": [{"name": "a", "conv": [5, 3]}, {"name": "f", "linear": 0, "readout": true}]})");
  EXPECT_THROW(findArch("vgg99"), std::invalid_argument);
}

TEST(Presets, NameTheirOptions) {
  EXPECT_FALSE(presetWords("quickstart", "teacher").empty());
  EXPECT_FALSE(presetWords("quickstart", "student").empty());
  EXPECT_THROW(presetWords("slowstart", "teacher"), std::invalid_argument);
}

} // namespace
