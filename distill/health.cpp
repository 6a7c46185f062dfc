#include "distill/health.h"
#include "distill/checkpoint.h"

#include <fmt/format.h>

#include <cmath>

namespace lasnn::distill {
namespace {

// Below `dead` a layer passes on nothing that could be learnt from; above `busy` spikes cost more than the values they carry.
constexpr double dead = 0.001, busy = 0.5, saturated = 0.9;

std::string kindOf(const torch::Tensor &tensor) {
  return torch::isnan(tensor).any().item<bool>() ? "NaN" : "infinity";
}

} // namespace

std::string ratesText(const nlohmann::json &rates, const std::vector<std::string> &order) {
  std::string text;
  for (const std::string &layer : order)
    if (rates.contains(layer))
      text += fmt::format("{}{} {:.1f}", text.empty() ? "" : "  ", layer, 100 * rates[layer].get<double>());
  return text;
}

std::vector<std::string> rateAdvice(const nlohmann::json &rates, std::map<std::string, std::string> &said) {
  std::vector<std::string> out;
  for (const auto &[layer, value] : rates.items()) {
    const double rate = value.get<double>();
    const std::string state = rate < dead ? "dead" : rate > saturated ? "saturated" : rate > busy ? "busy" : "";
    if (std::exchange(said[layer], state) == state || state.empty())
      continue;
    const char *advice = state == "dead" ? "nothing behind it can learn from it: lower --v-threshold, widen --surrogate-width, or start with --init=teacher"
                                         : "raise --v-threshold, lower --beta, or give --rate-weight=1 with --rate-target";
    out.push_back(fmt::format("layer {} is {}: {:.2f} % of its neurons fire a step; {}", layer, state, 100 * rate, advice));
  }
  return out;
}

bool allFinite(const torch::Tensor &tensor) {
  return !tensor.is_floating_point() || tensor.numel() == 0 || torch::isfinite(tensor).all().item<bool>();
}

std::string nonFiniteParameter(const torch::nn::Module &module) { // not running statistics: the failing step has spoilt those by itself
  for (const auto &item : module.named_parameters())
    if (!allFinite(item.value()))
      return item.key();
  return {};
}

std::string findNonFinite(const Learner &learner, const Batch &batch, uint64_t stream) {
  if (!allFinite(batch.images))
    return fmt::format("the input images hold {}", kindOf(batch.images));
  if (const std::string name = nonFiniteParameter(*learner.root); !name.empty())
    return fmt::format("{} is no longer finite: an earlier step spoilt it", name);

  std::string found;
  if (learner.network)
    learner.network->probe = [&](const std::string &layer, const torch::Tensor &value) {
      if (found.empty() && !allFinite(value))
        found = fmt::format("layer {}: its output holds {}", layer, kindOf(value));
    };
  const torch::Tensor statistics = flatTensors(learner.root->buffers());
  Terms terms;
  learner.root->zero_grad();
  const torch::Tensor loss = learner.loss(batch, stream, terms);
  if (learner.network)
    learner.network->probe = nullptr;
  if (found.empty()) {
    for (const auto &[name, value] : terms.read())
      if (found.empty() && !std::isfinite(value) && name != "loss")
        found = fmt::format("the loss term \"{}\" is {}, every layer's output being finite", name, value);
    if (found.empty() && !allFinite(loss))
      found = "the loss is not finite, every layer's output being finite";
  }
  if (found.empty()) {
    loss.backward();
    const auto parameters = learner.root->named_parameters();
    for (size_t i = parameters.size(); i-- > 0 && found.empty();)
      if (const torch::Tensor gradient = parameters[i].value().grad(); gradient.defined() && !allFinite(gradient))
        found = fmt::format("the gradient of {} holds {}, the loss being finite", parameters[i].key(), kindOf(gradient));
  }
  setTensors(learner.root->buffers(), statistics);
  return found;
}

} // namespace lasnn::distill
