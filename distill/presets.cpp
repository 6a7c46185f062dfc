#include "distill/presets.h"
#include "distill/file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <stdexcept>

namespace lasnn::distill {
namespace {

using nlohmann::json;

// quickstart: Fashion-MNIST on two cores in a few minutes; docs/distill.md holds what it reaches and how it was chosen.
const char *const table = R"json({
  "quickstart": {
    "teacher": {"arch": "cnn-small", "epochs": 8, "batch": 128, "optimizer": "adamw", "lr": 0.004, "weight-decay": 0.01,
                "schedule": "onecycle", "warmup": 0.15, "label-smoothing": 0.05, "augment": "flip", "workers": 2, "bf16": true},
    "student": {"arch": "cnn-small", "epochs": 3, "batch": 128, "optimizer": "adamw", "lr": 0.003, "weight-decay": 0.01,
                "schedule": "onecycle", "warmup": 0.1, "augment": "flip", "workers": 2, "bf16": true, "timesteps": 4,
                "alpha": 1, "attention-scale": "mean", "kd": 0.5, "kd-temperature": 3, "beta": 0.5, "v-threshold": 1,
                "reset": "zero", "surrogate": "triangle", "init": "teacher", "rate-target": 0.1, "rate-weight": 1}
  }
})json";

} // namespace

std::vector<std::string> presetWords(const std::string &name, const std::string &command) {
  json all = json::parse(table), entry;
  if (all.contains(name)) {
    entry = all.at(name);
  } else if (name.ends_with(".json")) {
    std::string text, error;
    if (!readText(name, text, error))
      throw std::invalid_argument("--preset: " + error);
    entry = json::parse(text, nullptr, false);
    if (!entry.is_object())
      throw std::invalid_argument(fmt::format("--preset: {}: not a JSON object of the form {{\"teacher\": {{...}}, \"student\": {{...}}}}", name));
  } else {
    throw std::invalid_argument(fmt::format("--preset={}: known are {}, or a file ending in .json", name, knownPresets()));
  }
  std::vector<std::string> words;
  if (!entry.contains(command) || !entry[command].is_object())
    throw std::invalid_argument(fmt::format("--preset={}: has no entry for \"{}\"", name, command));
  for (const auto &[key, value] : entry[command].items()) {
    if (value.is_boolean()) {
      if (value.get<bool>())
        words.push_back("--" + key);
    } else {
      words.push_back(fmt::format("--{}={}", key, value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
  return words;
}

std::string knownPresets() {
  std::string names;
  const json all = json::parse(table);
  for (const auto &[name, entry] : all.items())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

} // namespace lasnn::distill
