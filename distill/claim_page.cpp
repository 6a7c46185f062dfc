// How a claim's figures are shown: a sentence, a table in Markdown, a page with a chart.
#include "distill/claim.h"
#include "distill/html.h"
#include "distill/plot.h"

#include <fmt/format.h>

#include <map>

namespace lasnn::distill {
namespace {

using nlohmann::json;

std::string share(const json &entry) {
  const std::string sd = entry.at("sd").is_null() ? "" : fmt::format(" ± {:.2f}", 100 * entry.at("sd").get<double>());
  return fmt::format("{:.2f}{}", 100 * entry.at("mean").get<double>(), sd);
}

struct Row {
  std::string plain = "–", lasnn = "–", converted = "–", rates = "–";
};

std::map<int64_t, Row> rowsOf(const json &figures) {
  std::map<int64_t, Row> rows;
  for (const json &entry : figures.at("plain"))
    rows[entry.at("timesteps")].plain = share(entry);
  for (const json &entry : figures.at("lasnn")) {
    Row &row = rows[entry.at("timesteps")];
    row.lasnn = share(entry), row.rates = fmt::format("{:.1f}", 100 * entry.at("spike_rate").get<double>());
  }
  for (const json &entry : figures.at("converted").at("over_time"))
    rows[entry.at("timesteps")].converted = fmt::format("{:.2f}", 100 * entry.at("top1").get<double>());
  return rows;
}

std::string notes(const json &figures) {
  const json &c = figures.at("converted");
  std::string text = fmt::format("Students are trained with {}, seeds {}; without distillation they start from {} weights. The conversion is measured on the first {} test images, on which the teacher has {:.2f} %",
                                 figures.at("train_each").get<bool>() ? "each T" : fmt::format("T = {}", figures.at("train_timesteps").get<int64_t>()), fmt::join(figures.at("seeds").get<std::vector<uint64_t>>(), ", "),
                                 figures.at("baseline_init") == "random" ? "random" : "the teacher's", c.at("images").get<int64_t>(), 100 * c.at("ann_top1").get<double>());
  if (!c.at("stopped").get<std::string>().empty())
    text += fmt::format("; it ended at T = {} because {}", c.at("steps_run").get<int64_t>(), c.at("stopped").get<std::string>());
  return text + ".";
}

} // namespace

std::string claimSentence(const json &figures) {
  const json &c = figures.at("comparison");
  const int64_t T = c.at("timesteps"), at = c.at("reached_at");
  const double target = 100 * c.at("target").get<double>(), ratio = c.at("ratio");
  if (c.at("at_least").get<bool>())
    return fmt::format("LaSNN at T = {} has {:.2f} %; the converted network does not reach that within {} steps, {:.3g} times as many.", T, target,
                       figures.at("converted").at("steps_run").get<int64_t>(), ratio);
  return fmt::format("LaSNN at T = {} has {:.2f} %; the converted network first reaches that at T = {}, {:.3g} times as many steps.", T, target, at, ratio);
}

std::string claimMarkdown(const json &figures) {
  std::string out = fmt::format("# Teacher, LaSNN and conversion on {}\n\n{}\n\nTeacher: {:.2f} % of {} test images.\n\n| T | SNN without distillation, % | LaSNN, % | LaSNN's spike rate, % | converted SNN, % |\n|---:|---:|---:|---:|---:|\n",
                                figures.at("data").get<std::string>(), claimSentence(figures), 100 * figures.at("teacher").at("top1").get<double>(), figures.at("teacher").at("images").get<int64_t>());
  for (const auto &[T, row] : rowsOf(figures))
    out += fmt::format("| {} | {} | {} | {} | {} |\n", T, row.plain, row.lasnn, row.rates, row.converted);
  return out + "\n" + notes(figures) + "\n";
}

std::string claimHtml(const json &figures) {
  const json &comparison = figures.at("comparison");
  const double teacher = 100 * figures.at("teacher").at("top1").get<double>(), ratio = comparison.at("ratio");
  std::vector<Series> curves = {{"LaSNN", {}, false}, {"converted", {}, false}, {"without distillation", {}, true}};
  for (const json &entry : figures.at("lasnn"))
    curves[0].points.emplace_back(entry.at("timesteps").get<double>(), 100 * entry.at("mean").get<double>());
  for (const json &entry : figures.at("converted").at("over_time"))
    curves[1].points.emplace_back(entry.at("timesteps").get<double>(), 100 * entry.at("top1").get<double>());
  for (const json &entry : figures.at("plain"))
    curves[2].points.emplace_back(entry.at("timesteps").get<double>(), 100 * entry.at("mean").get<double>());
  std::vector<std::vector<std::string>> rows, commands;
  for (const auto &[T, row] : rowsOf(figures))
    rows.push_back({wholeNumber(double(T)), row.plain, row.lasnn, row.rates, row.converted});
  for (const json &part : figures.value("commands", json::array()))
    commands.push_back({"<code>" + escapeHtml(part.at("part")) + "</code>", fmt::format("{:.1f}", part.at("seconds").get<double>()),
                        "<span style=\"white-space:normal;overflow-wrap:anywhere\"><code>" + escapeHtml(part.at("command")) + "</code></span>"});
  std::vector<Tile> tiles = {{fmt::format("{:.2f}\u202f%", teacher), "teacher"}};
  for (const json &entry : figures.at("lasnn"))
    if (entry.at("timesteps") == figures.at("train_timesteps"))
      tiles.push_back({share(entry) + "\u202f%", fmt::format("LaSNN at T = {}", entry.at("timesteps").get<int64_t>())});
  for (const json &entry : figures.at("plain"))
    if (entry.at("timesteps") == figures.at("train_timesteps"))
      tiles.push_back({share(entry) + "\u202f%", "the same network without distillation"});
  tiles.push_back({fmt::format("{}{:.3g}×", comparison.at("at_least").get<bool>() ? "&gt; " : "", ratio), "as many steps for the converted network to get there"});
  const std::string title = fmt::format("LaSNN and conversion on {}", figures.at("data").get<std::string>().substr(0, figures.at("data").get<std::string>().find(':')));
  return pageHtml(title, fmt::format("<h1>{}</h1><p class=\"lead\">{}</p>{}<h2>Accuracy over time-steps</h2>{}<div style=\"margin-top:20px\">{}</div><p class=\"soft\" style=\"margin-top:14px\">{}</p>"
                                     "<h2>Where it comes from</h2>{}<footer>Made by <code>lasnn-distill claim</code>, {}. This file needs no network and holds no reference to one.</footer>",
                                     escapeHtml(title), escapeHtml(claimSentence(figures)), tilesHtml(tiles),
                                     figureHtml("Top-1 by time-steps", linePlot("top-1 accuracy by time-steps of LaSNN, the converted network and the network without distillation", curves,
                                                                               {"time-steps T", true, {}, {}, {}}, {"top-1 in %", false, {}, {}, 100.0}, {{"teacher", teacher}}), "Both axes as measured; T doubles from tick to tick."),
                                     tableHtml({"T", "without distillation, %", "LaSNN, %", "LaSNN's spike rate, %", "converted, %"}, rows, {0, 1, 2, 3, 4}), escapeHtml(notes(figures)),
                                     tableHtml({"part", "seconds", "command"}, commands, {1}), escapeHtml(figures.value("made", ""))));
}

} // namespace lasnn::distill
