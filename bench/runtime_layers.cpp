// Time of single convolution layers in the runtime's kernels: spikes in a buffer -> event lists -> currents -> neurons -> spikes.
//
//   bench_runtime_layers [--isa=NAME] [--reps=N] [--json=FILE]
//
// Shapes, rates and T are those of the kernel study (docs/runtime.md). iid spikes, 5 inputs in rotation so that no branch
// predictor learns a list. `us` is the median over the repetitions of one layer alone, with its statistics, `best` their
// lowest decile (what a busy machine leaves of it); `run us` is all of lasnn_run, which also packs byte frames into bits. Cycles are wall time times the core's frequency, calibrated by
// a chain of dependent additions (one a cycle) before each measurement.
#include "backends/x86/write_lasnn.h"
#include "core/network.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

using namespace lasnn;

namespace {

struct Shape {
  uint32_t channels, size, out_channels, kernel;
  int weight_limit;
};
const Shape kShapes[] = {{64, 32, 64, 3, 127}, {128, 16, 128, 3, 127}, {256, 8, 256, 3, 127}, {128, 16, 128, 3, 63},
                         {128, 16, 128, 3, 31},  {128, 16, 128, 3, 7},   {128, 16, 128, 3, 3},   {128, 16, 128, 3, 1}, {64, 32, 64, 3, 7},
                         {32, 28, 32, 3, 127}, {64, 28, 64, 3, 127},   {128, 28, 128, 3, 127}};
const int kRates[] = {2, 5, 10, 20};
constexpr uint32_t kSteps = 4, kInputs = 5;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// GHz of this core now: 4000000 dependent additions, best of three.
double calibrateGhz() {
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    uint64_t x = 1;
    const double start = now();
    for (int n = 0; n < 1000000; ++n)
      asm volatile("add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0" : "+r"(x));
    best = std::max(best, 4e6 / (now() - start) * 1e-9);
  }
  return best;
}

plan::Network makePlan(const Shape &shape) {
  std::mt19937_64 random(42);
  plan::Network plan;
  plan.timesteps = kSteps;
  plan.encoding = plan::Encoding::Events;
  plan.buffers = {{"input", shape.channels, shape.size, shape.size, 1}, {"spikes", shape.out_channels, shape.size, shape.size, 1}};
  plan::Layer conv;
  conv.name = "conv";
  conv.output = 1;
  conv.out_channels = shape.out_channels;
  conv.out_height = conv.out_width = shape.size;
  conv.bias.assign(shape.out_channels, 0);
  conv.current_fits_int16 = true; // the random weights below stay far inside for these inputs
  plan::Synapse synapse;
  synapse.kernel_h = synapse.kernel_w = shape.kernel;
  synapse.pad_top = synapse.pad_left = int32_t(shape.kernel / 2);
  std::normal_distribution<float> weight(0, float(shape.weight_limit) / 3);
  for (uint32_t i = 0; i < shape.out_channels * shape.channels * shape.kernel * shape.kernel; ++i)
    synapse.weight.push_back(int8_t(std::clamp(int(weight(random)), -shape.weight_limit, shape.weight_limit)));
  conv.synapses = {synapse};
  conv.neuron.decay = 1024;
  conv.neuron.reset = plan::Reset::Subtract;
  conv.neuron.v_threshold.assign(shape.out_channels, 40 * int(shape.channels));
  conv.neuron.rho = conv.neuron.v_threshold;
  plan::Layer readout; // one value from one pixel: a plan must read something out
  readout.kind = plan::LayerKind::Readout;
  readout.name = "readout";
  readout.out_channels = 1;
  readout.bias = {0};
  plan::Synapse pick;
  pick.input = 1;
  pick.weight.assign(shape.out_channels, 1);
  readout.synapses = {pick};
  plan.layers = {conv, readout};
  plan.output_count = 1;
  return plan;
}

std::vector<uint8_t> makeInput(const Shape &shape, int rate, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> input(size_t(shape.channels) * shape.size * shape.size * kSteps);
  for (uint8_t &value : input)
    value = random() % 10000 < uint32_t(rate) * 100;
  return input;
}

double quantile(std::vector<double> values, double q) {
  const auto at = size_t(double(values.size() - 1) * q);
  std::nth_element(values.begin(), values.begin() + long(at), values.end());
  return values[at];
}

struct Result {
  std::string name;
  double us, best_us, run_us, per_cycle, best_per_cycle, ghz;
};

Result measure(lasnn_network *net, const Shape &shape, int rate, int reps) {
  std::vector<std::vector<uint8_t>> inputs;
  for (uint32_t i = 0; i < kInputs; ++i)
    inputs.push_back(makeInput(shape, rate, 7 + i));
  const double ghz = calibrateGhz();
  std::vector<double> layer, run, per_cycle;
  for (int rep = -10; rep < reps; ++rep) {
    const std::vector<uint8_t> &input = inputs[unsigned(rep + 10) % kInputs];
    lasnn_stats_clear(net);
    runtime::loadInput(*net, input.data());
    const double start = now();
    runtime::runLayer(*net, 0);
    const double seconds = now() - start;
    lasnn_layer_stats stats;
    lasnn_get_layer_stats(net, 0, &stats);
    int32_t out;
    const double run_start = now();
    lasnn_run(net, input.data(), input.size(), &out, 1);
    const double run_seconds = now() - run_start;
    if (rep < 0) continue;
    layer.push_back(seconds);
    run.push_back(run_seconds);
    per_cycle.push_back(double(stats.synops) / (seconds * ghz * 1e9));
  }
  char name[96];
  snprintf(name, sizeof name, "%s %ux%ux%u->%u %ux%u w%d %d%%", lasnn_isa_name(net->isa), shape.channels, shape.size, shape.size,
           shape.out_channels, shape.kernel, shape.kernel, int(std::bit_width(unsigned(shape.weight_limit))) + 1, rate);
  return {name, quantile(layer, 0.5) * 1e6, quantile(layer, 0.1) * 1e6, quantile(run, 0.5) * 1e6, quantile(per_cycle, 0.5), quantile(per_cycle, 0.9), ghz};
}

void writeJson(const char *path, const std::vector<Result> &results) {
  FILE *file = fopen(path, "w");
  if (!file) {
    fprintf(stderr, "cannot write %s\n", path);
    exit(1);
  }
  fprintf(file, "{\"results\": [\n");
  for (size_t i = 0; i < results.size(); ++i) {
    const Result &r = results[i];
    fprintf(file, "  {\"case\": \"%s\", \"value\": %.2f, \"unit\": \"us\", \"better\": \"lower\", \"best_us\": %.2f, \"run_us\": %.2f, \"synops_per_cycle\": %.2f, \"best_synops_per_cycle\": %.2f, \"ghz\": %.3f}%s\n",
            r.name.c_str(), r.us, r.best_us, r.run_us, r.per_cycle, r.best_per_cycle, r.ghz, i + 1 < results.size() ? "," : "");
  }
  fprintf(file, "]}\n");
  fclose(file);
}

} // namespace

int main(int argc, char **argv) {
  const char *json = nullptr, *only = nullptr;
  int reps = 101;
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], "--json=", 7) == 0) json = argv[i] + 7;
    else if (strncmp(argv[i], "--isa=", 6) == 0) only = argv[i] + 6;
    else if (strncmp(argv[i], "--reps=", 7) == 0) reps = atoi(argv[i] + 7);
    else {
      fprintf(stderr, "usage: %s [--isa=scalar|avx2|avx512] [--reps=N] [--json=FILE]\n", argv[0]);
      return 2;
    }
  }
  std::vector<Result> results;
  printf("%-40s %9s %9s %9s %13s %6s %6s\n", "layer, T=4", "us", "best", "run us", "synops/cycle", "best", "GHz");
  for (const Shape &shape : kShapes)
    for (lasnn_isa isa : {LASNN_ISA_SCALAR, LASNN_ISA_AVX2, LASNN_ISA_AVX512}) {
      if (!lasnn_isa_available(isa) || (only && strcmp(only, lasnn_isa_name(isa)) != 0)) continue;
      std::string error;
      const std::vector<uint8_t> bytes = x86::writeLasnn(makePlan(shape), {}, {}, error);
      uint8_t *model = static_cast<uint8_t *>(std::aligned_alloc(4096, (bytes.size() + 4095) / 4096 * 4096));
      memcpy(model, bytes.data(), bytes.size());
      const lasnn_options options = {sizeof(lasnn_options), isa, nullptr, 0};
      lasnn_network *net = nullptr;
      char text[256];
      if (bytes.empty() || lasnn_create(model, bytes.size(), &options, &net, text, sizeof text) != LASNN_OK) {
        fprintf(stderr, "%s%s\n", error.c_str(), bytes.empty() ? "" : text);
        return 1;
      }
      for (int rate : kRates) {
        results.push_back(measure(net, shape, rate, isa == LASNN_ISA_SCALAR ? std::min(reps, 15) : reps));
        const Result &r = results.back();
        printf("%-40s %9.1f %9.1f %9.1f %13.1f %6.1f %6.2f\n", r.name.c_str(), r.us, r.best_us, r.run_us, r.per_cycle, r.best_per_cycle, r.ghz);
        fflush(stdout);
      }
      lasnn_destroy(net);
      free(model);
    }
  if (json) writeJson(json, results);
  return 0;
}
