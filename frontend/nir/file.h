// An HDF5 file in memory as a tree of groups and arrays; nothing but this file's .cpp sees HDF5.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lasnn::nir {

struct Array {
  llvm::SmallVector<int64_t, 4> shape; ///< empty: a scalar
  std::vector<double> values;
  std::vector<std::string> texts; ///< in place of values
  bool isText() const { return !texts.empty(); }
};

struct Group {
  std::map<std::string, Array> arrays;
  std::map<std::string, std::unique_ptr<Group>> groups;
  const Array *array(llvm::StringRef name) const;
  std::string text(llvm::StringRef name) const; ///< "" when there is none
};

/// Called for each problem: path in the file, what is wrong and what was expected.
using Report = std::function<void(llvm::StringRef path, const std::string &problem)>;

/// Reads in a child process (isolate.cpp). Null when the bytes are no HDF5 file. A damaged part is reported and left out. Memory is bounded
/// by kMaxElements.
std::unique_ptr<Group> readFile(llvm::StringRef bytes, const Report &report);
constexpr int64_t kMaxValues = int64_t(1) << 24;   ///< of one activation: parameters may be written as large
constexpr int64_t kMaxElements = int64_t(1) << 26; ///< all arrays of a file together
constexpr int kMaxObjects = 100000, kMaxDepth = 32;

/// "" on failure.
std::string writeFile(const Group &root);

} // namespace lasnn::nir
