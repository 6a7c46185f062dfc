// Bytes in memory to normalised batches: shuffled, augmented and encoded, each a function of seed, epoch and index alone.
#pragma once

#include "distill/augment.h"
#include "distill/network.h"
#include "frontend/data/data.h"

#include <torch/torch.h>

#include <span>

namespace lasnn::distill {

struct Batch {
  torch::Tensor images;      // [frames*B,C,H,W] float, the frame slowest: (pixel/255 - mean)/std, or an event set's counts
  int64_t frames = 1;        // T of an event set
  torch::Tensor intensities; // the same pixels as pixel/255, only when asked for (Poisson encoding)
  torch::Tensor labels;      // [B] int64
  torch::Tensor labels2;     // [B] int64, of the images mixed in (cutmix, mixup); undefined when none were
  torch::Tensor mix;         // [B] float, the share of `labels`; the rest is labels2's
};

/// The order of images in an epoch.
std::vector<uint32_t> epochOrder(size_t count, uint64_t seed, int64_t epoch);

/// `stream` picks the random numbers of the augmentation; equal streams (and epochs) give equal batches, on every device.
Batch makeBatch(const data::Dataset &, std::span<const uint32_t> indices, const Augment &, uint64_t stream, bool intensities,
                int64_t epoch = 0, torch::Device device = torch::kCPU);

/// What a network without time sees: the images, or the picture of all events, the sum over the frames. A sum, so that one
/// teacher serves students of any T.
Steps stillInput(const Batch &);

void toDevice(Batch &, const torch::Device &);

/// Bernoulli spikes with the intensity as probability: [B,...] -> [T*B,...].
torch::Tensor poissonSpikes(const torch::Tensor &intensities, int64_t steps, uint64_t stream);

/// SplitMix64 of several numbers: independent seeds from (seed, epoch, step, ...).
uint64_t mixSeed(std::initializer_list<uint64_t> parts);

} // namespace lasnn::distill
