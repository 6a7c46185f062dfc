#include "distill/integer_neuron.h"
#include "distill/integer_loops.h"
#include "distill/neuron.h"

#include <ATen/Parallel.h>
#include <mutex>

namespace lasnn::distill {
namespace {

/// [C] as one value an element of a sample, in the order of `like`'s memory.
torch::Tensor perElement(const torch::Tensor &perChannel, const torch::Tensor &like) {
  std::vector<int64_t> shape(size_t(like.dim()), 1), sizes = like.sizes().vec();
  shape[1] = perChannel.numel();
  sizes[0] = 1;
  return perChannel.view(shape).expand(sizes).contiguous(like.suggest_memory_format());
}

struct Constants {
  torch::Tensor threshold, rho, unit;
  IntegerNeuron neuron;
};

Constants constantsOf(const torch::Tensor &current, const torch::Tensor &threshold, const torch::Tensor &rho, const torch::Tensor &unit,
                      const std::vector<double> &o) {
  Constants c{perElement(threshold, current), perElement(rho, current), perElement(unit, current), {}};
  c.neuron = {c.threshold.data_ptr<int32_t>(), c.rho.data_ptr<int32_t>(), c.unit.data_ptr<float>(), int32_t(4096 - o[0]),
              int32_t(o[1]), int32_t(o[2]), float(o[3]), int(o[4]), o[5] != 0, o[6] != 0};
  return c;
}

struct IntegerSpikes : torch::autograd::Function<IntegerSpikes> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &currentIn, const torch::Tensor &beta,
                               const torch::Tensor &threshold, const torch::Tensor &rho, const torch::Tensor &unit, int64_t given, int64_t steps,
                               const std::vector<double> &options) {
    // In either memory format the batch axis is the slowest.
    const auto format = currentIn.suggest_memory_format();
    const torch::Tensor current = currentIn.contiguous(format);
    const Constants constants = constantsOf(current, threshold, rho, unit, options);
    const int64_t batch = current.size(0) / given;
    std::vector<int64_t> sizes = current.sizes().vec();
    sizes[0] = batch * steps;
    torch::Tensor spikes = torch::empty(sizes, current.options().dtype(torch::kFloat32).memory_format(format));
    const IntegerShape shape{steps, given, batch, current.numel() / current.size(0)};
    at::parallel_for(0, batch, std::max<int64_t>(1, (1 << 15) / shape.size), [&](int64_t begin, int64_t end) {
      if (current.scalar_type() == torch::kFloat64)
        integerForward(shape, constants.neuron, current.data_ptr<double>(), spikes.data_ptr<float>(), begin, end);
      else
        integerForward(shape, constants.neuron, current.data_ptr<float>(), spikes.data_ptr<float>(), begin, end);
    });
    ctx->save_for_backward({current, beta, threshold, rho, unit});
    ctx->saved_data["given"] = given;
    ctx->saved_data["steps"] = steps;
    ctx->saved_data["options"] = options;
    return spikes;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const torch::Tensor &current = saved[0], &beta = saved[1];
    const torch::Tensor grad = grads[0].to(torch::kFloat32).contiguous(current.suggest_memory_format());
    const Constants constants = constantsOf(current, saved[2], saved[3], saved[4], ctx->saved_data["options"].toDoubleVector());
    const int64_t given = ctx->saved_data["given"].toInt(), steps = ctx->saved_data["steps"].toInt(), batch = current.size(0) / given;
    const IntegerShape shape{steps, given, batch, current.numel() / current.size(0)};
    torch::Tensor out = torch::empty_like(current, current.options().dtype(torch::kFloat32));
    double betaGrad = 0;
    std::mutex lock; // with more than one thread the sum's order is not fixed; PLIF alone is affected
    at::parallel_for(0, batch, std::max<int64_t>(1, (1 << 15) / shape.size), [&](int64_t begin, int64_t end) {
      const double part = current.scalar_type() == torch::kFloat64
                              ? integerBackward(shape, constants.neuron, current.data_ptr<double>(), grad.data_ptr<float>(), out.data_ptr<float>(), begin, end)
                              : integerBackward(shape, constants.neuron, current.data_ptr<float>(), grad.data_ptr<float>(), out.data_ptr<float>(), begin, end);
      std::lock_guard guard(lock);
      betaGrad += part;
    });
    return {out.to(current.scalar_type()), torch::full_like(beta, betaGrad), {}, {}, {}, {}, {}, {}};
  }
};

} // namespace

torch::Tensor integerSpikes(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps, const IntegerLayer &layer,
                            const NeuronOptions &o) {
  if (!current.is_cpu())
    return integerSpikesPlain(current, given, beta, steps, layer, o);
  const std::vector<double> options = {double(layer.decay), double(layer.lo),      double(layer.hi),           o.width,
                                       double(o.surrogate), double(o.reset == Reset::Subtract), double(o.detachReset)};
  return IntegerSpikes::apply(current, beta, layer.threshold, layer.rho, layer.unit, given, steps, options);
}

torch::Tensor integerSpikesPlain(const torch::Tensor &currentIn, int64_t given, const torch::Tensor &beta, int64_t steps, const IntegerLayer &layer,
                                 const NeuronOptions &o) {
  const torch::Tensor current = currentIn.to(torch::kFloat64);
  std::vector<int64_t> shape(size_t(current.dim()), 1);
  shape[1] = -1;
  auto perChannel = [&](const torch::Tensor &x) { return x.to(current.options()).view(shape); };
  const torch::Tensor threshold = perChannel(layer.threshold), rho = perChannel(layer.rho), unit = perChannel(layer.unit);
  const double keep = 4096 - layer.decay;
  // The value of the first to the bit, the gradient of the second.
  auto straight = [](const torch::Tensor &value, const torch::Tensor &gradient) { return value.detach() + (gradient - gradient.detach()); };
  const std::vector<torch::Tensor> currents =
      given == 1 ? std::vector<torch::Tensor>(size_t(steps), current) : current.chunk(steps, 0);
  // beta's gradient, at the decay's value
  const torch::Tensor kept = straight(torch::full_like(beta, keep / 4096, torch::kFloat64), beta.to(torch::kFloat64)).to(current.device());
  torch::Tensor v = torch::zeros_like(currents[0]);
  std::vector<torch::Tensor> spikes;
  for (int64_t t = 0; t < steps; ++t) {
    const torch::Tensor leaked = straight(v.detach().sign() * torch::floor(v.detach().abs() * keep / 4096), v * kept);
    const torch::Tensor sum = leaked + currents[size_t(t)];
    const torch::Tensor u = straight(sum.clamp(layer.lo, layer.hi), sum);
    const torch::Tensor s = spike((u - threshold - 0.5) * unit, o);
    const torch::Tensor r = o.detachReset ? s.detach() : s;
    if (o.reset == Reset::Zero) {
      v = (1 - r) * u;
    } else {
      const torch::Tensor less = u - r * rho;
      v = straight(less.clamp(layer.lo, layer.hi), less);
    }
    spikes.push_back(s);
  }
  return torch::cat(spikes, 0).to(torch::kFloat32);
}

} // namespace lasnn::distill
