// One image file into bytes: JPEG by libjpeg-turbo, PNG by libpng. Private to this folder.
#pragma once

#include "frontend/data/reader.h"

namespace lasnn::data {

struct Image {
  uint32_t width = 0, height = 0;
  std::vector<uint8_t> rgb; // [height][width][3]; greyscale has three equal channels
};

/// False: `error` begins with the path and says what is wrong; a JPEG that the library could only repair is refused too.
bool readImage(const std::string &path, Image &out, std::string &error);

/// Scaled until the shorter side is `size`, by a triangle as wide as the step between pixels (bilinear when enlarging), then
/// the middle square.
Image scaleAndCrop(const Image &, uint32_t size);

/// As [3][height][width].
void toPlanes(const Image &, std::span<uint8_t> out);

} // namespace lasnn::data
