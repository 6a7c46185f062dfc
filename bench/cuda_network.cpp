// Times of a network of random weights on the GPU, by CUDA events: each launch, the whole run as one graph, and runs with their copies.
//
//   bench_cuda [--net=resnet18|layer] [--width=64] [--size=32] [--stem-stride=1] [--channels=64] [--out=64] [--stride=1] [--timesteps=4]
//              [--batch=512,...] [--form=auto,dense,split:2,...] [--rate=10] [--repeats=50] [--seconds=3]
//   bench_cuda ... --write=PREFIX   writes PREFIX.x86.lasnn and PREFIX.FORM.lasnn instead
//   bench_cuda --device             says what GPU there is
//
// Prints a JSON object a line, one a form (bench/gpu.h) and batch, for which it is compiled. rate: percent of spikes, which thresholds are set for on a random sample. bound_us: what the
// int8 tensor cores need at least for a launch's multiplications; bytes_us: what memory needs for its inputs, weights and outputs; null where
// the GPU is in no table. Exit: 0, 1 it failed, 2 wrong flags, 77 no GPU.
#include "backends/cuda/choose.h"
#include "backends/x86/write_lasnn.h"
#include "bench/flags.h"
#include "bench/gpu.h"
#include "bench/random_network.h"
#include "lasnn/cuda.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

using namespace lasnn;
using bench::fail;

namespace {

struct Peak {
  const char *name; ///< begins the device's name
  double int8_tops, tb_per_s;
};
// Dense (not sparse) int8 and memory bandwidth. Source: NVIDIA's data sheets of H100, H200 and A100 (the H100's sheet gives int8 with sparsity: twice these).
const Peak kPeaks[] = {{"NVIDIA H200", 1978.9, 4.8},  {"NVIDIA H100 PCIe", 1513, 2.0}, {"NVIDIA H100 NVL", 1671, 3.9}, {"NVIDIA H100", 1978.9, 3.35},
                       {"NVIDIA A100-SXM4-80GB", 624, 2.039}, {"NVIDIA A100", 624, 1.555}};

const Peak *peakOf(const std::string &device) {
  for (const Peak &peak : kPeaks)
    if (device.starts_with(peak.name))
      return &peak;
  return nullptr;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string number(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.6g", value);
  return text;
}
std::string numberOrNull(bool known, double value) { return known ? number(value) : "null"; }

/// One form of a network, compiled for a batch.
struct Variant {
  std::string form;
  uint32_t batch;
  cuda::Compiled compiled;
};

Variant compile(const plan::Network &plan, const bench::Gpu &gpu, const std::string &form, uint32_t batch, double rate) {
  std::string error;
  Variant one = {form, batch, bench::compileFor(gpu, plan, bench::optionsFor(gpu, form, batch, rate), error)};
  if (!error.empty())
    fail(error);
  return one;
}

class Timing {
public:
  Timing(const plan::Network &plan, const Variant &variant, double input_rate, double rate)
      : plan_(plan), form_(variant.form), input_rate_(input_rate), rate_(rate), batch_(variant.batch), program_(variant.compiled.whole), model_(variant.compiled.bytes) {
    lasnn_cuda_options options = {};
    options.size = sizeof options;
    options.max_batch = batch_, options.no_stats = 1;
    char error[1024] = "";
    if (const lasnn_status status = lasnn_cuda_create(model_.data(), model_.size(), &options, &session_, error, sizeof error); status != LASNN_OK)
      fail(error, status == LASNN_NO_DEVICE ? 77 : 1);
    lasnn_cuda_get_info(session_, &info_);
    if (info_.launch_count != program_.launches.size())
      fail("the file has " + std::to_string(info_.launch_count) + " launches, the program " + std::to_string(program_.launches.size()));
  }
  Timing(const Timing &) = delete;
  Timing &operator=(const Timing &) = delete;
  ~Timing() { lasnn_cuda_destroy(session_); }

  void measure(uint32_t repeats, double seconds) {
    const uint32_t batch = batch_;
    const std::vector<uint8_t> samples = bench::randomSamples(plan_, batch, input_rate_, 7);
    std::vector<int32_t> output(size_t(batch) * plan_.output_count), second(output.size());
    std::vector<double> runs;
    for (uint32_t i = 0; i < repeats + 3; ++i) {
      const double start = now();
      check(lasnn_cuda_run(session_, samples.data(), samples.size(), batch, output.data(), output.size()));
      if (i >= 3)
        runs.push_back((now() - start) * 1e6);
    }
    std::nth_element(runs.begin(), runs.begin() + long(runs.size() / 2), runs.end());
    std::vector<float> launch_us(info_.launch_count);
    float graph_us = 0;
    check(lasnn_cuda_time(session_, batch, repeats, launch_us.data(), &graph_us)); // with the samples of the last run still in place
    uint64_t images = 0;
    const double start = now();
    do {
      check(lasnn_cuda_submit(session_, samples.data(), samples.size(), batch, output.data(), output.size()));
      check(lasnn_cuda_submit(session_, samples.data(), samples.size(), batch, second.data(), second.size()));
      images += 2 * batch;
    } while (now() - start < seconds);
    check(lasnn_cuda_wait(session_));
    print(runs[runs.size() / 2], launch_us, graph_us, double(images) / (now() - start));
  }

private:
  void check(lasnn_status status) {
    if (status != LASNN_OK)
      fail(std::string(lasnn_status_name(status)) + ": " + lasnn_cuda_get_error(session_));
  }

  /// Multiplications of a launch for one sample: of the layer of its name.
  double macs(const cuda::Launch &launch) const {
    for (const plan::Layer &layer : plan_.layers)
      if (layer.name == launch.name)
        return bench::denseMacs(plan_, layer);
    return 0;
  }
  double bytes(const cuda::Launch &launch) const {
    double sum = 0;
    for (uint32_t input : launch.inputs)
      sum += double(program_.buffers[input].bytes(batch_, plan_.timesteps));
    for (const std::vector<uint8_t> &weights : launch.weights)
      sum += double(weights.size());
    if (launch.encodes())
      sum += double(program_.sample_bytes) * batch_;
    return sum + (launch.shape.out_form == cuda::formReadout ? 4.0 * batch_ * plan_.output_count : double(program_.buffers[launch.output].bytes(batch_, plan_.timesteps)));
  }

  void print(double run_us, const std::vector<float> &launch_us, float graph_us, double images_per_s) const {
    const Peak *peak = peakOf(info_.device_name);
    const uint32_t batch = batch_;
    printf("{\"network\": \"%s\", \"timesteps\": %u, \"batch\": %u, \"form\": \"%s\", \"rate\": %.4f, \"device\": \"%s\", \"code\": \"%s\", \"graph_us\": %s, \"run_us\": %s, "
           "\"device_images_per_s\": %s, \"images_per_s\": %s, \"constant_bytes\": %llu, \"session_bytes\": %llu, \"peak_int8_tops\": %s, \"peak_tb_per_s\": %s, "
           "\"peak_source\": \"NVIDIA's data sheets, dense\", \"launches\": [",
           plan_.name.c_str(), plan_.timesteps, batch, form_.c_str(), rate_, info_.device_name, info_.code, number(graph_us).c_str(), number(run_us).c_str(),
           numberOrNull(graph_us > 0, double(batch) / double(graph_us) * 1e6).c_str(), number(images_per_s).c_str(), static_cast<unsigned long long>(info_.constant_bytes),
           static_cast<unsigned long long>(info_.session_bytes), numberOrNull(peak, peak ? peak->int8_tops : 0).c_str(), numberOrNull(peak, peak ? peak->tb_per_s : 0).c_str());
    for (size_t i = 0; i < launch_us.size(); ++i) {
      const cuda::Launch &launch = program_.launches[i];
      const double all = macs(launch) * batch, moved = bytes(launch);
      printf("%s{\"name\": \"%s\", \"kernel\": \"%s\", \"tiles\": %u, \"features\": \"%s\", \"us\": %s, \"macs\": %s, \"bytes\": %s, \"bound_us\": %s, \"bytes_us\": %s}", i ? ", " : "", launch.name.c_str(),
             cuda::nameOf(launch.kernel), launch.tiles, launch.layer() ? cuda::featuresOf(launch, batch).c_str() : "", number(launch_us[i]).c_str(), number(all).c_str(), number(moved).c_str(),
             numberOrNull(peak, peak ? 2 * all / peak->int8_tops * 1e-6 : 0).c_str(), numberOrNull(peak, peak ? moved / peak->tb_per_s * 1e-6 : 0).c_str());
    }
    printf("]}\n");
    fflush(stdout);
  }

  const plan::Network &plan_;
  std::string form_;
  double input_rate_, rate_; ///< of the input's spikes, of the layers' on average
  uint32_t batch_;
  cuda::Program program_;
  bench::AlignedFile model_;
  lasnn_cuda_session *session_ = nullptr;
  lasnn_cuda_info info_ = {};
};

void writeFile(const std::string &path, const std::vector<uint8_t> &bytes, const std::string &error) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
  if (!error.empty() || !file.flush())
    fail(path + ": " + (error.empty() ? "cannot be written" : error));
}

void writeAll(const plan::Network &plan, const std::vector<Variant> &all, const std::string &prefix) {
  std::string error;
  const std::vector<uint8_t> bytes = x86::writeLasnn(plan, {"bench_cuda", "", plan.name, "", ""}, {}, error);
  writeFile(prefix + ".x86.lasnn", bytes, error);
  for (const Variant &one : all)
    writeFile(prefix + "." + one.form + ".lasnn", one.compiled.bytes, "");
}

/// Every form for every batch, compiled side by side.
std::vector<Variant> compileAll(const plan::Network &plan, const bench::Gpu &gpu, const std::vector<std::string> &forms, const std::vector<size_t> &batches, double rate) {
  std::vector<std::pair<std::string, uint32_t>> wanted;
  for (const std::string &form : forms)
    for (size_t batch : batches)
      wanted.emplace_back(form, uint32_t(batch));
  std::vector<Variant> all(wanted.size());
  std::atomic<size_t> next = 0;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::min<size_t>(std::max(1u, std::thread::hardware_concurrency()), wanted.size()); ++i)
    workers.emplace_back([&] {
      for (size_t at; (at = next++) < wanted.size();)
        all[at] = compile(plan, gpu, wanted[at].first, wanted[at].second, rate);
    });
  for (std::thread &worker : workers)
    worker.join();
  return all;
}

} // namespace

int main(int argc, char **argv) {
  bench::Flags flags(argc, argv,
                     "usage: bench_cuda [--net=resnet18|layer] [--width=N] [--size=N] [--stem-stride=N] [--channels=N] [--out=N] [--stride=N] [--timesteps=N] [--batch=N,...]\n"
                     "                  [--form=auto|KERNEL[:TILES],...] [--rate=PERCENT] [--repeats=N] [--seconds=N] [--write=PREFIX] | --device");
  const bool ask = flags.flag("device");
  const std::string net = flags.text("net", "resnet18"), prefix = flags.text("write", "");
  const auto width = uint32_t(flags.number("width", 64)), size = uint32_t(flags.number("size", 32)), stem_stride = uint32_t(flags.number("stem-stride", 1)), channels = uint32_t(flags.number("channels", 64)),
             out = uint32_t(flags.number("out", 64)), stride = uint32_t(flags.number("stride", 1)), timesteps = uint32_t(flags.number("timesteps", 4)),
             repeats = uint32_t(flags.number("repeats", 50));
  const std::vector<size_t> batches = flags.numbers("batch", "512");
  const std::vector<std::string> forms = flags.list("form", "auto");
  const double rate = double(flags.number("rate", 10)) / 100;
  const auto seconds = double(flags.number("seconds", 3));
  flags.end();
  for (size_t value : {size_t(width), size_t(size), size_t(stem_stride), size_t(channels), size_t(out), size_t(stride), size_t(timesteps), size_t(repeats), *std::min_element(batches.begin(), batches.end())})
    if (value == 0)
      flags.usage();
  if (net != "resnet18" && net != "layer")
    flags.usage();
  std::string why;
  const std::optional<bench::Gpu> gpu = bench::findGpu(why);
  if (!gpu)
    fail(why, 77);
  if (ask) {
    printf("{\"device\": \"%s\", \"architecture\": \"%s\", \"driver\": \"%s\"}\n", gpu->name.c_str(), gpu->architecture.c_str(), gpu->driver.c_str());
    return 0;
  }
  plan::Network plan = net == "layer" ? bench::oneLayer(channels, size, out, stride, timesteps, 1) : bench::resnet18({width, size, 10, stem_stride}, timesteps, 1);
  const std::vector<double> rates = bench::calibrate(plan, rate, 1);
  const double reached = std::accumulate(rates.begin(), rates.end(), 0.0) / double(rates.size());
  const std::vector<Variant> all = compileAll(plan, *gpu, forms, batches, reached);
  if (!prefix.empty()) {
    writeAll(plan, all, prefix);
    return 0;
  }
  for (const Variant &one : all)
    Timing(plan, one, rate, reached).measure(repeats, seconds);
  return 0;
}
