// Conversion in numbers: the fast float runner computes what the interpreter does, and a converted network's rates go to the ANN's values.
#include "ir/interpreter/interpreter.h"
#include "passes/Convert/Convert.h"
#include "tests/passes/random_network.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace lasnn;
using namespace lasnn::test;

namespace {

std::unique_ptr<mlir::MLIRContext> makeContext() {
  auto context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  context->loadDialect<snn::SnnDialect>();
  return context;
}

TEST(FloatRun, EqualsTheInterpreterWhereSumsAreExact) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    auto context = makeContext();
    NetworkOptions options;
    options.events = seed % 3 == 0, options.recurrent = seed % 2 == 0;
    RandomNetwork net(*context, seed, options);
    auto interpreter = snn::Interpreter::create(net.network());
    ASSERT_TRUE(bool(interpreter)) << llvm::toString(interpreter.takeError());
    auto program = makeFloatProgram(net.network());
    ASSERT_TRUE(bool(program)) << llvm::toString(program.takeError());
    FloatRun run(*program);
    for (int i = 0; i < 2; ++i) { // the second from a used state
      auto sample = net.sample();
      ASSERT_EQ(inputSize(**program), sample.size());
      ASSERT_FALSE(bool((*interpreter)->run(sample)));
      run.run(sample, (*interpreter)->timesteps());
      auto expected = (*interpreter)->output().f;
      // The runner keeps the channels of a pixel together; the interpreter keeps planes.
      std::vector<float> got(run.output().begin(), run.output().end());
      expected.resize(got.size());
      std::sort(expected.begin(), expected.end()), std::sort(got.begin(), got.end());
      EXPECT_EQ(expected, got) << "seed " << seed;
    }
  }
}

/// conv - relu - conv + shortcut - relu - pool - linear, weights drawn, as text.
std::string randomAnn(unsigned seed, const std::string &pool) {
  std::mt19937 random(seed);
  auto dense = [&](size_t count, float most, const std::string &type) {
    std::string hex;
    for (size_t i = 0; i < count; ++i) {
      float x = (float(random() % 2001) / 1000.f - 1.f) * most;
      uint32_t bits;
      std::memcpy(&bits, &x, 4);
      for (int b = 0; b < 4; ++b)
        hex += fmt::format("{:02X}", (bits >> (8 * b)) & 255);
    }
    return fmt::format("dense<\"0x{}\"> : {}", hex, type);
  };
  return fmt::format(R"(snn.network @n timesteps = 1 {{
  %in = snn.input "in" : tensor<2x6x6xui8>
  %x = snn.encode %in direct : (tensor<2x6x6xui8>) -> tensor<2x6x6xf32>
  %a = snn.conv2d %x {{weight = {0}, bias = {1}, pads = array<i64: 1, 1, 1, 1>}} : (tensor<2x6x6xf32>) -> tensor<20x6x6xf32>
  %b = snn.relu %a : (tensor<20x6x6xf32>) -> tensor<20x6x6xf32>
  %c = snn.conv2d %b {{weight = {2}, bias = {3}, pads = array<i64: 1, 1, 1, 1>, groups = 2}} : (tensor<20x6x6xf32>) -> tensor<20x6x6xf32>
  %d = snn.add %c, %b : (tensor<20x6x6xf32>, tensor<20x6x6xf32>) -> tensor<20x6x6xf32>
  %e = snn.relu %d : (tensor<20x6x6xf32>) -> tensor<20x6x6xf32>
  %p = snn.{4} %e {{kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}} : (tensor<20x6x6xf32>) -> tensor<20x3x3xf32>
  %f = snn.flatten %p : (tensor<20x3x3xf32>) -> tensor<180xf32>
  %l = snn.linear %f {{weight = {5}}} : (tensor<180xf32>) -> tensor<4xf32>
  %r = snn.readout %l last : (tensor<4xf32>) -> tensor<4xf32>
  snn.output "out" %r : tensor<4xf32>
}})",
                     dense(360, 0.5f, "tensor<20x2x3x3xf32>"), dense(20, 0.2f, "tensor<20xf32>"),
                     dense(1800, 0.2f, "tensor<20x10x3x3xf32>"), dense(20, 0.2f, "tensor<20xf32>"), pool,
                     dense(720, 0.1f, "tensor<4x180xf32>"));
}

struct Difference {
  double most = 0, largest = 0; ///< of logits between the ANN and its conversion, on images that conversion did not see; the largest logit
  double mean = 0;              ///< of one logit, over the images that it saw: the largest
};
Difference difference(unsigned seed, const std::string &pool, int64_t timesteps, int64_t correct) {
  auto context = makeContext();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(randomAnn(seed, pool), context.get());
  if (!module) return {INFINITY, 0, INFINITY};
  snn::NetworkOp network = *module->getOps<snn::NetworkOp>().begin();
  std::mt19937 random(seed + 1000);
  auto images = std::make_shared<CalibrationData>();
  std::vector<std::vector<uint8_t>> fresh;
  for (int i = 0; i < 20; ++i) {
    std::vector<uint8_t> image(72);
    for (uint8_t &byte : image)
      byte = uint8_t(random());
    if (i < 16)
      images->samples.push_back(image);
    else
      fresh.push_back(image);
  }
  auto before = makeFloatProgram(network);
  ConvertOptions options;
  options.timesteps = timesteps, options.percentile = 100, options.correct = correct;
  mlir::PassManager manager(context.get());
  manager.nest<snn::NetworkOp>().addPass(createConvert(options, images));
  if (mlir::failed(manager.run(*module))) return {INFINITY, 0, INFINITY};
  auto after = makeFloatProgram(network);
  FloatRun ann(*before), spiking(*after);
  double most = 0, largest = 0;
  for (const auto &image : fresh) {
    ann.run(image, 1), spiking.run(image, timesteps);
    for (size_t e = 0; e < 4; ++e) {
      most = std::max(most, std::fabs(double(ann.output()[e]) - spiking.output()[e]));
      largest = std::max(largest, std::fabs(double(ann.output()[e])));
    }
  }
  double mean[4] = {};
  for (const auto &image : images->samples) {
    ann.run(image, 1), spiking.run(image, timesteps);
    for (size_t e = 0; e < 4; ++e)
      mean[e] += (spiking.output()[e] - ann.output()[e]) / double(images->samples.size());
  }
  return {most, largest, std::max({std::fabs(mean[0]), std::fabs(mean[1]), std::fabs(mean[2]), std::fabs(mean[3])})};
}

TEST(Convert, RatesGoToTheActivations) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    Difference few = difference(seed, "avg_pool", 8, 0), many = difference(seed, "avg_pool", 512, 0);
    EXPECT_LT(many.most, 0.05 * many.largest + 0.02) << "seed " << seed;
    EXPECT_LT(many.most, few.most) << "seed " << seed;
  }
}

TEST(Convert, CorrectionLeavesNoMeanError) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    EXPECT_LT(difference(seed, "avg_pool", 8, 2).mean, 1e-4) << "seed " << seed;
    EXPECT_GT(difference(seed, "avg_pool", 8, 0).mean, 1e-3) << "seed " << seed;
  }
}

TEST(Convert, MaxPoolsOfCurrentsConverge) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    Difference off = difference(seed, "max_pool", 64, 1);
    EXPECT_LT(off.most, 0.5 * off.largest) << "seed " << seed; // the largest of currents that vary is above the largest mean
  }
}

} // namespace
