// The neuron in ordinary tensor operations: slow, and the meaning of neuron.cpp.
#include "distill/neuron.h"

namespace lasnn::distill {
namespace {

/// Heaviside forward, surrogate backward.
struct SpikeFunction : torch::autograd::Function<SpikeFunction> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &x, int64_t surrogate, double width) {
    ctx->save_for_backward({x});
    ctx->saved_data["surrogate"] = surrogate;
    ctx->saved_data["width"] = width;
    return (x > 0).to(x.dtype());
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const torch::Tensor x = ctx->get_saved_variables()[0];
    const double w = ctx->saved_data["width"].toDouble();
    torch::Tensor slope;
    switch (Surrogate(ctx->saved_data["surrogate"].toInt())) {
    case Surrogate::Triangle: // max(0, 1 - |x|/w) / w
      slope = torch::relu(1 - x.abs() / w) / w;
      break;
    case Surrogate::Sigmoid: { // a g (1 - g), g = sigmoid(a x), a = 4/w
      const torch::Tensor g = torch::sigmoid(x * (4 / w));
      slope = (4 / w) * g * (1 - g);
      break;
    }
    case Surrogate::Arctan: // 1 / (w (1 + (pi x / w)^2))
      slope = 1 / (w * (1 + (x * (M_PI / w)).pow(2)));
      break;
    case Surrogate::Rectangle: // [|x| < w/2] / w
      slope = (x.abs() < w / 2).to(x.dtype()) / w;
      break;
    }
    return {grads[0] * slope, {}, {}};
  }
};

} // namespace

torch::Tensor spikeStepsPlain(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps,
                              const NeuronOptions &o) {
  std::vector<torch::Tensor> spikes;
  const std::vector<torch::Tensor> currents =
      given == 1 ? std::vector<torch::Tensor>(size_t(steps), current) : current.chunk(steps, 0);
  torch::Tensor v = torch::zeros_like(currents[0]);
  for (int64_t t = 0; t < steps; ++t) {
    const torch::Tensor u = beta * v + currents[size_t(t)];
    const torch::Tensor s = SpikeFunction::apply(u - o.vThreshold, int64_t(o.surrogate), o.width);
    const torch::Tensor r = o.detachReset ? s.detach() : s;
    v = o.reset == Reset::Zero ? (1 - r) * u : u - r * o.vThreshold;
    spikes.push_back(s);
  }
  return torch::cat(spikes, 0);
}

} // namespace lasnn::distill
