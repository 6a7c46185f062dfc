// What the readers of single sets share; private to this folder.
#pragma once

#include "frontend/data/data.h"

#include <functional>
#include <map>
#include <span>

namespace lasnn::data {

/// What load() was asked for, taken apart and checked.
struct Request {
  std::string dir;
  bool train = true;
  LoadOptions load;
  std::map<std::string, std::string, std::less<>> words; // the spec's ?key=value, keys known to the set
};

/// One line of the table of sets: what load() needs to know before any file is opened.
struct Set {
  std::string_view name;
  uint32_t channels, height, width, classes; // 0: the files say
  std::vector<float> mean, std;
  bool (*read)(const Set &set, const Request &, Dataset &out, std::string &error);
  std::vector<std::string_view> words = {};  // keys that the spec may carry
};

// Readers fill channels..width, classes, count, pixels and labels; load() checks labels against classes and counts.
bool readIdx(const Set &, const Request &, Dataset &, std::string &error);
bool readCifar(const Set &, const Request &, Dataset &, std::string &error);
bool readNpy(const Set &, const Request &, Dataset &, std::string &error);
bool readNmnist(const Set &, const Request &, Dataset &, std::string &error);
bool readGesture(const Set &, const Request &, Dataset &, std::string &error);
bool readTinyImagenet(const Set &, const Request &, Dataset &, std::string &error);
bool readFolder(const Set &, const Request &, Dataset &, std::string &error);

/// The whole file, unpacked when it starts with gzip's magic number. False: `error` is set.
bool readBytes(const std::string &path, std::vector<uint8_t> &out, std::string &error);

bool fileExists(const std::string &path);

/// The whole number `key` of the spec, `otherwise` when absent. False: it is no number from `least` to `most`.
bool wordNumber(const Request &, std::string_view key, uint64_t least, uint64_t most, uint64_t otherwise, uint64_t &value, std::string &error);

/// Compares the standard files of `set` with their published MD5; what differs becomes a note.
void noteChecksums(std::string_view set, const Request &, Dataset &out);

class Md5 {
public:
  Md5();
  ~Md5();
  Md5(const Md5 &) = delete;
  Md5 &operator=(const Md5 &) = delete;
  void add(const void *bytes, size_t size);
  std::string hex(); // ends it

private:
  void *context;
};

} // namespace lasnn::data
