#include "distill/packed_synapse.h"
#include "distill/bits.h"

namespace lasnn::distill {
namespace {

void keep(torch::autograd::AutogradContext *ctx, const torch::Tensor &spikes, const torch::Tensor &weight) {
  ctx->save_for_backward({packBits(spikes), weight});
  ctx->saved_data["sizes"] = spikes.sizes().vec();
  ctx->saved_data["type"] = int64_t(spikes.scalar_type());
  ctx->saved_data["format"] = int64_t(spikes.suggest_memory_format());
  ctx->saved_data["wanted"] = std::vector<int64_t>{spikes.requires_grad(), weight.requires_grad()};
}

torch::Tensor kept(torch::autograd::AutogradContext *ctx, const torch::Tensor &bits) {
  return unpackBits(bits, ctx->saved_data["sizes"].toIntVector(), torch::MemoryFormat(ctx->saved_data["format"].toInt()),
                    torch::TensorOptions(torch::ScalarType(ctx->saved_data["type"].toInt())).device(bits.device()));
}

struct PackedConv : torch::autograd::Function<PackedConv> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &spikes, const torch::Tensor &weight, int64_t stride,
                               int64_t pad, int64_t groups) {
    keep(ctx, spikes, weight);
    ctx->saved_data["shape"] = std::vector<int64_t>{stride, pad, groups};
    return torch::conv2d(spikes, weight, {}, stride, pad, 1, groups);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto shape = ctx->saved_data["shape"].toIntVector(), wanted = ctx->saved_data["wanted"].toIntVector();
    const std::vector<int64_t> stride(2, shape[0]), pad(2, shape[1]), one(2, 1), none(2, 0);
    const auto found = at::convolution_backward(grads[0], kept(ctx, saved[0]), saved[1], c10::nullopt, stride, pad, one, false, none, shape[2],
                                                {wanted[0] != 0, wanted[1] != 0, false});
    return {std::get<0>(found), std::get<1>(found), {}, {}, {}};
  }
};

struct PackedLinear : torch::autograd::Function<PackedLinear> {
  static torch::Tensor forward(torch::autograd::AutogradContext *ctx, const torch::Tensor &spikes, const torch::Tensor &weight) {
    keep(ctx, spikes, weight);
    return torch::linear(spikes, weight);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto wanted = ctx->saved_data["wanted"].toIntVector();
    return {wanted[0] ? grads[0].mm(saved[1]) : torch::Tensor(), wanted[1] ? grads[0].t().mm(kept(ctx, saved[0])) : torch::Tensor()};
  }
};

} // namespace

torch::Tensor packedConv2d(const torch::Tensor &spikes, const torch::Tensor &weight, int64_t stride, int64_t pad, int64_t groups) {
  return PackedConv::apply(spikes, weight, stride, pad, groups);
}

torch::Tensor packedLinear(const torch::Tensor &spikes, const torch::Tensor &weight) { return PackedLinear::apply(spikes, weight); }

} // namespace lasnn::distill
