// Real files, where they are: made by other exporters, so nobody wrote them to please this importer.
#include "onnx_builder.h"

#include "ir/interpreter/interpreter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace lasnn;
using namespace lasnn::testing;

namespace {

std::filesystem::path folder() {
  const char *shared = std::getenv("LASNN_SHARED");
  return std::filesystem::path(shared ? shared : LASNN_SOURCE_DIR "/../shared") / "data/models/onnx";
}
std::string read(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}
#define NEED(path)                                                                                                               \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is not there; LASNN_SHARED names the folder that holds data/"

TEST(Files, ResNet20) {
  auto path = folder() / "resnet20_cifar_onnc.onnx";
  NEED(path);
  Imported imported(read(path));
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::map<std::string, int> count;
  for (mlir::Operation &op : imported.network().getBody().front()) ++count[op.getName().stripDialect().str()];
  EXPECT_EQ(count["conv2d"], 21);
  EXPECT_EQ(count["batch_norm"], 21);
  EXPECT_EQ(count["relu"], 19);
  EXPECT_EQ(count["add"], 9);
  EXPECT_EQ(count["avg_pool"], 1);
  EXPECT_EQ(count["linear"], 1);
}

/// CNTK's MNIST network with the inputs and outputs that came with it.
TEST(Files, Mnist8ComputesWhatItsAuthorsSay) {
  auto path = folder() / "mnist_8";
  NEED(path / "model.onnx");
  onnx_import::ImportOptions options; // its input is the pixel itself
  options.mean = {0.f};
  options.std = {1.f / 255.f};
  Imported imported(read(path / "model.onnx"), options);
  ASSERT_TRUE(imported.ok()) << imported.all();
  auto interpreter = snn::Interpreter::create(imported.network());
  ASSERT_TRUE(bool(interpreter));
  for (int k = 0; k < 3; ++k) {
    onnx::TensorProto input, output;
    ASSERT_TRUE(input.ParseFromString(read(path / ("test_data_set_" + std::to_string(k)) / "input_0.pb")));
    ASSERT_TRUE(output.ParseFromString(read(path / ("test_data_set_" + std::to_string(k)) / "output_0.pb")));
    auto values = [](const onnx::TensorProto &t) {
      if (t.raw_data().empty()) return std::vector<float>(t.float_data().begin(), t.float_data().end());
      std::vector<float> list(t.raw_data().size() / 4);
      std::memcpy(list.data(), t.raw_data().data(), list.size() * 4);
      return list;
    };
    std::vector<uint8_t> pixels;
    for (float value : values(input)) {
      ASSERT_EQ(value, float(uint8_t(value))) << "the sample holds no pixels";
      pixels.push_back(uint8_t(value));
    }
    ASSERT_FALSE(bool((*interpreter)->run(pixels)));
    std::vector<float> expected = values(output), found = (*interpreter)->output().f;
    ASSERT_EQ(found.size(), expected.size());
    for (size_t c = 0; c < expected.size(); ++c) EXPECT_NEAR(found[c], expected[c], 1e-5 * 2000) << "class " << c; // |logits| up to 2000
  }
}

TEST(Files, StudentOfOurTrainer) {
  std::filesystem::path path = LASNN_SOURCE_DIR "/out/dev/student.onnx";
  NEED(path);
  Imported imported(read(path));
  EXPECT_TRUE(imported.ok()) << imported.all();
}

} // namespace
