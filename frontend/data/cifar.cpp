// CIFAR's binary files: records of label byte(s) and 3072 pixel bytes, already in C,H,W order.
// CIFAR-10 has one label byte a record, CIFAR-100 a coarse one and then the fine one that we use.
#include "frontend/data/reader.h"

#include <fmt/format.h>

namespace lasnn::data {

bool readCifar(const Set &set, const Request &request, Dataset &out, std::string &error) {
  const std::string &dir = request.dir;
  const bool train = request.train;
  const bool hundred = set.classes == 100;
  const size_t labelBytes = hundred ? 2 : 1;
  out.channels = set.channels, out.height = set.height, out.width = set.width, out.classes = set.classes;
  const size_t pixels = out.imageBytes(), record = labelBytes + pixels;

  std::vector<std::string> names;
  if (hundred)
    names = {train ? "train.bin" : "test.bin"};
  else if (train)
    names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
  else
    names = {"test_batch.bin"};

  std::vector<uint8_t> bytes;
  for (const std::string &name : names) {
    std::string path = dir + "/" + name;
    if (!fileExists(path) && fileExists(path + ".gz"))
      path += ".gz";
    if (!fileExists(path)) {
      error = fmt::format("{}: no such file; {} needs {} of the \"binary version\" in that folder", path, set.name,
                          fmt::join(names, ", "));
      return false;
    }
    if (!readBytes(path, bytes, error))
      return false;
    if (bytes.size() % record) {
      error = fmt::format("{}: {} bytes is not a whole number of {}-byte records ({} left over); it is cut short or not {}: "
                          "download it again", path, bytes.size(), record, bytes.size() % record, set.name);
      return false;
    }
    for (size_t at = 0; at < bytes.size(); at += record) {
      out.labels.push_back(bytes[at + labelBytes - 1]);
      out.pixels.insert(out.pixels.end(), bytes.begin() + std::ptrdiff_t(at + labelBytes),
                        bytes.begin() + std::ptrdiff_t(at + record));
    }
    out.count += bytes.size() / record;
  }
  return true;
}

} // namespace lasnn::data
