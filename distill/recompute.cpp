#include "distill/recompute.h"
#include "distill/bits.h"

#include <torch/csrc/autograd/functions/utils.h>

namespace lasnn::distill {
namespace {

using Body = std::function<torch::Tensor(const std::vector<torch::Tensor> &, bool)>;

/// The graph's node: what was kept, and the body to run again.
struct Recompute : torch::autograd::Node {
  struct Input {
    torch::Tensor kept;
    bool packed, wantsGradient;
    std::vector<int64_t> sizes;
    torch::MemoryFormat format;
    torch::TensorOptions options;
  };
  Body body;
  std::vector<Input> inputs;
  std::vector<torch::Tensor> parameters;

  torch::autograd::variable_list apply(torch::autograd::variable_list &&grads) override {
    torch::autograd::variable_list given, wanted, out(inputs.size() + parameters.size());
    std::vector<size_t> places;
    torch::AutoGradMode grad(true);
    for (size_t k = 0; k < inputs.size(); ++k) {
      const Input &in = inputs[k];
      given.push_back((in.packed ? unpackBits(in.kept, in.sizes, in.format, in.options) : in.kept.detach()).set_requires_grad(in.wantsGradient));
      if (in.wantsGradient)
        wanted.push_back(given.back()), places.push_back(k);
    }
    for (size_t k = 0; k < parameters.size(); ++k)
      wanted.push_back(parameters[k]), places.push_back(inputs.size() + k);
    const auto found = torch::autograd::grad({body(given, true)}, wanted, {grads[0]}, false, false, true);
    for (size_t k = 0; k < found.size(); ++k)
      out[places[k]] = found[k];
    return out;
  }
  void release_variables() override { inputs.clear(); }
};

} // namespace

torch::Tensor recompute(const Body &body, const std::vector<torch::Tensor> &inputs, const std::vector<bool> &spikes,
                        const std::vector<torch::Tensor> &parameters) {
  torch::Tensor result;
  {
    torch::NoGradGuard noGrad;
    result = body(inputs, false);
    for (const torch::Tensor &x : inputs) // an input handed through has a history already
      if (result.is_same(x))
        result = x.clone();
  }
  const std::shared_ptr<Recompute> node(new Recompute, torch::autograd::deleteNode);
  node->body = body;
  node->parameters = parameters;
  torch::autograd::edge_list edges;
  auto connect = [&](const torch::Tensor &x) { edges.push_back(x.requires_grad() ? torch::autograd::impl::gradient_edge(x) : torch::autograd::Edge()); };
  for (size_t k = 0; k < inputs.size(); ++k) {
    const torch::Tensor &x = inputs[k];
    torch::NoGradGuard noGrad;
    node->inputs.push_back({spikes[k] ? packBits(x) : x.detach(), spikes[k], x.requires_grad(), x.sizes().vec(), x.suggest_memory_format(),
                            torch::TensorOptions(x.scalar_type()).device(x.device())});
    connect(x);
  }
  for (const torch::Tensor &p : parameters)
    connect(p);
  node->set_next_edges(std::move(edges));
  torch::autograd::set_history(result, node);
  return result;
}

} // namespace lasnn::distill
