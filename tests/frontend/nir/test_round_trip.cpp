// Random networks: exported, imported, exported again. Networks compute the same and files are the same.
#include "nir_builder.h"

#include "ir/interpreter/interpreter.h"

#include <random>

using namespace lasnn;
using namespace lasnn::testing;

namespace {

/// A random chain with branches, feedback, delays and every kind of neuron.
class RandomFile {
public:
  explicit RandomFile(uint32_t seed) : random(seed) {}
  NirBuilder file;

  std::string bytes() {
    const bool image = pick(2);
    std::string at = "input";
    int64_t n = 1 + pick(6);
    if (image) {
      int64_t c = 1 + pick(3), h = 3 + pick(4), w = 3 + pick(4);
      file.input({double(c), double(h), double(w)});
      const int64_t k = 1 + pick(3), kernel = 1 + pick(3), stride = 1 + pick(2), pad = pick(2);
      nir::Group &g = file.node("conv", "Conv2d");
      NirBuilder::set(g, "weight", {k, c, kernel, kernel}, numbers(k * c * kernel * kernel));
      NirBuilder::set(g, "bias", numbers(k));
      NirBuilder::set(g, "stride", double(stride)), NirBuilder::set(g, "padding", double(pad)), NirBuilder::set(g, "dilation", 1.0),
          NirBuilder::set(g, "groups", 1.0);
      h = (h + 2 * pad - kernel) / stride + 1, w = (w + 2 * pad - kernel) / stride + 1;
      neuron("spatial", {k, h, w});
      NirBuilder::set(file.node("pool", pick(2) ? "SumPool2d" : "AvgPool2d"), "kernel_size", 1.0 + double(h > 1 && w > 1));
      NirBuilder::set(file.at("pool"), "stride", 1.0), NirBuilder::set(file.at("pool"), "padding", 0.0);
      if (h > 1 && w > 1) --h, --w;
      NirBuilder::set(file.node("flat", "Flatten"), "start_dim", 0.0), NirBuilder::set(file.at("flat"), "end_dim", -1.0);
      file.chain({at, "conv", "spatial", "pool", "flat"});
      at = "flat", n = k * h * w;
    } else {
      file.input({double(n)});
    }
    for (int64_t layer = 0, layers = 1 + pick(3); layer < layers; ++layer) {
      const std::string fc = "fc" + std::to_string(layer), lif = "n" + std::to_string(layer), skip = "skip" + std::to_string(layer),
                        rec = "rec" + std::to_string(layer);
      const int64_t m = 2 + pick(5);
      matrix(fc, m, n), neuron(lif, {m});
      file.chain({at, fc, lif});
      if (pick(2)) matrix(skip, m, n), file.chain({at, skip, lif});
      if (pick(2)) matrix(rec, m, m), file.chain({lif, rec, lif});
      at = lif, n = m;
      if (pick(3) == 0) {
        const std::string late = "late" + std::to_string(layer);
        NirBuilder::set(file.node(late, "Delay"), "delay", std::vector<double>(size_t(n), 1e-4 * double(1 + pick(3))));
        file.chain({lif, late});
        at = late;
      }
    }
    matrix("last", 3, n);
    file.output({3});
    file.chain({at, "last", "output"});
    std::shuffle(file.edges.begin(), file.edges.end(), random);
    return file.bytes();
  }

  std::vector<uint8_t> sample(size_t size) {
    std::vector<uint8_t> bytes(size);
    for (uint8_t &byte : bytes)
      byte = uint8_t(pick(4) == 0 ? 1 + pick(3) : 0);
    return bytes;
  }
  int64_t pick(int64_t n) { return int64_t(random() % uint32_t(n)); }

private:
  std::mt19937 random;
  std::vector<double> numbers(int64_t n) {
    std::vector<double> values(static_cast<size_t>(n));
    for (double &value : values)
      value = double(float(int(random() % 2001) - 800) / 1000.f);
    return values;
  }
  void matrix(const std::string &name, int64_t outputs, int64_t inputs) {
    nir::Group &g = file.node(name, pick(2) ? "Affine" : "Linear");
    NirBuilder::set(g, "weight", {outputs, inputs}, numbers(outputs * inputs));
    if (g.text("type") == "Affine") NirBuilder::set(g, "bias", numbers(outputs));
  }
  void neuron(const std::string &name, std::vector<int64_t> shape) {
    int64_t all = 1;
    for (int64_t dim : shape)
      all *= dim;
    const bool leaky = pick(2);
    nir::Group &g = file.node(name, leaky ? "LIF" : "IF");
    auto same = [&](const char *field, double value) { NirBuilder::set(g, field, shape, std::vector<double>(size_t(all), value)); };
    const double tau = 1e-4 * double(2 + pick(30));
    if (leaky) same("tau", tau), same("v_leak", 0);
    same("r", leaky ? tau / 1e-4 : 1e4), same("v_threshold", 0.25 + 0.125 * double(pick(8))), same("v_reset", 0);
    // A threshold of its own for every channel.
    if (pick(2))
      for (size_t k = 0; k < size_t(all); ++k)
        g.arrays["v_threshold"].values[k] = 0.25 + 0.125 * double(k / (size_t(all) / size_t(shape[0])) % 7);
  }
};

std::vector<float> run(Imported &imported, const std::vector<uint8_t> &sample) {
  auto interpreter = snn::Interpreter::create(imported.network());
  EXPECT_TRUE(bool(interpreter));
  EXPECT_FALSE(bool((*interpreter)->run(llvm::ArrayRef<uint8_t>(sample))));
  return (*interpreter)->output().f;
}

TEST(RoundTrip, RandomNetworks) {
  int active = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    RandomFile random(seed);
    nir::ImportOptions options;
    options.conventions.dt = 1e-4;
    options.conventions.compare = random.pick(2) ? snn::Compare::Gt : snn::Compare::Ge;
    options.conventions.writer = random.pick(2) ? nir::Writer::SnnTorch : nir::Writer::Auto;
    options.conventions.reset = random.pick(2) ? snn::Reset::Zero : snn::Reset::Subtract;
    if (options.conventions.reset == snn::Reset::Subtract && random.pick(2)) options.conventions.multiSpike = 1 + random.pick(9);
    if (random.pick(2)) options.conventions.vMin = -1.5f;
    Imported first(random.bytes(), options);
    ASSERT_TRUE(first.ok()) << seed << "\n" << first.all();
    auto once = nir::exportNir(first.network());
    ASSERT_TRUE(mlir::succeeded(once)) << seed;
    Imported second(*once, {}, /*quiet=*/false); // it says everything itself
    ASSERT_TRUE(second.ok()) << seed << "\n" << second.all();
    auto twice = nir::exportNir(second.network());
    ASSERT_TRUE(mlir::succeeded(twice)) << seed;
    Imported third(*twice, {}, /*quiet=*/false);
    ASSERT_TRUE(third.ok()) << seed << "\n" << third.all();
    auto print = [](Imported &imported) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      imported.network()->print(stream);
      return text;
    };
    ASSERT_EQ(print(second), print(third)) << seed;
    const std::vector<uint8_t> sample = random.sample(size_t(snn::Interpreter::create(first.network())->get()->inputSize()));
    const std::vector<float> expected = run(first, sample);
    ASSERT_EQ(run(second, sample), expected) << seed;
    active += llvm::any_of(expected, [&](float v) { return v != expected[0]; });
  }
  EXPECT_GT(active, 50);
}

TEST(RoundTrip, WhatNirCannotSayIsRefusedByName) {
  NirBuilder file;
  file.input({2}), file.output();
  NirBuilder::set(file.node("x", "Scale"), "scale", {2, 3});
  file.chain({"input", "x", "output"});
  Imported imported(file.bytes());
  ASSERT_TRUE(imported.ok()) << imported.all();
  std::string told;
  mlir::ScopedDiagnosticHandler handler(&imported.context, [&](mlir::Diagnostic &d) {
    told += d.str();
    return mlir::success();
  });
  EXPECT_TRUE(mlir::failed(nir::exportNir(imported.network())));
  EXPECT_NE(told.find("node \"x.gain\": rule NIR12: NIR has no node for snn.batch_norm"), std::string::npos) << told;
}

} // namespace
