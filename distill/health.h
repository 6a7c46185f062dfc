// Whether a network in training is well: layers that fire never or nearly always, and where a number stopped being one.
#pragma once

#include "distill/learner.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace lasnn::distill {

/// "conv1 16.8  conv2 14.7", percent, layers in `order`.
std::string ratesText(const nlohmann::json &rates, const std::vector<std::string> &order);

/// A sentence a layer that is dead (< 0.1 %), busy (> 50 %) or saturated (> 90 %), with the flags that change it.
/// `said` remembers what each layer was told, so that a state is called out once.
std::vector<std::string> rateAdvice(const nlohmann::json &rates, std::map<std::string, std::string> &said);

bool allFinite(const torch::Tensor &);

/// The name of the first parameter that is not finite, or "".
std::string nonFiniteParameter(const torch::nn::Module &);

/// Runs the batch again and says where the first value that is not finite arose: a weight, a layer's currents in forward order, a loss
/// term, or a gradient in backward order; "" when none is found. Gradients are overwritten, running statistics kept.
std::string findNonFinite(const Learner &, const Batch &, uint64_t stream);

} // namespace lasnn::distill
