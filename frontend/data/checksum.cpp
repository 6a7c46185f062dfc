// MD5 of the standard files, unpacked, so that it does not matter who packed them. Opt-in: it reads all bytes again.
#include "frontend/data/records.h"

#include <fmt/format.h>
#include <openssl/evp.h>

namespace lasnn::data {
namespace {

struct Known {
  std::string_view set, file, md5;
  bool train;
};

// CIFAR-100's binary files are left out: no copy in the original order was at hand to take their sums from.
constexpr Known known[] = {
    {"mnist", "train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", true},
    {"mnist", "train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", true},
    {"mnist", "t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", false},
    {"mnist", "t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", false},
    {"fashion-mnist", "train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a", true},
    {"fashion-mnist", "train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9", true},
    {"fashion-mnist", "t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a", false},
    {"fashion-mnist", "t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965", false},
    {"cifar10", "data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25", true},
    {"cifar10", "data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692", true},
    {"cifar10", "data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421", true},
    {"cifar10", "data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb", true},
    {"cifar10", "data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d", true},
    {"cifar10", "test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d", false},
};

} // namespace

Md5::Md5() : context(EVP_MD_CTX_new()) { EVP_DigestInit_ex(static_cast<EVP_MD_CTX *>(context), EVP_md5(), nullptr); }
Md5::~Md5() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX *>(context)); }
void Md5::add(const void *bytes, size_t size) { EVP_DigestUpdate(static_cast<EVP_MD_CTX *>(context), bytes, size); }
std::string Md5::hex() {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX *>(context), sum, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    text += fmt::format("{:02x}", sum[i]);
  return text;
}

void noteChecksums(std::string_view set, const Request &request, Dataset &out) {
  std::vector<uint8_t> bytes;
  size_t compared = 0;
  for (const Known &entry : known) {
    if (entry.set != set || entry.train != request.train)
      continue;
    std::string path = fmt::format("{}/{}", request.dir, entry.file), ignored;
    if (!fileExists(path))
      path += ".gz";
    if (!fileExists(path) || !readBytes(path, bytes, ignored))
      continue;
    Md5 sum;
    sum.add(bytes.data(), bytes.size());
    ++compared;
    if (const std::string hex = sum.hex(); hex != entry.md5)
      out.notes.push_back(fmt::format("{}: MD5 {} of its unpacked bytes, but the standard file has {}; it is another version, or damaged", path, hex, entry.md5));
  }
  if (!compared)
    out.notes.push_back(fmt::format("{}: no file in it whose MD5 is known, so --checksums compared nothing", request.dir));
}

} // namespace lasnn::data
