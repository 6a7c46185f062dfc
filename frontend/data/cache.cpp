// Decoded images on disk: "LASNNDC1", count, bytes an image, CRC-32 of the rest; then labels and pixels. Little-endian.
#include "frontend/data/records.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace lasnn::data {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t magic = 0x314344'4e4e53414cu; // "LASNNDC1"

struct Header {
  uint64_t magic = 0, count = 0, each = 0, crc = 0;
};

uint64_t crcOf(const std::vector<uint16_t> &labels, const std::vector<uint8_t> &pixels) {
  const uLong part = crc32_z(0, reinterpret_cast<const Bytef *>(labels.data()), labels.size() * sizeof(uint16_t));
  return crc32_z(part, pixels.data(), pixels.size());
}

/// True: `out` holds the first `limit` (0: all) of what is in the file. Whatever is wrong with it: false.
bool readCache(const std::string &path, size_t count, size_t limit, Dataset &out) {
  std::ifstream file(path, std::ios::binary);
  Header header;
  if (!file.read(reinterpret_cast<char *>(&header), sizeof header) || header.magic != magic || header.count != count || header.each != out.imageBytes())
    return false;
  std::error_code code;
  if (fs::file_size(path, code) != sizeof header + count * (sizeof(uint16_t) + header.each) || code)
    return false;
  std::vector<uint16_t> labels(count);
  std::vector<uint8_t> pixels(count * header.each);
  file.read(reinterpret_cast<char *>(labels.data()), std::streamsize(labels.size() * sizeof(uint16_t)));
  if (!file.read(reinterpret_cast<char *>(pixels.data()), std::streamsize(pixels.size())) || crcOf(labels, pixels) != header.crc)
    return false;
  out.count = limit ? std::min(limit, count) : count;
  labels.resize(out.count), pixels.resize(out.count * header.each);
  out.labels = std::move(labels), out.pixels = std::move(pixels);
  return true;
}

/// Whole or not at all: written beside, then renamed. Returns what failed, "" when nothing did.
std::string writeCache(const std::string &path, const Dataset &set) {
  std::error_code code;
  fs::create_directories(fs::path(path).parent_path(), code);
  if (code)
    return code.message();
  const std::string beside = fmt::format("{}.{}", path, getpid());
  const Header header{magic, set.count, set.imageBytes(), crcOf(set.labels, set.pixels)};
  std::ofstream file(beside, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&header), sizeof header);
  file.write(reinterpret_cast<const char *>(set.labels.data()), std::streamsize(set.labels.size() * sizeof(uint16_t)));
  file.write(reinterpret_cast<const char *>(set.pixels.data()), std::streamsize(set.pixels.size()));
  file.close();
  const std::string reason = file ? "" : std::strerror(errno);
  if (file)
    fs::rename(beside, path, code);
  if (!file || code) {
    std::error_code ignored;
    fs::remove(beside, ignored);
    return file ? code.message() : reason.empty() ? "writing failed" : reason;
  }
  return "";
}

} // namespace

std::string cacheFolder() {
  if (const char *own = std::getenv("LASNN_CACHE"))
    return std::string_view(own) == "off" ? "" : own;
  if (const char *xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg)
    return std::string(xdg) + "/lasnn";
  if (const char *home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.cache/lasnn";
  return "";
}

bool readCachedRecords(std::vector<Record> records, const Request &request, const std::string &rule, const Decode &decode, Dataset &out, std::string &error) {
  Tally tally;
  const std::string folder = cacheFolder();
  if (folder.empty() || records.empty())
    return readRecords(std::move(records), request, decode, tally, out, error);
  Md5 key;
  auto add = [&](const std::string &text) { key.add(text.data(), text.size() + 1); };
  add(rule);
  for (const Record &record : records) {
    struct stat status {};
    if (stat(record.path.c_str(), &status) != 0)
      status = {};
    add(fmt::format("{}|{}|{}|{}.{}", record.path, record.label, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
  }
  const std::string path = fmt::format("{}/{}-{}.images", folder, out.name, key.hex());
  const size_t count = records.size(), limit = request.load.limit;
  if (readCache(path, count, limit, out))
    return true;
  if (!readRecords(std::move(records), request, decode, tally, out, error))
    return false;
  if (out.count != count) // a part, or with records left out: decoded again the next time, and said again
    return true;
  if (const std::string reason = writeCache(path, out); !reason.empty())
    out.notes.push_back(fmt::format("{}: decoded images are not kept there ({}); set LASNN_CACHE to a folder that can be written, or to off", folder, reason));
  return true;
}

} // namespace lasnn::data
