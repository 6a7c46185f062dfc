// A finished proof as JSON (docs/verify.schema.json), as text, and as one HTML page without outside files.
#pragma once

#include "tools/verify/verify.h"

#include <nlohmann/json.hpp>

namespace lasnn::tools::verify {

nlohmann::ordered_json toJson(const Result &result);
std::string toText(const Result &result);
std::string toHtml(const Result &result);

/// "image 3, step 1, neuron 77: 0 and 1 spikes; the membrane lay at 0.98 and 1.01 of its threshold"
std::string toText(const Divergence &divergence);

} // namespace lasnn::tools::verify
