// Shared by the runtime's tests: a plan as aligned `.lasnn` bytes, and a network that frees itself.
#pragma once

#include "backends/x86/write_lasnn.h"
#include "lasnn/lasnn.h"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace lasnn::test {

struct FreeMemory {
  void operator()(void *p) const { free(p); }
};
struct DestroyNetwork {
  void operator()(lasnn_network *n) const { lasnn_destroy(n); }
};
using NetworkPtr = std::unique_ptr<lasnn_network, DestroyNetwork>;

/// Bytes at a 64-byte aligned address, exactly as long as given (so that a sanitizer sees a read past them).
struct AlignedBytes {
  explicit AlignedBytes(const std::vector<uint8_t> &bytes) : size(bytes.size()) {
    void *p = nullptr;
    if (posix_memalign(&p, 64, size ? size : 1) == 0) data.reset(static_cast<uint8_t *>(p));
    if (size) memcpy(data.get(), bytes.data(), size);
  }
  std::unique_ptr<uint8_t, FreeMemory> data;
  size_t size;
};

inline std::vector<uint8_t> fileOf(const plan::Network &plan) {
  std::string error;
  std::vector<uint8_t> bytes = x86::writeLasnn(plan, {"test", "--none", "random", "00", "none"}, {1, 2, 3, 4}, error);
  EXPECT_EQ(error, "");
  return bytes;
}

inline NetworkPtr create(const AlignedBytes &bytes, lasnn_isa isa = LASNN_ISA_AUTO) {
  lasnn_options options = {sizeof(lasnn_options), isa, nullptr, 0};
  lasnn_network *net = nullptr;
  char error[256] = "";
  const lasnn_status status = lasnn_create(bytes.data.get(), bytes.size, &options, &net, error, sizeof error);
  EXPECT_EQ(status, LASNN_OK) << error;
  return NetworkPtr(net);
}

inline std::vector<lasnn_isa> availableIsas() {
  std::vector<lasnn_isa> isas;
  for (lasnn_isa isa : {LASNN_ISA_SCALAR, LASNN_ISA_AVX2, LASNN_ISA_AVX512})
    if (lasnn_isa_available(isa)) isas.push_back(isa);
  return isas;
}

inline uint64_t environmentNumber(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  return text ? strtoull(text, nullptr, 10) : otherwise;
}

} // namespace lasnn::test
