// Encoded synapse lists: how many bits and words a list takes in each encoding, its bits, and back. Layout: lmap.proto, Core.memory.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace lasnn::loihi {

struct ListSynapse {
  uint32_t index = 0; ///< target compartment less the axon's base
  int32_t weight = 0; ///< as stored: mantissa without the bits that the format drops
  bool operator==(const ListSynapse &) const = default;
};

/// Everything about a format but what it means for arithmetic.
struct ListFormat {
  lmap::Encoding encoding = lmap::SPARSE;
  uint32_t index_bits = 0, skip_bits = 0, weight_bits = 8, delay_bits = 0;
  bool operator==(const ListFormat &) const = default;
  auto operator<=>(const ListFormat &) const = default;
};

/// Where a list's bits go; their sum is the list without padding.
struct ListBits {
  uint64_t weight = 0, delay = 0, index = 0, prefix = 0;
  uint64_t entries = 0, synapses = 0; ///< DENSE stores zeros between neighbours
  uint64_t total() const { return weight + delay + index + prefix; }
};

/// 64-bit words of that many bits: the end mark (or the loader's look-ahead) takes one more when fewer than 6 bits are left.
uint32_t wordsOf(uint64_t bits);
/// Smallest legal width that holds `value`; nothing when none does.
std::optional<uint32_t> legalBits(const std::vector<uint32_t> &legal, uint64_t value);

/// Synapses by ascending index, each index once. Nothing when the format cannot hold the list.
std::optional<ListBits> listBits(const std::vector<ListSynapse> &list, const ListFormat &format, const Chip &chip);
/// Fewest words over all encodings with this weight and delay width, index bits fit for `max_index`.
ListFormat bestFormat(const std::vector<std::vector<ListSynapse>> &lists, const std::vector<uint32_t> &times, uint32_t weight_bits,
                      uint32_t delay_bits, const Chip &chip);

/// Appends wordsOf(bits) words.
void writeList(const std::vector<ListSynapse> &list, const ListFormat &format, uint32_t format_id, uint32_t delay, const Chip &chip,
               std::vector<uint64_t> &words);

struct DecodedSynapse {
  uint32_t index = 0, delay = 0, format = 0; ///< format: its id
  int32_t weight = 0;                        ///< as stored
};
/// The list at words[word .. word + length); formats[id - 1]. False: not a list. Zero weights of DENSE entries are left out.
bool readList(const std::vector<uint64_t> &words, uint32_t word, uint32_t length, const std::vector<lmap::SynapseFormat> &formats,
              const Chip &chip, std::vector<DecodedSynapse> &list);

} // namespace lasnn::loihi
