// The modules that bring a student's firing rates to the teacher's shape during training; they never reach a file that ships.
#pragma once

#include "distill/network.h"

namespace lasnn::distill {

/// One aligned layer: 1x1 convolution (linear for flat features) or identity, and resampling where positions differ.
struct Adapter : torch::nn::Module {
  torch::nn::Conv2d conv{nullptr};
  std::vector<int64_t> teacherShape;
  Adapter(const std::string &kind, const std::vector<int64_t> &student, const std::vector<int64_t> &teacher, const std::string &layer);
  torch::Tensor forward(torch::Tensor rates);
};

struct Adapters : torch::nn::Module {
  std::vector<std::string> layers; // same-named layers of both networks, in the teacher's order
  std::vector<std::shared_ptr<Adapter>> list;
  Adapters(const std::string &kind, const Network &student, const Network &teacher);
};

} // namespace lasnn::distill
