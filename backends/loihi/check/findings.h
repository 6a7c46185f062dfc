// Collects what is wrong, one entry a code: the place that is farthest off, and how many places there are.
#pragma once

#include "backends/loihi/check/check.h"

namespace lasnn::loihi::check {

class Findings {
public:
  explicit Findings(std::vector<Finding> &into) : list(into) {}
  /// A number beyond its limit; nothing when it holds.
  void limit(const char *code, const std::string &place, uint64_t needed, uint64_t allowed, const std::string &text, const std::string &cure) {
    if (needed > allowed) add({code, place, needed, allowed, text, cure});
  }
  /// A rule without a number.
  void rule(const char *code, const std::string &place, const std::string &text, const std::string &cure) { add({code, place, 0, 0, text, cure}); }
  /// Two numbers that must agree.
  void equal(const char *code, const std::string &place, uint64_t found, uint64_t expected, const std::string &text, const std::string &cure) {
    if (found != expected) add({code, place, found, expected, text, cure});
  }

private:
  void add(Finding finding) {
    for (Finding &known : list) {
      if (known.code != finding.code) continue;
      const uint32_t places = known.places + 1;
      if (finding.allowed && finding.needed > known.needed) known = std::move(finding);
      known.places = places;
      return;
    }
    list.push_back(std::move(finding));
  }
  std::vector<Finding> &list;
};

inline constexpr const char *kMapAgain = "the file does not hold what the mapper wrote: map the network again";

} // namespace lasnn::loihi::check
