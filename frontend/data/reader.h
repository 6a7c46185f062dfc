// What the readers of single sets share; private to this folder.
#pragma once

#include "frontend/data/data.h"

#include <span>

namespace lasnn::data {

/// One line of the table of sets: what load() needs to know before any file is opened.
struct Set {
  std::string_view name;
  uint32_t channels, height, width, classes; // 0: the files say
  std::vector<float> mean, std;
  bool (*read)(const Set &set, const std::string &dir, bool train, Dataset &out, std::string &error);
};

// Readers fill channels..width, classes, count, pixels and labels; load() checks labels against classes and counts.
bool readIdx(const Set &, const std::string &dir, bool train, Dataset &, std::string &error);
bool readCifar(const Set &, const std::string &dir, bool train, Dataset &, std::string &error);
bool readNpy(const Set &, const std::string &dir, bool train, Dataset &, std::string &error);

/// The whole file, unpacked when it starts with gzip's magic number. False: `error` is set.
bool readBytes(const std::string &path, std::vector<uint8_t> &out, std::string &error);

bool fileExists(const std::string &path);

} // namespace lasnn::data
