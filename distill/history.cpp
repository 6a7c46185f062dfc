#include "distill/history.h"
#include "distill/file.h"

#include <fmt/format.h>

#include <fstream>
#include <set>

namespace lasnn::distill {
namespace {

nlohmann::json flat(const nlohmann::json &entry) {
  nlohmann::json out;
  for (const auto &[key, value] : entry.items()) {
    if (key != "rates") {
      out[key] = value;
      continue;
    }
    for (const auto &[layer, rate] : value.items())
      out["rate/" + layer] = rate;
  }
  return out;
}

} // namespace

void writeHistory(const nlohmann::json &history, const std::string &path) {
  writeAtomically(path, [&](const std::string &temporary) {
    std::ofstream file(temporary);
    if (!path.ends_with(".csv")) {
      for (const auto &entry : history)
        file << entry.dump() << '\n';
    } else {
      std::set<std::string> others;
      for (const auto &entry : history) {
        const nlohmann::json row = flat(entry);
        for (const auto &[key, value] : row.items())
          others.insert(key);
      }
      std::vector<std::string> columns;
      for (const char *first : {"epoch", "lr", "loss", "train_top1"})
        if (others.erase(first))
          columns.push_back(first);
      columns.insert(columns.end(), others.begin(), others.end());
      file << fmt::format("{}\n", fmt::join(columns, ","));
      for (const auto &entry : history) {
        const nlohmann::json row = flat(entry);
        for (size_t i = 0; i < columns.size(); ++i)
          file << (i ? "," : "") << (row.contains(columns[i]) ? row[columns[i]].dump() : "");
        file << '\n';
      }
    }
    if (!file.flush())
      throw std::runtime_error(path + ": the log cannot be written; check the folder and the space left");
  });
}

std::string bestEpoch(const nlohmann::json &history) {
  const nlohmann::json *best = nullptr;
  const char *key = nullptr;
  for (const auto &entry : history)
    for (const char *name : {"valid_top1", "test_top1"})
      if (entry.contains(name) && (!best || entry[name] > (*best)[key]))
        best = &entry, key = name;
  if (!best)
    return {};
  return fmt::format("best {} top1 {:.2f} % in epoch {}{}", std::string_view(key).substr(0, std::string_view(key).find('_')), 100 * (*best)[key].get<double>(),
                     (*best)["epoch"].get<int64_t>(), best == &history.back() ? ", the last" : " (the last is what counts)");
}

} // namespace lasnn::distill
