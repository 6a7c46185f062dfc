// What benchmarks compile for a real GPU, as far as NVRTC shows without one: code that is kept is taken again, and a kernel's name is checked.
#include "bench/gpu.h"
#include "backends/cuda/nvrtc.h"
#include "bench/random_network.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lasnn::test {
namespace {

const bench::Gpu kHopper = {"a GPU", "sm_90a", "13.0", false};

std::vector<uint8_t> compiled(const plan::Network &network, const std::string &form, std::string &error) {
  return bench::compileFor(kHopper, network, bench::optionsFor(kHopper, form, 1, 0.1), error).bytes;
}

TEST(BenchGpu, KeptCodeIsTakenAgain) {
  std::string error;
  if (cuda::nvrtcVersion(error).empty())
    GTEST_SKIP() << error;
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("lasnn_code_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  setenv("LASNN_BENCH_CODE", folder.c_str(), 1);
  const plan::Network network = bench::oneLayer(32, 4, 32, 1, 2, 1);
  const std::vector<uint8_t> first = compiled(network, "split:1", error);
  ASSERT_EQ(error, "");
  std::vector<std::filesystem::path> kept(std::filesystem::directory_iterator(folder), {});
  ASSERT_EQ(kept.size(), 2u); // all steps at once, and one
  EXPECT_EQ(compiled(network, "split:1", error), first);
  for (const std::filesystem::path &one : kept)
    std::ofstream(one, std::ios::trunc) << "no code";
  EXPECT_TRUE(compiled(network, "split:1", error).empty()) << "what is kept was not read";
  EXPECT_NE(error, "");
  error.clear();
  compiled(network, "split:2", error); // another source, other code
  EXPECT_EQ(error, "");
  unsetenv("LASNN_BENCH_CODE");
  std::filesystem::remove_all(folder);
}

TEST(BenchGpu, UnknownKernelsAreRefused) {
  std::string error;
  EXPECT_TRUE(compiled(bench::oneLayer(8, 4, 8, 1, 2, 1), "fast", error).empty());
  EXPECT_NE(error.find("fast"), std::string::npos) << error;
}

} // namespace
} // namespace lasnn::test
