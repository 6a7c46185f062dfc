// The distillation's loss terms, each a function of tensors with its equation and source; docs/distill.md tells the story.
#pragma once

#include "distill/options.h"

#include <torch/torch.h>

#include <vector>

namespace lasnn::distill {

/// Spatial attention of features F [B,C,H,W] (or [B,C]: one position): m = mean_c |F|^p, then over positions
///   softmax: A = softmax(m / temperature)        l2: A = m / ||m||_2       (Zagoruyko & Komodakis 2017)
/// returned as [B,1,H,W]; with scale "mean", times H*W (softmax) or sqrt(H*W) (l2), so that a flat map is all ones.
torch::Tensor attentionMap(const torch::Tensor &features, const LossOptions &);

/// One aligned pair: D(A * S, F), S the adapted student's rates and F the teacher's features, A from the teacher.
///   mse: mean (A S - F')^2         kl: KL(softmax(F') || softmax(A S)) over all of a sample's values
/// F' = A F with weightTeacher, else F. With attentionMaps: the same D between the two maps (kl: of the maps themselves).
torch::Tensor layerLoss(const torch::Tensor &adapted, const torch::Tensor &teacher, const LossOptions &);

/// tau^2 * KL(softmax(teacher/tau) || softmax(student/tau)), mean over the batch   (Hinton, Vinyals, Dean 2015)
torch::Tensor logitKd(const torch::Tensor &student, const torch::Tensor &teacher, double tau);

/// (1 - tet) CE(mean_t z_t, y) + tet mean_t CE(z_t, y)   (the second: TET, Deng et al., ICLR 2022). stepLogits [T,B,K].
/// Of mixed images (cutmix, mixup): mix_b CE(z_b, y_b) + (1 - mix_b) CE(z_b, y2_b), mean over the batch, in CE's place.
torch::Tensor outputLoss(const torch::Tensor &stepLogits, const torch::Tensor &labels, const LossOptions &, const torch::Tensor &labels2 = {},
                         const torch::Tensor &mix = {});

/// mean (z_t - 1)^2 over steps, batch and classes: TET's regulariser, which keeps single steps from running away.
torch::Tensor marginLoss(const torch::Tensor &stepLogits);

/// mean_t tau^2 KL(softmax(stop(m)/tau) || softmax(z_t/tau)): self-distillation over time (TWSD: Yu et al., ICML 2025). m = mean_t z, or
/// with `onlyCorrect` the mean over a sample's steps whose answer is its label (all steps, when none is).
torch::Tensor selfLoss(const torch::Tensor &stepLogits, const torch::Tensor &labels, double tau, bool onlyCorrect);

/// mean over t < T of CE(softmax(stop(c_{t+1})), softmax(c_t)), c_t = mean of z_1..z_t: what the network knows after t steps learns from
/// what it will know one step later (temporal progressive distillation, ICLR 2026). Zero for T = 1.
torch::Tensor progressiveLoss(const torch::Tensor &stepLogits);

/// Fewer spikes are less energy. Per layer: sum_l max(0, rate_l - target)^2 over the layers' mean firing rates.
/// Of the network: max(0, sum_l n_l rate_l / sum_l n_l - target)^2, n_l neurons.
torch::Tensor rateLoss(const std::vector<torch::Tensor> &rates, const std::vector<double> &neurons, double target, bool network);

} // namespace lasnn::distill
