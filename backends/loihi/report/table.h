// Columns of text: the first flush left, the others right unless named; widths as wide as needed.
#pragma once

#include <string>
#include <vector>

namespace lasnn::loihi::report {

class Table {
public:
  explicit Table(std::vector<std::string> heads, std::vector<size_t> left = {0}) : left(std::move(left)) { rows.push_back(std::move(heads)); }
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  size_t size() const { return rows.size() - 1; }
  std::string text() const;

private:
  std::vector<std::vector<std::string>> rows;
  std::vector<size_t> left;
};

/// Columns that a text takes on a terminal: bytes that do not continue a UTF-8 character.
size_t widthOf(const std::string &text);

} // namespace lasnn::loihi::report
