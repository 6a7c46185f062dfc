// Reads a labelled image set into memory as bytes, for the trainer and the tools alike.
//
// Adding a set: one line in the table in data.cpp and one reader function (reader.h).
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
  uint32_t channels = 0, height = 0, width = 0, classes = 0;
  size_t count = 0;
  std::vector<uint8_t> pixels;                                  // [count][channels][height][width]
  std::vector<uint16_t> labels;                                 // [count], each < classes
  std::vector<float> mean, std;                                 // per channel, of pixel/255; input = (pixel/255 - mean)/std

  size_t imageBytes() const { return size_t(channels) * height * width; }
  const uint8_t *image(size_t i) const { return pixels.data() + i * imageBytes(); }
};

/// Reads `split` ("train" or "test") of `spec` = SET:DIR; `limit` > 0 keeps the first `limit` images. When nothing is
/// returned, `error` says which file, which rule, which numbers and what to do. Throws nothing but bad_alloc.
std::optional<Dataset> load(std::string_view spec, std::string_view split, size_t limit, std::string &error);

/// The names of the sets that can be read, comma-separated, for --help.
std::string knownSets();

} // namespace lasnn::data
