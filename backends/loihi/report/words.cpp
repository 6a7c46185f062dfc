#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <cmath>

namespace lasnn::loihi::report {
namespace {

std::string scaled(const Maybe &value, const std::array<const char *, 4> &units) {
  if (!value) return "unknown";
  double rest = *value;
  size_t unit = 0;
  for (; std::abs(rest) >= 999.5 && unit + 1 < units.size(); ++unit) rest /= 1000;
  return fmt::format("{} {}", shortNumber(rest), units[unit]);
}

} // namespace

std::string whole(double value) {
  std::string digits = fmt::format("{:.0f}", std::abs(value)), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % 3 == 0) out += ' ';
    out += digits[i];
  }
  return (value <= -0.5 ? "-" : "") + out;
}

std::string counted(double value, const char *one) { return whole(value) + " " + one + (value == 1 ? "" : "s"); }

std::string shortNumber(const Maybe &value) {
  if (!value) return "unknown";
  const double size = std::abs(*value);
  if (size == 0) return "0";
  if (size >= 99.95 || (size >= 1 && *value == std::round(*value))) return whole(*value);
  return size >= 9.995 ? fmt::format("{:.1f}", *value) : size >= 0.9995 ? fmt::format("{:.2f}", *value) : fmt::format("{:.3g}", *value);
}

std::string percentText(const Maybe &value) {
  if (!value) return "unknown";
  return *value >= 1e8 ? "none allowed" : fmt::format("{:.1f} %", *value);
}

std::string energyText(const Maybe &pj) { return scaled(pj, {"pJ", "nJ", "µJ", "mJ"}); }
std::string timeText(const Maybe &ns) { return scaled(ns, {"ns", "µs", "ms", "s"}); }

std::string shapeText(const std::array<uint32_t, 3> &shape) {
  return shape[1] == 1 && shape[2] == 1 ? fmt::format("{}", shape[0]) : fmt::format("{}x{}x{}", shape[0], shape[1], shape[2]);
}

std::string linkText(const Link &l) {
  if (l.chip != l.to_chip) return fmt::format("chip {} -> chip {}", l.chip, l.to_chip);
  return fmt::format("chip {}: ({},{}) -> ({},{})", l.chip, l.from_x, l.from_y, l.to_x, l.to_y);
}

} // namespace lasnn::loihi::report
