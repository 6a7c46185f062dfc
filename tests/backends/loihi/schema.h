// As much of JSON Schema as our schemas use: a document against it, without other programs.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace lasnn::loihi {

/// What is wrong, one a line with its place; keywords that are not known here are wrong too.
std::vector<std::string> schemaErrors(const nlohmann::ordered_json &schema, const nlohmann::ordered_json &document);

} // namespace lasnn::loihi
