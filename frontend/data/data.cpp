// The table of sets, SET:DIR, and the rules that hold for every set.
#include "frontend/data/reader.h"

#include <fmt/format.h>

#include <filesystem>

namespace lasnn::data {
namespace {

// Means and standard deviations are of the training split's pixel/255; npy has no standard ones and takes 0.5 / 0.5.
const std::vector<Set> &sets() {
  static const std::vector<Set> table = {
      // name            C  H   W   classes  mean                      std                       reader
      {"fashion-mnist", 1, 28, 28, 10, {0.2860f}, {0.3530f}, readIdx},
      {"mnist", 1, 28, 28, 10, {0.1307f}, {0.3081f}, readIdx},
      {"cifar10", 3, 32, 32, 10, {0.4914f, 0.4822f, 0.4465f}, {0.2470f, 0.2435f, 0.2616f}, readCifar},
      {"cifar100", 3, 32, 32, 100, {0.5071f, 0.4865f, 0.4409f}, {0.2673f, 0.2564f, 0.2762f}, readCifar},
      {"npy", 0, 0, 0, 0, {}, {}, readNpy},
  };
  return table;
}

} // namespace

std::string knownSets() {
  std::string names;
  for (const Set &set : sets())
    names += (names.empty() ? "" : ", ") + std::string(set.name);
  return names;
}

std::optional<Dataset> load(std::string_view spec, std::string_view split, size_t limit, std::string &error) {
  const size_t colon = spec.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == spec.size()) {
    error = fmt::format("data set \"{}\": expected SET:DIR with SET one of {}, e.g. "
                        "fashion-mnist:/usr/share/datasets/fashion-mnist", spec, knownSets());
    return std::nullopt;
  }
  const std::string_view name = spec.substr(0, colon);
  const std::string dir(spec.substr(colon + 1));
  const Set *set = nullptr;
  for (const Set &candidate : sets())
    if (candidate.name == name)
      set = &candidate;
  if (!set) {
    error = fmt::format("data set \"{}\" is not known; known are {}", name, knownSets());
    return std::nullopt;
  }
  if (split != "train" && split != "test") {
    error = fmt::format("split \"{}\" is not known; known are train, test", split);
    return std::nullopt;
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(dir, ignored)) {
    error = fmt::format("{}: no such folder; {} is read from the folder given as {}:DIR", dir, name, name);
    return std::nullopt;
  }

  Dataset out;
  out.name = name;
  out.mean = set->mean;
  out.std = set->std;
  if (!set->read(*set, dir, split == "train", out, error))
    return std::nullopt;

  if (out.labels.size() != out.count) {
    error = fmt::format("{}: split {} has {} images but {} labels; the files do not belong together", dir, split, out.count,
                        out.labels.size());
    return std::nullopt;
  }
  if (out.count == 0) {
    error = fmt::format("{}: split {} of {} is empty; give a folder whose files hold at least one image", dir, split, name);
    return std::nullopt;
  }
  for (size_t i = 0; i < out.count; ++i)
    if (out.labels[i] >= out.classes) {
      error = fmt::format("{}: split {}: label {} of image {} is out of range, allowed 0 to {}; the label file is damaged or of "
                          "another set", dir, split, out.labels[i], i, out.classes - 1);
      return std::nullopt;
    }
  if (limit && limit < out.count) {
    out.count = limit;
    out.labels.resize(limit);
    out.pixels.resize(limit * out.imageBytes());
  }
  return out;
}

} // namespace lasnn::data
