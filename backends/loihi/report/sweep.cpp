#include "backends/loihi/report/sweep.h"
#include "backends/loihi/report/csv.h"
#include "backends/loihi/report/page.h"
#include "backends/loihi/report/table.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <limits>

namespace lasnn::loihi::report {
namespace {

std::array<double, 4> costs(const SweepPoint &p) {
  constexpr double worst = std::numeric_limits<double>::infinity();
  return {p.cores.value_or(worst), p.energy_pj.value_or(worst), p.time_ns.value_or(worst), -p.accuracy_percent.value_or(-worst)};
}

bool beats(const SweepPoint &a, const SweepPoint &b) {
  const auto x = costs(a), y = costs(b);
  bool better = false;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] > y[i]) return false;
    better = better || x[i] < y[i];
  }
  return better;
}

const std::vector<std::string> kHeads{"target", "weights", "objective", "", "cores", "bound", "chips", "fullest", "words", "packets/step", "hops", "latency", "energy", "time", "accuracy", "mapped in"};

std::vector<std::string> cells(const SweepPoint &p) {
  return {p.target, p.weights, p.objective, p.best ? "best" : p.fits ? "" : "does not fit", shortNumber(p.cores), shortNumber(p.lower_bound), shortNumber(p.chips), percentText(p.fullest_percent),
          shortNumber(p.synapse_words), shortNumber(p.packets_per_step), shortNumber(p.hops_mean), shortNumber(p.latency_steps), energyText(p.energy_pj), timeText(p.time_ns),
          p.accuracy_percent ? fmt::format("{:.2f} %", *p.accuracy_percent) : "unknown", fmt::format("{:.1f} s", p.seconds)};
}

} // namespace

void markBest(Sweep &sweep) {
  for (SweepPoint &p : sweep.points) {
    p.best = p.fits;
    for (const SweepPoint &other : sweep.points) p.best = p.best && !(other.fits && beats(other, p));
  }
}

std::string toText(const Sweep &sweep) {
  Table table(kHeads, {0, 1, 2, 3});
  for (const SweepPoint &p : sweep.points) table.add(cells(p));
  std::string out = table.text();
  for (const SweepPoint &p : sweep.points)
    if (!p.fits) out += fmt::format("  {} {} {}: {}\n", p.target, p.weights, p.objective, p.verdict);
  return out;
}

std::string toCsv(const Sweep &sweep) {
  std::string out = csvRow({"target", "weights", "objective", "fits", "best", "cores", "lower_bound_cores", "chips", "fullest_percent", "synapse_words", "packets_per_step", "hops_mean", "latency_steps", "energy_pj",
                            "time_ns", "accuracy_percent", "seconds", "verdict"});
  const auto cell = [](const Maybe &value) { return value ? fmt::format("{}", *value) : std::string(); };
  for (const SweepPoint &p : sweep.points)
    out += csvRow({p.target, p.weights, p.objective, p.fits ? "1" : "0", p.best ? "1" : "0", cell(p.cores), cell(p.lower_bound), cell(p.chips), cell(p.fullest_percent), cell(p.synapse_words),
                   cell(p.packets_per_step), cell(p.hops_mean), cell(p.latency_steps), cell(p.energy_pj), cell(p.time_ns), cell(p.accuracy_percent), fmt::format("{:.3f}", p.seconds), p.verdict});
  return out;
}

nlohmann::ordered_json toJson(const Sweep &sweep) {
  using Json = nlohmann::ordered_json;
  const auto number = [](const Maybe &value) { return value ? Json(*value) : Json(nullptr); };
  Json json{{"format", "lasnn-loihi-sweep"}, {"version", 1}, {"model", sweep.model}, {"tool", sweep.tool}, {"data", sweep.data}, {"points", Json::array()}};
  for (const SweepPoint &p : sweep.points)
    json["points"].push_back({{"target", p.target}, {"weights", p.weights}, {"objective", p.objective}, {"fits", p.fits}, {"best", p.best}, {"cores", number(p.cores)},
                              {"lower_bound_cores", number(p.lower_bound)}, {"chips", number(p.chips)}, {"fullest_percent", number(p.fullest_percent)}, {"synapse_words", number(p.synapse_words)},
                              {"packets_per_step", number(p.packets_per_step)}, {"hops_mean", number(p.hops_mean)}, {"latency_steps", number(p.latency_steps)}, {"energy_pj", number(p.energy_pj)},
                              {"time_ns", number(p.time_ns)}, {"accuracy_percent", number(p.accuracy_percent)}, {"seconds", p.seconds}, {"verdict", p.verdict}});
  return json;
}

std::string toHtml(const Sweep &sweep) {
  std::vector<std::vector<std::string>> rows;
  size_t fit = 0, best = 0;
  std::string refused;
  for (const SweepPoint &p : sweep.points) {
    std::vector<std::string> row = cells(p);
    for (std::string &cell : row) cell = escapeHtml(cell);
    if (p.best) row[3] = "<b class=\"good\">best</b>";
    if (!p.fits) row[3] = "<span class=\"bad\">does not fit</span>", refused += fmt::format("<li><b>{} {} {}</b>: {}</li>\n", escapeHtml(p.target), p.weights, escapeHtml(p.objective), escapeHtml(p.verdict));
    rows.push_back(std::move(row));
    fit += p.fits, best += p.best;
  }
  std::string body = fmt::format("<h1>{}: a sweep over chips</h1>\n<p class=\"lead\">{} of {} points fit; {} are beaten by no other in cores, energy, time and accuracy.</p>\n", escapeHtml(sweep.model), fit,
                                 sweep.points.size(), best);
  body += sweep.data.empty() ? "<p class=\"soft\">Nothing was simulated: energy, time and accuracy are unknown, packets are at assumed rates. Name a data set in the sweep's file.</p>\n"
                             : fmt::format("<p class=\"soft\">Energy, time, packets and accuracy: simulated on {}.</p>\n", escapeHtml(sweep.data));
  body += "<div class=\"pair\">\n" + figureHtml("cores_energy", "Cores and energy", "Down and to the left is better. Filled: beaten by no other point.") +
          figureHtml("energy_accuracy", "Energy and accuracy", "Up and to the left is better.") + figureHtml("energy_time", "Energy and time", "Down and to the left is better.") +
          figureHtml("cores_packets", "Cores and packets", "Down and to the left is better.") + "</div>\n";
  body += "<h2>All points</h2>\n<div class=\"dense\">" + tableHtml(kHeads, rows, {0, 1, 2, 3}) + "</div>\n";
  if (!refused.empty()) body += "<h2>What does not fit</h2>\n<ul>\n" + refused + "</ul>\n";
  body += fmt::format("<footer>{}{}</footer>\n", escapeHtml(sweep.tool), pageHasPictures() ? ". Pictures: D3 (BSD-3-Clause, © Mike Bostock)." : "");
  return pageHtml(sweep.model + ": a sweep over chips", body, toJson(sweep).dump(), "sweep.js");
}

} // namespace lasnn::loihi::report
