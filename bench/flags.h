// What the small benchmark programs share: --name=value flags, failing with a text, a file at an aligned address.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace lasnn::bench {

[[noreturn]] inline void fail(const std::string &text, int code = 1) {
  fprintf(stderr, "%s\n", text.c_str());
  std::_Exit(code); // other threads may run
}

class Flags {
public:
  Flags(int argc, char **argv, std::string usage) : words_(argv + 1, argv + argc), usage_(std::move(usage)) {}

  std::string text(const std::string &name, const std::string &otherwise) {
    const std::string start = "--" + name + "=";
    std::string found = otherwise;
    std::erase_if(words_, [&](const std::string &word) { return word.starts_with(start) ? found = word.substr(start.size()), true : false; });
    return found;
  }
  bool flag(const std::string &name) { return std::erase(words_, "--" + name) > 0; }
  size_t number(const std::string &name, size_t otherwise) { return toNumber(text(name, std::to_string(otherwise))); }
  std::vector<size_t> numbers(const std::string &name, const std::string &otherwise) {
    std::vector<size_t> all;
    for (const std::string &part : parts(text(name, otherwise)))
      all.push_back(toNumber(part));
    return all;
  }
  std::vector<std::string> list(const std::string &name, const std::string &otherwise) { return parts(text(name, otherwise)); }
  /// The next word that is no flag, "" when there is none.
  std::string word() {
    for (size_t i = 0; i < words_.size(); ++i)
      if (!words_[i].starts_with("-")) {
        const std::string found = words_[i];
        words_.erase(words_.begin() + long(i));
        return found;
      }
    return "";
  }
  void end() {
    if (!words_.empty())
      fprintf(stderr, "unknown argument: %s\n", words_[0].c_str()), usage();
  }
  [[noreturn]] void usage() { fail(usage_, 2); }

private:
  size_t toNumber(const std::string &text) {
    char *end = nullptr;
    const unsigned long long value = strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end || text[0] == '-')
      fprintf(stderr, "'%s' is no number\n", text.c_str()), usage();
    return value;
  }
  static std::vector<std::string> parts(const std::string &text) {
    std::vector<std::string> all;
    for (size_t from = 0; from <= text.size();) {
      const size_t to = std::min(text.find(',', from), text.size());
      all.push_back(text.substr(from, to - from));
      from = to + 1;
    }
    return all;
  }

  std::vector<std::string> words_;
  std::string usage_;
};

/// Bytes of a model, 64-byte aligned as the runtimes want them.
class AlignedFile {
public:
  explicit AlignedFile(const std::vector<uint8_t> &bytes) { take(bytes); }
  explicit AlignedFile(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
      fail("cannot open " + path);
    take({std::istreambuf_iterator<char>(file), {}});
  }
  AlignedFile(const AlignedFile &) = delete;
  AlignedFile &operator=(const AlignedFile &) = delete;
  ~AlignedFile() { free(data_); }
  const uint8_t *data() const { return data_; }
  size_t size() const { return size_; }

private:
  void take(const std::vector<uint8_t> &bytes) {
    size_ = bytes.size();
    data_ = static_cast<uint8_t *>(std::aligned_alloc(64, (size_ + 63) / 64 * 64));
    if (size_)
      memcpy(data_, bytes.data(), size_);
  }
  uint8_t *data_ = nullptr;
  size_t size_ = 0;
};

} // namespace lasnn::bench
