#include "tools/verify/pictures.h"

#include "backends/loihi/report/page.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace lasnn::tools::verify {
namespace {

using loihi::report::escapeHtml;

constexpr double kWidth = 300, kHeight = 180, kLeft = 46, kRight = 8, kTop = 26, kBottom = 26;
constexpr double kInnerWidth = kWidth - kLeft - kRight, kInnerHeight = kHeight - kTop - kBottom;

/// 1, 2 or 5 times a power of 10, not below `value`.
double roundUp(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (double factor : {1., 2., 5., 10.})
    if (factor * power >= value * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

std::string text(double x, double y, const char *anchor, const std::string &content, const char *kind = "") {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>)", x, y, anchor,
                     *kind ? fmt::format(R"( class="{}")", kind) : "", escapeHtml(content));
}

std::string open(const std::string &title) {
  return fmt::format(R"(<div class="plot"><svg viewBox="0,0,{:g},{:g}" role="img" aria-label="{}">)", kWidth, kHeight, escapeHtml(title)) +
         text(0, 12, "start", title, "title");
}

/// The frame: 0, half and all of `most` upwards.
std::string upwards(double most, const std::string &unit) {
  std::string out;
  for (double share : {0., .5, 1.}) {
    const double y = kTop + kInnerHeight * (1 - share);
    out += fmt::format(R"(<line class="axis" x1="{:g}" x2="{:g}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft, kWidth - kRight, y, y) +
           text(kLeft - 6, y + 4, "end", brief(share * most) + unit);
  }
  return out;
}

} // namespace

std::string brief(double value) {
  if (value == 0) return "0";
  const double size = std::fabs(value);
  return size >= 100 ? fmt::format("{:.0f}", value) : size >= 0.001 ? fmt::format("{:.3g}", value) : fmt::format("{:.1e}", value);
}

double correlation(const std::vector<uint32_t> &a, const std::vector<uint32_t> &b) {
  double sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
  const double n = double(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    sa += a[i], sb += b[i];
  for (size_t i = 0; i < a.size(); ++i)
    aa += (a[i] - sa / n) * (a[i] - sa / n), bb += (b[i] - sb / n) * (b[i] - sb / n), ab += (a[i] - sa / n) * (b[i] - sb / n);
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : NAN;
}

std::string linesSvg(const std::string &title, const std::vector<Series> &series, const std::string &unit) {
  double largest = 0;
  size_t steps = 0;
  for (const Series &one : series) {
    steps = std::max(steps, one.values.size());
    for (double value : one.values)
      largest = std::max(largest, value);
  }
  const double most = roundUp(largest);
  std::string out = open(title) + upwards(most, unit);
  auto x = [&](size_t step) { return kLeft + (steps > 1 ? kInnerWidth * double(step) / double(steps - 1) : kInnerWidth / 2); };
  auto y = [&](double value) { return kTop + kInnerHeight * (1 - value / most); };
  const size_t every = std::max<size_t>(1, (steps + 7) / 8);
  for (size_t step = 0; step < steps; step += every)
    out += text(x(step), kHeight - 8,
                step == 0 && steps > 1           ? "start"
                : step + 1 == steps && steps > 1 ? "end"
                                                 : "middle",
                fmt::format("{}{}", step == 0 ? "step " : "", step));
  for (const Series &one : series) {
    std::string path;
    for (size_t step = 0; step < one.values.size(); ++step)
      path += fmt::format("{}{:.1f},{:.1f}", step ? "L" : "M", x(step), y(one.values[step]));
    out += fmt::format(R"(<g class="{}"><path d="{}"{}/>)", one.kind, path, one.dashed ? R"( class="dashed")" : "");
    if (one.values.size() <= 16)
      for (size_t step = 0; step < one.values.size(); ++step)
        out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}, step {}: {}{}</title></circle>)", x(step),
                           y(one.values[step]), one.dashed ? 2 : 3, one.kind, step, brief(one.values[step]), escapeHtml(unit));
    out += "</g>";
  }
  return out + "</svg></div>\n";
}

std::string pairsSvg(const std::string &title, const std::vector<uint32_t> &a, const std::vector<uint32_t> &b, double most,
                     const std::string &nameA, const std::string &nameB) {
  constexpr int kBins = 24;
  uint32_t largest = 1;
  for (uint32_t value : a)
    largest = std::max(largest, value);
  for (uint32_t value : b)
    largest = std::max(largest, value);
  const double percent = std::min(100.0, roundUp(100 * largest / most));
  const double unit = most * percent / 100 / kBins;
  std::map<std::pair<int, int>, size_t> cells;
  size_t fullest = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    auto bin = [&](uint32_t value) { return std::min(kBins - 1, int(value / unit)); };
    fullest = std::max(fullest, ++cells[{bin(a[i]), bin(b[i])}]);
  }
  std::string out = open(title) + upwards(percent, " %");
  for (double share : {0., .5, 1.})
    out += text(kLeft + share * kInnerWidth, kHeight - 8,
                share == 0   ? "start"
                : share == 1 ? "end"
                             : "middle",
                brief(share * percent) + " %" + (share == .5 ? " " + nameA : ""));
  out += text(kLeft + 6, kTop + 12, "start", nameB);
  for (const auto &[cell, count] : cells)
    out += fmt::format(
        R"(<rect class="cell" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill-opacity="{:.2f}"><title>{} neurons</title></rect>)",
        kLeft + kInnerWidth * cell.first / kBins, kTop + kInnerHeight * (kBins - 1 - cell.second) / kBins, kInnerWidth / kBins,
        kInnerHeight / kBins, .18 + .82 * std::log1p(double(count)) / std::log1p(double(fullest)), count);
  out +=
      fmt::format(R"(<line class="diagonal" x1="{:g}" y1="{:g}" x2="{:g}" y2="{:g}"/>)", kLeft, kHeight - kBottom, kWidth - kRight, kTop);
  return out + "</svg></div>\n";
}

} // namespace lasnn::tools::verify
