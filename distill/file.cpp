#include "distill/file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace lasnn::distill {

void writeAtomically(const std::string &path, const std::function<void(const std::string &)> &write) {
  const std::string temporary = fmt::format("{}.tmp{}", path, getpid());
  std::error_code failure;
  try {
    const auto parent = std::filesystem::path(path).parent_path();
    if (!parent.empty() && !std::filesystem::is_directory(parent))
      throw std::runtime_error(fmt::format("{}: its folder does not exist; create {} first", path, parent.string()));
    write(temporary);
    std::filesystem::rename(temporary, path, failure);
    if (failure)
      throw std::runtime_error(fmt::format("{}: cannot be written: {}", path, failure.message()));
  } catch (...) {
    std::filesystem::remove(temporary, failure);
    throw;
  }
}

bool readText(const std::string &path, std::string &out, std::string &error) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    error = path + ": cannot be read; check the name";
    return false;
  }
  out = text.str();
  return true;
}

} // namespace lasnn::distill
