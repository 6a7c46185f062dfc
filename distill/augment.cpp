#include "distill/augment.h"
#include "distill/batches.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace lasnn::distill {

using Kind = AugmentOp::Kind;

namespace {

struct Name {
  std::string_view name, words, help;
  Kind kind;
  double least, most;
  bool eventsToo;
};

constexpr Name names[] = {
    {"flip", "[:alternate]", "left-right with probability 1/2, or every image every other epoch", Kind::Flip, 0, 0, true},
    {"crop", "[:PIXELS][:reflect]", "shift by up to so many pixels, zeros or the mirrored image outside", Kind::Crop, 1, 4096, true},
    {"cutout", "[:PIXELS]", "a square set to the mean", Kind::Cutout, 1, 4096, true},
    {"translate", "[:PIXELS]", "shift by up to so many pixels, all frames alike", Kind::Translate, 1, 4096, true},
    {"roll", "[:PIXELS]", "the same, what leaves on one side enters on the other", Kind::Roll, 1, 4096, true},
    {"autoaugment", "", "the published CIFAR-10 policy", Kind::AutoAugment, 0, 0, false},
    {"cutmix", "[:PROBABILITY[:ALPHA]]", "a box of another image, labels mixed by area", Kind::CutMix, 0, 1, true},
    {"mixup", "[:PROBABILITY[:ALPHA]]", "a blend with another image, labels mixed alike", Kind::MixUp, 0, 1, false},
};

bool mixing(const AugmentOp &op) { return op.kind == Kind::CutMix || op.kind == Kind::MixUp; }

bool number(std::string_view text, double &value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && code == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

AugmentOp parseOne(std::string_view text, const data::Dataset &set) {
  std::vector<std::string_view> words;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find(':', from), text.size());
    words.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  const Name *found = nullptr;
  for (const Name &name : names)
    if (name.name == words[0])
      found = &name;
  if (!found)
    throw std::invalid_argument(fmt::format("--augment: \"{}\" is not known; known are none, crop-flip, crop-flip-cutout, or a list of {}", text, knownAugments()));
  auto refuse = [&](std::string_view word, const std::string &expected) {
    return std::invalid_argument(fmt::format("--augment: {}: \"{}\", expected {}{}{}", text, word, found->name, found->words, expected));
  };
  AugmentOp op;
  op.kind = found->kind;
  const double side = std::min(set.height, set.width);
  switch (op.kind) { // what a name without a number means; 1/14: 2 pixels of 28 or 32, the habit for small images being 2 to 4
  case Kind::Crop: op.amount = std::floor(side / 14); break;
  case Kind::Cutout: op.amount = std::floor(side / 4); break;
  case Kind::Translate: case Kind::Roll: op.amount = std::floor(side / 8); break;
  case Kind::CutMix: case Kind::MixUp: op.amount = 1; break;
  default: break;
  }
  size_t numbers = 0;
  const bool mixes = mixing(op);
  for (size_t i = 1; i < words.size(); ++i) {
    double value = 0;
    if ((op.kind == Kind::Flip && words[i] == "alternate") || (op.kind == Kind::Crop && words[i] == "reflect"))
      op.other = true;
    else if (found->most == 0 || !number(words[i], value) || ++numbers > (mixes ? 2u : 1u))
      throw refuse(words[i], "");
    else if (numbers == 2) {
      if (value < 0.01 || value > 100)
        throw refuse(words[i], ", ALPHA from 0.01 to 100");
      op.alpha = value;
    } else {
      if (value < found->least || value > found->most || (!mixes && value != std::floor(value)))
        throw refuse(words[i], mixes ? ", PROBABILITY from 0 to 1" : ", PIXELS a whole number of at least 1");
      op.amount = value;
    }
  }
  if (!mixes && op.amount >= side)
    throw std::invalid_argument(fmt::format("--augment: {}: {} pixels, but the images of {} are {}x{}; give fewer", text, op.amount, set.name, set.height, set.width));
  if (set.events && !found->eventsToo)
    throw std::invalid_argument(fmt::format("--augment: {} is for images, and {} holds spike counts; for events use crop, flip, cutout, cutmix, translate, roll", found->name, set.name));
  if (op.kind == Kind::AutoAugment && set.channels != 1 && set.channels != 3)
    throw std::invalid_argument(fmt::format("--augment: autoaugment changes colours and takes images of 1 or 3 channels; {} has {}", set.name, set.channels));
  return op;
}

} // namespace

Augment parseAugment(const std::string &list, const data::Dataset &set) {
  const std::string text = list == "none" ? "" : list == "crop-flip" ? "crop,flip" : list == "crop-flip-cutout" ? "crop,flip,cutout" : list;
  Augment augment;
  for (size_t from = 0; from < text.size();) {
    const size_t to = std::min(text.find(',', from), text.size());
    augment.ops.push_back(parseOne(std::string_view(text).substr(from, to - from), set));
    if (augment.ops.size() > 1 && mixing(augment.ops[augment.ops.size() - 2]) && !mixing(augment.ops.back()))
      throw std::invalid_argument(fmt::format("--augment={}: cutmix and mixup come last, since they mix images that are finished", list));
    from = to + 1;
  }
  return augment;
}

std::string knownAugments() {
  std::string text;
  for (const Name &name : names)
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", name.name, name.words);
  return text;
}

namespace {

torch::Tensor perImage(const std::vector<int64_t> &values, const torch::Tensor &like) {
  return torch::tensor(values, torch::kInt64).to(like.device()).view({-1, 1, 1});
}

/// out[b,c,y,x] = x[b,c,sy,sx], sy and sx broadcasting to [B,H,W], both inside the image.
torch::Tensor pick(const torch::Tensor &x, const torch::Tensor &sy, const torch::Tensor &sx) {
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const torch::Tensor index = (sy * w + sx).expand({n, h, w}).reshape({n, 1, h * w}).expand({n, c, h * w});
  return x.flatten(2).gather(2, index).view({n, c, h, w});
}

torch::Tensor range(int64_t size, const torch::Tensor &like) { return torch::arange(size, torch::TensorOptions(torch::kInt64).device(like.device())); }

} // namespace

torch::Tensor shiftImages(const torch::Tensor &x, const std::vector<int64_t> &dy, const std::vector<int64_t> &dx, char outside) {
  const int64_t h = x.size(2), w = x.size(3);
  torch::Tensor sy = range(h, x).view({1, h, 1}) + perImage(dy, x), sx = range(w, x).view({1, 1, w}) + perImage(dx, x);
  if (outside == 'w') // wrap
    return pick(x, sy.remainder(h), sx.remainder(w));
  if (outside == 'r') // reflect: -1 is 1, h is h - 2
    return pick(x, (h - 1) - ((h - 1) - sy.abs()).abs(), (w - 1) - ((w - 1) - sx.abs()).abs());
  const torch::Tensor inside = (sy >= 0) & (sy < h) & (sx >= 0) & (sx < w);
  return pick(x, sy.clamp(0, h - 1), sx.clamp(0, w - 1)) * inside.unsqueeze(1);
}

torch::Tensor flipImages(const torch::Tensor &x, const std::vector<int64_t> &flip) {
  const int64_t h = x.size(2), w = x.size(3);
  const torch::Tensor column = range(w, x).view({1, 1, w});
  return pick(x, range(h, x).view({1, h, 1}), torch::where(perImage(flip, x) > 0, (w - 1) - column, column));
}

namespace {

/// [B,1,H,W] bool: y0 <= y < y1 and x0 <= x < x1.
torch::Tensor boxes(const torch::Tensor &x, const std::vector<int64_t> &y0, const std::vector<int64_t> &y1, const std::vector<int64_t> &x0,
                    const std::vector<int64_t> &x1) {
  const int64_t h = x.size(2), w = x.size(3);
  const torch::Tensor y = range(h, x).view({1, h, 1}), column = range(w, x).view({1, 1, w});
  return ((y >= perImage(y0, x)) & (y < perImage(y1, x)) & (column >= perImage(x0, x)) & (column < perImage(x1, x))).unsqueeze(1);
}

double normalDraw(std::mt19937_64 &random) {
  const double u = std::max(unit(random), 0x1p-60), v = unit(random);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

/// Gamma(a, 1): Marsaglia and Tsang 2000; below 1 through Gamma(a + 1) U^(1/a).
double gammaDraw(std::mt19937_64 &random, double a) {
  if (a < 1) {
    const double g = gammaDraw(random, a + 1);
    return g * std::pow(std::max(unit(random), 0x1p-60), 1 / a);
  }
  const double d = a - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double z = normalDraw(random), v = std::pow(1 + c * z, 3);
    if (v > 0 && std::log(std::max(unit(random), 0x1p-60)) < 0.5 * z * z + d - d * v + d * std::log(v))
      return d * v;
  }
}

std::vector<int64_t> draws(std::mt19937_64 &random, size_t n, int64_t from, int64_t to) {
  std::vector<int64_t> values(n);
  for (int64_t &value : values)
    value = from + int64_t(below(random, uint64_t(to - from + 1)));
  return values;
}

/// Images that were not mixed yet are mixed with the image `partner` places on, with probability op.amount.
void mixImages(const AugmentOp &op, std::mt19937_64 &random, torch::Tensor &x, const torch::Tensor &clean, std::vector<int64_t> &partner,
               std::vector<float> &lambda, std::vector<float> &blend) {
  const size_t n = partner.size();
  const int64_t h = x.size(2), w = x.size(3);
  std::vector<int64_t> y0(n), y1(n), x0(n), x1(n);
  for (size_t i = 0; i < n; ++i) {
    const bool mix = unit(random) < op.amount;
    const double share = op.alpha == 1 ? unit(random) : betaDraw(random, op.alpha);
    const int64_t other = int64_t(below(random, n)), cy = int64_t(below(random, uint64_t(h))), cx = int64_t(below(random, uint64_t(w)));
    if (!mix || partner[i] != int64_t(i))
      continue;
    partner[i] = other;
    if (op.kind == Kind::MixUp) {
      lambda[i] = blend[i] = float(share);
      continue;
    }
    // A box of share 1 - lambda of the area round (cy, cx), cut at the border; the label's share is what is left.
    const double side = std::sqrt(1 - share);
    const int64_t bh = int64_t(side * double(h)), bw = int64_t(side * double(w));
    y0[i] = std::max<int64_t>(0, cy - bh / 2), y1[i] = std::min(h, cy - bh / 2 + bh);
    x0[i] = std::max<int64_t>(0, cx - bw / 2), x1[i] = std::min(w, cx - bw / 2 + bw);
    lambda[i] = float(1 - double((y1[i] - y0[i]) * (x1[i] - x0[i])) / double(h * w));
  }
  if (op.kind == Kind::CutMix)
    x = torch::where(boxes(x, y0, y1, x0, x1), clean.index_select(0, torch::tensor(partner, torch::kInt64).to(x.device())), x);
}

} // namespace

double betaDraw(std::mt19937_64 &random, double alpha) {
  const double a = gammaDraw(random, alpha), b = gammaDraw(random, alpha);
  return a + b > 0 ? a / (a + b) : 0.5;
}

Mixed applyAugment(const Augment &augment, const AugmentPlace &place, torch::Tensor &x) {
  const size_t n = place.indices.size();
  Mixed mixed;
  torch::Tensor clean;
  std::vector<int64_t> partner(n);
  std::vector<float> lambda(n, 1), blend(n, 1);
  bool blends = false;
  for (size_t k = 0; k < augment.ops.size(); ++k) {
    const AugmentOp &op = augment.ops[k];
    std::mt19937_64 random(k ? mixSeed({place.stream, 2, k}) : mixSeed({place.stream, 2}));
    const int64_t amount = int64_t(op.amount);
    switch (op.kind) {
    case Kind::Flip: {
      std::vector<int64_t> flip = draws(random, n, 0, 1);
      if (op.other) // a fair coin an image, turned over every epoch
        for (size_t i = 0; i < n; ++i)
          flip[i] = int64_t((mixSeed({place.indices[i], 4}) + uint64_t(place.epoch)) & 1);
      x = flipImages(x, flip);
      break;
    }
    case Kind::Crop: case Kind::Translate: case Kind::Roll: {
      if (!amount)
        break;
      std::vector<int64_t> dy(n), dx(n);
      for (size_t i = 0; i < n; ++i) {
        dy[i] = int64_t(below(random, uint64_t(2 * amount + 1))) - amount;
        dx[i] = int64_t(below(random, uint64_t(2 * amount + 1))) - amount;
      }
      x = shiftImages(x, dy, dx, op.kind == Kind::Roll ? 'w' : op.other ? 'r' : 'z');
      break;
    }
    case Kind::Cutout: {
      if (!amount)
        break;
      std::vector<int64_t> y0 = draws(random, n, 0, x.size(2) - 1), x0 = draws(random, n, 0, x.size(3) - 1), y1(n), x1(n);
      for (size_t i = 0; i < n; ++i) {
        y0[i] -= amount / 2, y1[i] = y0[i] + amount;
        x0[i] -= amount / 2, x1[i] = x0[i] + amount;
      }
      const std::vector<int64_t> bytes(place.fill.begin(), place.fill.end());
      const torch::Tensor fill = torch::tensor(bytes, torch::kInt64).to(torch::kUInt8).to(x.device()).repeat({x.size(1) / int64_t(bytes.size())});
      x = torch::where(boxes(x, y0, y1, x0, x1), fill.view({1, -1, 1, 1}), x);
      break;
    }
    case Kind::AutoAugment:
      applyPolicy(x, random);
      break;
    case Kind::CutMix: case Kind::MixUp:
      if (!clean.defined()) {
        clean = x;
        for (size_t i = 0; i < n; ++i)
          partner[i] = int64_t(i);
      }
      blends |= op.kind == Kind::MixUp;
      mixImages(op, random, x, clean, partner, lambda, blend);
      break;
    }
  }
  if (clean.defined()) {
    mixed.partner = torch::tensor(partner, torch::kInt64).to(x.device());
    mixed.lambda = torch::tensor(lambda).to(x.device());
    if (blends)
      mixed.blend = torch::tensor(blend).to(x.device()), mixed.clean = clean;
  }
  return mixed;
}

} // namespace lasnn::distill
