// Named sets of options: a preset is only defaults, and every flag given beside it wins.
#pragma once

#include <string>
#include <vector>

namespace lasnn::distill {

/// The preset's options for a subcommand as "--name=value" words; NAME is a table entry or a file ending in .json that holds
/// {"teacher": {"epochs": 5, ...}, "student": {...}}. Throws std::invalid_argument.
std::vector<std::string> presetWords(const std::string &name, const std::string &command);
std::string knownPresets();

} // namespace lasnn::distill
