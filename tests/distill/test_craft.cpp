// Training craft: schedules, averages, statistics, curricula, what a sick network is told, files that others read.
#include "distill/checkpoint.h"
#include "distill/device.h"
#include "distill/health.h"
#include "distill/history.h"
#include "distill/optimizer.h"
#include "distill/progress.h"
#include "distill/replicas.h"
#include "distill/schedule.h"
#include "distill/step_graph.h"
#include "distill/tensorboard.h"
#include "distill/tensorboard.pb.h"
#include "distill/trainer.h"
#include "tests/distill/tiny.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace lasnn::distill;
using namespace lasnn::distill::tiny;

namespace {

std::string messageOf(const std::function<void()> &body) {
  try {
    body();
  } catch (const std::exception &e) {
    return e.what();
  }
  return {};
}

TEST(Schedule, OneCycleMovesMomentumAgainstTheRate) {
  TrainOptions o;
  o.lr = 1, o.warmup = 0.5, o.momentum = 0.9, o.schedule = "onecycle";
  EXPECT_NEAR(momentumAt(o, 0, 100), 0.89, 1e-9);
  EXPECT_NEAR(momentumAt(o, 50, 100), 0.8, 1e-9);
  EXPECT_NEAR(momentumAt(o, 100, 100), 0.9, 1e-9);
  EXPECT_NEAR(learningRate(o, 75, 100), 0.5, 1e-9);
  o.schedule = "linear";
  EXPECT_NEAR(learningRate(o, 75, 100), 0.5, 1e-9);
  EXPECT_EQ(momentumAt(o, 50, 100), 0.9);
}

TEST(Schedule, CurriculumOfTimesteps) {
  const Curriculum c = curriculumFromText("1:0.3,2:0.3,4", 4);
  std::vector<int64_t> seen;
  for (int64_t e = 0; e < 10; ++e)
    seen.push_back(timestepsAt(c, e, 10));
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 1, 1, 2, 2, 2, 4, 4, 4, 4}));
  EXPECT_EQ(timestepsAt(curriculumFromText("", 3), 5, 10), 3);
  for (const char *bad : {"1:0.3,2", "x:0.5,4", "1,4", "1:0.6,2:0.6,4", "0:0.5,4", "1:2,4", "1:0.5,4:0.4", "1:0.5,", ":0.3,4"})
    EXPECT_THROW(curriculumFromText(bad, 4), std::invalid_argument) << bad;
}

TEST(Schedule, TrainingFollowsTheCurriculum) {
  const auto set = stripes(32);
  TrainOptions o = tinyOptions();
  o.epochs = 4;
  StudentOptions s;
  s.noDistill = true;
  TrainHooks hooks;
  hooks.timesteps = [](int64_t epoch) { return epoch < 2 ? 1 : 3; };
  const TrainResult r = train(o, set, [&](int) { return studentLearner(std::make_shared<Network>(tinyArch(), NeuronOptions()), nullptr, o, s); }, {}, hooks);
  ASSERT_EQ(r.history.size(), 4u);
  EXPECT_EQ(r.history[1]["timesteps"], 1);
  EXPECT_EQ(r.history[2]["timesteps"], 3);
  for (const char *key : {"epoch", "lr", "loss", "train_top1", "ce", "spike_rate", "grad_norm", "seconds", "images_per_s"})
    EXPECT_TRUE(r.history[3].contains(key)) << key;
  EXPECT_EQ(r.history[3]["rates"].size(), 2u);
  const double c1 = r.history[3]["rates"]["c1"], c2 = r.history[3]["rates"]["c2"];
  EXPECT_NEAR(r.history[3]["spike_rate"].get<double>(), (c1 + c2) / 2, 1e-6) << "both layers have as many neurons";
}

TEST(Ema, IsTheWrittenAverageAndIsWhatRemains) {
  const auto set = stripes(64);
  TrainOptions o = tinyOptions();
  o.epochs = 2, o.ema = 0.7, o.optimizer = "sgd";
  std::shared_ptr<torch::nn::Module> root;
  std::vector<std::vector<torch::Tensor>> before; // the weights that each step started from
  torch::manual_seed(1);
  train(o, set, [&](int) {
    Learner l = teacherLearner(std::make_shared<Network>(tinyArch(), std::nullopt), o);
    root = l.root;
    l.loss = [&before, inner = l.loss, r = root.get()](const Batch &b, uint64_t stream, Terms &t) {
      before.push_back(state(*r));
      return inner(b, stream, t);
    };
    return l;
  }, {});
  ASSERT_EQ(before.size(), 8u);
  // By hand, for one weight; the weights after step n are those before step n + 1. The last step's are not seen, so solve for them:
  // w'_8 = d w'_7 + (1 - d) w_8 must give a w_8 near w_7.
  torch::Tensor average = before[0][0].clone();
  auto decay = [](int64_t n) { return std::min(0.7, double(1 + n) / double(10 + n)); };
  for (int64_t n = 0; n < 7; ++n)
    average = decay(n) * average + (1 - decay(n)) * before[size_t(n + 1)][0];
  const torch::Tensor last = (state(*root)[0] - decay(7) * average) / (1 - decay(7));
  const double moved = (before[7][0] - before[6][0]).norm().item<double>();
  EXPECT_GT(moved, 0);
  EXPECT_LT((last - before[7][0]).norm().item<double>(), 5 * moved);
  EXPECT_GT((state(*root)[0] - before[7][0]).norm().item<double>(), (last - before[7][0]).norm().item<double>()) << "the average lags behind";
}

TEST(Ema, SwapTwiceIsNothing) {
  torch::manual_seed(1);
  Network network(tinyArch(), std::nullopt);
  Ema ema(network, 0.9);
  const auto own = state(network);
  for (auto &t : ema.tensors())
    t.add_(1);
  ema.swap(network);
  EXPECT_FALSE(equal(own, state(network)));
  ema.swap(network);
  EXPECT_TRUE(equal(own, state(network)));
}

TEST(Gradients, ClippedToTheNorm) {
  torch::Tensor a = torch::ones({3}).requires_grad_(), b = torch::ones({2, 2}).requires_grad_();
  a.mutable_grad() = torch::full({3}, 3.0f), b.mutable_grad() = torch::full({2, 2}, 4.0f);
  const torch::Tensor norm = gradientNorm({a, b});
  EXPECT_NEAR(norm.item<double>(), std::sqrt(3 * 9 + 4 * 16), 1e-4);
  clipGradients({a, b}, norm, 2);
  EXPECT_NEAR(gradientNorm({a, b}).item<double>(), 2, 1e-4);
  EXPECT_NEAR((a.grad()[0] / b.grad()[0][0]).item<double>(), 0.75, 1e-5) << "its direction stays";
  clipGradients({a, b}, gradientNorm({a, b}), 100);
  EXPECT_NEAR(gradientNorm({a, b}).item<double>(), 2, 1e-4);
}

TEST(Statistics, AreThePlainMeanOverBatches) {
  torch::manual_seed(2);
  const auto set = stripes(64);
  TrainOptions o = tinyOptions();
  auto network = std::make_shared<Network>(tinyArch(), std::nullopt);
  const Learner learner = teacherLearner(network, o);
  const auto weights = network->parameters()[0].clone();
  auto batch = [&](int64_t i) {
    std::vector<uint32_t> indices;
    for (uint32_t j = 0; j < 16; ++j)
      indices.push_back(uint32_t(i) * 16 + j);
    return makeBatch(set, indices, {}, 0, false);
  };
  network->synapse("c1")->runningMean.fill_(77);
  learner.root->eval();
  reestimateStatistics(learner, 4, batch);
  torch::Tensor expected = torch::zeros({8});
  for (int64_t i = 0; i < 4; ++i)
    expected += torch::conv2d(batch(i).images, network->synapse("c1")->weight, {}, 2, 1).mean({0, 2, 3}).detach() / 4;
  EXPECT_TRUE(torch::allclose(network->synapse("c1")->runningMean, expected, 1e-4, 1e-5));
  EXPECT_TRUE(torch::equal(weights, network->parameters()[0]));
  EXPECT_FALSE(network->is_training()) << "as it was before";
  EXPECT_EQ(network->synapse("c1")->momentum, 0.1);
}

TEST(Checkpoint, DifferencesAreListedAll) {
  const nlohmann::json theirs = {{"lr", 0.1}, {"seed", 1}, {"student", {{"alpha", 1.0}, {"kd", 0.5}}}, {"gone", true}};
  const nlohmann::json ours = {{"lr", 0.2}, {"seed", 1}, {"student", {{"alpha", 2.0}, {"kd", 0.5}}}, {"ema", 0.9}};
  const std::string text = settingsDifference(theirs, ours);
  for (const char *part : {"lr ", "0.1", "0.2", "student.alpha", "gone", "absent", "ema"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in" << text;
  EXPECT_EQ(text.find("seed"), std::string::npos);
  EXPECT_EQ(text.find("student.kd"), std::string::npos);
  EXPECT_TRUE(settingsDifference(ours, ours).empty());
}

TEST(Checkpoint, MidEpochResumeEqualsUninterrupted) {
  const auto set = stripes(100);
  for (int workers : {1, 2}) {
    const Folder folder;
    TrainOptions o = tinyOptions();
    o.workers = workers, o.ema = 0.9, o.clip = 1, o.optimizer = "sgd", o.lr = 0.05;
    StudentOptions s;
    s.noDistill = true;
    int64_t dieAt = -1;
    auto go = [&] {
      torch::manual_seed(1);
      auto count = std::make_shared<std::atomic<int64_t>>(0);
      std::shared_ptr<torch::nn::Module> root;
      train(o, set, [&](int k) {
        Learner l = studentLearner(std::make_shared<Network>(tinyArch(), NeuronOptions()), nullptr, o, s);
        if (k == 0)
          root = l.root;
        l.loss = [=, inner = l.loss](const Batch &b, uint64_t stream, Terms &t) {
          if (k == 0 && (*count)++ == dieAt)
            throw std::runtime_error("killed here");
          return inner(b, stream, t);
        };
        return l;
      }, {{"lr", o.lr}});
      return state(*root);
    };
    const auto whole = go();
    o.checkpoint = folder / "c.pt", o.resume = true, o.checkpointSteps = 4; // 6 steps an epoch
    for (int64_t at : {5, 3, 4, 1}) {
      dieAt = at;
      EXPECT_EQ(messageOf([&] { go(); }), "killed here");
    }
    dieAt = -1;
    EXPECT_TRUE(equal(whole, go())) << workers << " workers";
  }
}

TEST(Health, NamesWhereNaNArises) {
  const auto set = stripes(64);
  TrainOptions o = tinyOptions();
  const Folder folder;
  o.checkpoint = folder / "c.pt";
  StudentOptions s;
  s.noDistill = true;
  int64_t calls = 0;
  auto run = [&](const std::function<void(Network &)> &spoil) {
    calls = 0;
    return messageOf([&] {
      train(o, set, [&](int) {
        auto network = std::make_shared<Network>(tinyArch(), NeuronOptions());
        Learner l = studentLearner(network, nullptr, o, s);
        l.loss = [&calls, network, spoil, inner = l.loss](const Batch &b, uint64_t stream, Terms &t) {
          if (++calls == 6) // second epoch
            spoil(*network);
          return inner(b, stream, t);
        };
        return l;
      }, {});
    });
  };
  const std::string weight = run([](Network &n) { torch::NoGradGuard g; n.synapse("c2")->weight.fill_(std::nan("")); });
  EXPECT_NE(weight.find("epoch 2, step 2"), std::string::npos) << weight;
  EXPECT_NE(weight.find("c2.weight"), std::string::npos) << weight;
  EXPECT_NE(weight.find("keeps the last good state"), std::string::npos) << weight;
  // Finite weights whose products overflow: the layer itself is where it happens.
  const std::string current = run([](Network &n) { torch::NoGradGuard g; n.synapse("c2")->weight.fill_(3e38f); });
  EXPECT_NE(current.find("layer c2"), std::string::npos) << current;
  EXPECT_NE(current.find("--lr"), std::string::npos) << current;
}

TEST(Health, DeadAndSaturatedLayersAreCalledOutOnce) {
  std::map<std::string, std::string> said;
  const auto first = rateAdvice({{"a", 0.0001}, {"b", 0.2}, {"c", 0.6}, {"d", 0.95}}, said);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_NE(first[0].find("layer a is dead"), std::string::npos);
  EXPECT_NE(first[0].find("--v-threshold"), std::string::npos);
  EXPECT_NE(first[1].find("layer c is busy"), std::string::npos);
  EXPECT_NE(first[2].find("layer d is saturated"), std::string::npos);
  EXPECT_TRUE(rateAdvice({{"a", 0.0002}, {"c", 0.7}, {"d", 0.99}}, said).empty());
  EXPECT_EQ(rateAdvice({{"a", 0.0002}, {"c", 0.95}}, said).size(), 1u) << "c went from busy to saturated";
}

TEST(Memory, SaysTheBatchThatFits) {
  const auto set = stripes(64);
  TrainOptions o = tinyOptions();
  o.batch = 64;
  const std::string text = messageOf([&] {
    train(o, set, [&](int) {
      Learner l = teacherLearner(std::make_shared<Network>(tinyArch(), std::nullopt), o);
      l.loss = [inner = l.loss](const Batch &b, uint64_t stream, Terms &t) {
        if (b.labels.size(0) > 20)
          (void)torch::empty({int64_t(1) << 55}); // the real allocator's real answer
        return inner(b, stream, t);
      };
      return l;
    }, {});
  });
  EXPECT_NE(text.find("--batch=64"), std::string::npos) << text;
  EXPECT_NE(text.find("--batch=16 fits"), std::string::npos) << text;
}

/// What a CUDA graph does, on the CPU: the same work again, its results where the first ones lay.
class HostRecorder : public Recorder {
public:
  explicit HostRecorder(std::string fails = {}) : fails_(std::move(fails)) {}
  std::vector<torch::Tensor> record(const std::function<std::vector<torch::Tensor>()> &work) override {
    work_ = work;
    made_ = work();
    if (!fails_.empty())
      throw std::runtime_error(fails_);
    return made_;
  }
  void replay() override {
    if (!std::exchange(done_, true)) // recorded work is done at the first replay; here record() did it
      return;
    const std::vector<torch::Tensor> kept = made_, now = work_();
    torch::NoGradGuard noGrad;
    for (size_t i = 0; i < now.size(); ++i)
      if (now[i].defined())
        made_[i].copy_(now[i]);
  }

private:
  std::string fails_;
  std::function<std::vector<torch::Tensor>()> work_;
  std::vector<torch::Tensor> made_;
  bool done_ = false;
};

struct StepGraphRun {
  std::vector<torch::Tensor> weights;
  std::map<std::string, double> terms;
  int64_t replays = 0;
};

/// A distilled student over `steps` batches; T changes once, and every third batch has mixed labels.
StepGraphRun stepped(bool graph, int steps, bool fused) {
  const auto set = stripes(64);
  TrainOptions o = tinyOptions();
  o.fusedNormalisation = fused ? "on" : "off", o.packSpikes = fused;
  StudentOptions s;
  s.timesteps = 2;
  torch::manual_seed(5);
  auto teacherNet = std::make_shared<Network>(tinyArch(), std::nullopt);
  auto student = std::make_shared<Network>(tinyArch(), NeuronOptions());
  Learner learner = studentLearner(student, networkTeacher(teacherNet), o, s);
  learner.root->train();
  StepGraph steppedGraph(learner.root->parameters(), [] { return std::make_unique<HostRecorder>(); });
  auto optimizer = makeOptimizer(o, *learner.root);
  Terms terms;
  for (int i = 0; i < steps; ++i) {
    *learner.timesteps = i < steps / 2 ? 2 : 3;
    std::vector<uint32_t> indices;
    for (uint32_t k = 0; k < 16; ++k)
      indices.push_back(uint32_t(i * 7 + int(k) * 3) % 64);
    const Batch batch = makeBatch(set, indices, parseAugment(i % 3 ? "flip" : "cutmix", set), uint64_t(i), false);
    const auto work = [&](const Batch &b, Terms &t) { learner.loss(b, 0, t).backward(); };
    if (graph) {
      steppedGraph.run(batch, *learner.timesteps, work, terms);
    } else {
      learner.root->zero_grad();
      work(batch, terms);
    }
    optimizer->step();
  }
  return {state(*learner.root), terms.read(), steppedGraph.replays()};
}

TEST(StepGraph, TrainsToTheSameWeights) {
  for (bool fused : {false, true}) {
    const StepGraphRun plain = stepped(false, 24, fused), graph = stepped(true, 24, fused);
    EXPECT_GT(graph.replays, 8);
    EXPECT_LT(graph.replays, 24);
    EXPECT_TRUE(equal(plain.weights, graph.weights));
    EXPECT_EQ(plain.terms, graph.terms);
    EXPECT_GT(graph.terms.at("attention"), 0);
  }
}

TEST(StepGraph, GoesOnWhereNothingCanBeRecorded) {
  const torch::Tensor p = torch::ones({2}, torch::requires_grad());
  StepGraph graph({p}, [] { return std::make_unique<HostRecorder>("not while recording"); }, 1);
  Batch batch;
  batch.images = torch::full({2}, 3.0f), batch.labels = torch::zeros({2}, torch::kInt64);
  Terms terms;
  for (int i = 0; i < 4; ++i) {
    graph.run(batch, 1, [&](const Batch &b, Terms &t) {
      const torch::Tensor loss = (p * b.images).sum();
      t.add("loss", loss, 1);
      loss.backward();
    }, terms);
    EXPECT_TRUE(torch::equal(p.grad(), batch.images)) << i;
  }
  EXPECT_EQ(graph.problem(), "not while recording");
  EXPECT_EQ(graph.replays(), 0);
  EXPECT_EQ(terms.read().at("loss"), 24);
}

TEST(Device, RefusalsSpeak) {
  EXPECT_TRUE(deviceFromName("cpu").is_cpu());
  EXPECT_THROW(deviceFromName("gpu"), std::invalid_argument);
  EXPECT_THROW(deviceFromName("cuda:x"), std::invalid_argument);
#ifndef LASNN_TORCH_CUDA
  EXPECT_NE(messageOf([] { deviceFromName("cuda"); }).find("without CUDA"), std::string::npos);
#endif
}

TEST(Progress, LineAndClock) {
  EXPECT_EQ(clockText(75), "1:15");
  EXPECT_EQ(clockText(3700), "1:01:40");
  EXPECT_EQ(progressLine(3, 20, 0.5, 1234, 12, 2470), "epoch   3/20 [===============...............] 1234 images/s, epoch 0:12 left, run 41:10 left");
}

TEST(History, CsvAndLines) {
  const Folder folder;
  const nlohmann::json history = {{{"epoch", 1}, {"loss", 2.5}, {"rates", {{"c1", 0.25}}}}, {{"epoch", 2}, {"loss", 1.5}, {"rates", {{"c1", 0.5}}}, {"valid_top1", 0.75}}};
  writeHistory(history, folder / "log.csv");
  std::ifstream csv(folder / "log.csv");
  std::stringstream text;
  text << csv.rdbuf();
  EXPECT_EQ(text.str(), "epoch,loss,rate/c1,valid_top1\n1,2.5,0.25,\n2,1.5,0.5,0.75\n");
  writeHistory(history, folder / "log.jsonl");
  std::ifstream lines(folder / "log.jsonl");
  std::string line;
  std::getline(lines, line), std::getline(lines, line);
  EXPECT_EQ(nlohmann::json::parse(line), history[1]);
  EXPECT_EQ(bestEpoch(history), "best valid top1 75.00 % in epoch 2, the last");
}

TEST(TensorBoard, RecordsAreFramedAndReadBack) {
  // The check value of CRC-32C (RFC 3720) is e3069283 for "123456789"; masked as TFRecord does.
  const uint32_t crc = 0xe3069283u;
  EXPECT_EQ(maskedCrc("123456789"), ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
  const Folder folder;
  std::string path;
  {
    EventFile file(folder / "tb", 3);
    path = file.path();
    file.scalars(3, {{"loss", 0.5}, {"rate/c1", 0.125}});
    const std::vector<float> values = {0, 1, 1, 3};
    file.histogram(3, "w", values);
  }
  std::ifstream in(path, std::ios::binary);
  std::vector<lasnn::tensorboard::Event> events;
  for (;;) {
    char head[12];
    if (!in.read(head, 12))
      break;
    uint64_t length = 0;
    uint32_t check = 0;
    std::memcpy(&length, head, 8), std::memcpy(&check, head + 8, 4);
    ASSERT_EQ(check, maskedCrc({head, 8}));
    std::string body(length, '\0');
    ASSERT_TRUE(in.read(body.data(), std::streamsize(length)));
    ASSERT_TRUE(in.read(reinterpret_cast<char *>(&check), 4));
    ASSERT_EQ(check, maskedCrc(body));
    ASSERT_TRUE(events.emplace_back().ParseFromString(body));
  }
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].session_log().status(), lasnn::tensorboard::SessionLog::START);
  EXPECT_EQ(events[2].step(), 3);
  EXPECT_EQ(events[2].summary().value(1).tag(), "rate/c1");
  EXPECT_EQ(events[2].summary().value(1).simple_value(), 0.125f);
  const auto &histogram = events[3].summary().value(0).histo();
  EXPECT_EQ(histogram.num(), 4);
  EXPECT_EQ(histogram.sum(), 5);
  EXPECT_EQ(histogram.sum_squares(), 11);
  EXPECT_NEAR(histogram.bucket_limit(29), 3, 1e-9);
  EXPECT_EQ(histogram.bucket(29), 1);
}

} // namespace
