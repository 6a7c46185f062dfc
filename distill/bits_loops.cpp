#include "distill/bits_loops.h"

#include <algorithm>

namespace lasnn::distill {
namespace {

template <typename T> constexpr T one = T(1);
template <> constexpr uint16_t one<uint16_t> = 0x3f80; // bfloat16's

} // namespace

template <typename T> void packLoop(const T *spikes, uint8_t *bits, int64_t count, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end; ++at) {
    const int64_t first = at * 8, size = std::min<int64_t>(8, count - first);
    unsigned byte = 0;
    for (int64_t k = 0; k < size; ++k)
      byte |= unsigned(spikes[first + k] != T(0)) << k;
    bits[at] = uint8_t(byte);
  }
}

template <typename T> void unpackLoop(const uint8_t *bits, T *spikes, int64_t count, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end; ++at) {
    const int64_t first = at * 8, size = std::min<int64_t>(8, count - first);
    for (int64_t k = 0; k < size; ++k)
      spikes[first + k] = bits[at] >> k & 1 ? one<T> : T(0);
  }
}

template void packLoop(const float *, uint8_t *, int64_t, int64_t, int64_t);
template void packLoop(const uint16_t *, uint8_t *, int64_t, int64_t, int64_t);
template void unpackLoop(const uint8_t *, float *, int64_t, int64_t, int64_t);
template void unpackLoop(const uint8_t *, uint16_t *, int64_t, int64_t, int64_t);

} // namespace lasnn::distill
