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
LoopShape shapeOf(const torch::Tensor &x, int64_t given, int64_t steps, bool channels) {
  const int64_t neurons = x.numel() / given;
  if (!channels)
    return {steps, given, neurons, 1, std::max<int64_t>(neurons, 1)};
  const bool outermost = x.dim() == 4 && x.suggest_memory_format() != torch::MemoryFormat::ChannelsLast;
  return {steps, given, neurons, x.size(1), outermost ? x.size(2) * x.size(3) : 1};
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

/// What one call works on; undefined: not there.
struct Layer {
  torch::Tensor x, added, beta, alpha, threshold;
  torch::Tensor gamma, mean, inverse, scale, offset; // of normalisation
  bool training = false;                             // its statistics are the batch's
  LoopShape shape{};
  NeuronOptions o;

  bool normalised() const { return gamma.defined(); }
  bool bfloat16() const { return x.scalar_type() == torch::kBFloat16; }
  LoopAffine affine() const {
    return normalised() ? LoopAffine{scale.data_ptr<float>(), offset.data_ptr<float>(), mean.data_ptr<float>()} : LoopAffine{};
  }
  LoopNeuron loops() const {
    return {somaOf(o), o.reset == Reset::Subtract, o.detachReset, int(o.surrogate), float(o.width), beta.item<float>(), alpha.item<float>(),
            threshold.data_ptr<float>(), threshold.numel() > 1, affine()};
  }
  template <typename T> LoopInput<T> input() const {
    return {static_cast<const T *>(x.data_ptr()), added.defined() ? static_cast<const T *>(added.data_ptr()) : nullptr};
  }
#ifdef LASNN_DISTILL_CUDA
  KernelNeuron kernels() const {
    return {somaOf(o), o.reset == Reset::Subtract, o.detachReset, int(o.surrogate), float(o.width), beta.data_ptr<float>(), alpha.data_ptr<float>(),
            threshold.data_ptr<float>(), threshold.numel() > 1, affine()};
  }
  KernelInput kernelInput() const { return {x.data_ptr(), added.defined() ? added.data_ptr() : nullptr}; }
#endif
};

/// The gradients of one call; undefined where nobody asks.
struct LayerGrads {
  torch::Tensor x, added, gamma, shift, beta, alpha, threshold;
};

struct Wanted {
  bool beta, alpha, threshold, added;
  bool learned() const { return beta || alpha || threshold; }
};

#ifdef LASNN_DISTILL_CUDA
void check(int code, const char *what) {
  if (code)
    throw std::runtime_error(fmt::format("{}: CUDA error {}", what, code));
}

void forwardKernels(const Layer &l, torch::Tensor &spikes) {
  const c10::cuda::CUDAGuard guard(l.x.device());
  check(neuronForwardCuda(l.shape, l.kernels(), l.bfloat16(), l.kernelInput(), spikes.data_ptr(), c10::cuda::getCurrentCUDAStream().stream()),
        "neuron, forward");
}

LayerGrads backwardKernels(const Layer &l, torch::Tensor grad, const Wanted &wanted) {
  const c10::cuda::CUDAGuard guard(l.x.device());
  void *const stream = c10::cuda::getCurrentCUDAStream().stream();
  if (!aligned16({grad.data_ptr()}))
    grad = grad.clone(grad.suggest_memory_format());
  const auto floats = l.x.options().dtype(torch::kFloat32).memory_format(c10::nullopt);
  const torch::Tensor d = torch::empty_like(l.x);
  torch::Tensor sums;
  KernelSums to;
  if (l.normalised() || wanted.learned()) {
    sums = torch::empty({neuronSums, l.shape.channels}, floats);
    to = {wanted.learned(), l.normalised() ? l.inverse.data_ptr<float>() : nullptr, l.training ? float(l.x.numel() / l.shape.channels) : 0.0f,
          sums.data_ptr<float>()};
  }
  const torch::Tensor room = torch::empty({std::max<int64_t>(neuronBackwardRoom(l.shape, l.kernels(), l.bfloat16(), l.kernelInput(), to), 1)}, floats);
  check(neuronBackwardCuda(l.shape, l.kernels(), l.bfloat16(), l.kernelInput(), grad.data_ptr(), d.data_ptr(), to, room.data_ptr<float>(), stream),
        "neuron, backward");
  auto row = [&](NeuronSum which, bool asked, const torch::Tensor &like) -> torch::Tensor {
    if (!asked)
      return {};
    const torch::Tensor channels = sums.select(0, which);
    return like.numel() == 1 ? channels.sum().view(like.sizes()) : channels.clone();
  };
  LayerGrads out;
  out.beta = row(sumOfBeta, wanted.beta, l.beta), out.alpha = row(sumOfAlpha, wanted.alpha, l.alpha);
  out.threshold = row(sumOfThreshold, wanted.threshold, l.threshold);
  out.x = d;
  if (!l.normalised())
    return out;
  out.shift = row(sumOfCurrent, true, l.gamma), out.gamma = row(sumOfMoment, true, l.gamma);
  if (wanted.added)
    out.added = d, out.x = torch::empty_like(d);
  const LoopBack back{l.scale.data_ptr<float>(), l.mean.data_ptr<float>(), sums.select(0, sumShare).data_ptr<float>(),
                      sums.select(0, sumSlope).data_ptr<float>()};
  check(normaliseBackCuda(l.shape, back, l.bfloat16(), l.x.data_ptr(), d.data_ptr(), out.x.data_ptr(), stream), "normalisation, backward");
  return out;
}
#endif

template <typename T> void forwardLoops(const Layer &l, torch::Tensor &spikes) {
  const LoopNeuron neuron = l.loops();
  T *const to = static_cast<T *>(spikes.data_ptr());
  overNeurons(l.shape.neurons, [&](int64_t begin, int64_t end) { forwardLoop(l.shape, neuron, l.input<T>(), to, begin, end); });
}

template <typename T> LayerGrads backwardLoops(const Layer &l, const torch::Tensor &grad, const Wanted &wanted) {
  const LoopNeuron neuron = l.loops();
  const torch::Tensor d = torch::empty_like(l.x);
  torch::Tensor beta, alpha, threshold, sum, moment;
  auto each = [&](torch::Tensor &of, bool asked) {
    if (asked)
      of = numberEach(l.x, l.shape.given);
    return asked ? of.data_ptr<float>() : nullptr;
  };
  const LoopGrads<T> to{static_cast<T *>(d.data_ptr()), each(beta, wanted.beta), each(alpha, wanted.alpha), each(threshold, wanted.threshold),
                        each(sum, l.normalised()), each(moment, l.normalised())};
  const T *const spikeGrad = static_cast<const T *>(grad.data_ptr());
  overNeurons(l.shape.neurons, [&](int64_t begin, int64_t end) { backwardLoop(l.shape, neuron, l.input<T>(), spikeGrad, to, begin, end); });
  LayerGrads out;
  out.x = d;
  out.beta = gathered(beta, l.beta), out.alpha = gathered(alpha, l.alpha), out.threshold = gathered(threshold, l.threshold);
  if (!l.normalised())
    return out;
  out.shift = gathered(sum, l.gamma);
  out.gamma = gathered(moment, l.gamma) * l.inverse;
  if (wanted.added)
    out.added = d, out.x = torch::empty_like(d);
  const double share = l.training ? double(l.shape.channels) / double(l.x.numel()) : 0.0;
  const torch::Tensor shares = out.shift * share, slopes = out.gamma * l.inverse * share;
  const LoopBack back{l.scale.data_ptr<float>(), l.mean.data_ptr<float>(), shares.data_ptr<float>(), slopes.data_ptr<float>()};
  T *const xGrad = static_cast<T *>(out.x.data_ptr());
  overNeurons(l.shape.neurons, [&](int64_t begin, int64_t end) {
    normaliseBackLoop(l.shape, back, static_cast<const T *>(l.x.data_ptr()), to.current, xGrad, begin, end);
  });
  return out;
}

/// Mean and 1/std, float32, scale and offset; in training the running statistics move on.
void takeStatistics(Layer &l, const Normalisation &n, const torch::Tensor &shift) {
  torch::Tensor mean = n.runningMean, variance = n.runningVar;
  if (n.training)
    std::tie(mean, variance) = at::batch_norm_update_stats(l.x, n.runningMean, n.runningVar, n.momentum);
  l.mean = mean.to(torch::kFloat32).contiguous();
  l.inverse = (variance.to(torch::kFloat32) + n.epsilon).rsqrt();
  l.scale = (l.gamma * l.inverse).contiguous();
  l.offset = (shift - l.mean * l.scale).contiguous();
}

/// An argument that may be missing: Torch's functions want every tensor defined.
torch::Tensor orNone(const torch::Tensor &x) { return x.defined() ? x : torch::empty({0}); }
torch::Tensor ifGiven(const torch::Tensor &x) { return x.numel() ? x : torch::Tensor(); }

struct SpikeSteps : torch::autograd::Function<SpikeSteps> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &x, const torch::Tensor &added, const torch::Tensor &gamma,
                               const torch::Tensor &shift, const torch::Tensor &beta, const torch::Tensor &alpha, const torch::Tensor &threshold,
                               const Normalisation *normalisation, int64_t given, int64_t steps, const NeuronOptions &o) {
    const auto format = x.suggest_memory_format();
    Layer l;
    l.o = o;
    l.x = x.contiguous(format), l.beta = beta, l.alpha = alpha, l.threshold = threshold.contiguous();
    if (ifGiven(added).defined())
      l.added = added.contiguous(format);
    if (normalisation) {
      l.gamma = gamma, l.training = normalisation->training;
      takeStatistics(l, *normalisation, shift);
    }
    if (threshold.dim() && threshold.numel() > 1 && threshold.numel() != x.size(1))
      throw std::logic_error("one threshold a channel, and as many as axis 1 has");
    l.shape = shapeOf(l.x, given, steps, normalisation || threshold.numel() > 1);
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes[0] = sizes[0] / given * steps;
    torch::Tensor spikes = torch::empty(sizes, l.x.options(), format);
#ifdef LASNN_DISTILL_CUDA
    if (x.is_cuda())
      forwardKernels(l, spikes);
    else
#endif
      l.bfloat16() ? forwardLoops<uint16_t>(l, spikes) : forwardLoops<float>(l, spikes);
    ctx->save_for_backward({l.x, orNone(l.added), orNone(l.gamma), beta, alpha, l.threshold, orNone(l.mean), orNone(l.inverse), orNone(l.scale), orNone(l.offset)});
    ctx->saved_data["shape"] = std::vector<int64_t>{steps, given, l.shape.neurons, l.shape.channels, l.shape.inner};
    ctx->saved_data["kind"] = o.kind;
    ctx->saved_data["options"] = std::vector<double>{double(o.reset), double(o.surrogate), double(o.detachReset), o.width};
    ctx->saved_data["wanted"] = std::vector<int64_t>{beta.requires_grad(), alpha.requires_grad(), threshold.requires_grad(), added.requires_grad(), l.training};
    return spikes;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    Layer l;
    l.x = saved[0], l.added = ifGiven(saved[1]), l.gamma = ifGiven(saved[2]), l.beta = saved[3], l.alpha = saved[4], l.threshold = saved[5];
    l.mean = saved[6], l.inverse = saved[7], l.scale = saved[8], l.offset = saved[9];
    const auto numbers = ctx->saved_data["options"].toDoubleVector();
    const auto sizes = ctx->saved_data["shape"].toIntVector(), asked = ctx->saved_data["wanted"].toIntVector();
    l.o.kind = ctx->saved_data["kind"].toStringRef();
    l.o.reset = Reset(int(numbers[0])), l.o.surrogate = Surrogate(int(numbers[1])), l.o.detachReset = numbers[2] != 0, l.o.width = numbers[3];
    l.shape = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
    l.training = asked[4] != 0;
    const Wanted wanted{asked[0] != 0, asked[1] != 0, asked[2] != 0, asked[3] != 0};
    const torch::Tensor grad = grads[0].to(l.x.scalar_type()).contiguous(l.x.suggest_memory_format());
    LayerGrads out;
#ifdef LASNN_DISTILL_CUDA
    if (l.x.is_cuda())
      out = backwardKernels(l, grad, wanted);
    else
#endif
      out = l.bfloat16() ? backwardLoops<uint16_t>(l, grad, wanted) : backwardLoops<float>(l, grad, wanted);
    return {out.x, out.added, out.gamma, out.shift, out.beta, out.alpha, out.threshold, {}, {}, {}, {}};
  }
};

/// Whether the loops or kernels of this build can take the tensor.
bool fused(const torch::Tensor &current) {
  if (current.scalar_type() != torch::kFloat32 && current.scalar_type() != torch::kBFloat16)
    return false;
#ifdef LASNN_DISTILL_CUDA
  return current.is_cpu() || (current.is_cuda() && current.numel() < int64_t(1) << 31); // the kernels count a step's neurons in 32 bits
#else
  return current.is_cpu();
#endif
}

} // namespace

torch::Tensor spikeSteps(const torch::Tensor &current, int64_t given, const NeuronParameters &p, int64_t steps, const NeuronOptions &o) {
  if (fused(current)) {
    const torch::Tensor none = torch::empty({0});
    return SpikeSteps::apply(current, none, none, none, p.beta, p.alpha, p.threshold, nullptr, given, steps, o);
  }
  // Right on any device, and slow: a GPU of a build without nvcc, float16.
  return spikeStepsPlain(current.to(torch::kFloat32), given, p, steps, o).to(current.scalar_type());
}

bool fusesNormalisation(const torch::Tensor &x) { return fused(x) && (x.dim() == 2 || x.dim() == 4) && x.numel() > 0; }

torch::Tensor normalisedSpikeSteps(const torch::Tensor &x, int64_t given, const Normalisation &n, const torch::Tensor &added, const NeuronParameters &p,
                                   int64_t steps, const NeuronOptions &o) {
  return SpikeSteps::apply(x, orNone(added), n.gamma, n.shift, p.beta, p.alpha, p.threshold, &n, given, steps, o);
}

} // namespace lasnn::distill
