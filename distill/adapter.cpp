#include "distill/adapter.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::distill {

Adapter::Adapter(const std::string &kind, const std::vector<int64_t> &student, const std::vector<int64_t> &teacher,
                 const std::string &layer)
    : teacherShape(teacher) {
  if (student.size() != teacher.size())
    throw std::invalid_argument(fmt::format("layer {}: the student's [{}] and the teacher's [{}] cannot be aligned: one is flat, the other is not; choose others with --align=STUDENT:TEACHER",
                                            layer, fmt::join(student, ", "), fmt::join(teacher, ", ")));
  if (kind == "identity") {
    if (student[0] != teacher[0])
      throw std::invalid_argument(fmt::format("layer {}: --adapter=identity needs equal channels, the student has {}, the teacher {}; "
                                              "use --adapter=conv1x1", layer, student[0], teacher[0]));
    return;
  }
  conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(student[0], teacher[0], 1)));
  // From the identity where channels agree: training starts by comparing like with like.
  if (student[0] == teacher[0]) {
    torch::NoGradGuard noGrad;
    conv->weight.copy_(torch::eye(student[0]).view({student[0], student[0], 1, 1}));
    conv->bias.zero_();
  }
}

torch::Tensor Adapter::forward(torch::Tensor rates) {
  if (rates.dim() == 2)
    rates = rates.unsqueeze(-1).unsqueeze(-1);
  if (teacherShape.size() == 3 && (rates.size(2) != teacherShape[1] || rates.size(3) != teacherShape[2])) {
    const std::vector<int64_t> size = {teacherShape[1], teacherShape[2]};
    namespace F = torch::nn::functional;
    rates = rates.size(2) >= size[0]
                ? torch::adaptive_avg_pool2d(rates, size)
                : F::interpolate(rates, F::InterpolateFuncOptions().size(size).mode(torch::kBilinear).align_corners(false));
  }
  return conv ? conv->forward(rates) : rates;
}

namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

Shapes shapesOf(const Network &network) {
  Shapes list;
  for (const std::string &name : network.layerNames())
    list.emplace_back(name, network.layerShape(name));
  return list;
}

const std::vector<int64_t> *find(const Shapes &list, const std::string &name) {
  for (const auto &[key, shape] : list)
    if (key == name)
      return &shape;
  return nullptr;
}

std::string describe(const Shapes &list) {
  std::string text;
  for (const auto &[name, shape] : list)
    text += fmt::format("{}{} [{}]", text.empty() ? "" : ", ", name, fmt::join(shape, "x"));
  return text.empty() ? "none" : text;
}

/// The last layer at each spatial size, in order.
Shapes stageEnds(const Shapes &list) {
  Shapes ends;
  for (const auto &[name, shape] : list) {
    if (shape.size() != 3)
      continue;
    if (!ends.empty() && ends.back().second[1] == shape[1] && ends.back().second[2] == shape[2])
      ends.pop_back();
    ends.emplace_back(name, shape);
  }
  return ends;
}

} // namespace

std::vector<std::pair<std::string, std::string>> alignLayers(const std::string &how, const Network &network, const Teacher &teacher) {
  const Shapes ours = shapesOf(network), &theirs = teacher.layers();
  const std::string both = fmt::format("the student has {}; the teacher {}", describe(ours), describe(theirs));
  std::vector<std::pair<std::string, std::string>> pairs, names;
  for (const auto &[name, shape] : theirs)
    if (find(ours, name))
      names.emplace_back(name, name);
  if (how == "names" || (how == "auto" && 2 * names.size() >= ours.size())) {
    pairs = names;
  } else if (how == "auto" || how == "stages") {
    const Shapes s = stageEnds(ours), t = stageEnds(theirs);
    for (const auto &[theirName, theirShape] : t)
      for (const auto &[ourName, ourShape] : s)
        if (ourShape[1] == theirShape[1] && ourShape[2] == theirShape[2])
          pairs.emplace_back(ourName, theirName);
    if (pairs.empty()) // no size in common: the last with the last, and so on
      for (size_t i = 0; i < std::min(s.size(), t.size()); ++i)
        pairs.insert(pairs.begin(), {s[s.size() - 1 - i].first, t[t.size() - 1 - i].first});
  } else {
    for (size_t at = 0; at < how.size();) {
      const size_t end = std::min(how.find(',', at), how.size()), colon = how.find(':', at);
      if (colon >= end)
        throw std::invalid_argument(fmt::format("--align: \"{}\" has not the form STUDENT:TEACHER; {}", how.substr(at, end - at), both));
      pairs.emplace_back(how.substr(at, colon - at), how.substr(colon + 1, end - colon - 1));
      if (!find(ours, pairs.back().first) || !find(theirs, pairs.back().second))
        throw std::invalid_argument(fmt::format("--align: {}:{} names a layer that does not exist; {}", pairs.back().first, pairs.back().second, both));
      at = end + 1;
    }
  }
  if (pairs.empty())
    throw std::invalid_argument(fmt::format("--align={}: no layer of the student can be aligned with one of the teacher: {}. Name pairs with "
                                            "--align=STUDENT:TEACHER,..., or give --alpha=0 for a teacher of logits only", how, both));
  return pairs;
}

std::string describeAlignment(const Adapters &adapters) {
  std::string text;
  for (const auto &[ours, theirs] : adapters.layers)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", ours == theirs ? ours : ours + ":" + theirs);
  return text;
}

Adapters::Adapters(const std::string &kind, const std::string &align, const Network &student, const Teacher &teacher)
    : layers(alignLayers(align, student, teacher)) {
  for (const auto &[ours, theirs] : layers)
    list.push_back(register_module(fmt::format("layer{}", list.size()),
                                   std::make_shared<Adapter>(kind, student.layerShape(ours), *find(teacher.layers(), theirs),
                                                             ours == theirs ? ours : ours + ":" + theirs)));
}

} // namespace lasnn::distill
