#include "backends/loihi/report/table.h"

#include <algorithm>

namespace lasnn::loihi::report {

size_t widthOf(const std::string &text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string Table::text() const {
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], widthOf(row[i]));
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = "  ";
    for (size_t i = 0; i < rows[r].size(); ++i) {
      const std::string pad(widths[i] - widthOf(rows[r][i]), ' ');
      const bool toLeft = std::find(left.begin(), left.end(), i) != left.end();
      line += (i ? "  " : "") + (toLeft ? rows[r][i] + pad : pad + rows[r][i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
    if (r) continue;
    size_t total = 2 * widths.size() - 2;
    for (size_t width : widths) total += width;
    out += "  " + std::string(total, '-') + "\n";
  }
  return out;
}

} // namespace lasnn::loihi::report
