// The pieces our HTML pages are made of: one file each, nothing fetched from anywhere, no script.
#pragma once

#include <string>
#include <vector>

namespace lasnn::distill {

std::string escapeHtml(const std::string &);
std::string wholeNumber(double value);         // 12 544, with narrow spaces
std::string percent(double share, int digits = 2); // 0.9182 -> "91.82 %"

struct Tile {
  std::string value, text;
};
std::string tilesHtml(const std::vector<Tile> &);

/// Cells are HTML already. Columns named in `numbers` (by index) are set flush right.
std::string tableHtml(const std::vector<std::string> &heads, const std::vector<std::vector<std::string>> &rows, const std::vector<size_t> &numbers = {});

std::string figureHtml(const std::string &title, const std::string &body, const std::string &caption);

/// The whole file around `body`.
std::string pageHtml(const std::string &title, const std::string &body);

} // namespace lasnn::distill
