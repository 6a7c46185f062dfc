// Families of networks: what a recipe writes out, what its options change, and that the network computes what it says.
#include "distill/arch_recipe.h"
#include "distill/network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace lasnn::distill;
using nlohmann::json;

namespace {

Arch shaped(Arch arch, int64_t channels = 3, int64_t size = 32) {
  arch.channels = channels, arch.height = arch.width = size, arch.classes = 10;
  return arch;
}
Arch fromText(const std::string &nodes, int64_t channels = 3, int64_t size = 8) {
  return shaped(archFromJson({{"name", "x"}, {"nodes", json::parse(nodes)}}), channels, size);
}
size_t weights(const Network &n) {
  size_t count = 0;
  for (const auto &s : n.synapses())
    count += size_t(s->weight.numel());
  return count;
}
ArchOptions with(const char *shortcut, double width = 1) {
  ArchOptions o;
  o.shortcut = shortcut, o.width = width;
  return o;
}

TEST(ArchFamilies, SizesAreThePublishedOnes) {
  // Layers with weights, counted by name; weights of synapses as published (He et al. 2016: ResNet-20 0.27 M, ResNet-32 0.46 M; ResNet-18 11.2 M).
  const std::tuple<const char *, size_t, double, double> table[] = {
      {"vgg5", 5, 0.6e6, 0.7e6}, {"vgg9", 9, 4e6, 8e6}, {"vgg11", 11, 9.5e6, 9.9e6}, {"vgg13", 13, 9.7e6, 10.1e6}, {"vgg16", 16, 15e6, 15.4e6},
      {"resnet18", 18, 11.1e6, 11.2e6}, {"resnet19", 19, 12e6, 13e6}, {"resnet20", 20, 0.268e6, 0.272e6}, {"resnet32", 32, 0.46e6, 0.465e6}, {"resnet34", 34, 21.2e6, 21.3e6}};
  for (const auto &[name, layers, least, most] : table) {
    size_t found = 0;
    double size = 0;
    const Arch arch = findArch(name);
    for (const Node &node : arch.nodes)
      for (const Synapse &s : node.synapses)
        found += !s.identity && s.name.find("shortcut") == std::string::npos;
    EXPECT_EQ(found, layers) << name;
    if (layers > 20 && layers != 32) // 21 M random numbers take a second and prove nothing more
      continue;
    size = double(weights(Network(shaped(arch), std::nullopt)));
    EXPECT_TRUE(size >= least && size <= most) << name << " " << size;
  }
}

TEST(ArchFamilies, EveryEntryRunsNarrow) {
  for (const auto &[name, entry] : archTable().items()) {
    SCOPED_TRACE(name);
    const bool resnet = entry.is_object() && entry.contains("resnet");
    for (const char *shortcut : resnet ? std::vector<const char *>{"plain", "ms", "sew"} : std::vector<const char *>{""}) {
      const Arch arch = shaped(findArch(name, with(shortcut, 0.05)));
      EXPECT_EQ(archToJson(archFromJson(archToJson(arch))), archToJson(arch));
      Network student(arch, NeuronOptions()), teacher(arch, std::nullopt);
      torch::InferenceMode inference;
      EXPECT_EQ(student.forward({torch::randn({2, 3, 32, 32}), 1}, 3).logits.x.sizes(), (std::vector<int64_t>{6, 10}));
      EXPECT_EQ(teacher.forward({torch::randn({2, 3, 32, 32}), 1}, 1).logits.x.sizes(), (std::vector<int64_t>{2, 10}));
    }
  }
}

TEST(ArchFamilies, OldNamesKeepTheirShapes) {
  // vgg5 was a list; its recipe has to give the same nodes, or saved models would not load.
  const json nodes = recipeNodes(archTable().at("vgg5"));
  EXPECT_EQ(nodes, json::parse(R"([{"name":"conv1","conv":[32,3,1,1]},{"name":"pool1","maxpool":2},{"name":"conv2","conv":[64,3,1,1]},
    {"name":"pool2","maxpool":2},{"name":"conv3","conv":[128,3,1,1]},{"name":"pool3","maxpool":2},{"name":"fc1","linear":256},
    {"name":"fc2","linear":0,"readout":true}])"));
}

TEST(ArchFamilies, StudentsFindTheirTeachersLayers) {
  const Arch plain = findArch("resnet20");
  std::vector<std::string> names;
  for (const Node &node : plain.nodes)
    if (node.kind == Node::Kind::Layer)
      names.push_back(node.name);
  for (const char *shortcut : {"ms", "sew"}) {
    const Network student(shaped(findArch("resnet20", with(shortcut, 0.5))), NeuronOptions());
    const auto mine = student.layerNames();
    for (const auto &name : names)
      EXPECT_NE(std::find(mine.begin(), mine.end(), name), mine.end()) << shortcut << " " << name;
    Network wide(shaped(findArch("resnet20", with(shortcut))), NeuronOptions());
    EXPECT_EQ(copyMatching(Network(shaped(plain), std::nullopt), wide), 20u) << "all weights have a place";
  }
  const Arch variant = variantOf(shaped(plain), with("ms", 0.5));
  EXPECT_EQ(variant.classes, 10);
  EXPECT_EQ(variant.nodes[0].kind, Node::Kind::Sum);
  EXPECT_EQ(variant.nodes[0].synapses[0].out, 8);
}

TEST(ArchFamilies, ValuesAreWhatTheShortcutSays) {
  torch::manual_seed(1);
  torch::InferenceMode inference;
  auto student = [](const char *shortcut) { return Network(shaped(findArch("resnet20", with(shortcut, 0.5))), NeuronOptions()); };
  Network sew = student("sew"), ms = student("ms");
  EXPECT_EQ(sew.valuesOf("layer1.0.sum"), Values::Counts);
  EXPECT_EQ(ms.valuesOf("layer1.0.sum"), Values::Analog);
  EXPECT_EQ(ms.valuesOf("layer1.0.conv2"), Values::Spikes);
  for (Network *n : {&sew, &ms})
    for (const auto &[name, value] : n->forward({torch::randn({1, 3, 32, 32}), 1}, 2).layers)
      EXPECT_TRUE(((value.x == 0) | (value.x == 1)).all().item<bool>()) << name;
}

TEST(ArchFamilies, WidthsAreWholeRegisters) {
  EXPECT_EQ(scaledWidth(64, 1), 64);
  EXPECT_EQ(scaledWidth(64, 0.5), 32);
  EXPECT_EQ(scaledWidth(64, 0.3), 16) << "19.2, by eights";
  EXPECT_EQ(scaledWidth(512, 0.3), 160) << "153.6, by thirty-twos";
  EXPECT_EQ(scaledWidth(16, 0.1), 8) << "never nothing";
}

TEST(Arch, PoolBeforeTheNeuron) {
  torch::manual_seed(2);
  ArchOptions o;
  o.poolAt = "current";
  for (const char *pool : {"max", "avg"}) {
    o.pool = pool;
    const Network inside(shaped(findArch("vgg5", o)), NeuronOptions());
    EXPECT_EQ(inside.layerShape("conv1"), (std::vector<int64_t>{32, 16, 16})) << "a quarter of the neurons";
    // Pool and normalisation as in the folded form: conv with folded weights, then the pool, if it is still one.
    const auto s = inside.synapse("conv1");
    torch::NoGradGuard noGrad;
    s->eval();
    s->gamma.normal_(), s->shift.normal_(), s->runningMean.normal_(), s->runningVar.uniform_(0.5, 2);
    const torch::Tensor x = torch::randn({2, 3, 32, 32});
    const auto [weight, bias] = s->folded();
    const Synapse g = s->geometry();
    torch::Tensor y = torch::conv2d(x, weight, bias, g.stride, g.pad), direct = torch::conv2d(x, s->weight, {}, 1, 1);
    EXPECT_EQ(g.pool.has_value(), s->desc.pool->max);
    if (g.pool)
      y = torch::max_pool2d(y, 2);
    direct = s->desc.pool->max ? torch::max_pool2d(direct, 2) : torch::avg_pool2d(direct, 2);
    direct = torch::batch_norm(direct, s->desc.pool->max ? s->gamma.abs() : s->gamma, s->shift, s->runningMean, s->runningVar, false, 0.1, 1e-5, false);
    EXPECT_TRUE(torch::allclose(y, s->forward(x, false), 1e-4, 1e-4)) << pool;
    EXPECT_TRUE(torch::allclose(direct, y, 1e-4, 1e-4)) << pool;
  }
  o.pool = "stride";
  EXPECT_EQ(findArch("vgg5", o).nodes[0].synapses[0].stride, 2);
}

TEST(Arch, DepthwiseIsOneChannelEach) {
  Network n(fromText(R"([{"name":"a","conv":[8,1,1,0]},{"name":"d","conv":[8,3,1,1],"groups":0,"bn":false},{"name":"f","linear":0,"readout":true}])"), std::nullopt);
  EXPECT_EQ(n.synapse("d")->weight.sizes(), (std::vector<int64_t>{8, 1, 3, 3}));
  EXPECT_EQ(n.synapse("d")->desc.groups, 8);
}

TEST(Arch, RecurrentReadsTheStepBefore) {
  // One neuron, weight 0 in, recurrent weight by hand: bias 2 fires it at t = 1; then -2 from its own spike silences it every other step.
  Network n(fromText(R"([{"name":"h","linear":1,"bn":false,"recurrent":{"name":"h.back","linear":1}},{"name":"f","linear":0,"readout":true}])", 1, 1), NeuronOptions());
  torch::NoGradGuard noGrad;
  n.synapse("h")->weight.zero_(), n.synapse("h")->bias.fill_(2), n.synapse("h.back")->weight.fill_(-2), n.synapse("h.back")->bias.zero_();
  const Forward f = n.forward({torch::zeros({1, 1, 1, 1}), 1}, 4);
  EXPECT_TRUE(torch::equal(f.layers[0].second.x.flatten(), torch::tensor({1.0f, 0.0f, 1.0f, 0.0f})));
}

TEST(Arch, RecurrentGradientGoesThroughTime) {
  torch::manual_seed(3);
  Network n(shaped(findArch("rnn"), 1, 4), NeuronOptions());
  n.forward({torch::randn({3, 1, 4, 4}), 1}, 3).logits.x.sum().backward();
  EXPECT_GT(n.synapse("hidden.back")->weight.grad().abs().sum().item<double>(), 0);
}

TEST(Arch, ErrorsSpeak) {
  auto message = [](const std::function<void()> &body) -> std::string {
    try {
      body();
    } catch (const std::invalid_argument &e) {
      return e.what();
    }
    return "no error";
  };
  auto recipe = [](const char *text) { return recipeNodes(json::parse(text)); };
  EXPECT_NE(message([&] { recipe(R"({"resnet": {"blocks": [1, 2], "widths": [8]}})"); }).find("2 numbers of blocks and 1 widths"), std::string::npos);
  EXPECT_NE(message([&] { recipe(R"({"resnet": {"blocks": [1], "widths": [8], "shortcut": "long"}})"); }).find("plain, ms, sew"), std::string::npos);
  EXPECT_NE(message([&] { recipe(R"({"resnet": {"blocks": [1], "widths": [8], "shortcuts": "ms"}})"); }).find("does not know \"shortcuts\""), std::string::npos);
  EXPECT_NE(message([&] { recipe(R"({"vgg": [8, "X"]})"); }).find("neither a number"), std::string::npos);
  EXPECT_NE(message([] { findArch("cnn-small", with("ms")); }).find("--shortcut=ms is for resnets"), std::string::npos);
  EXPECT_NE(message([] { Network(shaped(findArch("vgg16"), 1, 28), std::nullopt); }).find("a pool of 2 does not fit [512, 1, 1]"), std::string::npos);
  EXPECT_NE(message([] { fromText(R"([{"name":"a","conv":[8,3,2,1],"pool":["avg",2]},{"name":"f","linear":0,"readout":true}])"); }).find("stride 1"), std::string::npos);
  EXPECT_NE(message([] { fromText(R"([{"name":"a","linear":8,"recurrent":{"name":"b","linear":8,"bn":true}},{"name":"f","linear":0,"readout":true}])"); })
                .find("without normalisation"), std::string::npos);
  EXPECT_NE(message([] { Network(fromText(R"([{"name":"a","conv":[8,3,1,1],"groups":5},{"name":"f","linear":0,"readout":true}])"), std::nullopt); })
                .find("5 groups do not divide"), std::string::npos);
}

} // namespace
