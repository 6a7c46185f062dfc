// Sets of one file a sample: finding the files, and reading them with several threads. Private to this folder.
#pragma once

#include "frontend/data/reader.h"

namespace lasnn::data {

struct Record {
  std::string path;
  uint16_t label = 0;
};

/// The names in `dir` of the folders, or of the files with one of `endings` (lower case, ".png"), sorted.
std::vector<std::string> foldersIn(const std::string &dir);
std::vector<std::string> filesIn(const std::string &dir, std::span<const std::string_view> endings);

/// The first folder DIR/NAME that exists, "" when none does.
std::string firstFolder(const std::string &dir, std::span<const std::string_view> names);

/// One list of records a class into one list that takes from every class in turn, so that its first N are of all classes.
std::vector<Record> interleave(std::vector<std::vector<Record>> classes);

/// Decodes one file into `bytes` (as many as a sample takes). False: `error` says what is wrong, beginning with the path.
/// `tally` counts whatever the decoder wants summed over all samples.
struct Tally {
  uint64_t values[4] = {};
};
using Decode = std::function<bool(const std::string &path, std::span<uint8_t> bytes, Tally &tally, std::string &error)>;

/// Fills count, pixels and labels of `out` from the first load.limit records, read side by side by several threads; the
/// result does not depend on how many. A record that `decode` refuses is an error, or left out and noted (load.skipCorrupt).
bool readRecords(std::vector<Record> records, const Request &, const Decode &decode, Tally &tally, Dataset &out, std::string &error);

/// The same through a cache: what was decoded once is read back as bytes. `rule` says how files become bytes; with the names,
/// sizes, times and labels it makes the key. A cache that is missing, damaged or not to be written costs time, never the result.
bool readCachedRecords(std::vector<Record> records, const Request &, const std::string &rule, const Decode &decode, Dataset &out, std::string &error);

/// $LASNN_CACHE, else lasnn in $XDG_CACHE_HOME or ~/.cache; "" for none (LASNN_CACHE=off, or no home).
std::string cacheFolder();

/// Damaged records by name: the error text, or the note, that says how many there were and which came first.
std::string corruptText(const std::vector<std::string> &problems, size_t of, bool skipped);

} // namespace lasnn::data
