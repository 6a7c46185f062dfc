// MNIST's IDX files, plain or .gz: big-endian magic 0x0000080N (unsigned bytes, N axes), N sizes, then the bytes.
#include "frontend/data/reader.h"

#include <fmt/format.h>

namespace lasnn::data {
namespace {

/// Reads NAME or NAME.gz in `dir`, checks the header and leaves the payload; `sizes` has one entry an axis.
bool readIdxFile(const std::string &dir, const char *name, size_t axes, std::vector<uint8_t> &payload,
                 std::vector<uint32_t> &sizes, std::string &error) {
  std::string path = dir + "/" + name;
  if (!fileExists(path)) {
    if (!fileExists(path + ".gz")) {
      error = fmt::format("{}: neither this file nor {}.gz exists; --data needs the folder that holds the four IDX files "
                          "(Debian's package dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist)",
                          path, name);
      return false;
    }
    path += ".gz";
  }
  if (!readBytes(path, payload, error))
    return false;
  const size_t header = 4 + 4 * axes;
  if (payload.size() < header) {
    error = fmt::format("{}: {} bytes, but an IDX header with {} axes takes {}; download the file again", path,
                        payload.size(), axes, header);
    return false;
  }
  auto word = [&](size_t at) {
    return uint32_t(payload[at]) << 24 | uint32_t(payload[at + 1]) << 16 | uint32_t(payload[at + 2]) << 8 | payload[at + 3];
  };
  const uint32_t expected = 0x800 + uint32_t(axes);
  if (word(0) != expected) {
    error = fmt::format("{}: magic number 0x{:08x}, expected 0x{:08x} (unsigned bytes, {} axes); this is not the file that "
                        "its name says", path, word(0), expected, axes);
    return false;
  }
  sizes.clear();
  // Sizes come from the file: multiply with a bound, since three 32-bit sizes can overflow even 64 bits.
  uint64_t total = 1;
  constexpr uint64_t most = uint64_t(1) << 40;
  for (size_t axis = 0; axis < axes; ++axis) {
    sizes.push_back(word(4 + 4 * axis));
    total = sizes.back() && total > most / sizes.back() ? most + 1 : total * sizes.back();
  }
  if (payload.size() - header != total) {
    error = fmt::format("{}: the header promises {} bytes of data ({}), the file holds {}; it is {}: download it again",
                        path, total, fmt::join(sizes, " x "), payload.size() - header,
                        payload.size() - header < total ? "cut short" : "followed by other bytes");
    return false;
  }
  payload.erase(payload.begin(), payload.begin() + std::ptrdiff_t(header));
  return true;
}

} // namespace

bool readIdx(const Set &set, const Request &request, Dataset &out, std::string &error) {
  const std::string &dir = request.dir;
  const bool train = request.train;
  const char *imagesName = train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte";
  const char *labelsName = train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte";
  std::vector<uint8_t> labels;
  std::vector<uint32_t> imageSizes, labelSizes;
  if (!readIdxFile(dir, imagesName, 3, out.pixels, imageSizes, error) ||
      !readIdxFile(dir, labelsName, 1, labels, labelSizes, error))
    return false;
  if (imageSizes[1] != set.height || imageSizes[2] != set.width) {
    error = fmt::format("{}/{}: images of {} x {}, but {} has {} x {}; is this another set's folder?", dir, imagesName,
                        imageSizes[1], imageSizes[2], set.name, set.height, set.width);
    return false;
  }
  out.channels = set.channels, out.height = set.height, out.width = set.width, out.classes = set.classes;
  out.count = imageSizes[0];
  out.labels.assign(labels.begin(), labels.end());
  return true;
}

} // namespace lasnn::data
