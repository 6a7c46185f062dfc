// XXH64, written from the public specification of xxHash (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#pragma once

#include <cstddef>
#include <cstdint>

namespace lasnn::runtime {

uint64_t hash64(const void *data, size_t size, uint64_t seed);

} // namespace lasnn::runtime
