// Teachers that were not trained here: safetensors, TorchScript, another normalisation; which layers are compared.
#include "distill/adapter.h"
#include "distill/learn.h"
#include "distill/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace lasnn::distill;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / fmt::format("lasnn_teacher_{}", getpid());
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char *name) const { return path / name; }
};

using Tensors = std::map<std::string, torch::Tensor>;

void writeSafetensors(const std::string &path, const Tensors &tensors, const nlohmann::json &metadata = nlohmann::json::object()) {
  nlohmann::json table;
  table["__metadata__"] = metadata;
  std::string bytes;
  for (const auto &[name, tensor] : tensors) {
    const size_t begin = bytes.size();
    bytes.append(static_cast<const char *>(tensor.data_ptr()), size_t(tensor.nbytes()));
    table[name] = {{"dtype", tensor.scalar_type() == torch::kBFloat16 ? "BF16" : "F32"}, {"shape", tensor.sizes().vec()}, {"data_offsets", {begin, bytes.size()}}};
  }
  const std::string head = table.dump();
  const uint64_t length = head.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), 8);
  file << head << bytes;
}

/// A CIFAR ResNet of 8 layers, written out from its published description alone.
Tensors resnet8() {
  torch::manual_seed(4);
  Tensors t;
  auto conv = [&](const std::string &name, int64_t out, int64_t in) { t[name + ".weight"] = torch::randn({out, in, 3, 3}) * std::sqrt(2.0 / double(9 * in)); };
  auto bn = [&](const std::string &name, int64_t size) {
    t[name + ".weight"] = torch::rand({size}) + 0.5, t[name + ".bias"] = torch::randn({size}) * 0.1;
    t[name + ".running_mean"] = torch::randn({size}) * 0.1, t[name + ".running_var"] = torch::rand({size}) + 0.5;
  };
  conv("conv1", 16, 3), bn("bn1", 16);
  for (int64_t stage = 1, in = 16; stage <= 3; in = 8 << stage, ++stage) {
    const std::string at = fmt::format("layer{}.0", stage);
    const int64_t width = 8 << stage;
    conv(at + ".conv1", width, in), bn(at + ".bn1", width), conv(at + ".conv2", width, width), bn(at + ".bn2", width);
  }
  t["linear.weight"] = torch::randn({10, 64}), t["linear.bias"] = torch::randn({10});
  return t;
}

torch::Tensor resnet8Forward(const Tensors &t, torch::Tensor x) {
  auto layer = [&](const torch::Tensor &in, const std::string &conv, const std::string &bn, int64_t stride) {
    return torch::batch_norm(torch::conv2d(in, t.at(conv + ".weight"), {}, stride, 1), t.at(bn + ".weight"), t.at(bn + ".bias"),
                             t.at(bn + ".running_mean"), t.at(bn + ".running_var"), false, 0.1, 1e-5, false);
  };
  x = torch::relu(layer(x, "conv1", "bn1", 1));
  for (int stage = 1; stage <= 3; ++stage) {
    const std::string at = fmt::format("layer{}.0", stage);
    const int64_t stride = stage > 1 ? 2 : 1;
    const torch::Tensor y = layer(torch::relu(layer(x, at + ".conv1", at + ".bn1", stride)), at + ".conv2", at + ".bn2", 1);
    torch::Tensor shortcut = x;
    if (stage > 1) { // every second position, then a quarter of the new channels in front and behind
      shortcut = torch::avg_pool2d(x, 1, 2);
      const torch::Tensor zeros = torch::zeros({x.size(0), y.size(1) / 4, y.size(2), y.size(3)});
      shortcut = torch::cat({zeros, shortcut, zeros}, 1);
    }
    x = torch::relu(y + shortcut);
  }
  return torch::linear(torch::adaptive_avg_pool2d(x, {1, 1}).flatten(1), t.at("linear.weight"), t.at("linear.bias"));
}

lasnn::data::Dataset cifarLike() {
  lasnn::data::Dataset set;
  set.name = "cifar10", set.channels = 3, set.height = set.width = 32, set.classes = 10;
  set.mean = {0.4f, 0.5f, 0.6f}, set.std = {0.3f, 0.2f, 0.25f};
  return set;
}

TEST(Teacher, SafetensorsEqualsThePublishedDescription) {
  const Folder folder;
  const Tensors t = resnet8();
  writeSafetensors(folder / "r8.safetensors", t, {{"input", "RGB/255, mean .485,.456,.406 std .229,.224,.225"}});
  const auto set = cifarLike();
  const auto teacher = loadTeacher(folder / "r8.safetensors", set);
  // Images as the set normalises them; the network's own normalisation is another one.
  const torch::Tensor pixels = torch::rand({4, 3, 32, 32});
  auto normal = [](const torch::Tensor &x, std::vector<float> mean, std::vector<float> std) {
    return (x - torch::tensor(mean).view({1, 3, 1, 1})) / torch::tensor(std).view({1, 3, 1, 1});
  };
  const torch::Tensor wanted = resnet8Forward(t, normal(pixels, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}));
  const Forward result = teacher->forward(normal(pixels, set.mean, set.std));
  EXPECT_TRUE(torch::allclose(result.logits.x, wanted, 1e-3, 1e-3)) << (result.logits.x - wanted).abs().max();
  EXPECT_EQ(teacher->layers().size(), 7u);
  EXPECT_EQ(teacher->layers().back().second, (std::vector<int64_t>{64, 8, 8}));
  EXPECT_FALSE(result.logits.x.requires_grad());
  // The shortcut in the middle of all this is also a convolution: that is how it leaves in ONNX.
  const auto shortcut = loadAnyModel(folder / "r8.safetensors").network->synapse("layer2.0.shortcut");
  const torch::Tensor x = torch::randn({2, 16, 6, 6});
  const auto [weight, bias] = shortcut->folded();
  EXPECT_TRUE(torch::equal(shortcut->forward(x, false), torch::conv2d(x, weight, bias, {2, 2})));
}

TEST(Teacher, SafetensorsErrorsSayWhichTensor) {
  const Folder folder;
  auto message = [&](const Tensors &t) -> std::string {
    writeSafetensors(folder / "x.safetensors", t);
    try {
      loadSafetensorsModel(folder / "x.safetensors");
    } catch (const std::runtime_error &e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message(resnet8()), "");
  Tensors t = resnet8();
  t.erase("layer2.0.bn1.bias");
  EXPECT_NE(message(t).find("tensor layer2.0.bn1.bias is missing"), std::string::npos);
  t = resnet8();
  t["layer3.0.conv1.weight"] = torch::zeros({64, 16, 3, 3});
  EXPECT_NE(message(t).find("layer3.0.conv1.weight has shape [64, 16, 3, 3], resnet8 needs [64, 32, 3, 3]"), std::string::npos);
  t = resnet8();
  t["extra"] = torch::zeros({1});
  EXPECT_NE(message(t).find("no place for tensor extra"), std::string::npos);
  EXPECT_NE(message({{"w", torch::zeros({1})}}).find("no known architecture"), std::string::npos);

  writeSafetensors(folder / "y.safetensors", {{"h", torch::tensor({1.5f, -2.0f}).to(torch::kBFloat16)}});
  EXPECT_TRUE(torch::equal(readSafetensors(folder / "y.safetensors").tensors.at("h"), torch::tensor({1.5f, -2.0f})));
  for (size_t size : {0, 7, 8, 40}) { // cut anywhere
    fs::resize_file(folder / "y.safetensors", size);
    EXPECT_THROW(readSafetensors(folder / "y.safetensors"), std::runtime_error) << size;
  }
  std::ofstream(folder / "z.safetensors", std::ios::binary) << std::string("\x90\0\0\0\0\0\0\0", 8) << R"({"a":{"dtype":"F32","shape":[1000000,1000000,1000000,1000000],"data_offsets":[0,4]}})" << std::string(80, ' ');
  EXPECT_THROW(readSafetensors(folder / "z.safetensors"), std::runtime_error) << "a size beyond 64 bits";
}

TEST(Teacher, TorchScriptGivesLogitsAndFeatures) {
  const Folder folder;
  torch::jit::Module script("teacher");
  script.register_parameter("w", torch::randn({10, 3}), false);
  script.define(R"(
    def forward(self, x):
        pooled = torch.mean(x, [2, 3])
        return torch.matmul(pooled, self.w.t()), {"early": x, "late": pooled}
  )");
  script.save(folder / "t.ts");
  const auto set = cifarLike();
  const auto teacher = loadTeacher(folder / "t.ts", set);
  ASSERT_EQ(teacher->layers().size(), 2u);
  EXPECT_EQ(teacher->layers()[0].second, (std::vector<int64_t>{3, 32, 32}));
  EXPECT_EQ(teacher->forward(torch::zeros({2, 3, 32, 32})).logits.x.sizes(), (std::vector<int64_t>{2, 10}));

  torch::jit::Module plain("plain");
  plain.define("def forward(self, x):\n    return torch.mean(x, [2, 3])\n"); // three logits, not ten
  plain.save(folder / "p.ts");
  EXPECT_THROW(loadTeacher(folder / "p.ts", set), std::runtime_error);
  std::ofstream(folder / "bad.ts") << "nothing";
  EXPECT_THROW(loadTeacher(folder / "bad.ts", set), std::runtime_error);
}

Arch arch(const std::vector<std::string> &names, const std::vector<int64_t> &strides) {
  Arch a;
  nlohmann::json nodes = nlohmann::json::array();
  for (size_t i = 0; i < names.size(); ++i)
    nodes.push_back({{"name", names[i]}, {"conv", {8, 3, strides[i], 1}}});
  nodes.push_back({{"name", "fc"}, {"linear", 0}, {"readout", true}});
  a = archFromJson({{"name", "x"}, {"input", {3, 32, 32}}, {"classes", 10}, {"nodes", nodes}});
  return a;
}

TEST(Teacher, LayersAlign) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const auto teacher = networkTeacher(std::make_shared<Network>(arch({"conv1", "b", "c", "d", "e"}, {1, 1, 2, 1, 2}), std::nullopt)); // 32 32 16 16 8
  auto student = [](const std::vector<std::string> &names, const std::vector<int64_t> &strides) { return Network(arch(names, strides), NeuronOptions()); };
  EXPECT_EQ(alignLayers("auto", student({"conv1", "c", "z"}, {1, 2, 1}), *teacher), (Pairs{{"conv1", "conv1"}, {"c", "c"}})) << "half of the names";
  const Network other = student({"conv1", "x", "y", "z"}, {1, 1, 2, 2}); // 32 32 16 8
  EXPECT_EQ(alignLayers("auto", other, *teacher), (Pairs{{"x", "b"}, {"y", "d"}, {"z", "e"}})) << "one name of four: by stage";
  EXPECT_EQ(alignLayers("names", other, *teacher), (Pairs{{"conv1", "conv1"}}));
  EXPECT_EQ(alignLayers("y:e,z:conv1", other, *teacher), (Pairs{{"y", "e"}, {"z", "conv1"}}));
  const Network small = student({"p", "q"}, {8, 2}); // 4 and 2: no size in common, so from the end
  EXPECT_EQ(alignLayers("auto", small, *teacher), (Pairs{{"p", "d"}, {"q", "e"}}));
  for (const char *bad : {"y", "y:nothing", "nothing:e", "y:e,,"})
    EXPECT_THROW(alignLayers(bad, other, *teacher), std::invalid_argument) << bad;
  EXPECT_THROW(alignLayers("names", small, *teacher), std::invalid_argument);
}

} // namespace
