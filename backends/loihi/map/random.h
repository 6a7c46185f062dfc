// SplitMix64: the same numbers with every compiler and library.
#pragma once

#include <cstdint>

namespace lasnn::loihi {

class Random {
public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t n) { return uint32_t((next() >> 32) * n >> 32); }
  double unit() { return double(next() >> 11) * 0x1p-53; }

private:
  uint64_t state_;
};

} // namespace lasnn::loihi
