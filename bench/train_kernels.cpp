// What the trainer's fused neuron, and normalisation with it, gain over the same in LibTorch's own operations: forward and backward, by
// T and type, in milliseconds, and how much of the speed of a plain copy of their bytes they reach. JSON on stdout.
// Usage: bench_train_kernels [--device=cuda|cpu] [--shape=B,C,H,W] [--contiguous] [--runs=N] [--beta-learned]
// On a CPU the shape is a toy's unless given: then it only shows that the program works.
#include "distill/device.h"
#include "distill/neuron.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <functional>

#ifdef LASNN_TORCH_CUDA
#include <ATen/cuda/CUDAEvent.h>
#endif

using namespace lasnn::distill;

namespace {

struct Setting {
  torch::Device device = torch::kCPU;
  std::vector<int64_t> shape;
  bool contiguous = false, learned = false;
  int runs = 0;
};

/// Milliseconds of one run: on a GPU between two events of its stream.
double once(const Setting &s, const std::function<void()> &work) {
#ifdef LASNN_TORCH_CUDA
  if (s.device.is_cuda()) {
    at::cuda::CUDAEvent begin(cudaEventDefault), end(cudaEventDefault);
    begin.record();
    work();
    end.record();
    end.synchronize();
    return double(begin.elapsed_time(end));
  }
#endif
  (void)s;
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

/// The median, after three runs in which libraries and the allocator settle.
double median(const Setting &s, const std::function<void()> &work) {
  for (int k = 0; k < 3; ++k)
    once(s, work);
  std::vector<double> times;
  for (int k = 0; k < s.runs; ++k)
    times.push_back(once(s, work));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct Inputs {
  torch::Tensor x, grad, gamma, shift;
  NeuronParameters neuron;
};

Inputs inputs(const Setting &s, int64_t steps, torch::ScalarType type) {
  std::vector<int64_t> sizes = s.shape;
  sizes[0] *= steps;
  const auto options = torch::TensorOptions(torch::kFloat32).device(s.device);
  const auto format = s.contiguous ? torch::MemoryFormat::Contiguous : torch::MemoryFormat::ChannelsLast;
  auto large = [&] { return torch::randn(sizes, options).to(type).contiguous(format); };
  auto number = [&](double value) { return torch::full({}, value, options); };
  Inputs in{large(), large(), torch::ones({sizes[1]}, options), torch::zeros({sizes[1]}, options), {number(0.5), number(0), number(1)}};
  in.x.set_requires_grad(true), in.gamma.set_requires_grad(true), in.shift.set_requires_grad(true);
  in.neuron.beta.set_requires_grad(s.learned);
  return in;
}

/// Times operations and their gradients. `passes`: how often the fused ones read or write a whole tensor of T steps.
nlohmann::json compare(const Setting &s, const char *what, int64_t steps, torch::ScalarType type, bool normalised, int64_t passes, double copySpeed) {
  const Inputs in = inputs(s, steps, type);
  const NeuronOptions o;
  std::vector<torch::Tensor> wanted = {in.x};
  if (normalised)
    wanted.insert(wanted.end(), {in.gamma, in.shift});
  if (s.learned)
    wanted.push_back(in.neuron.beta);
  auto gradients = [&](const torch::Tensor &spikes) { torch::autograd::grad({spikes}, wanted, {in.grad}); };
  auto normal = [&] { return normalised ? torch::batch_norm(in.x, in.gamma, in.shift, {}, {}, true, 0.1, 1e-5, true) : in.x; };
  const double plain = median(s, [&] { gradients(spikeStepsPlain(normal(), steps, in.neuron, steps, o)); });
  const double fused = median(s, [&] {
    gradients(normalised ? normalisedSpikeSteps(in.x, steps, {in.gamma, in.shift, {}, {}, true, 0.1, 1e-5}, {}, in.neuron, steps, o)
                         : spikeSteps(in.x, steps, in.neuron, steps, o));
  });
  const double bytes = double(passes) * double(in.x.numel()) * double(in.x.element_size());
  nlohmann::json out = {{"what", what}, {"T", steps}, {"type", type == torch::kBFloat16 ? "bfloat16" : "float32"}, {"plain_ms", plain},
                        {"fused_ms", fused}, {"speedup", plain / fused}, {"bytes", bytes}, {"bytes_per_s", bytes / fused * 1e3},
                        {"share_of_copy", bytes / fused * 1e3 / copySpeed}};
  if (normalised)
    out["separate_ms"] = median(s, [&] { gradients(spikeSteps(normal(), steps, in.neuron, steps, o)); }); // LibTorch's normalisation, our neuron
  return out;
}

Setting readArguments(int argc, char **argv) {
  Setting s;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    auto value = [&](const char *name) { return word.starts_with(name) ? word.substr(std::string(name).size()) : ""; };
    if (const std::string text = value("--device="); !text.empty())
      s.device = deviceFromName(text);
    else if (const std::string sizes = value("--shape="); !sizes.empty())
      for (size_t at = 0; at < sizes.size(); at = sizes.find(',', at) == std::string::npos ? sizes.size() : sizes.find(',', at) + 1)
        s.shape.push_back(std::stoll(sizes.substr(at)));
    else if (const std::string runs = value("--runs="); !runs.empty())
      s.runs = std::stoi(runs);
    else if (word == "--contiguous")
      s.contiguous = true;
    else if (word == "--beta-learned")
      s.learned = true;
    else
      throw std::invalid_argument(fmt::format("{}: unknown; --device=cuda|cpu --shape=B,C,H,W --contiguous --runs=N --beta-learned", word));
  }
  const bool gpu = s.device.is_cuda();
  if (s.shape.empty())
    s.shape = gpu ? std::vector<int64_t>{128, 64, 32, 32} : std::vector<int64_t>{2, 16, 8, 8};
  s.runs = s.runs > 0 ? s.runs : gpu ? 30 : 3;
  if (s.shape.size() != 4 || *std::min_element(s.shape.begin(), s.shape.end()) < 1)
    throw std::invalid_argument("--shape=B,C,H,W takes four sizes of at least 1");
  return s;
}

} // namespace

int main(int argc, char **argv) {
  try {
    const Setting s = readArguments(argc, argv);
    at::set_num_threads(1);
    torch::manual_seed(1);
    nlohmann::json results = nlohmann::json::array();
    for (auto type : {torch::kFloat32, torch::kBFloat16})
      for (int64_t steps : {4, 16}) {
        const Inputs in = inputs(s, steps, type);
        const torch::Tensor from = in.x.detach(), to = torch::empty_like(from);
        const double ms = median(s, [&] { to.copy_(from); });
        const double copySpeed = 2.0 * double(from.numel()) * double(from.element_size()) / ms * 1e3;
        // The neuron: x in, spikes out; x and the gradient in, the gradient out. Normalisation adds a pass for the statistics, and one
        // over x and d that writes x's gradient.
        for (nlohmann::json line : {compare(s, "neuron", steps, type, false, 2 + 3, copySpeed), compare(s, "normalisation and neuron", steps, type, true, 1 + 2 + 3 + 3, copySpeed)}) {
          line["copy_bytes_per_s"] = copySpeed;
          results.push_back(line);
        }
      }
    const nlohmann::json all = {{"device", s.device.str()}, {"shape", s.shape}, {"channels_last", !s.contiguous}, {"beta_learned", s.learned}, {"runs", s.runs},
                                {"results", results}};
    std::printf("%s\n", all.dump(1).c_str());
    return 0;
  } catch (const std::invalid_argument &e) {
    fmt::print(stderr, "bench_train_kernels: {}\n", e.what());
    return 2;
  } catch (const std::exception &e) {
    fmt::print(stderr, "bench_train_kernels: {}\n", e.what());
    return 1;
  }
}
