// Two mappings beside each other: what changed, and by how much.
#pragma once

#include "backends/loihi/report/data.h"

#include <nlohmann/json.hpp>

namespace lasnn::loihi::report {

/// A number of both; absent: unknown, or there is no such layer.
struct Change {
  std::string name, unit;
  Maybe a, b;
  Maybe percent() const { return a && b && *a != 0 ? Maybe(100 * (*b - *a) / *a) : Maybe(); }
};
struct LayerChange {
  std::string name;
  std::vector<Change> changes; ///< the same ones for every layer
};
struct Difference {
  std::vector<std::pair<std::string, std::pair<std::string, std::string>>> facts; ///< of the headers, those that differ
  std::vector<Change> summary;
  std::vector<LayerChange> layers; ///< of both, in the order of the first, then what only the second has
  bool same = false;               ///< the very same mapping
};

Difference difference(const Data &a, const Data &b);
std::string toText(const Difference &, const std::string &a, const std::string &b);
nlohmann::ordered_json toJson(const Difference &);

} // namespace lasnn::loihi::report
