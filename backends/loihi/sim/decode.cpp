// Synapse lists as the chip reads them: lmap.proto, Core.memory.
#include "backends/loihi/sim/arithmetic.h"
#include "backends/loihi/sim/program.h"

namespace lasnn::loihi {

namespace {

/// Bits of 64-bit little-endian words, from the lowest up.
class BitReader {
public:
  BitReader(const std::string &bytes, uint64_t bit, uint64_t end) : bytes_(bytes), bit_(bit), end_(end) {}
  uint64_t left() const { return end_ - bit_; }
  uint32_t read(uint32_t bits) {
    uint32_t value = 0;
    for (uint32_t done = 0; done < bits;) {
      const uint32_t offset = uint32_t(bit_ % 8), take = std::min(bits - done, 8 - offset);
      value |= ((uint32_t(uint8_t(bytes_[bit_ / 8])) >> offset) & ((1u << take) - 1)) << done;
      done += take, bit_ += take;
    }
    return value;
  }

private:
  const std::string &bytes_;
  uint64_t bit_, end_;
};

int32_t mantissaOf(uint32_t stored, const lmap::SynapseFormat &format, uint32_t mantissa_bits) {
  const uint32_t bits = format.weight_bits();
  if (bits == 0) return 0;
  if (format.sign() == lmap::MIXED) return int32_t(stored << (32 - bits)) >> (32 - bits) << (mantissa_bits - bits);
  const int32_t magnitude = int32_t(stored << (mantissa_bits - 1 - bits));
  return format.sign() == lmap::EXCITATORY ? magnitude : -magnitude;
}

} // namespace

std::string decodeList(const lmap::Core &core, const Chip &chip, uint32_t word, uint32_t length, std::vector<StoredSynapse> &synapses) {
  if ((uint64_t(word) + length) * 8 > core.memory().size())
    return "words " + std::to_string(word) + ".." + std::to_string(uint64_t(word) + length) + " of " + std::to_string(core.memory().size() / 8);
  const uint32_t prefix = chip.bits.format_id + chip.bits.count;
  BitReader reader(core.memory(), uint64_t(word) * 64, (uint64_t(word) + length) * 64);
  while (reader.left() >= prefix) {
    const uint32_t id = reader.read(chip.bits.format_id);
    if (id == 0) return "";
    if (id > uint32_t(core.formats_size())) return "format " + std::to_string(id) + " of " + std::to_string(core.formats_size());
    const lmap::SynapseFormat &format = core.formats(int(id) - 1);
    const bool sparse = format.encoding() == lmap::SPARSE, run = format.encoding() == lmap::RUNLENGTH;
    const uint32_t count = reader.read(chip.bits.count);
    const uint64_t bits = (sparse ? 0 : format.index_bits()) +
                          uint64_t(count) * (format.weight_bits() + format.delay_bits() + (sparse ? format.index_bits() : run ? format.skip_bits() : 0));
    if (reader.left() < bits) return "an entry of " + std::to_string(bits) + " bits where " + std::to_string(reader.left()) + " are left";
    const int32_t shift = int32_t(chip.arithmetic.weight_shift) + format.exponent();
    uint32_t index = sparse ? 0 : reader.read(format.index_bits());
    for (uint32_t i = 0; i < count; ++i) {
      StoredSynapse synapse;
      synapse.weight = weightOf(mantissaOf(reader.read(format.weight_bits()), format, chip.arithmetic.weight_mantissa), shift);
      synapse.delay = reader.read(format.delay_bits());
      if (sparse) index = reader.read(format.index_bits());
      else if (run) index += reader.read(format.skip_bits());
      else if (i > 0) ++index;
      synapse.index = index, synapse.encoding = uint32_t(format.encoding());
      synapses.push_back(synapse);
    }
  }
  return "";
}

} // namespace lasnn::loihi
