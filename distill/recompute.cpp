#include "distill/recompute.h"

namespace lasnn::distill {
namespace {

using Body = std::function<torch::Tensor(const std::vector<torch::Tensor> &, bool)>;

/// What the backward pass needs, carried by the graph and freed with it.
struct Job : torch::CustomClassHolder {
  Body body;
  struct Input {
    bool packed, wantsGradient;
    std::vector<int64_t> sizes;
    torch::MemoryFormat format;
    torch::TensorOptions options;
  };
  std::vector<Input> inputs;
  std::vector<torch::Tensor> parameters;
};

struct Recompute : torch::autograd::Function<Recompute> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const c10::intrusive_ptr<Job> &job, const std::vector<torch::Tensor> &tensors) {
    std::vector<torch::Tensor> inputs(tensors.begin(), tensors.begin() + int64_t(job->inputs.size())), kept;
    for (size_t k = 0; k < inputs.size(); ++k)
      kept.push_back(job->inputs[k].packed ? packBits(inputs[k]) : inputs[k]);
    ctx->save_for_backward(kept);
    ctx->saved_data["job"] = c10::IValue::make_capsule(job);
    return job->body(inputs, false);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto held = ctx->saved_data["job"].toCapsule();
    const Job &job = static_cast<const Job &>(*held);
    const auto kept = ctx->get_saved_variables();
    torch::autograd::tensor_list inputs, wanted, out(1 + job.inputs.size() + job.parameters.size());
    std::vector<size_t> places;
    {
      torch::AutoGradMode grad(true);
      for (size_t k = 0; k < kept.size(); ++k) {
        const Job::Input &in = job.inputs[k];
        inputs.push_back((in.packed ? unpackBits(kept[k], in.sizes, in.format, in.options) : kept[k].detach()).set_requires_grad(in.wantsGradient));
        if (in.wantsGradient)
          wanted.push_back(inputs.back()), places.push_back(1 + k);
      }
      for (size_t k = 0; k < job.parameters.size(); ++k)
        wanted.push_back(job.parameters[k]), places.push_back(1 + job.inputs.size() + k);
      const torch::Tensor result = job.body(inputs, true);
      const auto found = torch::autograd::grad({result}, wanted, {grads[0]}, false, false, true);
      for (size_t k = 0; k < found.size(); ++k)
        out[places[k]] = found[k];
    }
    return out;
  }
};

torch::Tensor inMemoryOrder(const torch::Tensor &x, torch::MemoryFormat format) {
  return format == torch::MemoryFormat::ChannelsLast ? x.permute({0, 2, 3, 1}) : x;
}

} // namespace

torch::Tensor packBits(const torch::Tensor &spikes) {
  const auto format = spikes.suggest_memory_format();
  torch::Tensor flat = inMemoryOrder(spikes.contiguous(format), format).reshape(-1).to(torch::kUInt8);
  if (flat.numel() % 8)
    flat = torch::constant_pad_nd(flat, {0, 8 - flat.numel() % 8});
  const torch::Tensor rows = flat.view({-1, 8});
  torch::Tensor bytes = rows.select(1, 0).clone();
  for (int64_t bit = 1; bit < 8; ++bit)
    bytes.add_(rows.select(1, bit), 1 << bit);
  return bytes;
}

torch::Tensor unpackBits(const torch::Tensor &packed, torch::IntArrayRef sizes, torch::MemoryFormat format, const torch::TensorOptions &options) {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  torch::Tensor rows = torch::empty({packed.numel(), 8}, options);
  for (int64_t bit = 0; bit < 8; ++bit)
    rows.select(1, bit).copy_(packed.bitwise_and(1 << bit).ne(0));
  const torch::Tensor flat = rows.view(-1).narrow(0, 0, count);
  if (format != torch::MemoryFormat::ChannelsLast)
    return flat.view(sizes);
  return flat.view({sizes[0], sizes[2], sizes[3], sizes[1]}).permute({0, 3, 1, 2});
}

torch::Tensor recompute(const Body &body, const std::vector<torch::Tensor> &inputs, const std::vector<bool> &spikes,
                        const std::vector<torch::Tensor> &parameters) {
  auto job = c10::make_intrusive<Job>();
  job->body = body;
  job->parameters = parameters;
  for (size_t k = 0; k < inputs.size(); ++k)
    job->inputs.push_back({spikes[k], inputs[k].requires_grad(), inputs[k].sizes().vec(), inputs[k].suggest_memory_format(),
                           torch::TensorOptions(inputs[k].scalar_type()).device(inputs[k].device())});
  std::vector<torch::Tensor> tensors = inputs;
  tensors.insert(tensors.end(), parameters.begin(), parameters.end());
  return Recompute::apply(job, tensors);
}

} // namespace lasnn::distill
