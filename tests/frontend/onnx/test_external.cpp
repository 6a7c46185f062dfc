// Weights in a file beside the model: what is read, and that nothing outside of the model's folder is.
#include "onnx_builder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace lasnn;
using namespace lasnn::testing;
using mlir::DiagnosticSeverity;
namespace fs = std::filesystem;

namespace {

class External : public ::testing::Test {
protected:
  fs::path root = fs::temp_directory_path() / ("lasnn_external_" + std::to_string(getpid()));
  Model m = ann({-1, 2});
  std::vector<float> weights = {9, 1, 2, 3, 4, 9}; // the tensor is the four in the middle

  void SetUp() override {
    fs::create_directories(root / "model/sub");
    for (const char *name : {"model/w.bin", "model/sub/w.bin", "outside.bin"})
      std::ofstream(root / name, std::ios::binary)
          .write(reinterpret_cast<const char *>(weights.data()), std::streamsize(weights.size() * 4));
    fs::create_symlink(root / "outside.bin", root / "model/link.bin");
    fs::create_symlink(root / "model/w.bin", root / "model/inner.bin");
    m.tensor("w", {2, 2})->set_data_type(onnx::TensorProto::FLOAT);
    m.node("MatMul", {"x", "w"}, {"y"});
  }
  void TearDown() override { fs::remove_all(root); }

  void set(const std::string &location, const std::string &offset = "4", const std::string &length = "16") {
    auto *t = m.initializer("w");
    t->set_data_location(onnx::TensorProto::EXTERNAL);
    t->clear_external_data();
    for (auto [key, value] : {std::pair("location", location), std::pair("offset", offset), std::pair("length", length)}) {
      if (value.empty()) continue;
      auto *entry = t->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
  }
  void expectRefused(const std::string &text) {
    Imported imported(m.bytes(), {}, (root / "model/net.onnx").string());
    EXPECT_FALSE(imported.ok());
    EXPECT_TRUE(imported.has(DiagnosticSeverity::Error, "w", text)) << "wanted: " << text << "\n" << imported.all();
  }
};

TEST_F(External, IsReadFromTheModelsFolder) {
  for (const char *location : {"w.bin", "sub/w.bin", "inner.bin"}) {
    set(location);
    Imported imported(m.bytes(), {}, (root / "model/net.onnx").string());
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(snn::floatValues(imported.only<snn::LinearOp>().getWeight()), (llvm::SmallVector<float>{1, 3, 2, 4}));
  }
}
TEST_F(External, NothingElseIs) {
  set("../outside.bin");
  expectRefused("rule O6: initializer \"w\": its data lies in the file \"../outside.bin\", expected a relative path");
  set("sub/../../outside.bin");
  expectRefused("expected a relative path");
  set((root / "model/w.bin").string());
  expectRefused("expected a relative path");
  set("link.bin");
  expectRefused("a link to outside of the model's folder");
  set("sub");
  expectRefused("expected a regular file");
  set("missing.bin");
  expectRefused("which cannot be read: No such file");
  set("");
  expectRefused("expected a relative path");
}
TEST_F(External, SizesAreChecked) {
  set("w.bin", "12");
  expectRefused("its data is 16 bytes from byte 12 of the file \"w.bin\", which has 24");
  set("w.bin", "25", "");
  expectRefused("its data is the rest from byte 25");
  set("w.bin", "4", "18446744073709551615");
  expectRefused("its data is 18446744073709551615 bytes from byte 4");
  set("w.bin", "4", "12");
  expectRefused("it holds 12 bytes, expected 16");
  set("w.bin", "x");
  expectRefused("its external data has offset = \"x\", expected a number");
  set("w.bin", "0", "24");
  expectRefused("it holds 24 bytes, expected 16");
}

} // namespace
