#include "distill/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace lasnn::distill {

double learningRate(const TrainOptions &o, int64_t step, int64_t steps) {
  const double at = double(step) / double(std::max<int64_t>(steps, 1));
  if (at < o.warmup)
    return o.lr * (0.1 + 0.9 * at / o.warmup);
  if (o.schedule == "constant")
    return o.lr;
  const double rest = (at - o.warmup) / std::max(1 - o.warmup, 1e-9);
  return o.schedule == "cosine" ? o.lr * 0.5 * (1 + std::cos(std::numbers::pi * rest)) : o.lr * (1 - rest);
}

double momentumAt(const TrainOptions &o, int64_t step, int64_t steps) {
  if (o.schedule != "onecycle")
    return o.momentum;
  return std::max(0.0, o.momentum - 0.1 * learningRate(o, step, steps) / o.lr);
}

Curriculum curriculumFromText(const std::string &text, int64_t timesteps) {
  if (text.empty())
    return {{timesteps, 1.0}};
  auto bad = [&](const std::string &why) {
    return std::invalid_argument(fmt::format("--timesteps-schedule={}: {}; of the form 1:0.3,2:0.3,4 (T:SHARE of the epochs, the last T without a share)", text, why));
  };
  Curriculum stages;
  double used = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t colon = part.find(':');
    const bool last = end == text.size();
    int64_t steps = 0;
    double share = 1 - used;
    const std::string number = part.substr(0, colon);
    const auto [stop, failure] = std::from_chars(number.data(), number.data() + number.size(), steps);
    if (failure != std::errc() || stop != number.data() + number.size() || steps < 1 || steps > 4096)
      throw bad(fmt::format("\"{}\" is not a number of time-steps (1 to 4096)", number));
    if (colon != std::string::npos) {
      const std::string rest = part.substr(colon + 1);
      const auto [shareStop, shareFailure] = std::from_chars(rest.data(), rest.data() + rest.size(), share);
      if (shareFailure != std::errc() || shareStop != rest.data() + rest.size() || !(share > 0 && share < 1))
        throw bad(fmt::format("\"{}\" is not a share between 0 and 1", rest));
      if (last && std::abs(used + share - 1) > 1e-9)
        throw bad(fmt::format("the shares add up to {}, not 1", used + share));
    } else if (!last) {
      throw bad(fmt::format("T = {} has no share", steps));
    }
    used += share;
    if (used > 1 + 1e-9 || (!last && used >= 1))
      throw bad(fmt::format("{} of the epochs are given away before the last T", used));
    stages.emplace_back(steps, share);
    begin = end + 1;
  }
  if (stages.back().first != timesteps)
    throw bad(fmt::format("it ends with T = {}, but the model's is -T {}", stages.back().first, timesteps));
  return stages;
}

int64_t timestepsAt(const Curriculum &stages, int64_t epoch, int64_t epochs) {
  double share = 0;
  for (const auto &[steps, part] : stages) {
    share += part;
    if (epoch < std::llround(share * double(epochs)))
      return steps;
  }
  return stages.back().first;
}

} // namespace lasnn::distill
