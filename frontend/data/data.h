// Reads a labelled set of images or event recordings into memory as bytes, for the trainer and the tools alike.
//
// Adding a set: one line in the table in data.cpp and one reader function (reader.h). docs/data.md is the user's page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lasnn::data {

struct Dataset {
  std::string name;                                             // as in the table: "fashion-mnist"
  uint32_t frames = 1;                                          // T of an event set; 1: a static image
  uint32_t channels = 0, height = 0, width = 0, classes = 0;
  size_t count = 0;
  std::vector<uint8_t> pixels;                                  // [count][frames][channels][height][width]
  std::vector<uint16_t> labels;                                 // [count], each < classes
  std::vector<float> mean, std;                                 // per channel, of pixel/255; input = (pixel/255 - mean)/std
  bool events = false;                                          // pixels are spike counts, and the input is the count itself
  uint32_t maxCount = 255;                                      // events: larger counts were cut to this
  std::string binning;                                          // events: the rule behind the frames, "window=count&size=34"
  std::vector<std::string> notes;                               // what a user should see: damaged records skipped, counts cut

  size_t frameBytes() const { return size_t(channels) * height * width; }
  size_t imageBytes() const { return frames * frameBytes(); }   // of one sample
  const uint8_t *image(size_t i) const { return pixels.data() + i * imageBytes(); }
};

struct LoadOptions {
  size_t limit = 0;           // > 0: the first so many samples
  uint32_t frames = 0;        // > 0: what an event set must be binned into: the T of the network that will read it
  uint32_t maxCount = 0;      // > 0: the largest count the network takes; 0: as the spec says, else 255
  bool skipCorrupt = false;   // a damaged record is left out and noted, not an error
  bool checksums = false;     // compare standard files with their published MD5; a difference is a note
};

/// Reads `split` ("train" or "test") of `spec` = SET:DIR, for some sets with ?key=value&... behind. When nothing is
/// returned, `error` says which file, which rule, which numbers and what to do. Throws nothing but bad_alloc.
std::optional<Dataset> load(std::string_view spec, std::string_view split, const LoadOptions &, std::string &error);
std::optional<Dataset> load(std::string_view spec, std::string_view split, size_t limit, std::string &error);

/// The names of the sets that can be read, comma-separated, for --help.
std::string knownSets();

} // namespace lasnn::data
