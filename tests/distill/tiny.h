// A data set, a network and settings small enough to train in a test.
#pragma once

#include "distill/learn.h"
#include "distill/network.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <filesystem>

namespace lasnn::distill::tiny {

inline data::Dataset stripes(size_t count) { // class = which quarter of the image is bright
  data::Dataset set;
  set.name = "stripes", set.channels = 1, set.height = 8, set.width = 8, set.classes = 4, set.count = count;
  set.mean = {0.3f}, set.std = {0.3f};
  for (size_t i = 0; i < count; ++i) {
    set.labels.push_back(uint16_t(i % 4));
    for (size_t p = 0; p < 64; ++p)
      set.pixels.push_back(uint8_t((p / 16 == i % 4 ? 180 : 20) + mixSeed({i, p}) % 60));
  }
  return set;
}

inline Arch tinyArch(bool bn = true) {
  Arch arch = archFromJson(nlohmann::json::parse(fmt::format(R"({{"name": "tiny", "nodes": [
    {{"name": "c1", "conv": [8, 3, 2, 1], "bn": {0}}},
    {{"name": "c2", "conv": [8, 3, 1, 1], "bn": {0}, "shortcut": {{"name": "c2.short", "from": "c1", "conv": [8, 1, 1, 0], "bn": {0}}}}},
    {{"name": "fc", "linear": 0, "readout": true}}]}})", bn)));
  arch.channels = 1, arch.height = arch.width = 8, arch.classes = 4;
  return arch;
}

inline TrainOptions tinyOptions() {
  TrainOptions o;
  o.epochs = 3, o.batch = 16, o.lr = 0.01, o.augment = "flip", o.threads = 1;
  return o;
}

inline std::vector<torch::Tensor> state(const torch::nn::Module &m) {
  std::vector<torch::Tensor> list;
  for (auto &p : m.parameters())
    list.push_back(p.detach().clone());
  for (auto &b : m.buffers())
    list.push_back(b.clone());
  return list;
}

inline bool equal(const std::vector<torch::Tensor> &a, const std::vector<torch::Tensor> &b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i)
    if (!torch::equal(a[i], b[i]))
      return false;
  return a.size() == b.size();
}

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / fmt::format("lasnn_distill_{}", getpid());
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const char *name) const { return path / name; }
};

} // namespace lasnn::distill::tiny
