#include "core/hash.h"

#include <cstring>

namespace lasnn::runtime {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87u, kPrime2 = 0xC2B2AE3D27D4EB4Fu, kPrime3 = 0x165667B19E3779F9u,
                   kPrime4 = 0x85EBCA77C2B2AE63u, kPrime5 = 0x27D4EB2F165667C5u;

uint64_t rotateLeft(uint64_t x, int n) { return (x << n) | (x >> (64 - n)); }

template <class T> T readLittle(const uint8_t *p) {
  T x;
  memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  x = sizeof(T) == 8 ? T(__builtin_bswap64(x)) : T(__builtin_bswap32(uint32_t(x)));
#endif
  return x;
}

uint64_t round(uint64_t acc, uint64_t lane) { return rotateLeft(acc + lane * kPrime2, 31) * kPrime1; }
uint64_t merge(uint64_t hash, uint64_t acc) { return (hash ^ round(0, acc)) * kPrime1 + kPrime4; }

} // namespace

uint64_t hash64(const void *data, size_t size, uint64_t seed) {
  const auto *p = static_cast<const uint8_t *>(data);
  size_t left = size;
  uint64_t hash;
  if (left >= 32) {
    uint64_t acc[4] = {seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
    for (; left >= 32; left -= 32, p += 32)
      for (int i = 0; i < 4; ++i)
        acc[i] = round(acc[i], readLittle<uint64_t>(p + 8 * i));
    hash = rotateLeft(acc[0], 1) + rotateLeft(acc[1], 7) + rotateLeft(acc[2], 12) + rotateLeft(acc[3], 18);
    for (uint64_t a : acc)
      hash = merge(hash, a);
  } else {
    hash = seed + kPrime5;
  }
  hash += size;
  for (; left >= 8; left -= 8, p += 8)
    hash = rotateLeft(hash ^ round(0, readLittle<uint64_t>(p)), 27) * kPrime1 + kPrime4;
  if (left >= 4) {
    hash = rotateLeft(hash ^ (readLittle<uint32_t>(p) * kPrime1), 23) * kPrime2 + kPrime3;
    left -= 4;
    p += 4;
  }
  for (; left > 0; --left, ++p)
    hash = rotateLeft(hash ^ (*p * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

} // namespace lasnn::runtime
