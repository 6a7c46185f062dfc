// The table of sets, SET:DIR?key=value, and the rules that hold for every set.
#include "frontend/data/records.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

namespace lasnn::data {
namespace {

// Means and standard deviations are of the training split's pixel/255; npy and folder have no standard ones and take 0.5 / 0.5.
const std::vector<Set> &sets() {
  static const std::vector<Set> table = {
      // name            C  H   W   classes  mean                      std                       reader
      {"fashion-mnist", 1, 28, 28, 10, {0.2860f}, {0.3530f}, readIdx},
      {"mnist", 1, 28, 28, 10, {0.1307f}, {0.3081f}, readIdx},
      {"cifar10", 3, 32, 32, 10, {0.4914f, 0.4822f, 0.4465f}, {0.2470f, 0.2435f, 0.2616f}, readCifar},
      {"cifar100", 3, 32, 32, 100, {0.5071f, 0.4865f, 0.4409f}, {0.2673f, 0.2564f, 0.2762f}, readCifar},
      {"npy", 0, 0, 0, 0, {}, {}, readNpy},
      {"tiny-imagenet", 3, 64, 64, 0, {0.4802f, 0.4481f, 0.3975f}, {0.2770f, 0.2691f, 0.2821f}, readTinyImagenet},
      {"folder", 3, 0, 0, 0, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, readFolder, {"size"}},
      // The input of an event set is its spike counts: mean 0, std 1/255, set by the reader.
      {"nmnist", 2, 34, 34, 10, {}, {}, readNmnist, {"frames", "window", "window-us", "size", "max-count"}},
      {"dvs-gesture", 2, 128, 128, 0, {}, {}, readGesture, {"frames", "window", "window-us", "size", "max-count"}},
  };
  return table;
}

/// Takes SET:DIR?key=value&key=value apart; keys are checked against what the set knows.
const Set *parseSpec(std::string_view spec, Request &request, std::string &error) {
  const size_t colon = spec.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == spec.size()) {
    error = fmt::format("data set \"{}\": expected SET:DIR with SET one of {}, e.g. "
                        "fashion-mnist:/usr/share/datasets/fashion-mnist", spec, knownSets());
    return nullptr;
  }
  const std::string_view name = spec.substr(0, colon);
  const Set *set = nullptr;
  for (const Set &candidate : sets())
    if (candidate.name == name)
      set = &candidate;
  if (!set) {
    error = fmt::format("data set \"{}\" is not known; known are {}", name, knownSets());
    return nullptr;
  }
  const size_t mark = spec.find('?', colon);
  request.dir = spec.substr(colon + 1, mark == std::string_view::npos ? mark : mark - colon - 1);
  std::string_view rest = mark == std::string_view::npos ? "" : spec.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    if (equals == std::string_view::npos || std::find(set->words.begin(), set->words.end(), key) == set->words.end()) {
      error = set->words.empty() ? fmt::format("data set {}: \"{}\" after the folder: this set takes no options", name, word)
                                 : fmt::format("data set {}: \"{}\" is not known; known are {}, as KEY=VALUE with & between", name, word,
                                               fmt::join(set->words, ", "));
      return nullptr;
    }
    if (!request.words.emplace(key, word.substr(equals + 1)).second) {
      error = fmt::format("data set {}: {}= is given twice", name, key);
      return nullptr;
    }
  }
  return set;
}

/// Labels out of range: an error that names the first, or records left out.
bool checkLabels(const Request &request, std::string_view split, Dataset &set, std::string &error) {
  std::vector<std::string> problems;
  size_t kept = 0;
  const size_t each = set.imageBytes();
  for (size_t i = 0; i < set.count; ++i) {
    if (set.labels[i] >= set.classes) {
      problems.push_back(fmt::format("{}: split {}: label {} of image {} is out of range, allowed 0 to {}", request.dir, split, set.labels[i], i,
                                     set.classes - 1));
      continue;
    }
    if (kept != i) {
      set.labels[kept] = set.labels[i];
      std::copy_n(set.pixels.begin() + std::ptrdiff_t(i * each), each, set.pixels.begin() + std::ptrdiff_t(kept * each));
    }
    ++kept;
  }
  if (problems.empty())
    return true;
  const std::string text = corruptText(problems, set.count, request.load.skipCorrupt);
  if (!request.load.skipCorrupt) {
    error = text;
    return false;
  }
  set.notes.push_back(text);
  set.count = kept;
  set.labels.resize(kept);
  set.pixels.resize(kept * each);
  return true;
}

} // namespace

bool wordNumber(const Request &request, std::string_view key, uint64_t least, uint64_t most, uint64_t otherwise, uint64_t &value, std::string &error) {
  const auto found = request.words.find(key);
  value = otherwise;
  if (found == request.words.end())
    return true;
  const std::string &text = found->second;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc() && end == text.data() + text.size() && value >= least && value <= most)
    return true;
  error = fmt::format("data set option {}={}: expected a whole number from {} to {}", key, text, least, most);
  return false;
}

std::string knownSets() {
  std::string names;
  for (const Set &set : sets())
    names += (names.empty() ? "" : ", ") + std::string(set.name);
  return names;
}

std::optional<Dataset> load(std::string_view spec, std::string_view split, size_t limit, std::string &error) {
  LoadOptions options;
  options.limit = limit;
  return load(spec, split, options, error);
}

std::optional<Dataset> load(std::string_view spec, std::string_view split, const LoadOptions &options, std::string &error) {
  Request request;
  request.load = options;
  const Set *set = parseSpec(spec, request, error);
  if (!set)
    return std::nullopt;
  if (split != "train" && split != "test") {
    error = fmt::format("split \"{}\" is not known; known are train, test", split);
    return std::nullopt;
  }
  request.train = split == "train";
  const std::string &dir = request.dir;
  std::error_code ignored;
  if (!std::filesystem::is_directory(dir, ignored)) {
    error = fmt::format("{}: no such folder; {} is read from the folder given as {}:DIR", dir, set->name, set->name);
    return std::nullopt;
  }

  Dataset out;
  out.name = set->name;
  out.mean = set->mean;
  out.std = set->std;
  if (!set->read(*set, request, out, error))
    return std::nullopt;

  if (out.labels.size() != out.count) {
    error = fmt::format("{}: split {} has {} images but {} labels; the files do not belong together", dir, split, out.count,
                        out.labels.size());
    return std::nullopt;
  }
  if (options.checksums)
    noteChecksums(set->name, request, out);
  if (!checkLabels(request, split, out, error))
    return std::nullopt;
  if (out.count == 0) {
    error = fmt::format("{}: split {} of {} is empty; give a folder whose files hold at least one sound image", dir, split, set->name);
    return std::nullopt;
  }
  if (options.limit && options.limit < out.count) {
    out.count = options.limit;
    out.labels.resize(options.limit);
    out.pixels.resize(options.limit * out.imageBytes());
  }
  return out;
}

} // namespace lasnn::data
