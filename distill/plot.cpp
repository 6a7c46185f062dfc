#include "distill/plot.h"
#include "distill/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lasnn::distill {
namespace {

constexpr double width = 460, height = 250, left = 48, right = 12, top = 10, bottom = 42;

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into about five.
double niceStep(double span) {
  const double raw = span / 5, power = std::pow(10, std::floor(std::log10(raw))), lead = raw / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

std::string number(double value, double step) {
  const int digits = step >= 1 ? 0 : std::min(6, int(std::ceil(-std::log10(step) - 1e-9)));
  if (step != 0 && std::abs(step) < 1e-4)
    return value == 0 ? "0" : fmt::format("{:.1g}", value);
  return std::abs(value) >= 10000 ? wholeNumber(value) : fmt::format("{:.{}f}", value, digits);
}

struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool log2 = false;
  std::vector<std::pair<double, std::string>> ticks;
  double operator()(double value) const {
    auto map = [&](double v) { return log2 ? std::log2(std::max(v, 1e-9)) : v; };
    return from + (to - from) * (map(value) - map(low)) / std::max(map(high) - map(low), 1e-12);
  }
};

Scale scaleFor(std::vector<double> values, const Axis &axis, double from, double to, bool whole) {
  Scale s;
  s.from = from, s.to = to, s.log2 = axis.log2;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  s.low = axis.low.value_or(values.empty() ? 0 : *least), s.high = axis.high.value_or(values.empty() ? 1 : *most);
  if (axis.log2) {
    const int first = int(std::floor(std::log2(s.low))), last = std::max(first + 1, int(std::ceil(std::log2(s.high))));
    s.low = std::exp2(first), s.high = std::exp2(last);
    for (int power = first, every = (last - first) / 8 + 1; power <= last; power += every)
      s.ticks.emplace_back(std::exp2(power), wholeNumber(std::exp2(power)));
    return s;
  }
  if (s.high - s.low < 1e-12) {
    const double room = std::max(1e-3, std::abs(s.low) * 0.1);
    (axis.most && s.high + room > *axis.most ? s.low : s.high) += axis.most && s.high + room > *axis.most ? -room : room;
  }
  double step = niceStep(s.high - s.low);
  if (whole)
    step = std::max(1.0, step);
  if (!axis.low && !whole)
    s.low = std::floor(s.low / step) * step;
  if (!axis.high && !whole)
    s.high = std::ceil(s.high / step - 1e-9) * step;
  if (axis.most)
    s.high = std::min(s.high, *axis.most);
  for (double at = std::ceil(s.low / step - 1e-9) * step; at <= s.high + step * 1e-6; at += step)
    s.ticks.emplace_back(at, number(std::abs(at) < step * 1e-6 ? 0 : at, step));
  return s;
}

std::string text(double x, double y, const char *anchor, const std::string &what, const std::string &more = "") {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>)", x, y, anchor, more, escapeHtml(what));
}

} // namespace

std::string seriesColour(size_t i) { return fmt::format("var(--s{})", i % 8); }

std::string linePlot(const std::string &title, const std::vector<Series> &series, const Axis &xAxis, const Axis &yAxis, const std::vector<PlotMark> &marks) {
  std::vector<double> xs, ys;
  bool whole = !xAxis.log2;
  for (const Series &s : series)
    for (const auto &[x, y] : s.points)
      if (std::isfinite(x) && std::isfinite(y))
        xs.push_back(x), ys.push_back(y), whole = whole && x == std::floor(x);
  for (const PlotMark &mark : marks)
    ys.push_back(mark.y);
  if (xs.empty())
    return "<p class=\"soft\">No values.</p>";
  const Scale x = scaleFor(xs, xAxis, left, width - right, whole), y = scaleFor(ys, yAxis, height - bottom, top, false);
  std::string out, legend;
  for (const auto &[at, label] : y.ticks)
    out += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", left, width - right, y(at), y(at)) + text(left - 7, y(at) + 4, "end", label);
  for (const auto &[at, label] : x.ticks)
    out += text(x(at), height - bottom + 17, "middle", label);
  out += text((left + width - right) / 2, height - 6, "middle", xAxis.label);
  for (const PlotMark &mark : marks)
    out += fmt::format(R"(<line class="mark" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", left, width - right, y(mark.y), y(mark.y)) +
           text(left + 4, y(mark.y) - 5, "start", mark.label);
  for (size_t i = 0; i < series.size(); ++i) {
    std::string path, dots;
    const auto &points = series[i].points;
    for (const auto &[px, py] : points) {
      if (!std::isfinite(px) || !std::isfinite(py))
        continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(px), y(py));
      if (points.size() <= 40)
        dots += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="2.6" style="fill:{}"><title>{}: {} at {}</title></circle>)", x(px), y(py), seriesColour(i),
                            escapeHtml(series[i].label), fmt::format("{:.4g}", py), fmt::format("{:g}", px));
    }
    out += fmt::format(R"(<path class="curve" d="{}" style="stroke:{}"{}/>)", path, seriesColour(i), series[i].dashed ? " stroke-dasharray=\"6 4\"" : "") + dots;
    legend += fmt::format(R"(<span><i style="background:{}"></i>{}</span>)", seriesColour(i), escapeHtml(series[i].label));
  }
  // The y axis' name stands above the plot: turned text is hard to read, and a narrow page has no room beside it.
  return fmt::format(R"(<div class="legend"><span>{}</span>{}</div><svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>)",
                     escapeHtml(yAxis.label), legend, width, height, escapeHtml(title), out);
}

std::string barPlot(const std::string &title, const std::vector<Bar> &bars, double full) {
  std::string out;
  for (const Bar &bar : bars)
    out += fmt::format(R"(<code>{}</code><span class="track"><i style="width:{:.2f}%"></i></span><span>{}</span>)", escapeHtml(bar.label),
                       100 * std::clamp(bar.value / full, 0.0, 1.0), escapeHtml(bar.text));
  return fmt::format(R"(<div class="bars" role="group" aria-label="{}">{}</div>)", escapeHtml(title), out);
}

std::string histogramPlot(const std::string &title, const std::vector<float> &values, double high, const std::string &unit) {
  constexpr int bins = 20;
  constexpr double w = 200, h = 92, base = 74;
  std::vector<size_t> counts(bins, 0);
  for (float value : values)
    ++counts[size_t(std::clamp(int(double(value) / high * bins), 0, bins - 1))];
  const double most = std::sqrt(double(*std::max_element(counts.begin(), counts.end())));
  std::string out = fmt::format(R"(<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>)", w, base, base);
  for (int i = 0; i < bins; ++i) {
    const double tall = most > 0 ? (base - 4) * std::sqrt(double(counts[size_t(i)])) / most : 0;
    out += fmt::format(R"~(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" style="fill:var(--student)"><title>{} neurons from {:.3g} to {:.3g} {}</title></rect>)~",
                       w / bins * i + 0.5, base - tall, w / bins - 1, tall, wholeNumber(double(counts[size_t(i)])), high * i / bins, high * (i + 1) / bins, unit);
  }
  out += text(0, h - 4, "start", "0") + text(w / 2, h - 4, "middle", fmt::format("{:g}", high / 2)) + text(w, h - 4, "end", fmt::format("{:g} {}", high, unit));
  return fmt::format(R"(<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>)", w, h, escapeHtml(title), out);
}

} // namespace lasnn::distill
