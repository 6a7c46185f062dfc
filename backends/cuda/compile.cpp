#include "backends/cuda/compile.h"

#include "backends/cuda/choose.h"
#include "backends/cuda/source.h"
#include "backends/cuda/write_lasnn.h"

#include <algorithm>
#include <future>
#include <regex>

namespace lasnn::cuda {

const std::vector<std::string> &defaultArchitectures() {
  static const std::vector<std::string> names = {"sm_80", "sm_90a"};
  return names;
}

std::vector<std::string> architecturesOf(const std::string &variant, std::string &error) {
  if (variant.empty())
    return defaultArchitectures();
  static const std::regex form("(sm|compute)_[1-9][0-9]{1,2}[af]?");
  std::vector<std::string> names;
  for (size_t from = 0; from <= variant.size();) {
    const size_t to = std::min(variant.find(',', from), variant.size());
    const std::string name = variant.substr(from, to - from);
    if (!std::regex_match(name, form)) {
      error = "'" + name + "' is no architecture: expected sm_80, sm_90, sm_90a, ... (code), or compute_90, ... (PTX, for newer GPUs), separated by commas";
      return {};
    }
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
    from = to + 1;
  }
  return names;
}

Cubin compileProgram(const Program &program, const std::string &architecture, std::string &error) {
  return compileCuda(sourceOf(program), architecture, error);
}

bool makePrograms(const plan::Network &network, const Options &options, Compiled &compiled, std::string &error) {
  plan::Network once = network;
  once.timesteps = 1;
  compiled.step = makeProgram(once, options, error);
  if (error.empty() && network.delays.empty())
    compiled.whole = makeProgram(network, options, error);
  return error.empty();
}

namespace {

/// One program for one architecture.
struct Job {
  std::string architecture, error;
  const Program *program;
  Cubin cubin;
};

/// Every job, several at a time: NVRTC's programs are independent of one another.
void runJobs(std::vector<Job> &jobs, const CodeMaker &maker) {
  std::vector<std::future<void>> running;
  for (Job &job : jobs)
    running.push_back(std::async(std::launch::async, [&job, &maker] { job.cubin = maker(*job.program, job.architecture, job.error); }));
  for (std::future<void> &one : running)
    one.get();
}

void report(const Job &job, bool step, std::vector<KernelReport> &kernels) {
  for (size_t i = 0; i < job.program->launches.size(); ++i) {
    const Launch &launch = job.program->launches[i];
    KernelReport kernel = {launch.name, nameOf(launch.kernel), job.architecture, step, threadsPerBlock, launch.sharedBytes(), {}};
    if (const auto found = job.cubin.kernels.find(kernelName(*job.program, i)); found != job.cubin.kernels.end())
      kernel.resources = found->second;
    kernel.shared_bytes += kernel.resources.shared_bytes;
    kernels.push_back(std::move(kernel));
  }
}

uint32_t inputMaxOf(const plan::Network &network) { return network.encoding == plan::Encoding::Direct ? 255 : network.buffers[0].max_count; }

} // namespace

Compiled compileNetwork(const plan::Network &network, const Provenance &provenance, const std::vector<uint8_t> &ir, const CompileOptions &options,
                        std::string &error) {
  Compiled compiled;
  Options kernels = options.kernels;
  std::string newest; // names sort by age
  for (const std::string &architecture : options.architectures)
    if (knowsGpu(architecture))
      newest = std::max(newest, architecture);
  if (!newest.empty())
    kernels.architecture = newest;
  if (!makePrograms(network, kernels, compiled, error))
    return compiled;
  const bool whole = !compiled.whole.launches.empty();
  std::vector<Job> jobs;
  for (const std::string &architecture : options.architectures) {
    jobs.push_back({architecture, "", &compiled.step, {}});
    if (whole)
      jobs.push_back({architecture, "", &compiled.whole, {}});
  }
  runJobs(jobs, options.maker);

  FileContent content;
  content.whole = whole ? &compiled.whole : nullptr;
  content.step = &compiled.step;
  content.timesteps = network.timesteps;
  content.input_max = inputMaxOf(network);
  for (const plan::Delay &delay : compiled.step.delays)
    content.delays.push_back({delay.from, delay.to});
  for (Job &job : jobs) {
    if (job.cubin.bytes.empty()) {
      error = job.error;
      return compiled;
    }
    const bool step = job.program == &compiled.step;
    report(job, step, compiled.kernels);
    if (step)
      content.codes.push_back({job.architecture, {}, {}});
    (step ? content.codes.back().step : content.codes.back().whole) = std::move(job.cubin.bytes);
  }
  compiled.arena_bytes = planArena(whole ? compiled.whole : compiled.step, content.delays).bytes;
  compiled.bytes = writeLasnn(content, provenance, ir, error);
  return compiled;
}

} // namespace lasnn::cuda
