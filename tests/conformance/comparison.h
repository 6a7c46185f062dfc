// What the runners of the suite share: model bytes where a runtime wants them, and the first difference found.
#pragma once

#include "lasnn/lasnn.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace lasnn::test {

/// Model bytes aligned to 64.
struct AlignedModel {
  size_t size;
  std::unique_ptr<void, decltype(&std::free)> memory;
  explicit AlignedModel(const std::vector<uint8_t> &bytes) : size(bytes.size()), memory(std::aligned_alloc(64, (bytes.size() + 63) / 64 * 64 + 64), &std::free) {
    std::memcpy(memory.get(), bytes.data(), size);
  }
};

struct Comparison {
  std::string difference;

  bool same(uint64_t actual, uint64_t expected, const std::string &what) {
    if (actual != expected && difference.empty()) difference = what + " is " + std::to_string(actual) + ", the interpreter gives " + std::to_string(expected);
    return difference.empty();
  }
  template <typename T> bool same(const std::vector<T> &actual, const std::vector<T> &expected, const std::string &what) {
    for (size_t i = 0; i < expected.size() && difference.empty(); ++i)
      if (actual[i] != expected[i])
        difference = what + ", element " + std::to_string(i) + " of " + std::to_string(expected.size()) + ", is " + std::to_string(actual[i]) + ", the interpreter gives " +
                     std::to_string(expected[i]);
    return difference.empty();
  }
  bool called(lasnn_status status, const std::string &call, const char *text) {
    if (status != LASNN_OK && difference.empty()) difference = "call: " + call + " gives " + lasnn_status_name(status) + ": " + text;
    return difference.empty();
  }
};

} // namespace lasnn::test
