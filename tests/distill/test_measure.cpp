// What is measured of a network: accuracy over time and by class, the conversion baseline, the pages and the claim's table.
#include "distill/claim.h"
#include "distill/convert.h"
#include "distill/learn.h"
#include "distill/report.h"
#include "distill/trainer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

namespace fs = std::filesystem;
using namespace lasnn::distill;

namespace {

lasnn::data::Dataset bands(size_t count, uint64_t seed = 0) { // class = which quarter of a noisy image is brighter
  lasnn::data::Dataset set;
  set.name = "bands", set.channels = 1, set.height = 8, set.width = 8, set.classes = 4, set.count = count;
  set.mean = {0.3f}, set.std = {0.3f};
  for (size_t i = 0; i < count; ++i) {
    set.labels.push_back(uint16_t(i % 4));
    for (size_t p = 0; p < 64; ++p)
      set.pixels.push_back(uint8_t((p / 16 == i % 4 ? 90 : 40) + mixSeed({seed, i, p}) % 120));
  }
  return set;
}

Arch smallArch(bool pool) {
  const std::string middle = pool ? R"({"name": "p", "maxpool": 2},)" : "";
  Arch arch = archFromJson(nlohmann::json::parse(R"({"name": "small", "nodes": [{"name": "c1", "conv": [8, 3, 1, 1]},)" + middle + R"(
    {"name": "c2", "conv": [8, 3, 2, 1], "shortcut": {"name": "c2.short", "from": ")" + (pool ? "p" : "c1") + R"(", "conv": [8, 1, 2, 0]}},
    {"name": "fc", "linear": 0, "readout": true}]})"));
  arch.channels = 1, arch.height = arch.width = 8, arch.classes = 4;
  return arch;
}

Model modelOf(std::shared_ptr<Network> network, const char *kind, int64_t T = 4) {
  return {std::move(network), {{"kind", kind}, {"timesteps", T}, {"encoding", "direct"}, {"data", {{"name", "bands"}, {"mean", {0.3f}}, {"std", {0.3f}}}},
                               {"training", {{"seed", 1}, {"student", {{"attention", "softmax"}, {"distill", true}}}}}}};
}

/// A trained teacher of bands(); once for all tests.
const Model &teacher(bool pool = false) {
  static std::map<bool, Model> trained;
  if (!trained.count(pool)) {
    TrainOptions o;
    o.epochs = 3, o.batch = 16, o.lr = 0.01;
    torch::manual_seed(1);
    auto network = std::make_shared<Network>(smallArch(pool), std::nullopt);
    train(o, bands(256), [&](int) { return teacherLearner(network, o); }, {});
    network->eval();
    trained[pool] = modelOf(network, "teacher");
  }
  return trained[pool];
}

Model student(int64_t T = 4) {
  auto network = std::make_shared<Network>(smallArch(false), NeuronOptions());
  copyMatching(*teacher().network, *network);
  return modelOf(network, "student", T);
}

struct Folder {
  fs::path path = fs::temp_directory_path() / fmt::format("lasnn_measure_{}", getpid());
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string &name) const { return path / name; }
};

std::string textOf(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Evaluate, OneRunGivesEveryT) {
  const auto set = bands(150, 9);
  const Model model = student();
  const Evaluation longest = evaluate(model, set, 2, 0, {}, 8, true);
  ASSERT_EQ(longest.steps.size(), 8u);
  for (int64_t T : {1, 2, 5, 8}) {
    const Evaluation own = evaluate(model, set, 1, 0, {}, T);
    EXPECT_EQ(own.timesteps, T);
    EXPECT_DOUBLE_EQ(own.top1, longest.steps[size_t(T - 1)].top1) << T;
    EXPECT_NEAR(own.meanRate, longest.steps[size_t(T - 1)].rate, 1e-12) << T;
  }
  EXPECT_EQ(evaluate(model, set, 1, 0).timesteps, 4) << "as trained unless told";
  for (const LayerRate &layer : longest.layers) {
    ASSERT_EQ(int64_t(layer.each.size()), layer.neurons);
    double mean = 0;
    for (float rate : layer.each)
      mean += rate / double(layer.neurons);
    EXPECT_NEAR(mean, layer.rate, 1e-6);
  }
}

TEST(Evaluate, ConfusionAndClassesAddUp) {
  const auto set = bands(150, 9);
  const Evaluation e = evaluate(student(), set, 2, 0);
  int64_t all = 0, right = 0;
  for (int64_t label = 0; label < 4; ++label) {
    int64_t row = 0;
    for (int64_t answer = 0; answer < 4; ++answer)
      row += e.confused(label, answer);
    EXPECT_EQ(row, label < 2 ? 38 : 37);
    EXPECT_DOUBLE_EQ(e.perClass()[size_t(label)], double(e.confused(label, label)) / double(row));
    all += row, right += e.confused(label, label);
  }
  EXPECT_EQ(all, 150);
  EXPECT_DOUBLE_EQ(e.top1, double(right) / 150);
  const auto json = evaluationToJson(e, {1, 4});
  EXPECT_EQ(json["confusion"][2][2], e.confused(2, 2));
  EXPECT_EQ(json["over_time"].size(), 2u);
  EXPECT_FALSE(json.contains("top5")) << "of 4 classes five are always enough";
}

/// The equations of convert.h in plain steps, on folded weights: correct answers after 1, 2, ... steps.
std::vector<int64_t> plainConversion(const Model &model, const Thresholds &theta, const lasnn::data::Dataset &set, int64_t T) {
  torch::NoGradGuard noGrad;
  std::vector<uint32_t> order(set.count);
  std::iota(order.begin(), order.end(), 0u);
  const Batch batch = makeBatch(set, order, {}, 0, false);
  auto folded = [&](const char *name) { return model.network->synapse(name)->folded(); };
  const auto [w1, b1] = folded("c1");
  const auto [w2, b2] = folded("c2");
  const auto [ws, bs] = folded("c2.short");
  const auto [wf, bf] = folded("fc");
  const torch::Tensor t1 = theta.at("c1").view({1, -1, 1, 1}), t2 = theta.at("c2").view({1, -1, 1, 1});
  torch::Tensor v1, v2, sum;
  auto fire = [](torch::Tensor &v, const torch::Tensor &current, const torch::Tensor &limit) {
    v = (v.defined() ? v : (limit / 2).expand_as(current)) + current;
    const torch::Tensor spikes = (v > limit).to(torch::kFloat32) * limit;
    v = v - spikes;
    return spikes;
  };
  std::vector<int64_t> correct;
  for (int64_t t = 0; t < T; ++t) {
    const torch::Tensor s1 = fire(v1, torch::conv2d(batch.images, w1, b1, 1, 1), t1);
    const torch::Tensor s2 = fire(v2, torch::conv2d(s1, w2, b2, 2, 1) + torch::conv2d(s1, ws, bs, {2, 2}), t2);
    const torch::Tensor out = torch::linear(s2.flatten(1), wf, bf);
    sum = sum.defined() ? sum + out : out;
    correct.push_back((sum.argmax(1) == batch.labels).sum().item<int64_t>());
  }
  return correct;
}

TEST(Convert, EqualsThePlainEquations) {
  const auto set = bands(100, 9);
  for (bool perChannel : {false, true}) {
    ConvertOptions o;
    o.timesteps = 24, o.perChannel = perChannel, o.threads = 2;
    const Thresholds theta = balanceThresholds(teacher(), bands(64), o);
    EXPECT_EQ(theta.at("c1").numel(), perChannel ? 8 : 1);
    const Conversion c = runConverted(teacher(), theta, set, o);
    const auto plain = plainConversion(teacher(), theta, set, 24);
    ASSERT_EQ(c.top1.size(), 24u);
    for (size_t t = 0; t < 24; ++t) // normalisation folded or run apart: a membrane within rounding of theta may differ
      EXPECT_NEAR(c.top1[t] * 100, double(plain[t]), 1) << t;
    EXPECT_GT(c.rates[23], 0);
    EXPECT_LT(c.rates[23], 1);
  }
}

TEST(Convert, ApproachesTheTeacher) {
  const auto set = bands(100, 9);
  for (bool pool : {false, true}) {
    ConvertOptions o;
    o.timesteps = 512, o.percentile = 100;
    const Conversion c = runConverted(teacher(pool), balanceThresholds(teacher(pool), bands(64), o), set, o);
    EXPECT_GT(c.annTop1, 0.9);
    EXPECT_NEAR(c.top1.back(), c.annTop1, 0.02) << "pool " << pool;
    EXPECT_LT(c.top1.front(), c.annTop1) << "one step is not enough";
  }
}

TEST(Convert, StopsEarlyAndRefusesStudents) {
  const auto set = bands(100, 9);
  ConvertOptions o;
  o.timesteps = 4096, o.flat = 0.01;
  const Thresholds theta = balanceThresholds(teacher(), bands(64), o);
  const Conversion flat = runConverted(teacher(), theta, set, o);
  EXPECT_LT(flat.top1.size(), 4096u);
  EXPECT_FALSE(flat.stopped.empty());
  o.flat = 0, o.until = 0.5;
  const Conversion until = runConverted(teacher(), theta, set, o);
  EXPECT_LE(until.top1.size(), flat.top1.size());
  EXPECT_GT(until.reaches(0.5), 0);
  EXPECT_EQ(until.reaches(1.01), 0);
  EXPECT_THROW(balanceThresholds(student(), bands(64), o), std::invalid_argument);
}

TEST(Report, IsOneFileWithEverything) {
  const Folder folder;
  Model model = student();
  for (int epoch = 1; epoch <= 3; ++epoch)
    model.meta["history"].push_back({{"epoch", epoch}, {"lr", 0.1 / epoch}, {"loss", 1.0 / epoch}, {"ce", 0.9 / epoch}, {"train_top1", 0.3 * epoch}, {"seconds", 1.5},
                                     {"rates", {{"c1", 0.2}, {"c2", 0.1}}}});
  const auto set = bands(60, 9);
  const auto its = networkTeacher(teacher().network);
  writeReport(model, its.get(), set, {"student.pt", "bands:<here>", "teacher.pt", 8}, 1, folder / "r.html");
  const std::string page = textOf(folder / "r.html");
  for (const char *part : {"<h2>Training</h2>", "Accuracy over time", "Activity by layer", "c1.lif", "c2.lif", "What it confuses", "Where it looks", "teacher's attention at c1", "data:image/png;base64,iVBORw0KGgo",
                           "bands:&lt;here&gt;", "(as trained)", "<svg"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  for (const char *outside : {"http:", "https:", "<script", "src=\"/", "url("})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  for (const char *bad : {">nan", ">-nan", ">inf", "\"nan"})
    EXPECT_EQ(page.find(bad), std::string::npos) << bad;
  writeReport(teacher(), nullptr, set, {"teacher.pt", "bands:x", "", 0}, 1, folder / "t.html");
  const std::string plain = textOf(folder / "t.html");
  EXPECT_EQ(plain.find("<h2>Training</h2>"), std::string::npos) << "no history, no curves";
  EXPECT_EQ(plain.find("Accuracy over time"), std::string::npos) << "a teacher has no steps";
  EXPECT_NE(plain.find("What it confuses"), std::string::npos);
  EXPECT_THROW(writeReport(teacher(), nullptr, set, {}, 1, folder / "absent/t.html"), std::runtime_error);
}

TEST(Claim, FiguresFollowFromResults) {
  ClaimOptions o;
  o.timesteps = {2, 4}, o.train = 4, o.seeds = {1, 2};
  auto curve = [](double a, double b) { return nlohmann::json::array({{{"top1", a}, {"spike_rate", 0.1}}, {{"top1", b}, {"spike_rate", 0.2}}}); };
  nlohmann::json results = {{"teacher", {{"top1", 0.95}, {"images", 100}}}, {"plain", {curve(0.5, 0.6), curve(0.6, 0.6)}}, {"lasnn", {curve(0.8, 0.89), curve(0.8, 0.91)}},
                            {"target", {{{"top1", 0.88}}, {{"top1", 0.92}}}},
                            {"converted", {{"images", 100}, {"ann_top1", 0.95}, {"steps_run", 6}, {"stopped", ""}, {"top1", {0.1, 0.2, 0.5, 0.91, 0.89, 0.93}},
                                           {"over_time", {{{"timesteps", 1}, {"top1", 0.1}}, {{"timesteps", 6}, {"top1", 0.93}}}}}}};
  auto f = claimFigures(o, results);
  EXPECT_NEAR(f["lasnn"][1]["mean"].get<double>(), 0.90, 1e-12);
  EXPECT_NEAR(f["lasnn"][1]["sd"].get<double>(), std::sqrt(0.0002), 1e-12);
  EXPECT_NEAR(f["comparison"]["target"].get<double>(), 0.90, 1e-12);
  EXPECT_EQ(f["comparison"]["reached_at"], 4);
  EXPECT_DOUBLE_EQ(f["comparison"]["ratio"].get<double>(), 1);
  EXPECT_NE(claimMarkdown(f).find("| 4 | 60.00 ± 0.00 | 90.00 ± 1.41 | 20.0 | – |"), std::string::npos) << claimMarkdown(f);
  results["target"] = {{{"top1", 0.94}}};
  f = claimFigures(o, results);
  EXPECT_EQ(f["comparison"]["reached_at"], 0);
  EXPECT_TRUE(f["comparison"]["at_least"].get<bool>());
  EXPECT_DOUBLE_EQ(f["comparison"]["ratio"].get<double>(), 1.5);
  EXPECT_NE(claimSentence(f).find("does not reach"), std::string::npos);
}

void writeIdx(const std::string &folder, const std::string &name, size_t count) {
  auto number = [](std::ofstream &file, uint32_t value) {
    for (int shift : {24, 16, 8, 0})
      file.put(char(value >> shift & 255));
  };
  std::ofstream images(folder + "/" + name + "-images-idx3-ubyte", std::ios::binary), labels(folder + "/" + name + "-labels-idx1-ubyte", std::ios::binary);
  for (uint32_t value : {0x803u, uint32_t(count), 28u, 28u})
    number(images, value);
  for (uint32_t value : {0x801u, uint32_t(count)})
    number(labels, value);
  for (size_t i = 0; i < count; ++i) {
    labels.put(char(i % 10));
    for (size_t p = 0; p < 784; ++p)
      images.put(char((p / 79 == i % 10 ? 150 : 20) + mixSeed({count, i, p}) % 80));
  }
}

TEST(Claim, FromOneCommandAndAgain) {
  const Folder folder;
  writeIdx(folder.path, "train", 64);
  writeIdx(folder.path, "t10k", 40);
  ClaimOptions o;
  o.program = LASNN_DISTILL_PROGRAM;
  o.data = "fashion-mnist:" + folder.path.string(), o.out = folder / "claim", o.arch = "mlp";
  o.teacherFlags = "--epochs=2 --batch=16", o.studentFlags = "--epochs=1 --batch=16", o.convertFlags = "--timesteps=16 --calibrate=32";
  o.timesteps = {1, 2}, o.train = 2, o.convertLimit = 20;
  testing::internal::CaptureStdout();
  runClaim(o, true);
  const auto first = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(first["lasnn"].size(), 2u);
  EXPECT_EQ(first["plain"][1]["timesteps"], 2);
  EXPECT_TRUE(first["lasnn"][0]["sd"].is_null()) << "one seed has no deviation";
  EXPECT_EQ(first["converted"]["steps_run"], 16);
  EXPECT_EQ(first["converted"]["images"], 20);
  for (const char *file : {"teacher.pt", "lasnn-1.pt", "plain-1.pt", "claim.md", "claim.json", "claim.html", "parts.json"})
    EXPECT_TRUE(fs::exists(folder / ("claim/" + std::string(file)))) << file;
  EXPECT_FALSE(fs::exists(folder / "claim/teacher.checkpoint")) << "kept only while it may be needed";
  const auto made = fs::last_write_time(folder / "claim/teacher.pt"), student = fs::last_write_time(folder / "claim/lasnn-1.pt");

  o.studentFlags = "--epochs=1 --batch=8"; // students are trained again, the teacher is not
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  runClaim(o, true);
  const std::string said = testing::internal::GetCapturedStderr();
  const auto second = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_NE(said.find("teacher: used again"), std::string::npos);
  EXPECT_NE(said.find("convert: used again"), std::string::npos);
  EXPECT_EQ(fs::last_write_time(folder / "claim/teacher.pt"), made);
  EXPECT_NE(fs::last_write_time(folder / "claim/lasnn-1.pt"), student);
  EXPECT_EQ(second["teacher"], first["teacher"]);
  o.teacher = folder / "absent.pt";
  EXPECT_THROW(runClaim(o, true), std::exception);
}

} // namespace
