// Hostile bytes: whatever they are, import ends with a verified module or with at least one error. Also run it under
// ASan and UBSan (preset asan). LASNN_FUZZ_ROUNDS sets the number of random mutations a seed file gets.
#include "onnx_builder.h"

#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <random>

// LLVM's allocators poison memory in the code that is compiled here and cannot unpoison it inside the distribution's libMLIR,
// which is built without ASan: that check alone is off.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }

using namespace lasnn;
using namespace lasnn::testing;

namespace {

/// No crash, no half success: a module that verifies, or an error.
void mustHold(const std::string &bytes) {
  Imported imported(bytes);
  if (imported.ok()) ASSERT_TRUE(succeeded(mlir::verify(*imported.module)));
  else ASSERT_FALSE(imported.errors().empty());
}

Model smallAnn() {
  Model m = ann({1, 1, 5, 5}, 13);
  m.weights("w", {2, 1, 3, 3});
  m.weights("b", {2, 1, 1});
  setString(m.node("Conv", {"x", "w"}, {"c"}), "auto_pad", "SAME_UPPER");
  m.node("Add", {"c", "b"}, {"cb"});
  for (const char *name : {"scale", "shift", "mean"}) m.weights(name, {2});
  m.floats("var", {2}, {1, 2});
  m.node("BatchNormalization", {"cb", "scale", "shift", "mean", "var"}, {"n"});
  m.node("Relu", {"n"}, {"r"});
  setInts(setInts(m.node("MaxPool", {"r"}, {"p"}), "kernel_shape", {2, 2}), "strides", {2, 2});
  setInts(m.node("AveragePool", {"p"}, {"q"}), "kernel_shape", {2, 2});
  m.node("Shape", {"q"}, {"s"});
  m.ints("zero", {1}, {0});
  m.node("Gather", {"s", "zero"}, {"n0"});
  m.ints("rest", {1}, {-1});
  setInt(m.node("Concat", {"n0", "rest"}, {"shape"}), "axis", 0);
  m.node("Reshape", {"q", "shape"}, {"f"});
  m.weights("fc", {2, 3});
  m.node("MatMul", {"f", "fc"}, {"g"});
  m.weights("fcb", {3});
  m.node("Add", {"g", "fcb"}, {"y"});
  return m;
}
std::vector<Model> seeds() { return {student(), student("IF", "subtract", "GreaterOrEqual", {2, 1, 1}), student("LIF", "value"), smallAnn()}; }

TEST(Fuzz, TheSeedsAreRight) {
  for (const Model &m : seeds()) {
    Imported imported(m);
    EXPECT_TRUE(imported.ok()) << imported.all();
  }
}
TEST(Fuzz, O1_CutOffAtEveryLength) {
  for (const Model &m : seeds()) {
    std::string bytes = m.bytes();
    for (size_t size = 0; size < bytes.size(); ++size) ASSERT_NO_FATAL_FAILURE(mustHold(bytes.substr(0, size))) << "cut at " << size;
  }
}
TEST(Fuzz, Garbage) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(random() % 400, '\0');
    for (char &c : bytes) c = char(random());
    ASSERT_NO_FATAL_FAILURE(mustHold(bytes));
  }
  mustHold(std::string(1 << 16, '\x3b')); // an endless group
  std::string deep;                       // graph in attribute in node in graph …
  for (int k = 0; k < 5000; ++k) deep = "\x3a" + std::string(1, char(std::min<size_t>(deep.size(), 127))) + deep.substr(0, 127);
  mustHold(deep);
}
TEST(Fuzz, RandomMutationsOfBytes) {
  const char *wanted = std::getenv("LASNN_FUZZ_ROUNDS");
  int rounds = wanted ? std::atoi(wanted) : 1500, imported = 0;
  std::mt19937 random(2024);
  for (const Model &m : seeds()) {
    const std::string original = m.bytes();
    for (int round = 0; round < rounds; ++round) {
      std::string bytes = original;
      for (unsigned k = 0, changes = 1 + random() % 4; k < changes; ++k) {
        size_t at = random() % bytes.size();
        switch (random() % 5) {
        case 0: bytes[at] = char(bytes[at] ^ (1 << random() % 8)); break;
        case 1: bytes[at] = char(random()); break;
        case 2: bytes.erase(at, 1 + random() % 8); break;
        case 3: bytes.insert(at, original.substr(random() % original.size(), 1 + random() % 16)); break;
        case 4: bytes[at] = "\x00\x7f\xff\x80\x01"[random() % 5]; break;
        }
        if (bytes.empty()) bytes = "x";
      }
      ASSERT_NO_FATAL_FAILURE(mustHold(bytes)) << "round " << round;
      ++imported;
    }
  }
  EXPECT_EQ(imported, rounds * int(seeds().size()));
}
/// Mutations that stay a valid protobuf: they reach what flipped bytes seldom do.
TEST(Fuzz, RandomMutationsOfTheMessage) {
  const char *wanted = std::getenv("LASNN_FUZZ_ROUNDS");
  int rounds = wanted ? std::atoi(wanted) : 1500;
  std::mt19937 random(99);
  const int64_t numbers[] = {0, 1, -1, 2, 3, 7, 1 << 20, INT64_MAX, INT64_MIN, INT32_MAX, -3, 65536, int64_t(1) << 28};
  const float floats[] = {0, -1, 1, NAN, INFINITY, 1e38f, -1e-40f, 0.5f};
  auto number = [&] { return numbers[random() % std::size(numbers)]; };
  for (const Model &seed : seeds()) {
    std::vector<std::string> ops = {"LIF_zero", "LIF_none", "IF_zero", "Unknown", "Squeeze", "Unsqueeze", "Dropout", "Constant", "Cast"};
    for (const auto &op : onnx_import::supportedOps()) ops.push_back(op.name.str());
    for (int round = 0; round < rounds; ++round) {
      Model m = seed;
      auto *g = m.graph();
      std::vector<std::string> names = {"", "ghost"};
      for (const auto &node : g->node()) names.insert(names.end(), node.output().begin(), node.output().end());
      for (const auto &t : g->initializer()) names.push_back(t.name());
      for (const auto &i : g->input()) names.push_back(i.name());
      auto name = [&] { return names[random() % names.size()]; };
      for (unsigned k = 0, changes = 1 + random() % 3; k < changes; ++k) {
        bool inBody = m.proto.functions_size() > 0 && m.proto.functions(0).node_size() > 0 && random() % 3 == 0;
        auto *node = inBody ? m.proto.mutable_functions(0)->mutable_node(int(random() % m.proto.functions(0).node_size()))
                            : g->mutable_node(int(random() % g->node_size()));
        auto *tensor = g->mutable_initializer(int(random() % g->initializer_size()));
        auto *attr = node->attribute_size() ? node->mutable_attribute(int(random() % node->attribute_size())) : node->add_attribute();
        switch (random() % 16) {
        case 0: if (node->input_size()) node->set_input(int(random() % node->input_size()), inBody ? m.proto.functions(0).input(0) : name()); break;
        case 1: if (node->output_size()) node->set_output(int(random() % node->output_size()), name()); break;
        case 2: node->add_input(name()); break;
        case 3: node->add_output(name()); break;
        case 4: node->set_op_type(ops[random() % ops.size()]); break;
        case 5: node->set_domain(random() % 2 ? "lasnn" : "x"); break;
        case 6: attr->set_i(number()); break;
        case 7: if (attr->ints_size()) attr->set_ints(int(random() % attr->ints_size()), number()); else attr->add_ints(number()); break;
        case 8: attr->set_f(floats[random() % std::size(floats)]); break;
        case 9: attr->set_type(onnx::AttributeProto::AttributeType(random() % 14)); break;
        case 10: if (tensor->dims_size()) tensor->set_dims(int(random() % tensor->dims_size()), number()); break;
        case 11: tensor->add_dims(number()); break;
        case 12: tensor->set_data_type(int(random() % 18)); break;
        case 13: if (!tensor->raw_data().empty()) (*tensor->mutable_raw_data())[random() % tensor->raw_data().size()] = char(random()); break;
        case 14: {
          auto *shape = g->mutable_input(int(random() % g->input_size()))->mutable_type()->mutable_tensor_type()->mutable_shape();
          if (shape->dim_size()) shape->mutable_dim(int(random() % shape->dim_size()))->set_dim_value(number());
          break;
        }
        case 15:
          if (tensor->int64_data_size()) tensor->set_int64_data(0, number());
          else g->mutable_node()->SwapElements(int(random() % g->node_size()), int(random() % g->node_size()));
          break;
        }
      }
      ASSERT_NO_FATAL_FAILURE(mustHold(m.bytes())) << "round " << round;
    }
  }
}
/// A few bytes may not ask for much memory: sizes are refused before anything is taken.
TEST(Fuzz, AbsurdSizesCostNoMemory) {
  auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss; // KiB
  };
  long before = peak();
  for (int64_t size : {int64_t(1) << 27, int64_t(1) << 31, int64_t(1) << 62, INT64_MAX}) {
    Model m = student();
    for (auto &tensor : *m.graph()->mutable_initializer()) tensor.add_dims(size);
    mustHold(m.bytes());
    Model input = smallAnn();
    auto *shape = input.graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
    shape->mutable_dim(2)->set_dim_value(size);
    mustHold(input.bytes());
    Model mean = student();
    mean.graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_value(size);
    mean.meta("lasnn.mean", "0.5");
    mustHold(mean.bytes());
  }
  // Shapes made of shapes: doubled at every node.
  Model m = ann({-1, 2, 3, 4});
  m.node("Shape", {"x"}, {"s0"});
  for (int k = 0; k < 60; ++k)
    setInt(m.node("Concat", {"s" + std::to_string(k), "s" + std::to_string(k)}, {"s" + std::to_string(k + 1)}), "axis", 0);
  m.node("Reshape", {"x", "s60"}, {"y"});
  mustHold(m.bytes());
  EXPECT_LT(peak() - before, 64 * 1024) << "KiB";
}

} // namespace
