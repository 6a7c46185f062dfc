// Every key of a chip file, in one list: the reader, its errors and the page docs/loihi-targets.md come from it.
#pragma once

#include "backends/loihi/chip.h"

#include <variant>

namespace lasnn::loihi {

using FieldTarget = std::variant<Limit *, Quantity *, uint32_t *, int32_t *, bool *, std::vector<uint32_t> *>;

struct Field {
  std::string key; ///< "limits.compartments"
  FieldTarget to;
  std::string unit; ///< the one that the file has to name; "" for yes/no
  double min = 0, max = 0; ///< allowed values, both included
  std::string meaning;

  /// Limits and quantities may be `unknown`; what the tools compute with may not.
  bool mayBeUnknown() const { return to.index() < 2; }
  std::string allowed() const; ///< "1..4096", "yes or no", "1..4096 or unknown"
};

std::vector<Field> chipFields(Chip &chip);
std::vector<Field> profileFields(Profile &profile); ///< keys relative to profiles.NAME

} // namespace lasnn::loihi
