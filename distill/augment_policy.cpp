// AutoAugment's policy for CIFAR-10 as data, and its operations on batches.
//
// Cubuk, Zoph, Mane, Vasudevan, Le: AutoAugment, CVPR 2019 (arXiv 1805.09501), table 7. An operation with probability p and
// magnitude m of 0..9; magnitudes run linearly over the ranges below, and those marked +- get a random sign. Pixels are bytes,
// and each operation rounds as Pillow's does, on which the policy was learned.
#include "distill/augment.h"

#include <cmath>
#include <numbers>

namespace lasnn::distill {
namespace {

enum class Op { ShearX, ShearY, TranslateX, TranslateY, Rotate, Brightness, Color, Contrast, Sharpness, Posterize, Solarize, AutoContrast, Equalize, Invert };

struct Step {
  Op op;
  double probability;
  int magnitude;
};

constexpr Step policy[25][2] = {
    {{Op::Invert, .1, 0}, {Op::Contrast, .2, 6}},        {{Op::Rotate, .7, 2}, {Op::TranslateX, .3, 9}},
    {{Op::Sharpness, .8, 1}, {Op::Sharpness, .9, 3}},    {{Op::ShearY, .5, 8}, {Op::TranslateY, .7, 9}},
    {{Op::AutoContrast, .5, 0}, {Op::Equalize, .9, 0}},  {{Op::ShearY, .2, 7}, {Op::Posterize, .3, 7}},
    {{Op::Color, .4, 3}, {Op::Brightness, .6, 7}},       {{Op::Sharpness, .3, 9}, {Op::Brightness, .7, 9}},
    {{Op::Equalize, .6, 0}, {Op::Equalize, .5, 0}},      {{Op::Contrast, .6, 7}, {Op::Sharpness, .6, 5}},
    {{Op::Color, .7, 7}, {Op::TranslateX, .5, 8}},       {{Op::Equalize, .3, 0}, {Op::AutoContrast, .4, 0}},
    {{Op::TranslateY, .4, 3}, {Op::Sharpness, .2, 6}},   {{Op::Brightness, .9, 6}, {Op::Color, .2, 8}},
    {{Op::Solarize, .5, 2}, {Op::Invert, 0, 0}},         {{Op::Equalize, .2, 0}, {Op::AutoContrast, .6, 0}},
    {{Op::Equalize, .2, 0}, {Op::Equalize, .6, 0}},      {{Op::Color, .9, 9}, {Op::Equalize, .6, 0}},
    {{Op::AutoContrast, .8, 0}, {Op::Solarize, .2, 8}},  {{Op::Brightness, .1, 3}, {Op::Color, .7, 0}},
    {{Op::Solarize, .4, 5}, {Op::AutoContrast, .9, 0}},  {{Op::TranslateY, .9, 9}, {Op::TranslateY, .7, 9}},
    {{Op::AutoContrast, .9, 0}, {Op::Solarize, .8, 3}},  {{Op::Equalize, .8, 0}, {Op::Invert, .1, 0}},
    {{Op::TranslateY, .7, 9}, {Op::AutoContrast, .9, 0}},
};

/// The magnitude's meaning; `side` is the image's along the operation's axis.
double range(Op op, int magnitude, double side) {
  const double m = magnitude / 9.0;
  switch (op) {
  case Op::ShearX: case Op::ShearY: return 0.3 * m;                                // +-, pixels a pixel
  case Op::TranslateX: case Op::TranslateY: return std::floor(150.0 / 331 * side * m); // +-, pixels
  case Op::Rotate: return 30 * m;                                                  // +-, degrees
  case Op::Brightness: case Op::Color: case Op::Contrast: case Op::Sharpness: return 0.9 * m; // +-, added to a factor of 1
  case Op::Posterize: return 8 - std::round(4 * m);                                // bits kept
  case Op::Solarize: return 255 * (1 - m);                                         // inverted from here on
  default: return 0;
  }
}

torch::Tensor amounts(const std::vector<float> &values, const torch::Tensor &like) {
  return torch::tensor(values).to(like.device());
}

/// a + f (b - a), cut to a byte as Pillow's blend does.
torch::Tensor blend(const torch::Tensor &a, const torch::Tensor &b, const torch::Tensor &factor) {
  return (a + factor.view({-1, 1, 1, 1}) * (b - a)).clamp(0, 255).to(torch::kUInt8);
}

/// Luminance, rounded as Pillow's: (19595 R + 38470 G + 7471 B + 2^15) / 2^16; [B,1,H,W] float.
torch::Tensor grey(const torch::Tensor &x) {
  if (x.size(1) == 1)
    return x.to(torch::kFloat32);
  const torch::Tensor v = x.to(torch::kInt32);
  return ((v.select(1, 0) * 19595 + v.select(1, 1) * 38470 + v.select(1, 2) * 7471 + 32768).bitwise_right_shift(16)).unsqueeze(1).to(torch::kFloat32);
}

/// 3x3 mean with weight 5 in the middle, rounded; the border stays.
torch::Tensor smooth(const torch::Tensor &x) {
  torch::Tensor out = x.clone();
  const int64_t h = x.size(2), w = x.size(3);
  if (h < 3 || w < 3)
    return out;
  torch::Tensor sum = 4 * x.slice(2, 1, h - 1).slice(3, 1, w - 1);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 3; ++j)
      sum = sum + x.slice(2, i, h - 2 + i).slice(3, j, w - 2 + j);
  out.slice(2, 1, h - 1).slice(3, 1, w - 1).copy_((sum / 13 + 0.5).floor());
  return out;
}

/// x through a table of 256 bytes an image and channel, [B,C,256].
torch::Tensor lookUp(const torch::Tensor &x, const torch::Tensor &table) {
  return table.gather(2, x.flatten(2).to(torch::kInt64)).view(x.sizes());
}

/// Pillow's equalize: with step = floor((pixels - those of the brightest value) / 255), the value i becomes
/// floor((pixels darker than i + floor(step / 2)) / step), at most 255; a step of 0 changes nothing.
torch::Tensor equalize(const torch::Tensor &x) {
  const torch::Tensor values = x.flatten(2).to(torch::kInt64);
  const torch::Tensor counts = torch::zeros({x.size(0), x.size(1), 256}, values.options()).scatter_add_(2, values, torch::ones_like(values));
  const torch::Tensor brightest = counts.gather(2, std::get<0>(values.max(2, true)));
  const torch::Tensor step = (values.size(2) - brightest).floor_divide(255), safe = step.clamp_min(1);
  const torch::Tensor table = (counts.cumsum(2) - counts + step.floor_divide(2)).floor_divide(safe).clamp_max(255);
  const torch::Tensor same = torch::arange(256, values.options()).expand_as(table);
  return lookUp(x, torch::where(step > 0, table, same).to(torch::kUInt8));
}

torch::Tensor autoContrast(const torch::Tensor &x) {
  const torch::Tensor v = x.flatten(2).to(torch::kFloat32);
  const torch::Tensor low = std::get<0>(v.min(2, true)), high = std::get<0>(v.max(2, true)), scale = 255 / (high - low).clamp_min(1);
  const torch::Tensor out = ((v - low) * scale).clamp(0, 255);
  return torch::where(high > low, out, v).to(torch::kUInt8).view(x.sizes());
}

} // namespace

torch::Tensor warpImages(const torch::Tensor &x, const torch::Tensor &m) {
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const auto options = torch::TensorOptions(torch::kFloat32).device(x.device());
  const torch::Tensor column = torch::arange(w, options).view({1, 1, w}) + 0.5, row = torch::arange(h, options).view({1, h, 1}) + 0.5;
  auto entry = [&](int64_t i) { return m.select(1, i).view({n, 1, 1}); };
  const torch::Tensor sx = (entry(0) * column + entry(1) * row + entry(2)).floor(), sy = (entry(3) * column + entry(4) * row + entry(5)).floor();
  const torch::Tensor inside = ((sx >= 0) & (sx < w) & (sy >= 0) & (sy < h)).unsqueeze(1);
  const torch::Tensor index = (sy.clamp(0, h - 1) * w + sx.clamp(0, w - 1)).to(torch::kInt64).view({n, 1, h * w}).expand({n, c, h * w});
  return x.flatten(2).gather(2, index).view({n, c, h, w}).masked_fill(inside.logical_not(), 128);
}

torch::Tensor colourImages(Colour colour, const torch::Tensor &x, const torch::Tensor &amount) {
  const torch::Tensor value = amount.view({-1, 1, 1, 1});
  switch (colour) {
  case Colour::Brightness: return blend(torch::zeros_like(x, torch::kFloat32), x.to(torch::kFloat32), amount);
  case Colour::Color: return blend(grey(x), x.to(torch::kFloat32), amount);
  case Colour::Contrast: return blend((grey(x).mean({1, 2, 3}, true) + 0.5).floor(), x.to(torch::kFloat32), amount);
  case Colour::Sharpness: {
    const torch::Tensor v = x.to(torch::kFloat32);
    return blend(smooth(v), v, amount);
  }
  case Colour::Posterize: { // multiples of 2^(8-bits), rounded down
    const torch::Tensor unit = torch::pow(2, 8 - value);
    return ((x.to(torch::kFloat32) / unit).floor() * unit).to(torch::kUInt8);
  }
  case Colour::Solarize: return torch::where(x.to(torch::kFloat32) < value, x, 255 - x);
  case Colour::AutoContrast: return autoContrast(x);
  case Colour::Equalize: return equalize(x);
  case Colour::Invert: return 255 - x;
  }
  return x;
}

void applyPolicy(torch::Tensor &x, std::mt19937_64 &random) {
  const size_t n = size_t(x.size(0));
  const double h = double(x.size(2)), w = double(x.size(3));
  struct Draw {
    bool used[2];
    float amount[2];
    size_t sub;
  };
  std::vector<Draw> images(n);
  for (Draw &draw : images) {
    draw.sub = below(random, 25);
    for (int k = 0; k < 2; ++k) {
      const Step &step = policy[draw.sub][k];
      draw.used[k] = unit(random) < step.probability;
      const double sign = below(random, 2) ? 1 : -1, m = range(step.op, step.magnitude, step.op == Op::TranslateY ? h : w);
      draw.amount[k] = float(step.op <= Op::Sharpness ? sign * m : m);
    }
  }
  x = x.clone();
  for (int k = 0; k < 2; ++k) {
    // The five movements are one operation with a matrix an image; colours are one operation a kind.
    std::vector<int64_t> moved, rows[int(Op::Invert) + 1];
    std::vector<float> matrices, values[int(Op::Invert) + 1];
    for (size_t i = 0; i < n; ++i) {
      if (!images[i].used[k])
        continue;
      const Op op = policy[images[i].sub][k].op;
      const float a = images[i].amount[k];
      if (op > Op::Rotate) {
        rows[int(op)].push_back(int64_t(i));
        values[int(op)].push_back(op <= Op::Sharpness ? 1 + a : a);
        continue;
      }
      moved.push_back(int64_t(i));
      const float c = std::cos(a * float(std::numbers::pi) / 180), s = std::sin(a * float(std::numbers::pi) / 180), cx = float(w) / 2, cy = float(h) / 2;
      switch (op) {
      case Op::ShearX: matrices.insert(matrices.end(), {1, a, 0, 0, 1, 0}); break;
      case Op::ShearY: matrices.insert(matrices.end(), {1, 0, 0, a, 1, 0}); break;
      case Op::TranslateX: matrices.insert(matrices.end(), {1, 0, a, 0, 1, 0}); break;
      case Op::TranslateY: matrices.insert(matrices.end(), {1, 0, 0, 0, 1, a}); break;
      default: matrices.insert(matrices.end(), {c, s, cx - c * cx - s * cy, -s, c, cy + s * cx - c * cy}); break; // Rotate, round the middle
      }
    }
    auto replace = [&](const std::vector<int64_t> &which, auto change) {
      if (which.empty())
        return;
      const torch::Tensor index = torch::tensor(which, torch::kInt64).to(x.device());
      x.index_copy_(0, index, change(x.index_select(0, index)));
    };
    replace(moved, [&](const torch::Tensor &part) { return warpImages(part, amounts(matrices, x).view({-1, 6})); });
    for (int op = int(Op::Brightness); op <= int(Op::Invert); ++op)
      replace(rows[op], [&](const torch::Tensor &part) { return colourImages(Colour(op - int(Op::Brightness)), part, amounts(values[op], x)); });
  }
}

} // namespace lasnn::distill
