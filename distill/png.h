// Small pictures for the HTML pages: bytes to a PNG inside a data: URI.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::distill {

struct Picture {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb; // [height][width][3]
};

/// "data:image/png;base64,..."
std::string pngUri(const Picture &);

} // namespace lasnn::distill
