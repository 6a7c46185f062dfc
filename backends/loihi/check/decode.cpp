#include "backends/loihi/check/decode.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::loihi::check {
namespace {

/// Bits from the lowest up, over little-endian words: bit i of the memory is bit i % 8 of byte i / 8.
class Reader {
public:
  Reader(const std::string &memory, uint64_t word, uint64_t length) : memory(memory), at(word * 64), end((word + length) * 64) {}
  uint64_t left() const { return end - at; }
  uint32_t take(uint32_t bits) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < bits; ++i, ++at) value |= uint32_t((uint8_t(memory[at / 8]) >> (at % 8)) & 1) << i;
    return value;
  }

private:
  const std::string &memory;
  uint64_t at, end;
};

} // namespace

int32_t mantissaOf(const lmap::SynapseFormat &format, uint32_t stored, const Chip &chip) {
  const uint32_t bits = format.weight_bits(), wide = chip.arithmetic.weight_mantissa;
  if (bits == 0) return 0;
  if (format.sign() == lmap::MIXED) {
    const int32_t value = int32_t(stored << (32 - bits)) >> (32 - bits);
    return value * (1 << (wide > bits ? wide - bits : 0));
  }
  const int32_t value = int32_t(stored) * (1 << (wide - 1 > bits ? wide - 1 - bits : 0));
  return format.sign() == lmap::INHIBITORY ? -value : value;
}

List decodeList(const lmap::Core &core, const Chip &chip, uint64_t word, uint64_t length) {
  List list;
  const uint64_t words = core.memory().size() / 8;
  if (word > words || length > words - word) {
    list.damage = fmt::format("it takes words {} to {} of a memory of {}", word, word + length, words);
    return list;
  }
  Reader reader(core.memory(), word, length);
  const uint32_t idBits = chip.bits.format_id, countBits = chip.bits.count;
  while (reader.left() >= idBits) {
    const uint32_t id = reader.take(idBits);
    if (id == 0) break;
    if (id > uint32_t(core.formats_size())) return list.damage = fmt::format("it names the synapse format {}, the core has {}", id, core.formats_size()), list;
    const lmap::SynapseFormat &format = core.formats(int(id) - 1);
    if (reader.left() < countBits) return list.damage = "an entry goes beyond its last word", list;
    const uint32_t count = reader.take(countBits);
    const bool sparse = format.encoding() == lmap::SPARSE, runs = format.encoding() == lmap::RUNLENGTH;
    const uint64_t own = sparse ? format.index_bits() : runs ? format.skip_bits() : 0, each = uint64_t(format.weight_bits()) + format.delay_bits() + own;
    const uint64_t first = sparse ? 0 : format.index_bits();
    if (reader.left() < first + count * each) return list.damage = "an entry goes beyond its last word", list;
    if (count == 0) return list.damage = "an entry holds no synapse", list;
    uint32_t index = sparse ? 0 : reader.take(format.index_bits());
    for (uint32_t i = 0; i < count; ++i) {
      Synapse synapse;
      synapse.mantissa = mantissaOf(format, reader.take(format.weight_bits()), chip);
      synapse.delay = reader.take(format.delay_bits());
      if (sparse) index = reader.take(format.index_bits());
      else if (runs) index += reader.take(format.skip_bits());
      else index += i > 0;
      synapse.index = index;
      list.synapses.push_back(synapse);
    }
    list.bits.prefixes += idBits + countBits;
    list.bits.weights += uint64_t(count) * format.weight_bits();
    list.bits.delays += uint64_t(count) * format.delay_bits();
    list.bits.indices += first + count * own;
    list.used += idBits + countBits + first + count * each;
    list.encodings[sparse ? 0 : runs ? 1 : 2] = true;
    list.largest_entry = std::max(list.largest_entry, count);
    ++list.entries;
  }
  if (wordsOf(list.used) > length) list.damage = fmt::format("its {} bits need {} words, it has {}", list.used, wordsOf(list.used), length);
  return list;
}

} // namespace lasnn::loihi::check
