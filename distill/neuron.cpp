#include "distill/neuron.h"
#include "distill/neuron_kernels.h"
#include "distill/neuron_loops.h"
#include "distill/neuron_step.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#ifdef LASNN_DISTILL_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace lasnn::distill {
namespace {

int somaOf(const NeuronOptions &o) { return o.kind == "cuba" ? somaCuba : o.kind == "clif" ? somaClif : somaLeaky; }

template <typename Body> void overNeurons(int64_t neurons, const Body &body) { at::parallel_for(0, neurons, 1 << 15, body); }

/// In either memory format the batch axis is the slowest, so the loops see steps x neurons and keep the order within.
LoopShape shapeOf(const torch::Tensor &current, int64_t given, int64_t steps, const torch::Tensor &threshold) {
  LoopShape shape{steps, given, current.numel() / given, 1, 1};
  if (threshold.dim() && threshold.numel() > 1) {
    if (threshold.numel() != current.size(1))
      throw std::logic_error("one threshold a channel, and as many as axis 1 has");
    shape.channels = threshold.numel();
    shape.inner = current.dim() == 4 && current.suggest_memory_format() != torch::MemoryFormat::ChannelsLast ? current.size(2) * current.size(3) : 1;
  }
  return shape;
}

/// One step's sizes, float32: a number a neuron.
torch::Tensor numberEach(const torch::Tensor &current, int64_t given) {
  std::vector<int64_t> sizes = current.sizes().vec();
  sizes[0] /= given;
  return torch::empty(sizes, current.options().dtype(torch::kFloat32), current.suggest_memory_format());
}

/// Their sum, in the parameter's shape. In float64 and of fixed order: the same however many threads the loops ran on.
torch::Tensor gathered(const torch::Tensor &each, const torch::Tensor &parameter) {
  if (!each.defined())
    return {};
  if (parameter.numel() == 1)
    return each.sum(torch::kFloat64).to(torch::kFloat32).view(parameter.sizes());
  std::vector<int64_t> axes = {0};
  for (int64_t axis = 2; axis < each.dim(); ++axis)
    axes.push_back(axis);
  return each.sum(axes, false, torch::kFloat64).to(torch::kFloat32);
}

LoopNeuron loopNeuron(const NeuronOptions &o, const torch::Tensor &beta, const torch::Tensor &alpha, const torch::Tensor &threshold) {
  return {somaOf(o), o.reset == Reset::Subtract, o.detachReset, int(o.surrogate), float(o.width), beta.item<float>(), alpha.item<float>(),
          threshold.data_ptr<float>()};
}

#ifdef LASNN_DISTILL_CUDA
KernelNeuron kernelNeuron(const NeuronOptions &o, const torch::Tensor &beta, const torch::Tensor &alpha, const torch::Tensor &threshold) {
  return {somaOf(o), o.reset == Reset::Subtract, o.detachReset, int(o.surrogate), float(o.width), beta.data_ptr<float>(), alpha.data_ptr<float>(),
          threshold.data_ptr<float>()};
}

void check(int code, const char *what) {
  if (code)
    throw std::runtime_error(fmt::format("{}: CUDA error {}", what, code));
}
#endif

struct SpikeSteps : torch::autograd::Function<SpikeSteps> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &currentIn, const torch::Tensor &beta, const torch::Tensor &alpha,
                               const torch::Tensor &thresholdIn, int64_t given, int64_t steps, const NeuronOptions &o) {
    const auto format = currentIn.suggest_memory_format();
    const torch::Tensor current = currentIn.contiguous(format), threshold = thresholdIn.contiguous();
    std::vector<int64_t> sizes = current.sizes().vec();
    sizes[0] = sizes[0] / given * steps;
    torch::Tensor spikes = torch::empty(sizes, current.options(), format);
    const LoopShape shape = shapeOf(current, given, steps, threshold);
#ifdef LASNN_DISTILL_CUDA
    if (current.is_cuda()) {
      const c10::cuda::CUDAGuard guard(current.device());
      check(neuronForwardCuda(shape, kernelNeuron(o, beta, alpha, threshold), current.scalar_type() == torch::kBFloat16, current.data_ptr(),
                              spikes.data_ptr(), c10::cuda::getCurrentCUDAStream().stream()), "neuron, forward");
    } else
#endif
    {
      const LoopNeuron neuron = loopNeuron(o, beta, alpha, threshold);
      overNeurons(shape.neurons, [&](int64_t begin, int64_t end) {
        if (current.scalar_type() == torch::kBFloat16)
          forwardLoop(shape, neuron, static_cast<const uint16_t *>(current.data_ptr()), static_cast<uint16_t *>(spikes.data_ptr()), begin, end);
        else
          forwardLoop(shape, neuron, current.data_ptr<float>(), spikes.data_ptr<float>(), begin, end);
      });
    }
    ctx->save_for_backward({current, beta, alpha, threshold});
    ctx->saved_data["given"] = given;
    ctx->saved_data["steps"] = steps;
    ctx->saved_data["kind"] = o.kind;
    ctx->saved_data["options"] = std::vector<double>{double(o.reset), double(o.surrogate), double(o.detachReset), o.width};
    ctx->saved_data["learned"] = std::vector<int64_t>{beta.requires_grad(), alpha.requires_grad(), thresholdIn.requires_grad()};
    return spikes;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const torch::Tensor &current = saved[0], &beta = saved[1], &alpha = saved[2], &threshold = saved[3];
    const torch::Tensor grad = grads[0].to(current.scalar_type()).contiguous(current.suggest_memory_format());
    const auto numbers = ctx->saved_data["options"].toDoubleVector();
    const auto learned = ctx->saved_data["learned"].toIntVector();
    NeuronOptions o;
    o.kind = ctx->saved_data["kind"].toStringRef();
    o.reset = Reset(int(numbers[0])), o.surrogate = Surrogate(int(numbers[1])), o.detachReset = numbers[2] != 0, o.width = numbers[3];
    const int64_t given = ctx->saved_data["given"].toInt(), steps = ctx->saved_data["steps"].toInt();
    const LoopShape shape = shapeOf(current, given, steps, threshold);
    const torch::Tensor out = torch::empty_like(current);
    torch::Tensor each[3];
    float *where[3] = {};
    for (size_t k = 0; k < 3; ++k)
      if (learned[k]) {
        each[k] = numberEach(current, given);
        where[k] = each[k].data_ptr<float>();
      }
#ifdef LASNN_DISTILL_CUDA
    if (current.is_cuda()) {
      const c10::cuda::CUDAGuard guard(current.device());
      const int64_t room = neuronScratch(shape); // long T: the states of every step, in memory instead of registers
      const torch::Tensor scratch = torch::empty({room}, current.options().dtype(torch::kFloat32));
      check(neuronBackwardCuda(shape, kernelNeuron(o, beta, alpha, threshold), current.scalar_type() == torch::kBFloat16, current.data_ptr(),
                               grad.data_ptr(), out.data_ptr(), where[0], where[1], where[2], room ? scratch.data_ptr<float>() : nullptr,
                               c10::cuda::getCurrentCUDAStream().stream()), "neuron, backward");
    } else
#endif
    {
      const LoopNeuron neuron = loopNeuron(o, beta, alpha, threshold);
      overNeurons(shape.neurons, [&](int64_t begin, int64_t end) {
        if (current.scalar_type() == torch::kBFloat16)
          backwardLoop(shape, neuron, static_cast<const uint16_t *>(current.data_ptr()), static_cast<const uint16_t *>(grad.data_ptr()),
                       LoopGrads<uint16_t>{static_cast<uint16_t *>(out.data_ptr()), where[0], where[1], where[2]}, begin, end);
        else
          backwardLoop(shape, neuron, current.data_ptr<float>(), grad.data_ptr<float>(),
                       LoopGrads<float>{out.data_ptr<float>(), where[0], where[1], where[2]}, begin, end);
      });
    }
    return {out, gathered(each[0], beta), gathered(each[1], alpha), gathered(each[2], threshold), {}, {}, {}};
  }
};

/// Whether the loops or kernels of this build can take the tensor.
bool fused(const torch::Tensor &current) {
  if (current.scalar_type() != torch::kFloat32 && current.scalar_type() != torch::kBFloat16)
    return false;
#ifdef LASNN_DISTILL_CUDA
  return current.is_cpu() || current.is_cuda();
#else
  return current.is_cpu();
#endif
}

} // namespace

torch::Tensor spikeSteps(const torch::Tensor &current, int64_t given, const NeuronParameters &p, int64_t steps, const NeuronOptions &o) {
  if (fused(current))
    return SpikeSteps::apply(current, p.beta, p.alpha, p.threshold, given, steps, o);
  // Right on any device, and slow: a GPU of a build without nvcc, float16.
  return spikeStepsPlain(current.to(torch::kFloat32), given, p, steps, o).to(current.scalar_type());
}

} // namespace lasnn::distill
