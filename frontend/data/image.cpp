#include "frontend/data/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
#include <png.h>

namespace lasnn::data {
namespace {

constexpr uint32_t mostSide = 16384;

struct JpegErrors {
  jpeg_error_mgr base;
  jmp_buf back;
  char text[JMSG_LENGTH_MAX];
};

/// No C++ object is made between setjmp and longjmp: `out` and `row` belong to the caller.
bool decodeJpeg(const std::vector<uint8_t> &bytes, Image &out, JSAMPROW &row, JpegErrors &errors) {
  jpeg_decompress_struct jpeg;
  jpeg.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = [](j_common_ptr info) {
    auto *mine = reinterpret_cast<JpegErrors *>(info->err);
    info->err->format_message(info, mine->text);
    longjmp(mine->back, 1);
  };
  // Warnings ("premature end of file", "corrupt data") mean guessed pixels: as bad as an error.
  errors.base.emit_message = [](j_common_ptr info, int level) {
    if (level < 0)
      info->err->error_exit(info);
  };
  if (setjmp(errors.back)) {
    jpeg_destroy_decompress(&jpeg);
    return false;
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&jpeg, TRUE);
  if (jpeg.image_width > mostSide || jpeg.image_height > mostSide) {
    std::snprintf(errors.text, sizeof errors.text, "%u x %u pixels, at most %u are read", jpeg.image_width, jpeg.image_height, mostSide);
    longjmp(errors.back, 1);
  }
  jpeg.out_color_space = JCS_RGB; // greyscale too
  jpeg_start_decompress(&jpeg);
  out.width = jpeg.output_width, out.height = jpeg.output_height;
  out.rgb.resize(size_t(out.width) * out.height * 3);
  while (jpeg.output_scanline < jpeg.output_height) {
    row = out.rgb.data() + size_t(jpeg.output_scanline) * out.width * 3;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return true;
}

bool decodePng(const std::vector<uint8_t> &bytes, Image &out, std::string &text) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  bool ok = png_image_begin_read_from_memory(&png, bytes.data(), bytes.size());
  if (ok && (png.width > mostSide || png.height > mostSide)) {
    text = fmt::format("{} x {} pixels, at most {} are read", png.width, png.height, mostSide);
    png_image_free(&png);
    return false;
  }
  if (ok) {
    png.format = PNG_FORMAT_RGB; // 16 bits, palettes and greyscale become this; transparency is laid on black
    out.width = png.width, out.height = png.height;
    out.rgb.resize(PNG_IMAGE_SIZE(png));
    const png_color black{};
    ok = png_image_finish_read(&png, &black, out.rgb.data(), 0, nullptr);
  }
  text = png.message;
  png_image_free(&png);
  return ok;
}

/// One axis: `in` [outer][from][inner] to [outer][to][inner].
std::vector<float> scaleAxis(const std::vector<float> &in, size_t outer, uint32_t from, uint32_t to, size_t inner) {
  std::vector<float> out(outer * to * inner);
  const double step = double(from) / to, reach = std::max(1.0, step);
  for (uint32_t i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * step;
    const auto first = uint32_t(std::max(0.0, std::floor(centre - reach + 0.5))), last = std::min(from, uint32_t(std::ceil(centre + reach + 0.5)));
    double sum = 0;
    std::vector<double> weights(last - first);
    for (uint32_t k = first; k < last; ++k)
      sum += weights[k - first] = std::max(0.0, 1 - std::abs(k + 0.5 - centre) / reach);
    for (size_t o = 0; o < outer; ++o)
      for (uint32_t k = first; k < last; ++k)
        for (size_t n = 0; n < inner; ++n)
          out[(o * to + i) * inner + n] += float(weights[k - first] / sum) * in[(o * from + k) * inner + n];
  }
  return out;
}

} // namespace

bool readImage(const std::string &path, Image &out, std::string &error) {
  std::vector<uint8_t> bytes;
  if (!readBytes(path, bytes, error))
    return false;
  if (bytes.size() > 2 && bytes[0] == 0xff && bytes[1] == 0xd8) {
    JpegErrors errors{};
    JSAMPROW row = nullptr;
    if (decodeJpeg(bytes, out, row, errors))
      return true;
    error = fmt::format("{}: damaged JPEG: {}", path, errors.text);
    return false;
  }
  if (bytes.size() > 8 && png_sig_cmp(bytes.data(), 0, 8) == 0) {
    std::string text;
    if (decodePng(bytes, out, text))
      return true;
    error = fmt::format("{}: damaged PNG: {}", path, text);
    return false;
  }
  error = fmt::format("{}: neither JPEG nor PNG by its first bytes ({} bytes)", path, bytes.size());
  return false;
}

Image scaleAndCrop(const Image &in, uint32_t size) {
  const uint32_t shorter = std::min(in.width, in.height);
  const auto scaled = [&](uint32_t side) { return std::max(size, uint32_t(std::lround(double(side) * size / shorter))); };
  const uint32_t w = scaled(in.width), h = scaled(in.height);
  std::vector<float> values(in.rgb.begin(), in.rgb.end());
  if (w != in.width)
    values = scaleAxis(values, in.height, in.width, w, 3);
  if (h != in.height)
    values = scaleAxis(values, 1, in.height, h, size_t(w) * 3);
  Image out{size, size, std::vector<uint8_t>(size_t(size) * size * 3)};
  const size_t top = (h - size) / 2, left = (w - size) / 2;
  for (size_t y = 0; y < size; ++y)
    for (size_t x = 0; x < size_t(size) * 3; ++x)
      out.rgb[y * size * 3 + x] = uint8_t(std::clamp(std::lround(values[(y + top) * w * 3 + left * 3 + x]), 0l, 255l));
  return out;
}

void toPlanes(const Image &image, std::span<uint8_t> out) {
  const size_t pixels = size_t(image.width) * image.height;
  for (size_t p = 0; p < pixels; ++p)
    for (size_t c = 0; c < 3; ++c)
      out[c * pixels + p] = image.rgb[p * 3 + c];
}

} // namespace lasnn::data
