#include "frontend/data/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

namespace lasnn::data {

namespace fs = std::filesystem;

namespace {

template <typename Keep> std::vector<std::string> namesIn(const std::string &dir, const Keep &keep) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(dir, code), end; !code && it != end; it.increment(code))
    if (keep(*it))
      names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

} // namespace

std::vector<std::string> foldersIn(const std::string &dir) {
  return namesIn(dir, [](const fs::directory_entry &entry) {
    std::error_code code;
    return entry.is_directory(code);
  });
}

std::vector<std::string> filesIn(const std::string &dir, std::span<const std::string_view> endings) {
  return namesIn(dir, [&](const fs::directory_entry &entry) {
    std::string ending = entry.path().extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    std::error_code code;
    return std::find(endings.begin(), endings.end(), ending) != endings.end() && entry.is_regular_file(code);
  });
}

std::string firstFolder(const std::string &dir, std::span<const std::string_view> names) {
  std::error_code code;
  for (std::string_view name : names)
    if (std::string path = dir + "/" + std::string(name); fs::is_directory(path, code))
      return path;
  return "";
}

std::vector<Record> interleave(std::vector<std::vector<Record>> classes) {
  std::vector<Record> all;
  size_t longest = 0;
  for (const auto &list : classes)
    longest = std::max(longest, list.size());
  for (size_t i = 0; i < longest; ++i)
    for (auto &list : classes)
      if (i < list.size())
        all.push_back(std::move(list[i]));
  return all;
}

std::string corruptText(const std::vector<std::string> &problems, size_t of, bool skipped) {
  constexpr size_t shown = 5;
  std::string text = fmt::format("{} of {} records {} damaged{}:", problems.size(), of, problems.size() == 1 ? "is" : "are",
                                 skipped ? " and left out" : "");
  for (size_t i = 0; i < std::min(shown, problems.size()); ++i)
    text += "\n  " + problems[i];
  if (problems.size() > shown)
    text += fmt::format("\n  and {} more", problems.size() - shown);
  if (!skipped)
    text += "\nget these files again, or leave such records out with --skip-corrupt";
  return text;
}

bool readRecords(std::vector<Record> records, const Request &request, const Decode &decode, Tally &tally, Dataset &out, std::string &error) {
  if (request.load.limit && request.load.limit < records.size())
    records.resize(request.load.limit);
  const size_t each = out.imageBytes();
  out.pixels.resize(records.size() * each);
  std::vector<std::string> problems(records.size()); // "" when the record is sound
  std::atomic<size_t> next = 0;
  auto work = [&](Tally &mine) {
    constexpr size_t block = 16;
    for (size_t from; (from = next.fetch_add(block)) < records.size();)
      for (size_t i = from; i < std::min(from + block, records.size()); ++i)
        if (!decode(records[i].path, {out.pixels.data() + i * each, each}, mine, problems[i]) && problems[i].empty())
          problems[i] = records[i].path + ": cannot be read";
  };
  const size_t threads = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, std::max<size_t>(1, records.size() / 64));
  std::vector<Tally> tallies(threads);
  std::vector<std::thread> others;
  for (size_t k = 1; k < threads; ++k)
    others.emplace_back(work, std::ref(tallies[k]));
  work(tallies[0]);
  for (std::thread &thread : others)
    thread.join();
  for (const Tally &part : tallies)
    for (size_t v = 0; v < std::size(tally.values); ++v)
      tally.values[v] += part.values[v];

  std::vector<std::string> damaged;
  size_t kept = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    if (!problems[i].empty()) {
      damaged.push_back(std::move(problems[i]));
      continue;
    }
    if (kept != i)
      std::copy_n(out.pixels.begin() + std::ptrdiff_t(i * each), each, out.pixels.begin() + std::ptrdiff_t(kept * each));
    out.labels.push_back(records[i].label);
    ++kept;
  }
  out.count = kept;
  out.pixels.resize(kept * each);
  if (damaged.empty())
    return true;
  const std::string text = corruptText(damaged, records.size(), request.load.skipCorrupt);
  if (!request.load.skipCorrupt) {
    error = text;
    return false;
  }
  out.notes.push_back(text);
  return true;
}

} // namespace lasnn::data
