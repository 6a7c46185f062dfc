#include "distill/adapter.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::distill {

Adapter::Adapter(const std::string &kind, const std::vector<int64_t> &student, const std::vector<int64_t> &teacher,
                 const std::string &layer)
    : teacherShape(teacher) {
  if (student.size() != teacher.size())
    throw std::invalid_argument(fmt::format("layer {}: the student's [{}] and the teacher's [{}] cannot be aligned; rename one of them",
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

Adapters::Adapters(const std::string &kind, const Network &student, const Network &teacher) {
  const auto names = student.layerNames();
  for (const std::string &name : teacher.layerNames()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      continue;
    layers.push_back(name);
    list.push_back(register_module(fmt::format("layer{}", list.size()),
                                   std::make_shared<Adapter>(kind, student.layerShape(name), teacher.layerShape(name), name)));
  }
  if (layers.empty())
    throw std::invalid_argument("student and teacher have no layer of the same name: nothing to align; use --alpha=0, or name the "
                                "student's layers after the teacher's");
}

} // namespace lasnn::distill
