// Whole files into memory; gzip is recognised by zlib itself, so plain files pass through the same door.
#include "frontend/data/reader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace lasnn::data {

bool fileExists(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

bool readBytes(const std::string &path, std::vector<uint8_t> &out, std::string &error) {
  std::error_code failure;
  const uintmax_t packed = std::filesystem::file_size(path, failure);
  if (failure) {
    error = fmt::format("{}: cannot be read: {}; check the folder given after SET: in --data", path, failure.message());
    return false;
  }
  gzFile file = gzopen(path.c_str(), "rb");
  if (!file) {
    error = fmt::format("{}: cannot be opened: {}; check its permissions", path, std::strerror(errno));
    return false;
  }
  gzbuffer(file, 1 << 18);
  // Images pack about 1:2, so this guess usually saves the copies of growing.
  out.resize(std::max<size_t>(packed * 2 + 64, 4096));
  size_t size = 0;
  int got = 0;
  while ((got = gzread(file, out.data() + size, unsigned(std::min<size_t>(out.size() - size, 1u << 30)))) > 0) {
    size += size_t(got);
    if (size == out.size())
      out.resize(out.size() * 2);
  }
  int code = Z_OK;
  const std::string text = gzerror(file, &code);
  // gzclose_r reports Z_BUF_ERROR when the packed stream stopped in the middle.
  const int closed = gzclose_r(file);
  if (got < 0 || closed != Z_OK) {
    error = fmt::format("{}: damaged gzip stream after {} unpacked bytes ({}); download the file again", path, size,
                        code != Z_OK && !text.empty() ? text : "it ends too early");
    return false;
  }
  out.resize(size);
  return true;
}

} // namespace lasnn::data
