// A folder of a test's own, filled by hand; shared by the tests of readers.
#pragma once

#include "frontend/data/data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace fs = std::filesystem;

class Folder : public testing::Test {
protected:
  fs::path dir;
  void SetUp() override {
    const auto *info = testing::UnitTest::GetInstance()->current_test_info();
    dir = fs::temp_directory_path() / fmt::format("lasnn_{}_{}_{}", info->test_suite_name(), info->name(), getpid());
    fs::create_directories(dir);
  }
  void TearDown() override { fs::remove_all(dir); }

  void write(const std::string &name, const std::string &bytes) {
    fs::create_directories((dir / name).parent_path());
    std::ofstream(dir / name, std::ios::binary) << bytes;
  }
  std::optional<lasnn::data::Dataset> load(const std::string &set, const std::string &split, const lasnn::data::LoadOptions &options,
                                           const std::string &words = "") {
    error.clear();
    return lasnn::data::load(set + ":" + dir.string() + words, split, options, error);
  }
  std::optional<lasnn::data::Dataset> load(const std::string &set, const std::string &split = "train", size_t limit = 0) {
    lasnn::data::LoadOptions options;
    options.limit = limit;
    return load(set, split, options);
  }
  /// Expects failure, with every one of `words` in the message.
  void refuses(const std::string &set, std::initializer_list<std::string> words, const std::string &split = "train") {
    EXPECT_FALSE(load(set, split).has_value());
    for (const auto &word : words)
      EXPECT_NE(error.find(word), std::string::npos) << "no \"" << word << "\" in: " << error;
  }
  std::string error;
};

/// ../shared/data beside the checkout, or beside the folder that holds several checkouts.
inline fs::path sharedData() {
  fs::path at = LASNN_SOURCE_DIR;
  for (int i = 0; i < 3; ++i, at = at.parent_path())
    if (fs::is_directory(at.parent_path() / "shared/data"))
      return at.parent_path() / "shared/data";
  return {};
}
