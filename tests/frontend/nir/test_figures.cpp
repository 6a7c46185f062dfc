// Files that others wrote: neurons against their exact traces; N-MNIST networks import (lasnn-run measures them).
#include "nir_builder.h"

#include "ir/interpreter/interpreter.h"

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace lasnn;
using namespace lasnn::testing;

namespace {

std::string slurp(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Steps of input and output spikes of a trace.
std::pair<std::vector<uint8_t>, std::vector<int>> readTrace(const std::string &name) {
  std::ifstream file(std::string(LASNN_DATA_DIR) + "/nir/lif_traces/" + name);
  std::pair<std::vector<uint8_t>, std::vector<int>> trace;
  std::string line;
  while (std::getline(file, line)) {
    double in = 0, v = 0, out = 0;
    char comma;
    std::istringstream(line) >> in >> comma >> v >> comma >> out;
    if (out > 0) trace.second.push_back(int(trace.first.size()));
    trace.first.push_back(uint8_t(in > 0));
  }
  return trace;
}

std::vector<int> spikesOf(Imported &imported, const std::vector<uint8_t> &input, llvm::StringRef neuron) {
  auto run = snn::Interpreter::create(imported.network());
  EXPECT_TRUE(bool(run));
  std::vector<int> steps;
  (*run)->setObserver([&](mlir::Operation *op, int64_t step, const snn::Tensor &value) {
    if (snn::nameOf(op) == neuron && snn::getNeuron(op) && value.f[0] > 0) steps.push_back(int(step));
  });
  EXPECT_FALSE(bool((*run)->run(llvm::ArrayRef<uint8_t>(input))));
  return steps;
}

#define NEED(path)                                                                                                                         \
  if (!std::filesystem::exists(std::string(LASNN_DATA_DIR) + path)) GTEST_SKIP() << "not there: shared/data" path

TEST(Figures, OneNeuronFiresAsItsExactSolution) {
  NEED("/nir/lif_norse.nir");
  auto [input, exact] = readTrace("01_lif_lif_exact.csv");
  ASSERT_EQ(input.size(), 1000u);
  nir::ImportOptions options;
  options.timesteps = 1000;
  const std::string norse = slurp(std::string(LASNN_DATA_DIR) + "/nir/lif_norse.nir"),
                    rockpool = slurp(std::string(LASNN_DATA_DIR) + "/nir/lif_rockpool.nir");
  Imported undecided(norse, options);
  EXPECT_FALSE(undecided.ok()); // r = 1 holds no step
  options.conventions.dt = 1e-4;
  Imported told(norse, options);
  ASSERT_TRUE(told.ok()) << told.all();
  EXPECT_EQ(spikesOf(told, input, "1"), exact);
  options.conventions.dt.reset();
  Imported own(rockpool, options);
  ASSERT_TRUE(own.ok()) << own.all();
  EXPECT_TRUE(own.says("read as rockpool")) << own.all();
  EXPECT_TRUE(own.says("dt = 0.0001")) << own.all();
  const std::vector<int> subtracted = spikesOf(own, input, "1_LIFNeuronTorch");
  options.conventions.reset = snn::Reset::Zero;
  Imported reset(rockpool, options);
  ASSERT_TRUE(reset.ok()) << reset.all();
  std::string text;
  for (int step : subtracted)
    text += std::to_string(step) + " ";
  text += "/ ";
  for (int step : spikesOf(reset, input, "1_LIFNeuronTorch"))
    text += std::to_string(step) + " ";
  RecordProperty("rockpool", text);
  std::printf("lif_rockpool: own convention / reset to zero: %s\n", text.c_str());
  EXPECT_EQ(spikesOf(reset, input, "1_LIFNeuronTorch"), exact);
}

TEST(Figures, TwoNeuronsOneDrivenByItsRestPotential) {
  NEED("/nir/two_lif_neurons.nir");
  const std::string bytes = slurp(std::string(LASNN_DATA_DIR) + "/nir/two_lif_neurons.nir");
  nir::ImportOptions options;
  options.timesteps = 1000, options.conventions.dt = 1e-4;
  Imported imported(bytes, options);
  ASSERT_TRUE(imported.ok()) << imported.all();
  // lif1 without input: v = 1.2 (1 - (1 - dt/tau)^n) passes 1 after n > ln 6 / -ln 0.99 = 178.28 steps.
  std::vector<uint8_t> silent(1000, 0);
  EXPECT_EQ(spikesOf(imported, silent, "lif1"), (std::vector<int>{178, 357, 536, 715, 894}));
  EXPECT_TRUE(spikesOf(imported, silent, "lif2").empty());
}

TEST(Figures, FilteredRecurrentNetworkIsRefusedByNumbers) {
  NEED("/nir/braille_noDelay_bias_zero.nir");
  nir::ImportOptions options;
  options.timesteps = 10, options.conventions.writer = nir::Writer::SnnTorch;
  Imported imported(slurp(std::string(LASNN_DATA_DIR) + "/nir/braille_noDelay_bias_zero.nir"), options);
  EXPECT_FALSE(imported.ok());
  EXPECT_EQ(imported.errors.size(), 2u) << imported.all();
  EXPECT_TRUE(imported.says("node \"lif1.lif\" (CubaLIF): rule NIR8")) << imported.all();
  EXPECT_TRUE(imported.says("tau_syn = 0.0002 at dt = 0.0001 keeps 0.5")) << imported.all();
}

TEST(Figures, EventNetworksImport) {
  NEED("/nir/BRANDY__100pct.nir");
  nir::ImportOptions options;
  options.timesteps = 30, options.conventions.reset = snn::Reset::Subtract, options.conventions.multiSpike = 255,
  options.conventions.vMin = -1;
  for (const char *name : {"BRANDY__100pct", "BRANDY__50pct"}) {
    Imported imported(slurp(std::string(LASNN_DATA_DIR) + "/nir/" + name + ".nir"), options);
    ASSERT_TRUE(imported.ok()) << imported.all();
    EXPECT_EQ(imported.remarks.size(), 5u) << imported.all();
    EXPECT_TRUE(imported.says("r = 1: time is counted in steps")) << imported.all();
  }
}

} // namespace
