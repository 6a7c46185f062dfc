#include "format/header.h"

#include "core/hash.h"

#include <cstring>

namespace lasnn::format {

static const char kMagic[8] = {'L', 'A', 'S', 'N', 'N', 0, 0, 0};

Header makeHeader(const void *payload, size_t payload_size) {
  Header header = {};
  memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kFormatVersion;
  header.header_size = kHeaderSize;
  header.total_size = kHeaderSize + payload_size;
  header.content_hash = runtime::hash64(payload, payload_size, 0);
  return header;
}

HeaderFault checkHeader(const void *model, size_t model_size, Header &header) {
  if (model_size < kHeaderSize) return HeaderFault::TooShort;
  memcpy(&header, model, kHeaderSize);
  if (memcmp(header.magic, kMagic, sizeof kMagic) != 0) return HeaderFault::Magic;
  if (header.version < kOldestFormatVersion || header.version > kFormatVersion) return HeaderFault::Version;
  if (header.header_size != kHeaderSize || header.total_size != model_size) return HeaderFault::Size;
  for (uint8_t byte : header.reserved)
    if (byte != 0) return HeaderFault::Reserved;
  const auto *payload = static_cast<const uint8_t *>(model) + kHeaderSize;
  if (runtime::hash64(payload, model_size - kHeaderSize, 0) != header.content_hash) return HeaderFault::Hash;
  return HeaderFault::None;
}

} // namespace lasnn::format
