// NumPy's .npy: magic "\x93NUMPY", version, a Python dict as text (descr, fortran_order, shape), then the array.
#include "frontend/data/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lasnn::data {
namespace {

struct Array {
  std::string descr;           // e.g. "|u1", "<i8"
  std::vector<uint64_t> shape;
  std::vector<uint8_t> bytes;  // the file; data start at `start`
  size_t start = 0;
};

/// The text after 'key': in the header, up to the end of the header; empty when the key is absent.
std::string_view after(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos)
    return {};
  const size_t colon = header.find(':', at);
  return colon == std::string_view::npos ? std::string_view() : header.substr(std::min(header.find_first_not_of(' ', colon + 1), header.size()));
}

bool fail(std::string &error, const std::string &path, const std::string &what) {
  error = fmt::format("{}: {}; write it with numpy.save of a C-ordered array", path, what);
  return false;
}

bool readArray(const std::string &path, Array &array, std::string &error) {
  if (!fileExists(path)) {
    error = fmt::format("{}: no such file; npy needs train_images.npy, train_labels.npy, test_images.npy and test_labels.npy "
                        "(only those of the split that is read) in that folder", path);
    return false;
  }
  if (!readBytes(path, array.bytes, error))
    return false;
  const auto &bytes = array.bytes;
  if (bytes.size() < 10 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0)
    return fail(error, path, "does not start with the magic number of an .npy file");
  const bool wide = bytes[6] >= 2; // version 2 and up: a 4-byte header length
  const size_t fixed = wide ? 12 : 10;
  if (bytes.size() < fixed)
    return fail(error, path, "ends inside its header");
  const uint64_t length = wide ? uint64_t(bytes[8]) | uint64_t(bytes[9]) << 8 | uint64_t(bytes[10]) << 16 | uint64_t(bytes[11]) << 24
                               : uint64_t(bytes[8]) | uint64_t(bytes[9]) << 8;
  if (length > bytes.size() - fixed)
    return fail(error, path, fmt::format("header of {} bytes in a file of {}", length, bytes.size()));
  array.start = fixed + length;
  const std::string_view header(reinterpret_cast<const char *>(bytes.data()) + fixed, length);

  const std::string_view descr = after(header, "descr"), order = after(header, "fortran_order"), shape = after(header, "shape");
  const size_t close = shape.find(')');
  if (descr.size() < 2 || descr[0] != '\'' || shape.empty() || shape[0] != '(' || close == std::string_view::npos)
    return fail(error, path, "header without descr and shape");
  array.descr = descr.substr(1, descr.find('\'', 1) - 1);
  if (!order.starts_with("False"))
    return fail(error, path, "fortran_order is not False");
  const char *at = shape.data() + 1, *end = shape.data() + close;
  while (at < end) {
    uint64_t value = 0;
    const auto [next, code] = std::from_chars(at, end, value);
    if (code != std::errc())
      break;
    array.shape.push_back(value);
    for (at = next; at < end && (*at == ',' || *at == ' ' || *at == 'L');)
      ++at;
  }
  return at == end ? true : fail(error, path, "shape that cannot be read");
}

/// Checks that the data are exactly shape x itemsize bytes.
bool checkSize(const std::string &path, const Array &array, size_t item, std::string &error) {
  uint64_t total = item;
  constexpr uint64_t most = uint64_t(1) << 40;
  for (uint64_t size : array.shape)
    total = size && total > most / size ? most + 1 : total * size;
  const uint64_t held = array.bytes.size() - array.start;
  if (held == total)
    return true;
  error = fmt::format("{}: shape ({}) of {} promises {} bytes, the file holds {}; it is {}", path, fmt::join(array.shape, ", "),
                      array.descr, total, held, held < total ? "cut short" : "followed by other bytes");
  return false;
}

bool readLabels(const std::string &path, std::vector<uint16_t> &labels, std::string &error) {
  Array array;
  if (!readArray(path, array, error))
    return false;
  const std::string_view kind = array.descr;
  const size_t item = kind.size() == 3 && (kind[1] == 'u' || kind[1] == 'i') && kind[0] != '>' ? size_t(kind[2] - '0') : 0;
  if (array.shape.size() != 1 || (item != 1 && item != 2 && item != 4 && item != 8))
    return fail(error, path, fmt::format("labels of type {} and {} axes, expected little-endian integers and one axis", kind,
                                         array.shape.size()));
  if (!checkSize(path, array, item, error))
    return false;
  labels.clear();
  for (size_t i = 0; i < array.shape[0]; ++i) {
    uint64_t value = 0;
    for (size_t b = 0; b < item; ++b)
      value |= uint64_t(array.bytes[array.start + i * item + b]) << (8 * b);
    if (kind[1] == 'i') // widen the sign
      value = uint64_t(int64_t(value << (64 - 8 * item)) >> (64 - 8 * item));
    if (value > 65534) // a negative label lands here as well
      return fail(error, path, fmt::format("label {} at index {}, allowed 0 to 65534",
                                           kind[1] == 'i' ? fmt::format("{}", int64_t(value)) : fmt::format("{}", value), i));
    labels.push_back(uint16_t(value));
  }
  return true;
}

} // namespace

bool readNpy(const Set &, const Request &request, Dataset &out, std::string &error) {
  const std::string &dir = request.dir;
  const bool train = request.train;
  const std::string split = train ? "train" : "test", other = train ? "test" : "train";
  const std::string path = dir + "/" + split + "_images.npy";
  Array images;
  if (!readArray(path, images, error))
    return false;
  const size_t axes = images.shape.size();
  if ((images.descr != "|u1" && images.descr != "<u1") || (axes != 3 && axes != 4))
    return fail(error, path, fmt::format("images of type {} and shape ({}), expected uint8 [N,C,H,W] or [N,H,W]", images.descr,
                                         fmt::join(images.shape, ", ")));
  if (!checkSize(path, images, 1, error) || !readLabels(dir + "/" + split + "_labels.npy", out.labels, error))
    return false;
  for (size_t axis = 1; axis < axes; ++axis)
    if (images.shape[axis] == 0 || images.shape[axis] > 65536)
      return fail(error, path, fmt::format("axis {} of size {}, allowed 1 to 65536", axis, images.shape[axis]));
  out.count = images.shape[0];
  out.channels = axes == 4 ? uint32_t(images.shape[1]) : 1;
  out.height = uint32_t(images.shape[axes - 2]);
  out.width = uint32_t(images.shape[axes - 1]);
  out.pixels.assign(images.bytes.begin() + std::ptrdiff_t(images.start), images.bytes.end());
  // Both splits must agree on the number of classes, and either may lack the last one: look at both.
  std::vector<uint16_t> all = out.labels, more;
  const std::string otherPath = dir + "/" + other + "_labels.npy";
  if (fileExists(otherPath)) {
    if (!readLabels(otherPath, more, error))
      return false;
    all.insert(all.end(), more.begin(), more.end());
  }
  out.classes = all.empty() ? 0 : 1u + *std::max_element(all.begin(), all.end());
  out.mean.assign(out.channels, 0.5f);
  out.std.assign(out.channels, 0.5f);
  return true;
}

} // namespace lasnn::data
