#include "distill/batches.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <array>
#include <numeric>
#include <random>
#include <stdexcept>

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

Augment augmentFromName(const std::string &name, int64_t height) {
  const int shift = int(height / 14); // 2 pixels of 28 or 32, the habit for small images being 2 to 4
  if (name == "none") return {};
  if (name == "flip") return {true, 0, 0};
  if (name == "crop") return {false, shift, 0};
  if (name == "crop-flip") return {true, shift, 0};
  if (name == "crop-flip-cutout") return {true, shift, int(height / 4)};
  throw std::invalid_argument(fmt::format("--augment={}: known are none, flip, crop, crop-flip, crop-flip-cutout", name));
}

namespace {

// Our own shuffle and bounds: the standard library's distributions differ from one library to the next.
uint64_t below(std::mt19937_64 &random, uint64_t bound) { return random() % bound; }

} // namespace

std::vector<uint32_t> epochOrder(size_t count, uint64_t seed, int64_t epoch) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937_64 random(mixSeed({seed, uint64_t(epoch), 1}));
  for (size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[below(random, i)]);
  return order;
}

Batch makeBatch(const data::Dataset &set, std::span<const uint32_t> indices, const Augment &augment, uint64_t stream, bool intensities) {
  const int64_t n = int64_t(indices.size()), c = set.channels, h = set.height, w = set.width;
  Batch out{torch::empty({n, c, h, w}), {}, torch::empty({n}, torch::kInt64)};
  if (intensities)
    out.intensities = torch::empty({n, c, h, w});
  std::vector<std::array<float, 256>> tables(set.channels);
  for (int64_t ch = 0; ch < c; ++ch)
    for (int p = 0; p < 256; ++p)
      tables[size_t(ch)][size_t(p)] = (float(p) / 255.0f - set.mean[size_t(ch)]) / set.std[size_t(ch)];

  std::mt19937_64 random(mixSeed({stream, 2}));
  std::vector<uint8_t> moved(set.imageBytes());
  float *to = out.images.data_ptr<float>();
  int64_t *labels = out.labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t *from = set.image(indices[size_t(i)]);
    labels[i] = set.labels[indices[size_t(i)]];
    if (augment.flip || augment.crop || augment.cutout) {
      const bool flip = augment.flip && below(random, 2);
      const int64_t span = 2 * augment.crop + 1;
      const int64_t dy = augment.crop ? int64_t(below(random, uint64_t(span))) - augment.crop : 0;
      const int64_t dx = augment.crop ? int64_t(below(random, uint64_t(span))) - augment.crop : 0;
      const int64_t cut = augment.cutout;
      const int64_t cy = cut ? int64_t(below(random, uint64_t(h))) - cut / 2 : 0, cx = cut ? int64_t(below(random, uint64_t(w))) - cut / 2 : 0;
      for (int64_t ch = 0; ch < c; ++ch)
        for (int64_t y = 0; y < h; ++y)
          for (int64_t x = 0; x < w; ++x) {
            const int64_t sy = y + dy, sx = (flip ? w - 1 - x : x) + dx;
            uint8_t p = sy < 0 || sy >= h || sx < 0 || sx >= w ? 0 : from[(ch * h + sy) * w + sx];
            if (cut && y >= cy && y < cy + cut && x >= cx && x < cx + cut)
              p = uint8_t(set.mean[size_t(ch)] * 255);
            moved[size_t((ch * h + y) * w + x)] = p;
          }
      from = moved.data();
    }
    for (int64_t ch = 0; ch < c; ++ch)
      for (int64_t p = 0; p < h * w; ++p, ++to)
        *to = tables[size_t(ch)][from[ch * h * w + p]];
    if (intensities)
      for (int64_t p = 0; p < c * h * w; ++p)
        out.intensities.data_ptr<float>()[i * c * h * w + p] = float(from[p]) / 255.0f;
  }
  return out;
}

void toDevice(Batch &batch, const torch::Device &device) {
  for (torch::Tensor *part : {&batch.images, &batch.intensities, &batch.labels})
    if (part->defined())
      *part = part->to(device);
}

torch::Tensor poissonSpikes(const torch::Tensor &intensities, int64_t steps, uint64_t stream) {
  std::vector<int64_t> repeat(size_t(intensities.dim()), 1);
  repeat[0] = steps;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(stream);
  return torch::bernoulli(intensities.repeat(repeat), generator);
}

} // namespace lasnn::distill
