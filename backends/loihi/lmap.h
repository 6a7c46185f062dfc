// Reading and writing .lmap: the mapping as bytes (Protobuf behind an 8-byte mark) or as JSON.
#pragma once

#include "backends/loihi/lmap.pb.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::loihi {

inline constexpr uint32_t kLmapVersion = 1;

/// Mark, then the message, byte for byte the same for the same mapping. Fills version and hash.
std::vector<uint8_t> writeLmap(lmap::Mapping mapping);
/// The same content for people and other programs; the synapse memory is base64. "" and `error` when it cannot be written.
std::string lmapToJson(const lmap::Mapping &mapping, std::string &error);

/// Either form. False with `error` in words: not a mapping, another version, damaged.
bool readLmap(const std::vector<uint8_t> &bytes, lmap::Mapping &mapping, std::string &error);
bool isLmap(const std::vector<uint8_t> &bytes);

/// 16 hex digits over the message without its `hash`.
std::string lmapHash(const lmap::Mapping &mapping);
/// 16 hex digits over any text: chip files.
std::string textHash(const std::string &text);

} // namespace lasnn::loihi
