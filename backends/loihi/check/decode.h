// Reads encoded synapse lists from a core's memory; format: lmap.proto, Core.memory.
#pragma once

#include "backends/loihi/check/check.h"

namespace lasnn::loihi::check {

struct Synapse {
  uint32_t index = 0, delay = 0;
  int32_t mantissa = 0;
};

struct List {
  std::vector<Synapse> synapses;
  Bits bits;             ///< without padding
  uint64_t used = 0;     ///< bits of all entries
  uint32_t entries = 0, largest_entry = 0; ///< synapses of the largest one
  bool encodings[3] = {};
  std::string damage; ///< in words; empty: whole
};

/// The list of `length` words at `word`.
List decodeList(const lmap::Core &core, const Chip &chip, uint64_t word, uint64_t length);

/// Words that a list of so many bits takes: its end must be seen, so a full last word, or one with fewer than 6 bits left, asks for another.
inline uint64_t wordsOf(uint64_t bits) {
  const uint64_t rest = bits % 64;
  return (bits + 63) / 64 + (rest == 0 || rest >= 59 ? 1 : 0);
}

/// What a stored weight of this format adds, as a mantissa of the chip's 9 bits.
int32_t mantissaOf(const lmap::SynapseFormat &format, uint32_t stored, const Chip &chip);

} // namespace lasnn::loihi::check
