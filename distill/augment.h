// Random changes of training images, whole batches at a time: tensor operations on the device that trains.
//
// What is random is drawn on the host, image by image, from (stream, place in the list) and is then data: the tensor
// operations are the same for every draw, and equal streams give equal batches whatever the device or the thread.
#pragma once

#include "frontend/data/data.h"

#include <torch/torch.h>

#include <random>
#include <span>
#include <string>
#include <vector>

namespace lasnn::distill {

struct AugmentOp {
  enum class Kind { Flip, Crop, Cutout, Translate, Roll, AutoAugment, CutMix, MixUp };
  Kind kind = Kind::Flip;
  double amount = 0;    // pixels of crop, cutout, translate, roll; probability of cutmix, mixup
  double alpha = 1;     // cutmix, mixup: lambda ~ Beta(alpha, alpha)
  bool other = false;   // flip: alternate; crop: reflect
};

/// A list, applied in order; empty changes nothing.
struct Augment {
  std::vector<AugmentOp> ops;
};

/// "crop:4:reflect,flip:alternate,cutout:16,cutmix:0.5": names and numbers as docs/data.md has them; "crop-flip" and
/// "crop-flip-cutout" are short for lists. Throws std::invalid_argument; also when the set cannot take an operation.
Augment parseAugment(const std::string &list, const data::Dataset &);
std::string knownAugments(); // for --help

/// Which images these are, for what depends on more than the stream.
struct AugmentPlace {
  std::span<const uint32_t> indices; // in the set
  uint64_t stream = 0;
  int64_t epoch = 0;
  std::vector<uint8_t> fill;         // a channel's byte where an image was cut out
};

/// How images were mixed: image i is lambda[i] of itself and 1 - lambda[i] of partner[i]; undefined when none was.
struct Mixed {
  torch::Tensor partner; // [B] int64
  torch::Tensor lambda;  // [B] float, the share of the own label
  torch::Tensor blend;   // [B] float, the share of the own pixels where `clean` is still to be blended in (mixup), else 1
  torch::Tensor clean;   // uint8, the images that partners are blended from; undefined without mixup
};

/// Changes `x`, uint8 [B,C,H,W] (events: C = frames * channels, so that all frames move alike).
Mixed applyAugment(const Augment &, const AugmentPlace &, torch::Tensor &x);

/// The published CIFAR-10 policy of AutoAugment (Cubuk et al., CVPR 2019), one of its 25 sub-policies an image.
void applyPolicy(torch::Tensor &x, std::mt19937_64 &random);

// The operations, each on uint8 [B,C,H,W] with a parameter an image; tests compare them with plain loops.
torch::Tensor shiftImages(const torch::Tensor &x, const std::vector<int64_t> &dy, const std::vector<int64_t> &dx, char outside); // z r w
torch::Tensor flipImages(const torch::Tensor &x, const std::vector<int64_t> &flip);
/// out[y,x] = in at floor(m0 (x+.5) + m1 (y+.5) + m2), floor(m3 (x+.5) + m4 (y+.5) + m5), else 128; `m` is [B,6].
torch::Tensor warpImages(const torch::Tensor &x, const torch::Tensor &m);
enum class Colour { Brightness, Color, Contrast, Sharpness, Posterize, Solarize, AutoContrast, Equalize, Invert };
torch::Tensor colourImages(Colour, const torch::Tensor &x, const torch::Tensor &amount);

// Uniform draws that do not depend on the standard library's distributions.
inline uint64_t below(std::mt19937_64 &random, uint64_t bound) { return random() % bound; }
inline double unit(std::mt19937_64 &random) { return double(random() >> 11) * 0x1p-53; }
double betaDraw(std::mt19937_64 &random, double alpha);

} // namespace lasnn::distill
