#include "distill/attention_pictures.h"
#include "distill/adapter.h"
#include "distill/html.h"
#include "distill/learn.h"
#include "distill/loss.h"
#include "distill/png.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lasnn::distill {
namespace {

constexpr int64_t side = 112; // pixels a picture is enlarged to, about

struct Seen {
  torch::Tensor answers;                             // [B]
  std::vector<std::pair<std::string, torch::Tensor>> maps; // a layer's [B,1,H,W]
};

LossOptions mapOptions(const Model &model) {
  LossOptions o;
  const auto student = model.meta.value("training", nlohmann::json::object()).value("student", nlohmann::json::object());
  o.attention = student.value("attention", o.attention);
  o.attentionPower = student.value("attention_power", o.attentionPower);
  o.attentionTemperature = student.value("attention_temperature", o.attentionTemperature);
  return o;
}

Seen mapsOf(const Forward &out, int64_t batch, const LossOptions &options) {
  Seen seen{out.logits.x.view({out.logits.steps, batch, -1}).mean(0).argmax(1).cpu(), {}};
  for (const auto &[name, value] : out.layers)
    if (value.x.dim() == 4 && value.x.size(2) > 1)
      seen.maps.emplace_back(name, attentionMap(meanOverSteps(value), options).cpu());
  return seen;
}

Seen look(const Model &model, Batch batch, const LossOptions &options) {
  toDevice(batch, model.network->parameters().at(0).device());
  model.network->eval();
  model.network->bfloat16 = false;
  const int64_t T = model.timesteps();
  const Steps input = model.student() ? encode(batch, model.meta.value("encoding", "direct"), T, 1) : stillInput(batch);
  return mapsOf(model.network->forward(input, T), batch.labels.size(0), options);
}

/// [C,H,W] in 0..1, enlarged; one channel is grey, three are colours, any others their mean.
torch::Tensor photograph(const torch::Tensor &normalised, const data::Dataset &set) {
  const int64_t c = normalised.size(0);
  torch::Tensor x = normalised.clone();
  for (int64_t ch = 0; ch < c && !set.events; ++ch)
    x[ch] = x[ch] * set.std[size_t(ch)] + set.mean[size_t(ch)];
  x = c == 3 ? x : x.mean(0, true).expand({3, x.size(1), x.size(2)});
  const double most = x.max().item<double>();
  x = (most > 1.01 ? x / most : x).clamp(0, 1); // counts of events have no natural white
  const int64_t factor = std::max<int64_t>(1, side / x.size(2));
  return x.repeat_interleave(factor, 1).repeat_interleave(factor, 2);
}

std::string encodePicture(const torch::Tensor &chw) {
  const torch::Tensor bytes = (chw.clamp(0, 1) * 255).round().to(torch::kUInt8).permute({1, 2, 0}).contiguous();
  return pngUri({bytes.size(1), bytes.size(0), {bytes.data_ptr<uint8_t>(), bytes.data_ptr<uint8_t>() + bytes.numel()}});
}

/// A map over a dimmed grey picture: the stronger, the more of a ramp from red to yellow shows.
torch::Tensor overlay(const torch::Tensor &photo, const torch::Tensor &map) {
  torch::Tensor a = torch::upsample_bilinear2d(map.unsqueeze(0), {photo.size(1), photo.size(2)}, false)[0]; // [1,H,W]
  a = (a - a.min()) / (a.max() - a.min()).clamp_min(1e-12);
  const torch::Tensor grey = (photo.mean(0, true) * 0.7 + 0.12).expand_as(photo);
  const torch::Tensor ramp = torch::cat({0.55 + 0.45 * a.sqrt(), 0.85 * a.pow(1.5), 0.15 + 0.1 * a});
  return grey * (1 - 0.85 * a) + ramp * 0.85 * a;
}

const torch::Tensor *mapOf(const Seen &seen, const std::string &layer) {
  const auto found = std::find_if(seen.maps.begin(), seen.maps.end(), [&](const auto &entry) { return entry.first == layer; });
  return found == seen.maps.end() ? nullptr : &found->second;
}

/// A page is no place to fail for a teacher that has nothing to compare.
std::vector<std::pair<std::string, std::string>> aligned(const Model &model, const Teacher &teacher) try {
  return alignLayers("auto", *model.network, teacher);
} catch (const std::invalid_argument &) {
  return {};
}

/// (ours, the teacher's): first, middle and last of the pairs that have positions. Without a teacher the second is empty.
std::vector<std::pair<std::string, std::string>> shownLayers(const Model &model, const Seen &ours, const Teacher *teacher, const Seen &theirs) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (teacher) {
    for (const auto &pair : aligned(model, *teacher))
      if (mapOf(ours, pair.first) && mapOf(theirs, pair.second))
        pairs.push_back(pair);
  } else {
    for (const auto &[name, map] : ours.maps)
      pairs.emplace_back(name, "");
  }
  if (pairs.size() > 3)
    pairs = {pairs.front(), pairs[pairs.size() / 2], pairs.back()};
  return pairs;
}

/// Right answers first, the last two wrong, from the beginning of the set.
std::vector<uint32_t> choose(const torch::Tensor &answers, const torch::Tensor &labels, size_t count) {
  std::vector<uint32_t> right, wrong;
  for (int64_t i = 0; i < labels.size(0); ++i)
    (answers[i].item<int64_t>() == labels[i].item<int64_t>() ? right : wrong).push_back(uint32_t(i));
  wrong.resize(std::min<size_t>(wrong.size(), right.size() >= 2 ? 2 : count));
  right.resize(std::min(right.size(), count - std::min(count, wrong.size())));
  right.insert(right.end(), wrong.begin(), wrong.end());
  return right;
}

} // namespace

std::string className(const data::Dataset &set, int64_t index) {
  static const std::vector<std::string> fashion = {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"};
  static const std::vector<std::string> cifar = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  if (set.classes == 10 && (set.name == "fashion-mnist" || set.name == "cifar10"))
    return (set.name == "cifar10" ? cifar : fashion)[size_t(index)];
  return fmt::format("class {}", index);
}

std::string attentionCards(const Model &model, Teacher *teacher, const data::Dataset &set, size_t count) {
  if (teacher && aligned(model, *teacher).empty())
    teacher = nullptr;
  torch::NoGradGuard noGrad;
  const LossOptions options = mapOptions(model);
  const bool intensities = model.meta.value("encoding", "direct") == "poisson";
  std::vector<uint32_t> indices(std::min<size_t>(set.count, 100));
  std::iota(indices.begin(), indices.end(), 0u);
  const Batch first = makeBatch(set, indices, {}, 1, intensities);
  indices = choose(look(model, first, options).answers, first.labels, count);
  const Batch batch = makeBatch(set, indices, {}, 1, intensities);
  const Seen ours = look(model, batch, options);
  if (teacher)
    teacher->to(torch::kCPU, false);
  const Seen theirs = teacher ? mapsOf(teacher->forward(stillInput(batch).x), batch.labels.size(0), options) : Seen{};
  const auto layers = shownLayers(model, ours, teacher, theirs);
  if (layers.empty())
    return "";

  const torch::Tensor still = stillInput(batch).x;
  std::string cards;
  for (int64_t i = 0; i < int64_t(indices.size()); ++i) {
    const torch::Tensor photo = photograph(still[i], set);
    const int64_t label = batch.labels[i].item<int64_t>(), answer = ours.answers[i].item<int64_t>();
    std::string maps;
    auto show = [&](const Seen &seen, const std::string &layer, const char *whose) {
      maps += fmt::format(R"(<div><img src="{}" alt="{}'s attention at {}, test image {}">{}{}</div>)", encodePicture(overlay(photo, (*mapOf(seen, layer))[i])),
                          whose, escapeHtml(layer), indices[size_t(i)], escapeHtml(layer), teacher ? fmt::format(", {}", whose) : "");
    };
    for (const auto &[mine, its] : layers) {
      if (teacher)
        show(theirs, its, "teacher");
      show(ours, mine, model.student() ? "student" : "teacher");
    }
    cards += fmt::format(R"(<div class="card"><div class="top"><img class="photo" src="{}" alt="test image {}: {}"><div><b>{}</b><br>answer: <span class="{}">{}</span></div></div><div class="maps{}">{}</div></div>)",
                         encodePicture(photo), indices[size_t(i)], escapeHtml(className(set, label)), escapeHtml(className(set, label)),
                         label == answer ? "good" : "bad", escapeHtml(className(set, answer)), teacher ? "" : " one", maps);
  }
  return fmt::format("<div class=\"seen\">{}</div>", cards);
}

} // namespace lasnn::distill
