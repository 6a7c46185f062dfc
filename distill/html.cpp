#include "distill/html.h"
#include "page_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lasnn::distill {

std::string escapeHtml(const std::string &text) {
  std::string out;
  for (char c : text)
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

std::string wholeNumber(double value) {
  std::string digits = fmt::format("{:.0f}", std::abs(value)), out;
  for (size_t i = 0; i < digits.size(); ++i)
    out += (i && (digits.size() - i) % 3 == 0 ? "\u202f" : "") + std::string(1, digits[i]);
  return (value <= -0.5 ? "\u2212" : "") + out;
}

std::string percent(double share, int digits) { return std::isfinite(share) ? fmt::format("{:.{}f}\u202f%", 100 * share, digits) : "–"; }

std::string tilesHtml(const std::vector<Tile> &tiles) {
  std::string out;
  for (const Tile &tile : tiles)
    out += fmt::format(R"(<div class="tile"><b>{}</b><span>{}</span></div>)", tile.value, tile.text);
  return fmt::format(R"(<div class="tiles">{}</div>)", out);
}

std::string tableHtml(const std::vector<std::string> &heads, const std::vector<std::vector<std::string>> &rows, const std::vector<size_t> &numbers) {
  auto kind = [&](size_t i) { return std::find(numbers.begin(), numbers.end(), i) != numbers.end() ? R"( class="n")" : ""; };
  std::string head, body;
  for (size_t i = 0; i < heads.size(); ++i)
    head += fmt::format("<th{} scope=\"col\">{}</th>", kind(i), heads[i]);
  for (const auto &row : rows) {
    body += "<tr>";
    for (size_t i = 0; i < row.size(); ++i)
      body += fmt::format("<td{}>{}</td>", kind(i), row[i]);
    body += "</tr>\n";
  }
  return fmt::format("<div class=\"scroll\"><table><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>", head, body);
}

std::string figureHtml(const std::string &title, const std::string &body, const std::string &caption) {
  return fmt::format(R"(<figure class="card"><h3>{}</h3>{}<figcaption>{}</figcaption></figure>)", title, body, caption);
}

std::string pageHtml(const std::string &title, const std::string &body) {
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title><link rel="icon" href="data:,"><style>
{}</style></head><body><main>
{}
</main></body></html>
)", escapeHtml(title), pageStyle, body);
}

} // namespace lasnn::distill
