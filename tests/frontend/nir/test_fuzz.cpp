// Bytes that are cut off, flipped or made up: a report or a network, but no crash, hang or large allocation.
#include "nir_builder.h"

#include <random>
#include <sys/resource.h>

using namespace lasnn;
using namespace lasnn::testing;

namespace {

std::string valid() {
  NirBuilder file;
  file.input({3}), file.output(), file.affine("fc1", 4, 3), file.integrateAndFire("lif1", 4), file.affine("rec", 4, 4),
      file.affine("fc2", 2, 4);
  file.chain({"input", "fc1", "lif1", "fc2", "output"}), file.chain({"lif1", "rec", "lif1"});
  return file.bytes();
}

long peakKb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// Either it is imported, or an error says why.
void check(const std::string &bytes) {
  Imported imported(bytes, {}, true, /*isolate=*/true);
  EXPECT_TRUE(imported.ok() || !imported.errors.empty());
}

TEST(Fuzz, CutOff) {
  const std::string bytes = valid();
  for (size_t size = 0; size < bytes.size(); size += 397)
    check(bytes.substr(0, size));
}

TEST(Fuzz, Flipped) {
  const std::string bytes = valid();
  const long before = peakKb();
  std::mt19937 random(1);
  for (int turn = 0; turn < 100; ++turn) {
    std::string own = bytes;
    for (uint32_t k = 0, flips = 1 + random() % 4; k < flips; ++k)
      own[random() % own.size()] = char(random() % 4 ? random() : 0xff);
    check(own);
  }
  EXPECT_LT(peakKb() - before, 512 * 1024);
}

TEST(Fuzz, HugeClaims) {
  NirBuilder file;
  file.input({3}), file.output(), file.affine("fc1", 4, 3);
  NirBuilder::set(file.at("input"), "shape", {1e9, 1e9, 1e9});
  file.chain({"input", "fc1", "output"});
  Imported imported(file.bytes());
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.says("rule NIR5")) << imported.all();
}

TEST(Fuzz, DeepNesting) {
  NirBuilder file;
  file.input({3}), file.output();
  nir::Group *at = &file.node("g", "NIRGraph");
  for (int k = 0; k < 60; ++k)
    at = &NirBuilder::child(NirBuilder::child(*at, "nodes"), "g"), NirBuilder::text(*at, "type", "NIRGraph");
  file.chain({"input", "g", "output"});
  Imported imported(file.bytes());
  EXPECT_FALSE(imported.ok());
  EXPECT_TRUE(imported.says("deep")) << imported.all();
}

TEST(Fuzz, LargeRing) {
  NirBuilder file;
  file.input({1}), file.output();
  std::vector<std::string> names{"input"};
  for (int k = 0; k < 300; ++k)
    names.push_back("n" + std::to_string(k)), file.integrateAndFire(names.back(), 1);
  file.chain(names);
  file.edges.emplace_back("n299", "n0"), file.edges.emplace_back("n299", "output");
  check(file.bytes());
}

} // namespace
