// A compiled network over a whole data set, on the GPU or on this CPU, without MLIR: the digest of all outputs says whether both compute the same.
//
//   bench_sweep MODEL.lasnn --data=SET:DIR [--split=test] [--limit=N] [--device=cuda|x86] [--batch=N] [--threads=N]
//
// Prints one JSON object with the keys of `lasnn-run --json` that do not need the network's names; the digest is the same number (XXH64 of
// all int32 outputs in the order of the samples). Exit: 0, 1 it failed, 2 wrong flags, 77 no GPU.
#include "bench/flags.h"
#include "frontend/data/data.h"
#include "lasnn/cuda.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

using namespace lasnn;

namespace {

struct Run {
  std::string device, isa;
  std::vector<int32_t> outputs;
  size_t output_count = 0;
  double seconds = 0;
  uint64_t spikes = 0, slots = 0, clips = 0;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void count(Run &run, const lasnn_layer_stats &s) { run.spikes += s.spikes, run.clips += s.clips, run.slots += s.neurons * s.steps; }

struct Source {
  std::string spec, split;
  size_t limit;
};

/// The set in the form that the network takes.
data::Dataset load(const Source &source, const lasnn_network_info &info) {
  const bool events = info.encoding == LASNN_EVENTS;
  data::LoadOptions options;
  options.limit = source.limit, options.frames = events ? info.timesteps : 0, options.maxCount = events ? info.input_max : 0;
  std::string error;
  std::optional<data::Dataset> set = data::load(source.spec, source.split, options, error);
  if (!set)
    bench::fail(error);
  if (set->events != events || set->imageBytes() != info.input_size)
    bench::fail("a sample of " + set->name + " has " + std::to_string(set->imageBytes()) + " bytes of " + (set->events ? "events" : "an image") + ", the network takes " +
                std::to_string(info.input_size) + " of " + (events ? "events" : "an image"));
  return std::move(*set);
}

Run onCpu(const bench::AlignedFile &model, const Source &source, data::Dataset &set, unsigned threads) {
  std::vector<lasnn_network *> nets(threads);
  char error[512] = "";
  for (lasnn_network *&net : nets) {
    const lasnn_options options = {sizeof(lasnn_options), LASNN_ISA_AUTO, nullptr, 0};
    if (lasnn_create(model.data(), model.size(), &options, &net, error, sizeof error) != LASNN_OK)
      bench::fail(error);
  }
  lasnn_network_info info;
  lasnn_get_info(nets[0], &info);
  set = load(source, info);
  Run run = {"x86", lasnn_isa_name(info.isa), std::vector<int32_t>(set.count * info.output_count), info.output_count};
  std::atomic<size_t> next = 0;
  const double start = now();
  std::vector<std::thread> workers;
  for (lasnn_network *net : nets)
    workers.emplace_back([&, net] {
      for (size_t i; (i = next++) < set.count;)
        if (lasnn_run(net, set.image(i), info.input_size, &run.outputs[i * info.output_count], info.output_count) != LASNN_OK)
          bench::fail(lasnn_get_error(net));
    });
  for (std::thread &worker : workers)
    worker.join();
  run.seconds = now() - start;
  for (lasnn_network *net : nets) {
    for (uint32_t layer = 0; layer < info.layer_count; ++layer) {
      lasnn_layer_stats stats;
      lasnn_get_layer_stats(net, layer, &stats);
      count(run, stats);
    }
    lasnn_destroy(net);
  }
  return run;
}

Run onGpu(const bench::AlignedFile &model, const Source &source, data::Dataset &set, uint32_t batch) {
  lasnn_cuda_options options = {};
  options.size = sizeof options;
  options.max_batch = batch;
  lasnn_cuda_session *session = nullptr;
  char error[1024] = "";
  if (const lasnn_status status = lasnn_cuda_create(model.data(), model.size(), &options, &session, error, sizeof error); status != LASNN_OK)
    bench::fail(error, status == LASNN_NO_DEVICE ? 77 : 1);
  lasnn_cuda_info info;
  lasnn_cuda_get_info(session, &info);
  set = load(source, info.network);
  const size_t outputs = info.network.output_count;
  Run run = {info.device_name, info.code, std::vector<int32_t>(set.count * outputs), outputs};
  const double start = now();
  for (size_t i = 0; i < set.count; i += batch) {
    const auto n = uint32_t(std::min<size_t>(batch, set.count - i));
    if (lasnn_cuda_submit(session, set.image(i), n * info.network.input_size, n, &run.outputs[i * outputs], n * outputs) != LASNN_OK)
      bench::fail(lasnn_cuda_get_error(session));
  }
  if (lasnn_cuda_wait(session) != LASNN_OK)
    bench::fail(lasnn_cuda_get_error(session));
  run.seconds = now() - start;
  for (uint32_t layer = 0; layer < info.network.layer_count; ++layer) {
    lasnn_layer_stats stats;
    if (lasnn_cuda_get_layer_stats(session, layer, &stats) != LASNN_OK)
      bench::fail(lasnn_cuda_get_error(session));
    count(run, stats);
  }
  lasnn_cuda_destroy(session);
  return run;
}

} // namespace

int main(int argc, char **argv) {
  bench::Flags flags(argc, argv, "usage: bench_sweep MODEL.lasnn --data=SET:DIR [--split=test] [--limit=N] [--device=cuda|x86] [--batch=N] [--threads=N]");
  const std::string spec = flags.text("data", ""), split = flags.text("split", "test"), device = flags.text("device", "cuda");
  const size_t limit = flags.number("limit", 0), batch = flags.number("batch", 512), threads = flags.number("threads", std::max(1u, std::thread::hardware_concurrency()));
  const std::string path = flags.word();
  flags.end();
  if (path.empty() || spec.empty() || (device != "cuda" && device != "x86") || batch == 0 || threads == 0)
    flags.usage();
  const bench::AlignedFile model(path);
  const Source source = {spec, split, limit};
  data::Dataset set;
  const Run run = device == "cuda" ? onGpu(model, source, set, uint32_t(batch)) : onCpu(model, source, set, unsigned(threads));
  size_t correct = 0;
  for (size_t i = 0; i < set.count; ++i) {
    const auto first = run.outputs.begin() + long(i * run.output_count);
    correct += size_t(std::max_element(first, first + long(run.output_count)) - first) == set.labels[i];
  }
  printf("{\"device\": \"%s\", \"isa\": \"%s\", \"images\": %zu, \"top1\": %.4f, \"digest\": \"%016llx\", \"images_per_s\": %.0f, \"spike_rate\": %.6f, \"clips\": %llu}\n",
         run.device.c_str(), run.isa.c_str(), set.count, 100.0 * double(correct) / double(set.count),
         static_cast<unsigned long long>(lasnn_hash64(run.outputs.data(), run.outputs.size() * sizeof(int32_t), 0)), double(set.count) / run.seconds,
         run.slots ? double(run.spikes) / double(run.slots) : 0, static_cast<unsigned long long>(run.clips));
  return 0;
}
