#include "tools/verify/check_passes.h"

#include "tools/verify/report.h"

#include <algorithm>
#include <fmt/format.h>

namespace lasnn::tools::verify {
namespace {

/// What a pass's record allows it, said at the end of its summary: "(spikes: equal)", "(spikes: rounding)", "(spikes: requantized)".
/// A pass that says nothing is held to the strictest.
std::string allowedBy(llvm::StringRef summary) {
  const size_t at = summary.find("(spikes: ");
  return at == llvm::StringRef::npos ? "equal" : summary.drop_front(at + 9).take_until([](char c) { return c == ')'; }).str();
}

} // namespace

void PassChecker::look(const std::string &pass, const std::string &summary, snn::NetworkOp network) {
  Row row{pass, before.empty() ? "" : allowedBy(summary), "", {}};
  auto executor = makeInterpreted(network, pass);
  if (!executor) {
    row.problem = "the network cannot be run: " + llvm::toString(executor.takeError());
    rows.push_back(std::move(row));
    return;
  }
  row.comparison.demand = row.allowed == "requantized" ? Demand::Reported : row.allowed == "rounding" ? Demand::Rounding : Demand::Exact;
  std::vector<Trace> now(set.count);
  for (size_t i = 0; i < set.count && row.problem.empty(); ++i)
    if (llvm::Error error = (*executor)->run(set.image(i), now[i])) row.problem = llvm::toString(std::move(error));
  // Where nothing spiked before (an ANN), or at another number of steps, there is nothing to compare.
  const bool comparable =
      row.problem.empty() && before.size() == now.size() && !now.empty() && !before[0].layers.empty() && steps == (*executor)->timesteps();
  for (size_t i = 0; comparable && i < now.size(); ++i)
    row.comparison.add(before[i], now[i], i, steps);
  const Comparison &c = row.comparison;
  if (comparable && !c.matched()) {
    for (const LayerComparison &layer : c.layers)
      if (!layer.unmatched.empty()) row.problem = fmt::format("'{}': {}", layer.name, layer.unmatched);
  } else if (comparable && c.demand == Demand::Exact && c.different()) {
    row.problem = c.first ? fmt::format("'{}', {}", c.first->first, toText(c.first->second)) : c.firstOutput;
  } else if (comparable && c.unexplained) {
    row.problem = c.firstUnexplained;
  }
  steps = (*executor)->timesteps();
  before = std::move(now);
  rows.push_back(std::move(row));
}

bool PassChecker::good() const {
  return std::all_of(rows.begin(), rows.end(), [](const Row &row) { return row.problem.empty(); });
}

nlohmann::ordered_json PassChecker::json() const {
  nlohmann::ordered_json json{{"images", set.count}, {"good", good()}, {"guilty", nullptr}, {"passes", nlohmann::ordered_json::array()}};
  for (const Row &row : rows) {
    if (!row.problem.empty() && json["guilty"].is_null()) json["guilty"] = row.pass;
    json["passes"].push_back({{"pass", row.pass},
                              {"allowed", row.allowed},
                              {"compared", row.comparison.compared()},
                              {"different", row.comparison.different()},
                              {"problem", row.problem}});
  }
  return json;
}

std::string PassChecker::text() const {
  std::string text;
  for (const Row &row : rows) {
    const Comparison &c = row.comparison;
    text += fmt::format("{:<4}  {:<22} {:<12} ", row.problem.empty() ? "ok" : "FAIL", row.pass,
                        row.allowed.empty() ? "the start" : row.allowed);
    text += !c.compared()        ? std::string("nothing to compare with")
            : c.different() == 0 ? fmt::format("all {} spikes and silences equal", c.compared())
                                 : fmt::format("{} of {} spikes and silences moved", c.different(), c.compared());
    text += row.problem.empty() ? "\n" : fmt::format("\n      {}\n", row.problem);
  }
  for (const Row &row : rows)
    if (!row.problem.empty()) return text + fmt::format("{} is the first pass to blame\n", row.pass);
  return text + fmt::format("no pass moved a spike that it must not move ({} images)\n", set.count);
}

} // namespace lasnn::tools::verify
