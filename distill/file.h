// Files that appear whole or not at all: written beside their place, then renamed.
#pragma once

#include <functional>
#include <string>

namespace lasnn::distill {

/// Calls write(temporary name), then renames; removes the temporary file when `write` throws. Throws std::runtime_error.
void writeAtomically(const std::string &path, const std::function<void(const std::string &temporary)> &write);

bool readText(const std::string &path, std::string &out, std::string &error);

} // namespace lasnn::distill
