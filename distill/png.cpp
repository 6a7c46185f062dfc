#include "distill/png.h"

#include <fmt/format.h>
#include <png.h>

#include <stdexcept>

namespace lasnn::distill {
namespace {

std::string base64(const std::vector<uint8_t> &bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < have ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k)
      text += k <= have ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

} // namespace

std::string pngUri(const Picture &picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = png_uint_32(picture.width), image.height = png_uint_32(picture.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<uint8_t> bytes(size);
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.rgb.data(), 0, nullptr))
    throw std::runtime_error(fmt::format("a picture of {} x {} cannot be written as PNG: {}", picture.width, picture.height, image.message));
  bytes.resize(size);
  return "data:image/png;base64," + base64(bytes);
}

} // namespace lasnn::distill
