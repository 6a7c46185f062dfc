#include "distill/neuron.h"
#include "distill/neuron_loops.h"

#include <ATen/Parallel.h>
#include <mutex>

namespace lasnn::distill {
namespace {

LoopNeuron loopNeuron(const NeuronOptions &o, double beta) {
  return {float(beta), float(o.vThreshold), float(o.width), int(o.surrogate), o.reset == Reset::Subtract, o.detachReset};
}

template <typename Body> void overNeurons(int64_t neurons, const Body &body) { at::parallel_for(0, neurons, 1 << 15, body); }

struct SpikeSteps : torch::autograd::Function<SpikeSteps> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &currentIn, const torch::Tensor &beta,
                               int64_t given, int64_t steps, const NeuronOptions &o) {
    // In either memory format the batch axis is the slowest, so the loops see steps x neurons and keep the order within.
    const auto format = currentIn.suggest_memory_format();
    const torch::Tensor current = currentIn.contiguous(format);
    std::vector<int64_t> sizes = current.sizes().vec();
    sizes[0] = sizes[0] / given * steps;
    torch::Tensor spikes = torch::empty(sizes, current.options().memory_format(format));
    const LoopShape shape{steps, given, current.numel() / given};
    const LoopNeuron neuron = loopNeuron(o, beta.item<double>());
    overNeurons(shape.neurons, [&](int64_t begin, int64_t end) {
      if (current.scalar_type() == torch::kBFloat16)
        forwardLoop(shape, neuron, static_cast<const uint16_t *>(current.data_ptr()), static_cast<uint16_t *>(spikes.data_ptr()), begin, end);
      else
        forwardLoop(shape, neuron, current.data_ptr<float>(), spikes.data_ptr<float>(), begin, end);
    });
    ctx->save_for_backward({current, beta});
    ctx->saved_data["given"] = given;
    ctx->saved_data["steps"] = steps;
    ctx->saved_data["options"] = std::vector<double>{double(o.reset), double(o.surrogate), double(o.detachReset), o.vThreshold, o.width};
    return spikes;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const torch::Tensor &current = saved[0], &beta = saved[1];
    const torch::Tensor grad = grads[0].to(current.scalar_type()).contiguous(current.suggest_memory_format());
    const auto numbers = ctx->saved_data["options"].toDoubleVector();
    NeuronOptions o;
    o.reset = Reset(int(numbers[0])), o.surrogate = Surrogate(int(numbers[1])), o.detachReset = numbers[2] != 0;
    o.vThreshold = numbers[3], o.width = numbers[4];
    const int64_t given = ctx->saved_data["given"].toInt(), steps = ctx->saved_data["steps"].toInt();
    const LoopShape shape{steps, given, current.numel() / given};
    const LoopNeuron neuron = loopNeuron(o, beta.item<double>());
    torch::Tensor out = torch::empty_like(current);
    double betaGrad = 0;
    std::mutex lock; // with more than one thread the sum's order is not fixed; PLIF alone is affected
    overNeurons(shape.neurons, [&](int64_t begin, int64_t end) {
      double part;
      if (current.scalar_type() == torch::kBFloat16)
        part = backwardLoop(shape, neuron, static_cast<const uint16_t *>(current.data_ptr()),
                            static_cast<const uint16_t *>(grad.data_ptr()), static_cast<uint16_t *>(out.data_ptr()), begin, end);
      else
        part = backwardLoop(shape, neuron, current.data_ptr<float>(), grad.data_ptr<float>(), out.data_ptr<float>(), begin, end);
      std::lock_guard guard(lock);
      betaGrad += part;
    });
    return {out, torch::full_like(beta, betaGrad), {}, {}, {}};
  }
};

} // namespace

torch::Tensor spikeSteps(const torch::Tensor &current, int64_t given, const torch::Tensor &beta, int64_t steps,
                         const NeuronOptions &o) {
  return SpikeSteps::apply(current, beta, given, steps, o);
}

} // namespace lasnn::distill
