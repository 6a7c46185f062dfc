// The modules that bring a student's firing rates to the teacher's shape during training; they never reach a file that ships.
#pragma once

#include "distill/teacher.h"

namespace lasnn::distill {

/// One aligned layer: 1x1 convolution (linear for flat features) or identity, and resampling where positions differ.
struct Adapter : torch::nn::Module {
  torch::nn::Conv2d conv{nullptr};
  std::vector<int64_t> teacherShape;
  Adapter(const std::string &kind, const std::vector<int64_t> &student, const std::vector<int64_t> &teacher, const std::string &layer);
  torch::Tensor forward(torch::Tensor rates);
};

/// Which layers are compared: (student's, teacher's), in the teacher's order. `how`:
///   names   layers of the same name
///   stages  the last layer at each spatial size, sizes matched where equal, else counted from the output
///   auto    names when half of the student's layers find their name, else stages
///   S:T,... the pairs themselves
/// Throws std::invalid_argument with both networks' layers and shapes when nothing can be aligned.
std::vector<std::pair<std::string, std::string>> alignLayers(const std::string &how, const Network &student, const Teacher &teacher);

struct Adapters : torch::nn::Module {
  std::vector<std::pair<std::string, std::string>> layers; // (student's, teacher's)
  std::vector<std::shared_ptr<Adapter>> list;
  Adapters(const std::string &kind, const std::string &align, const Network &student, const Teacher &teacher);
};

/// "conv1, conv2:layer1.2.conv2": for messages.
std::string describeAlignment(const Adapters &);

} // namespace lasnn::distill
