// Charts as SVG inside a page: colours come from the page's style, so they follow light and dark.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lasnn::distill {

struct Series {
  std::string label;
  std::vector<std::pair<double, double>> points; // points that are not finite are left out
  bool dashed = false;
};

struct Axis {
  std::string label;
  bool log2 = false;                 // ticks at powers of two
  std::optional<double> low, high;   // none: from the points
  std::optional<double> most;        // none of the values can be above: 100 of percentages
};

struct PlotMark { // a horizontal line with a name: what curves are compared with
  std::string label;
  double y = 0;
};

/// Curves with a legend; `title` is what a screen reader says of it.
std::string linePlot(const std::string &title, const std::vector<Series> &, const Axis &x, const Axis &y, const std::vector<PlotMark> &marks = {});

struct Bar {
  std::string label, text;
  double value = 0; // share of the longest bar there could be, `full`
};
std::string barPlot(const std::string &title, const std::vector<Bar> &, double full);

/// How many of `values` lie in each of equal bins of [0, high]; the count's axis is a square root, so that few still show.
std::string histogramPlot(const std::string &title, const std::vector<float> &values, double high, const std::string &unit);

/// The colour of the i-th series, a CSS value.
std::string seriesColour(size_t i);

} // namespace lasnn::distill
