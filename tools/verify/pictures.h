// Small pictures as SVG, finished when they are written: a page that holds them needs no script, and prints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::tools::verify {

struct Series {
  std::string kind; ///< class of the stage that it belongs to, for its colour
  std::vector<double> values;
  bool dashed = false;
};

/// One line a series over the steps 0 .. T-1, from 0 up; `unit` follows the numbers of the axis.
std::string linesSvg(const std::string &title, const std::vector<Series> &series, const std::string &unit);
/// How often a pair of counts occurs, b over a; darker is more. `most`: the largest count, 100 % of the axes.
std::string pairsSvg(const std::string &title, const std::vector<uint32_t> &a, const std::vector<uint32_t> &b, double most,
                     const std::string &nameA, const std::string &nameB);
/// Pearson's, NaN when one does not vary.
double correlation(const std::vector<uint32_t> &a, const std::vector<uint32_t> &b);
/// 3 digits that count.
std::string brief(double value);

} // namespace lasnn::tools::verify
