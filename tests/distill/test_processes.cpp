// The program itself, as processes: killed at any moment and resumed; two that train together; one that dies.
#include "distill/model_file.h"
#include "tests/distill/tiny.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace fs = std::filesystem;
using namespace lasnn::distill;
using namespace lasnn::distill::tiny;

namespace {

using Environment = std::vector<std::string>;

/// Starts lasnn-distill; its stderr goes to `log`.
pid_t start(std::vector<std::string> words, const std::string &log, const Environment &environment = {}) {
  words.insert(words.begin(), LASNN_DISTILL_BINARY);
  const pid_t child = fork();
  if (child == 0) {
    for (const std::string &entry : environment)
      putenv(strdup(entry.c_str()));
    setenv("OMP_NUM_THREADS", "1", 1);
    if (!std::freopen(log.c_str(), "a", stderr))
      _exit(99);
    std::vector<char *> list;
    for (std::string &word : words)
      list.push_back(word.data());
    list.push_back(nullptr);
    execv(list[0], list.data());
    _exit(98);
  }
  return child;
}

/// Exit code; 128 + signal for a killed one.
int finish(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string textOf(const std::string &path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Fashion-MNIST's file names with our own stripes in them.
void writeIdx(const fs::path &folder, const std::string &split, uint32_t count) {
  auto big = [](std::ofstream &out, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8)
      out.put(char(v >> shift));
  };
  std::ofstream images(folder / (split + "-images-idx3-ubyte"), std::ios::binary), labels(folder / (split + "-labels-idx1-ubyte"), std::ios::binary);
  big(images, 0x803), big(images, count), big(images, 28), big(images, 28);
  big(labels, 0x801), big(labels, count);
  for (uint32_t i = 0; i < count; ++i) {
    labels.put(char(i % 10));
    for (uint32_t p = 0; p < 784; ++p)
      images.put(char((p / 79 == i % 10 ? 180 : 20) + mixSeed({i, p}) % 60));
  }
}

class Processes : public ::testing::Test {
protected:
  void SetUp() override {
    writeIdx(folder.path, "train", 160), writeIdx(folder.path, "t10k", 20);
    std::ofstream(folder / "net.json") << R"({"name": "net", "nodes": [{"name": "c1", "conv": [4, 5, 4, 0]},
      {"name": "c2", "conv": [4, 3, 1, 1]}, {"name": "fc", "linear": 0, "readout": true}]})";
  }
  std::vector<std::string> student(const std::string &out, const std::vector<std::string> &more) {
    std::vector<std::string> words = {"student", "--data=mnist:" + folder.path.string(), "--arch=" + (folder / "net.json"), "--no-distill", "--init=random", "-T", "2",
                                      "--epochs=3", "--batch=16", "--optimizer=sgd", "--lr=0.05", "--augment=flip", "--ema=0.9", "-o", folder / out.c_str()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::vector<torch::Tensor> weights(const char *name) { return state(*loadModel(folder / name).network); }
  Folder folder;
};

TEST_F(Processes, KilledAtAnyMomentAndResumedEndsWithTheSameWeights) {
  const std::string log = folder / "log";
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(finish(start(student("whole.pt", {}), log)), 0) << textOf(log);
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::vector<std::string> more = {"--checkpoint=" + (folder / "c.pt"), "--checkpoint-every=1", "--resume"};
  int killed = 0;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = start(student("parts.pt", more), log);
    // From the program's start to its end, so also while it loads and while it writes.
    std::this_thread::sleep_for(std::chrono::duration<double>(whole * (0.35 + 0.6 * double(mixSeed({uint64_t(i), uint64_t(getpid())}) % 1000) / 1000)));
    kill(child, SIGKILL);
    killed += finish(child) == 128 + SIGKILL;
  }
  EXPECT_GT(killed, 0);
  ASSERT_EQ(finish(start(student("parts.pt", more), log)), 0) << textOf(log);
  EXPECT_TRUE(equal(weights("whole.pt"), weights("parts.pt")));
  const nlohmann::json history = loadModel(folder / "parts.pt").meta["history"];
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[2]["epoch"], 3);
  for (const auto &entry : fs::directory_iterator(folder.path))
    EXPECT_FALSE(entry.path().filename().string().starts_with("c.pt.tmp")) << "left by a killed run: " << entry.path();
  std::vector<std::string> other = student("parts.pt", more);
  other.insert(other.end(), {"--lr=0.06", "--seed=9", "-T", "3"});
  const std::string refusals = folder / "refusals";
  EXPECT_EQ(finish(start(other, refusals)), 1);
  for (const char *part : {"lr ", "0.05", "0.06", "seed", "student.timesteps"})
    EXPECT_NE(textOf(refusals).find(part), std::string::npos) << part << "\n" << textOf(refusals);
}

Environment rank(int r, int port) {
  return {fmt::format("RANK={}", r), "WORLD_SIZE=2", fmt::format("LOCAL_RANK={}", r), "MASTER_ADDR=127.0.0.1", fmt::format("MASTER_PORT={}", port)};
}
int freePort(uint64_t salt) { return 20000 + int(mixSeed({uint64_t(getpid()), salt}) % 20000); }

TEST_F(Processes, TwoProcessesAreTwoWorkers) {
#ifndef LASNN_TEST_GLOO
  GTEST_SKIP() << "this build has no Gloo";
#endif
  const std::string log = folder / "log", log0 = folder / "log0", log1 = folder / "log1";
  ASSERT_EQ(finish(start(student("workers.pt", {"--workers=2"}), log)), 0) << textOf(log);
  const int port = freePort(1);
  const auto words = student("ranks.pt", {"--checkpoint=" + (folder / "r.pt"), "--checkpoint-every=3", "--tensorboard=" + (folder / "tb")});
  const pid_t first = start(words, log0, rank(0, port)), second = start(words, log1, rank(1, port));
  ASSERT_EQ(finish(first), 0) << textOf(log0);
  ASSERT_EQ(finish(second), 0) << textOf(log1);
  const auto a = weights("workers.pt"), b = weights("ranks.pt");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(torch::allclose(a[i], b[i], 1e-3, 1e-4)) << i << ": " << (a[i] - b[i]).abs().max().item<double>();
  const nlohmann::json one = loadModel(folder / "workers.pt").meta["history"], two = loadModel(folder / "ranks.pt").meta["history"];
  EXPECT_NEAR(one[0]["loss"].get<double>(), two[0]["loss"].get<double>(), 1e-4) << "of the whole batch, not of one process";
  EXPECT_EQ(textOf(log1).find("epoch"), std::string::npos) << "only the first process reports";
}

TEST_F(Processes, AKilledRankIsNamedAndTheRestResumes) {
#ifndef LASNN_TEST_GLOO
  GTEST_SKIP() << "this build has no Gloo";
#endif
  const std::string log = folder / "log", log0 = folder / "log0", log1 = folder / "log1";
  ASSERT_EQ(finish(start(student("whole.pt", {"--workers=2"}), log)), 0) << textOf(log);
  auto words = student("ranks.pt", {"--checkpoint=" + (folder / "r.pt"), "--checkpoint-every=2", "--resume", "--timeout=30"});
  int port = freePort(2);
  const pid_t first = start(words, log0, rank(0, port)), second = start(words, log1, rank(1, port));
  while (!fs::exists(folder / "r.pt") && waitpid(first, nullptr, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(second, SIGKILL);
  EXPECT_EQ(finish(first), 1) << textOf(log0);
  finish(second);
  for (const char *part : {"rank 0 of 2", "rank 1 (process", "is gone", "--resume"})
    EXPECT_NE(textOf(log0).find(part), std::string::npos) << part << "\n" << textOf(log0);
  port = freePort(3);
  const pid_t again = start(words, log0, rank(0, port)), other = start(words, log1, rank(1, port));
  EXPECT_EQ(finish(again), 0) << textOf(log0);
  EXPECT_EQ(finish(other), 0) << textOf(log1);
  EXPECT_NE(textOf(log0).find("continues in epoch"), std::string::npos);
  const auto a = weights("whole.pt"), b = weights("ranks.pt");
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(torch::allclose(a[i], b[i], 1e-3, 1e-4)) << i;
}

} // namespace
