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

torch::Tensor spike(const torch::Tensor &x, const NeuronOptions &o) { return SpikeFunction::apply(x, int64_t(o.surrogate), o.width); }

NeuronStepper::NeuronStepper(const NeuronParameters &p, const NeuronOptions &o) : p_(p), o_(o) {}

torch::Tensor NeuronStepper::step(const torch::Tensor &current) {
  if (!v_.defined()) {
    v_ = i_ = m_ = torch::zeros_like(current);
    threshold_ = p_.threshold.dim() && current.dim() == 4 ? p_.threshold.view({1, -1, 1, 1}) : p_.threshold;
  }
  i_ = o_.kind == "cuba" ? p_.alpha * i_ + current : current;
  const torch::Tensor u = p_.beta * v_ + i_;
  const torch::Tensor s = SpikeFunction::apply(u - threshold_, int64_t(o_.surrogate), o_.width);
  const torch::Tensor r = o_.detachReset ? s.detach() : s;
  if (o_.kind == "clif") {
    m_ = m_ * torch::sigmoid((1 - p_.beta) * u) + s;
    v_ = u - r * (threshold_ + torch::sigmoid(m_));
  } else {
    v_ = o_.reset == Reset::Zero ? (1 - r) * u : u - r * threshold_;
  }
  return s;
}

torch::Tensor spikeStepsPlain(const torch::Tensor &current, int64_t given, const NeuronParameters &p, int64_t steps, const NeuronOptions &o) {
  std::vector<torch::Tensor> spikes;
  const std::vector<torch::Tensor> currents =
      given == 1 ? std::vector<torch::Tensor>(size_t(steps), current) : current.chunk(steps, 0);
  NeuronStepper stepper(p, o);
  for (int64_t t = 0; t < steps; ++t)
    spikes.push_back(stepper.step(currents[size_t(t)]));
  return torch::cat(spikes, 0);
}

} // namespace lasnn::distill
