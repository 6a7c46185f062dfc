#include "distill/batches.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cstring>
#include <numeric>

namespace lasnn::distill {

uint64_t mixSeed(std::initializer_list<uint64_t> parts) {
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (uint64_t part : parts) {
    state += part + 0x9e3779b97f4a7c15u;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
    state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
    state ^= state >> 31;
  }
  return state;
}

std::vector<uint32_t> epochOrder(size_t count, uint64_t seed, int64_t epoch) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  // Our own shuffle and bounds: the standard library's distributions differ from one library to the next.
  std::mt19937_64 random(mixSeed({seed, uint64_t(epoch), 1}));
  for (size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[below(random, i)]);
  return order;
}

Batch makeBatch(const data::Dataset &set, std::span<const uint32_t> indices, const Augment &augment, uint64_t stream, bool intensities,
                int64_t epoch, torch::Device device) {
  const int64_t n = int64_t(indices.size()), frames = set.frames, c = set.channels, h = set.height, w = set.width;
  // Bytes travel and are augmented, a fourth of the floats they become; frames ride along as channels.
  torch::Tensor bytes = torch::empty({n, frames * c, h, w}, torch::kUInt8);
  Batch out;
  out.frames = frames;
  out.labels = torch::empty({n}, torch::kInt64);
  const size_t each = set.imageBytes();
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(bytes.data_ptr<uint8_t>() + size_t(i) * each, set.image(indices[size_t(i)]), each);
    out.labels.data_ptr<int64_t>()[i] = set.labels[indices[size_t(i)]];
  }
  bytes = bytes.to(device);
  out.labels = out.labels.to(device);

  Mixed mixed;
  if (!augment.ops.empty()) {
    AugmentPlace place{indices, stream, epoch, {}};
    for (float mean : set.mean)
      place.fill.push_back(uint8_t(mean * 255));
    mixed = applyAugment(augment, place, bytes);
    if (mixed.partner.defined()) {
      out.labels2 = out.labels.index_select(0, mixed.partner);
      out.mix = mixed.lambda;
    }
  }
  torch::Tensor pixels = bytes.to(torch::kFloat32);
  if (mixed.blend.defined()) {
    const torch::Tensor share = mixed.blend.view({n, 1, 1, 1});
    pixels = pixels * share + mixed.clean.index_select(0, mixed.partner).to(torch::kFloat32) * (1 - share);
  }
  if (set.events) {
    out.images = frames == 1 ? pixels : pixels.view({n, frames, c, h, w}).transpose(0, 1).reshape({frames * n, c, h, w});
    return out;
  }
  // Two divisions and a difference in this order and as tensors, so that every device rounds as spec.md's E1 does.
  auto perChannel = [&](const std::vector<float> &values) { return torch::tensor(values).to(device).view({1, c, 1, 1}); };
  pixels = pixels.div_(torch::full({1}, 255.0f, pixels.options()));
  out.images = (intensities ? pixels.sub(perChannel(set.mean)) : pixels.sub_(perChannel(set.mean))).div_(perChannel(set.std));
  if (intensities)
    out.intensities = pixels;
  return out;
}

void toDevice(Batch &batch, const torch::Device &device) {
  for (torch::Tensor *part : {&batch.images, &batch.intensities, &batch.labels, &batch.labels2, &batch.mix})
    if (part->defined())
      *part = part->to(device);
}

Steps stillInput(const Batch &batch) {
  if (batch.frames == 1)
    return {batch.images, 1};
  std::vector<int64_t> shape = batch.images.sizes().vec();
  shape[0] /= batch.frames;
  shape.insert(shape.begin(), batch.frames);
  return {batch.images.view(shape).sum(0), 1};
}

torch::Tensor poissonSpikes(const torch::Tensor &intensities, int64_t steps, uint64_t stream) {
  std::vector<int64_t> repeat(size_t(intensities.dim()), 1);
  repeat[0] = steps;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(stream);
  return torch::bernoulli(intensities.repeat(repeat), generator);
}

} // namespace lasnn::distill
