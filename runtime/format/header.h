// The 64 bytes before the FlatBuffer of a `.lasnn` file. Together with the hash they make any changed byte an error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lasnn::format {

constexpr uint32_t kFormatVersion = 4;       // rows of 6, 4, 3 and 2 bits
constexpr uint32_t kOldestFormatVersion = 3; // still read: 4 only adds to it
constexpr size_t kHeaderSize = 64;

/// Little endian, as every number of the file.
struct Header {
  char magic[8];          ///< "LASNN\0\0\0"
  uint32_t version;       ///< kFormatVersion, or of a file of an older writer down to kOldestFormatVersion
  uint32_t header_size;   ///< kHeaderSize
  uint64_t total_size;    ///< bytes of the file
  uint64_t content_hash;  ///< XXH64, seed 0, of everything after the header
  uint8_t reserved[32];   ///< zero
};
static_assert(sizeof(Header) == kHeaderSize);

Header makeHeader(const void *payload, size_t payload_size);

enum class HeaderFault : uint8_t { None, TooShort, Magic, Version, Size, Reserved, Hash };

/// Checks everything, the hash last. `header` is filled when at least 64 bytes are there.
HeaderFault checkHeader(const void *model, size_t model_size, Header &header);

} // namespace lasnn::format
