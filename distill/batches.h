// Bytes in memory to normalised batches: shuffled, augmented and encoded, each a function of seed, epoch and index alone.
#pragma once

#include "frontend/data/data.h"

#include <torch/torch.h>

#include <span>

namespace lasnn::distill {

struct Batch {
  torch::Tensor images;      // [B,C,H,W] float, (pixel/255 - mean)/std
  torch::Tensor intensities; // the same pixels as pixel/255, only when asked for (Poisson encoding)
  torch::Tensor labels;      // [B] int64
};

struct Augment {
  bool flip = false;    // left-right, probability 1/2
  int crop = 0;         // shift by -crop..crop pixels on both axes, zero-padded (the usual pad-and-crop)
  int cutout = 0;       // a square of so many pixels set to the mean
};
Augment augmentFromName(const std::string &name, int64_t height); // none flip crop crop-flip crop-flip-cutout; throws

/// The order of images in an epoch.
std::vector<uint32_t> epochOrder(size_t count, uint64_t seed, int64_t epoch);

/// `stream` picks the random numbers of the augmentation; equal streams give equal batches.
Batch makeBatch(const data::Dataset &, std::span<const uint32_t> indices, const Augment &, uint64_t stream, bool intensities);

void toDevice(Batch &, const torch::Device &);

/// Bernoulli spikes with the intensity as probability: [B,...] -> [T*B,...].
torch::Tensor poissonSpikes(const torch::Tensor &intensities, int64_t steps, uint64_t stream);

/// SplitMix64 of several numbers: independent seeds from (seed, epoch, step, ...).
uint64_t mixSeed(std::initializer_list<uint64_t> parts);

} // namespace lasnn::distill
