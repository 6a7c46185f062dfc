// The pieces that our HTML pages are made of.
#pragma once

#include <string>
#include <vector>

namespace lasnn::loihi::report {

std::string escapeHtml(const std::string &);
/// Cells are HTML already. Columns named in `left` (by index) are flush left.
std::string tableHtml(const std::vector<std::string> &heads, const std::vector<std::vector<std::string>> &rows, const std::vector<size_t> &left = {0});
/// Rows of a name and a value; rows without a value are left out.
std::string factsHtml(const std::vector<std::pair<std::string, std::string>> &rows);
std::string tilesHtml(const std::vector<std::pair<std::string, std::string>> &tiles);
/// A place that the script draws into; `id` names its drawing function.
std::string figureHtml(const std::string &id, const std::string &title, const std::string &caption);
std::string barHtml(double percent);
/// The whole file. `numbers` is JSON for the script `script` (a name of the embedded files), beside D3; no script: the page has none at
/// all. `style` comes behind the common style.
std::string pageHtml(const std::string &title, const std::string &body, const std::string &numbers, const std::string &script, const std::string &style = "");
bool pageHasPictures(); ///< D3 was found when this program was built

} // namespace lasnn::loihi::report
