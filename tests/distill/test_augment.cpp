// Augmentation: equal seeds give equal batches, every operation equals a plain loop, labels mix by the area that was pasted;
// and event sets from frames to a trained, exported student.
#include "distill/evaluate.h"
#include "distill/export.h"
#include "distill/learn.h"
#include "distill/loss.h"
#include "distill/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

using namespace lasnn::distill;

namespace {

lasnn::data::Dataset noise(size_t count, uint32_t channels, uint32_t height, uint32_t width, uint32_t frames = 1) {
  lasnn::data::Dataset set;
  set.name = "noise", set.channels = channels, set.height = height, set.width = width, set.classes = 7, set.count = count, set.frames = frames;
  set.mean.assign(channels, 0.4f), set.std.assign(channels, 0.3f);
  for (size_t i = 0; i < count; ++i) {
    set.labels.push_back(uint16_t(i % 7));
    for (size_t p = 0; p < set.imageBytes(); ++p)
      set.pixels.push_back(uint8_t(mixSeed({i, p}) % 256));
  }
  return set;
}

std::vector<uint32_t> all(const lasnn::data::Dataset &set) {
  std::vector<uint32_t> order(set.count);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

torch::Tensor bytes(const lasnn::data::Dataset &set) {
  return torch::from_blob(const_cast<uint8_t *>(set.pixels.data()), {int64_t(set.count), set.frames * set.channels, set.height, set.width}, torch::kUInt8).clone();
}

template <typename At> torch::Tensor plain(const torch::Tensor &x, const At &at) {
  torch::Tensor out = torch::empty_like(x);
  auto to = out.accessor<uint8_t, 4>();
  for (int64_t b = 0; b < x.size(0); ++b)
    for (int64_t c = 0; c < x.size(1); ++c)
      for (int64_t y = 0; y < x.size(2); ++y)
        for (int64_t w = 0; w < x.size(3); ++w)
          to[b][c][y][w] = at(b, c, y, w);
  return out;
}

TEST(Batches, PixelsAreNormalisedToTheBit) {
  const auto set = noise(5, 3, 6, 4);
  const Batch batch = makeBatch(set, std::vector<uint32_t>{4, 0}, {}, 1, true);
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t p = 0; p < 72; ++p) {
      const float share = float(set.image(i ? 0 : 4)[p]) / 255.0f;
      EXPECT_EQ(batch.images[i].flatten()[p].item<float>(), (share - 0.4f) / 0.3f);
      EXPECT_EQ(batch.intensities[i].flatten()[p].item<float>(), share);
    }
  EXPECT_EQ(batch.labels[0].item<int64_t>(), 4);
  EXPECT_FALSE(batch.labels2.defined());
}

TEST(Augment, EqualStreamsGiveEqualBatches) {
  const auto set = noise(40, 3, 16, 16);
  const auto order = all(set);
  for (const char *list : {"flip", "crop:3", "crop:3:reflect", "cutout:5", "translate:2", "roll:3", "autoaugment", "cutmix:0.5", "mixup:0.5:0.4",
                           "crop:4:reflect,flip,autoaugment,cutout:4,cutmix:0.5,mixup:0.5"}) {
    const Augment augment = parseAugment(list, set);
    const Batch a = makeBatch(set, order, augment, 11, false), b = makeBatch(set, order, augment, 11, false), c = makeBatch(set, order, augment, 12, false);
    EXPECT_TRUE(torch::equal(a.images, b.images)) << list;
    EXPECT_FALSE(torch::equal(a.images, c.images)) << list;
    EXPECT_FALSE(torch::equal(a.images, makeBatch(set, order, {}, 11, false).images)) << list;
    if (a.mix.defined()) {
      EXPECT_TRUE(torch::equal(a.mix, b.mix) && torch::equal(a.labels2, b.labels2)) << list;
    }
  }
}

TEST(Augment, ShiftsAndFlipsEqualPlainLoops) {
  const auto set = noise(4, 2, 7, 9);
  const torch::Tensor x = bytes(set);
  const auto from = x.accessor<uint8_t, 4>();
  const std::vector<int64_t> dy = {0, 3, -2, 1}, dx = {-4, 0, 2, 3}, flip = {0, 1, 1, 0};
  auto inside = [&](int64_t y, int64_t w) { return y >= 0 && y < 7 && w >= 0 && w < 9; };
  EXPECT_TRUE(torch::equal(shiftImages(x, dy, dx, 'z'), plain(x, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    const int64_t sy = y + dy[size_t(b)], sx = w + dx[size_t(b)];
    return inside(sy, sx) ? from[b][c][sy][sx] : uint8_t(0);
  })));
  EXPECT_TRUE(torch::equal(shiftImages(x, dy, dx, 'w'), plain(x, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    return from[b][c][(y + dy[size_t(b)] + 7) % 7][(w + dx[size_t(b)] + 9) % 9];
  })));
  const torch::Tensor padded = torch::nn::functional::pad(x.to(torch::kFloat32), torch::nn::functional::PadFuncOptions({4, 4, 4, 4}).mode(torch::kReflect)).to(torch::kUInt8);
  const auto mirrored = padded.accessor<uint8_t, 4>();
  EXPECT_TRUE(torch::equal(shiftImages(x, dy, dx, 'r'), plain(x, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    return mirrored[b][c][y + dy[size_t(b)] + 4][w + dx[size_t(b)] + 4];
  })));
  EXPECT_TRUE(torch::equal(flipImages(x, flip), plain(x, [&](int64_t b, int64_t c, int64_t y, int64_t w) { return from[b][c][y][flip[size_t(b)] ? 8 - w : w]; })));
}

TEST(Augment, AlternatingFlipTurnsEveryImageEveryEpoch) {
  const auto set = noise(64, 1, 4, 6);
  const auto order = all(set);
  const Augment augment = parseAugment("flip:alternate", set);
  const torch::Tensor still = makeBatch(set, order, {}, 0, false).images;
  size_t flipped = 0;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    const torch::Tensor now = makeBatch(set, order, augment, 5, false, epoch).images, next = makeBatch(set, order, augment, 9, false, epoch + 1).images;
    for (int64_t i = 0; i < 64; ++i) {
      EXPECT_TRUE(torch::equal(now[i], next[i].flip(2)));
      flipped += epoch == 0 && !torch::equal(now[i], still[i]);
    }
  }
  EXPECT_GT(flipped, 16u);
  EXPECT_LT(flipped, 48u);
}

TEST(Augment, CutoutIsASquareOfTheMean) {
  auto set = noise(50, 3, 12, 12);
  for (uint8_t &p : set.pixels)
    p |= 128; // never the mean, 102
  torch::Tensor x = bytes(set);
  applyAugment(parseAugment("cutout:4", set), {all(set), 3, 0, {102, 102, 102}}, x);
  const torch::Tensor cut = (x == 102).sum({2, 3}), before = bytes(set);
  EXPECT_TRUE(torch::equal(cut.select(1, 0), cut.select(1, 2)));
  EXPECT_EQ(cut.max().item<int64_t>(), 16);
  EXPECT_GE(cut.min().item<int64_t>(), 4) << "at least a quarter lies inside";
  EXPECT_TRUE(torch::equal(torch::where(x == 102, before, x), before));
}

TEST(Augment, CutMixSharesLabelsByArea) {
  auto set = noise(32, 1, 8, 8); // image i is all i
  for (size_t i = 0; i < set.pixels.size(); ++i)
    set.pixels[i] = uint8_t(i / 64);
  set.mean = {0}, set.std = {1.0f / 255};
  const Batch batch = makeBatch(set, all(set), parseAugment("cutmix:0.7", set), 21, false);
  const torch::Tensor values = batch.images.flatten(1).round();
  size_t mixed = 0;
  for (int64_t i = 0; i < 32; ++i) {
    const double own = (values[i] == i).sum().item<double>() / 64, share = batch.mix[i].item<double>();
    const torch::Tensor others = values[i].masked_select(values[i] != i);
    if (others.numel()) {
      ++mixed;
      EXPECT_NEAR(own, share, 1e-6) << i;
      EXPECT_TRUE((others == others[0]).all().item<bool>()) << "one partner";
      EXPECT_EQ(batch.labels2[i].item<int64_t>(), set.labels[size_t(others[0].item<float>())]);
    }
  }
  EXPECT_GT(mixed, 8u);
  EXPECT_LT(mixed, 32u) << "probability 0.7";
}

TEST(Augment, MixUpBlendsWithTheUnmixedPartner) {
  auto set = noise(64, 1, 4, 4);
  for (size_t i = 0; i < set.pixels.size(); ++i)
    set.pixels[i] = uint8_t(i / 16);
  for (size_t i = 0; i < 64; ++i)
    set.labels[i] = uint16_t(i);
  set.classes = 64, set.mean = {0}, set.std = {1.0f / 255};
  const Batch batch = makeBatch(set, all(set), parseAugment("cutmix:0.5,mixup:1:0.5", set), 2, false);
  size_t blended = 0;
  for (int64_t i = 0; i < 64; ++i) { // every pixel is image i's, the partner's, or the blend, and the mean agrees with the labels
    const double own = batch.mix[i].item<double>(), partner = batch.labels2[i].item<double>();
    EXPECT_NEAR(batch.images[i].mean().item<double>(), own * double(i) + (1 - own) * partner, 1e-3) << i;
    const torch::Tensor flat = batch.images[i].flatten();
    blended += (flat == flat[0]).all().item<bool>() && own > 0.05 && own < 0.95 && partner != double(i);
  }
  EXPECT_GT(blended, 8u);
}

TEST(Augment, MixedLabelsReachTheLoss) {
  const torch::Tensor z = torch::randn({2, 3, 5}), y = torch::tensor({1, 0, 4}), y2 = torch::tensor({2, 0, 3}), mix = torch::tensor({0.3f, 1.0f, 0.75f});
  for (double tet : {0.0, 0.5, 1.0}) {
    LossOptions o;
    o.tet = tet, o.labelSmoothing = 0.1;
    double expected = 0;
    for (int64_t i = 0; i < 3; ++i) { // one image at a time, by the definition
      const double m = mix[i].item<double>();
      const torch::Tensor one = z.slice(1, i, i + 1);
      expected += (m * outputLoss(one, y.slice(0, i, i + 1), o).item<double>() + (1 - m) * outputLoss(one, y2.slice(0, i, i + 1), o).item<double>()) / 3;
    }
    EXPECT_NEAR(outputLoss(z, y, o, y2, mix).item<double>(), expected, 1e-5);
    EXPECT_NEAR(outputLoss(z, y, o, y2, torch::ones(3)).item<double>(), outputLoss(z, y, o).item<double>(), 1e-5);
  }
}

TEST(Augment, BetaHasItsMeanAndVariance) {
  for (double alpha : {0.3, 1.0, 4.0}) {
    std::mt19937_64 random(5);
    double sum = 0, square = 0;
    constexpr int n = 20000;
    for (int i = 0; i < n; ++i) {
      const double v = betaDraw(random, alpha);
      ASSERT_TRUE(v >= 0 && v <= 1);
      sum += v, square += v * v;
    }
    EXPECT_NEAR(sum / n, 0.5, 0.015);
    EXPECT_NEAR(square / n - 0.25, 1 / (4 * (2 * alpha + 1)), 0.01);
  }
}

TEST(Policy, WarpsEqualPlainLoops) {
  const auto set = noise(3, 3, 8, 10);
  const torch::Tensor x = bytes(set);
  const auto from = x.accessor<uint8_t, 4>();
  const double a = 0.3, c = std::cos(a), s = std::sin(a);
  const double m[3][6] = {{1, 0.2, 0, 0, 1, 0}, {1, 0, -3, 0, 1, 2}, {c, s, 5 - c * 5 - s * 4, -s, c, 4 + s * 5 - c * 4}};
  torch::Tensor matrix = torch::empty({3, 6});
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 6; ++j)
      matrix[i][j] = float(m[i][j]);
  EXPECT_TRUE(torch::equal(warpImages(x, matrix), plain(x, [&](int64_t b, int64_t ch, int64_t y, int64_t w) {
    const double *r = m[b];
    const double sx = std::floor(r[0] * (double(w) + .5) + r[1] * (double(y) + .5) + r[2]), sy = std::floor(r[3] * (double(w) + .5) + r[4] * (double(y) + .5) + r[5]);
    return sx >= 0 && sx < 10 && sy >= 0 && sy < 8 ? from[b][ch][int64_t(sy)][int64_t(sx)] : uint8_t(128);
  })));
}

TEST(Policy, ColoursEqualPlainLoops) {
  const auto set = noise(3, 3, 20, 20);
  torch::Tensor x = bytes(set);
  x[1].div_(3, "floor").add_(40); // an image that does not fill the range
  x[2].fill_(77);                 // and a flat one
  const auto from = x.accessor<uint8_t, 4>();
  auto check = [&](Colour colour, std::vector<float> amount, const auto &at, const char *what) {
    EXPECT_TRUE(torch::equal(colourImages(colour, x, torch::tensor(amount)), plain(x, at))) << what;
  };
  const std::vector<float> factor = {0.4f, 1.7f, 1.3f};
  auto grey = [&](int64_t b, int64_t y, int64_t w) { return float((from[b][0][y][w] * 19595 + from[b][1][y][w] * 38470 + from[b][2][y][w] * 7471 + 32768) >> 16); };
  auto blend = [&](int64_t b, float a, float v) { return uint8_t(std::clamp(a + factor[size_t(b)] * (v - a), 0.0f, 255.0f)); };
  check(Colour::Brightness, factor, [&](int64_t b, int64_t c, int64_t y, int64_t w) { return blend(b, 0, from[b][c][y][w]); }, "brightness");
  check(Colour::Color, factor, [&](int64_t b, int64_t c, int64_t y, int64_t w) { return blend(b, grey(b, y, w), from[b][c][y][w]); }, "color");
  check(Colour::Contrast, factor, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    double sum = 0;
    for (int64_t i = 0; i < 400; ++i)
      sum += grey(b, i / 20, i % 20);
    return blend(b, float(std::floor(sum / 400 + 0.5)), from[b][c][y][w]);
  }, "contrast");
  check(Colour::Sharpness, factor, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    if (y == 0 || w == 0 || y == 19 || w == 19)
      return from[b][c][y][w];
    int sum = 4 * from[b][c][y][w];
    for (int64_t i = -1; i <= 1; ++i)
      for (int64_t j = -1; j <= 1; ++j)
        sum += from[b][c][y + i][w + j];
    return blend(b, float(std::floor(double(sum) / 13 + 0.5)), from[b][c][y][w]);
  }, "sharpness");
  check(Colour::Posterize, {4, 5, 8}, [&](int64_t b, int64_t c, int64_t y, int64_t w) { return uint8_t(from[b][c][y][w] & (b == 0 ? 0xf0 : b == 1 ? 0xf8 : 0xff)); }, "posterize");
  check(Colour::Solarize, {100, 255, 0}, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    const uint8_t v = from[b][c][y][w];
    return uint8_t(v < (b == 0 ? 100 : b == 1 ? 255 : 0) ? v : 255 - v);
  }, "solarize");
  check(Colour::Invert, {0, 0, 0}, [&](int64_t b, int64_t c, int64_t y, int64_t w) { return uint8_t(255 - from[b][c][y][w]); }, "invert");
  auto histogram = [&](int64_t b, int64_t c) {
    std::vector<int64_t> h(256);
    for (int64_t i = 0; i < 400; ++i)
      ++h[from[b][c][i / 20][i % 20]];
    return h;
  };
  check(Colour::AutoContrast, {0, 0, 0}, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    const auto h = histogram(b, c);
    int64_t low = 0, high = 255;
    while (!h[size_t(low)]) ++low;
    while (!h[size_t(high)]) --high;
    return high == low ? from[b][c][y][w] : uint8_t(std::clamp(float(from[b][c][y][w] - low) * (255.0f / float(high - low)), 0.0f, 255.0f));
  }, "autocontrast");
  check(Colour::Equalize, {0, 0, 0}, [&](int64_t b, int64_t c, int64_t y, int64_t w) {
    const auto h = histogram(b, c);
    int64_t high = 255, darker = 0;
    while (!h[size_t(high)]) --high;
    const int64_t step = (400 - h[size_t(high)]) / 255;
    if (!step)
      return from[b][c][y][w];
    for (int64_t v = 0; v < from[b][c][y][w]; ++v)
      darker += h[size_t(v)];
    return uint8_t(std::min<int64_t>(255, (darker + step / 2) / step));
  }, "equalize");
}

TEST(Policy, ChangesMostImagesAndKeepsTheRest) {
  const auto set = noise(200, 3, 32, 32);
  torch::Tensor x = bytes(set);
  const torch::Tensor before = x.clone();
  std::mt19937_64 random(1);
  applyPolicy(x, random);
  const int64_t changed = (x != before).flatten(1).any(1).sum().item<int64_t>();
  EXPECT_GT(changed, 100);
  EXPECT_LT(changed, 200);
  EXPECT_TRUE(torch::equal(before, bytes(set)));
}

TEST(Augment, ListsAreChecked) {
  const auto images = noise(2, 3, 32, 32);
  auto events = noise(2, 2, 34, 34, 4);
  events.events = true;
  auto refused = [](const std::string &list, const lasnn::data::Dataset &set, const std::string &what) {
    try {
      parseAugment(list, set);
      ADD_FAILURE() << list << " was taken";
    } catch (const std::invalid_argument &e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  EXPECT_TRUE(parseAugment("none", images).ops.empty());
  EXPECT_EQ(parseAugment("crop-flip-cutout", images).ops.size(), 3u);
  EXPECT_EQ(parseAugment("crop", images).ops[0].amount, 2);
  EXPECT_EQ(parseAugment("crop:4:reflect", images).ops[0].amount, 4);
  EXPECT_EQ(parseAugment("cutmix:0.5:0.2", images).ops[0].alpha, 0.2);
  refused("spin", images, "\"spin\" is not known");
  refused("crop:x", images, "\"x\"");
  refused("crop:2:3", images, "\"3\"");
  refused("crop:1.5", images, "whole number");
  refused("crop:32", images, "32x32");
  refused("flip:3", images, "[:alternate]");
  refused("cutmix:1.5", images, "0 to 1");
  refused("cutmix,flip", images, "come last");
  refused("autoaugment", events, "spike counts");
  refused("mixup", events, "for events use");
  refused("crop,,flip", images, "not known");
}

/// Class k: recordings whose events lie in row k, the column moving with time.
lasnn::data::Dataset rows(size_t count, uint32_t frames) {
  lasnn::data::Dataset set;
  set.name = "rows", set.events = true, set.frames = frames, set.channels = 2, set.height = set.width = 8, set.classes = 4, set.count = count;
  set.maxCount = 9, set.binning = "window=count&size=8";
  set.mean = {0, 0}, set.std = {1 / 255.0f, 1 / 255.0f};
  set.pixels.resize(count * set.imageBytes());
  for (size_t i = 0; i < count; ++i) {
    set.labels.push_back(uint16_t(i % 4));
    for (uint32_t e = 0; e < 60; ++e) {
      const uint64_t r = mixSeed({i, e});
      uint8_t &p = set.pixels[i * set.imageBytes() + ((e * frames / 60 * 2 + r % 2) * 8 + i % 4 * 2 + (r >> 8) % 2) * 8 + (r >> 16) % 8];
      p = uint8_t(std::min(9, p + 1));
    }
  }
  return set;
}

TEST(EventSets, FramesBecomeStepsAndTheirSumTheStillImage) {
  const auto set = rows(6, 3);
  const std::vector<uint32_t> order = {5, 1};
  const Batch batch = makeBatch(set, order, {}, 0, false);
  ASSERT_EQ(batch.images.sizes().vec(), (std::vector<int64_t>{6, 2, 8, 8}));
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t i = 0; i < 2; ++i)
      for (int64_t p = 0; p < 128; ++p)
        EXPECT_EQ(batch.images[t * 2 + i].flatten()[p].item<float>(), float(set.image(order[size_t(i)])[t * 128 + p]));
  EXPECT_EQ(encode(batch, "events", 3, 0).steps, 3);
  EXPECT_THROW(encode(batch, "events", 4, 0), std::invalid_argument);
  EXPECT_TRUE(torch::equal(stillInput(batch).x[1], batch.images[1] + batch.images[3] + batch.images[5]));
}

TEST(EventSets, AllFramesOfASampleMoveAlike) {
  auto set = rows(16, 4);
  for (size_t i = 0; i < set.count; ++i) // the same picture in every frame
    for (size_t f = 1; f < 4; ++f)
      std::copy_n(set.image(i), 128, set.pixels.begin() + std::ptrdiff_t(i * 512 + f * 128));
  const Batch batch = makeBatch(set, all(set), parseAugment("translate:2,roll:3,flip,cutout:3", set), 4, false), still = makeBatch(set, all(set), {}, 4, false);
  const torch::Tensor x = batch.images.view({4, 16, 2, 8, 8});
  for (int64_t f = 1; f < 4; ++f)
    EXPECT_TRUE(torch::equal(x[0], x[f]));
  EXPECT_FALSE(torch::equal(batch.images, still.images));
  std::set<double> sums; // roll alone loses nothing
  const Batch rolled = makeBatch(set, all(set), parseAugment("roll:3", set), 4, false);
  EXPECT_TRUE(torch::equal(rolled.images.sum({1, 2, 3}), still.images.sum({1, 2, 3})));
}

TEST(EventSets, AStudentLearnsAndIsMeasured) {
  torch::manual_seed(1);
  const auto set = rows(128, 3);
  Arch arch = archFromJson(nlohmann::json::parse(R"({"name": "tiny", "nodes": [
    {"name": "c1", "conv": [8, 3, 2, 1]}, {"name": "fc", "linear": 0, "readout": true}]})"));
  arch.channels = 2, arch.height = arch.width = 8, arch.classes = 4;
  TrainOptions o;
  o.epochs = 6, o.batch = 16, o.lr = 0.02, o.threads = 1;
  StudentOptions s;
  s.timesteps = 3, s.encoding = "events", s.noDistill = true;
  Model model;
  model.network = std::make_shared<Network>(arch, s.neuron);
  train(o, set, [&](int) { return studentLearner(model.network, nullptr, o, s); }, {});
  model.meta = {{"kind", "student"}, {"timesteps", 3}, {"encoding", "events"},
                {"data", {{"name", set.name}, {"mean", set.mean}, {"std", set.std}, {"events", {{"binning", set.binning}, {"max_count", 9}}}}}};
  EXPECT_GT(evaluate(model, set, 1, 0).top1, 0.9);
  const std::string onnx = studentOnnx(model);
  EXPECT_NE(onnx.find("lasnn.max_count"), std::string::npos);
  auto other = rows(4, 2);
  EXPECT_THROW(evaluate(model, other, 1, 0), std::runtime_error) << "two frames for three steps";
  other = rows(4, 3), other.binning = "window=time&size=8";
  EXPECT_THROW(evaluate(model, other, 1, 0), std::runtime_error) << "another binning";
}

} // namespace
