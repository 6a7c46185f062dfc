#include "backends/loihi/encode/list.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

constexpr uint32_t kWord = 64;

/// Synapses as they are stored, and where each entry starts.
struct Entries {
  std::vector<ListSynapse> stored;
  std::vector<size_t> first;
};

uint64_t bitsOf(uint64_t value) {
  uint64_t bits = 0;
  for (; value > 0; value >>= 1)
    ++bits;
  return bits;
}

bool split(const std::vector<ListSynapse> &list, const ListFormat &f, const Chip &chip, Entries &entries) {
  const uint64_t most = std::min<uint64_t>(chip.limits.synapses_per_entry, (1u << chip.bits.count) - 1);
  const uint64_t entry_bits = chip.bits.format_id + chip.bits.count + f.index_bits;
  entries.stored.reserve(list.size());
  uint64_t count = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    const uint64_t gap = i > 0 ? list[i].index - list[i - 1].index : 0;
    bool starts = i == 0 || count == most;
    if (f.encoding == lmap::RUNLENGTH) starts = starts || gap >= uint64_t(1) << f.skip_bits;
    if (f.encoding == lmap::DENSE && !starts && gap > 1) {
      starts = (gap - 1) * (f.weight_bits + f.delay_bits) >= entry_bits || count + gap > most;
      for (uint64_t zero = 1; !starts && zero < gap; ++zero, ++count)
        entries.stored.push_back({uint32_t(list[i - 1].index + zero), 0});
    }
    if (starts) {
      entries.first.push_back(entries.stored.size());
      count = 0;
    }
    entries.stored.push_back(list[i]);
    ++count;
  }
  entries.first.push_back(entries.stored.size());
  if (f.index_bits >= 32) return true;
  if (f.encoding == lmap::SPARSE) return list.empty() || list.back().index < 1u << f.index_bits;
  for (size_t e = 0; e + 1 < entries.first.size(); ++e)
    if (entries.stored[entries.first[e]].index >= 1u << f.index_bits) return false;
  return true;
}

class BitWriter {
public:
  explicit BitWriter(std::vector<uint64_t> &words) : words_(words), start_(words.size()) {}
  void put(uint64_t value, uint32_t bits) {
    for (uint32_t done = 0; done < bits;) {
      const size_t word = start_ + at_ / kWord;
      const uint32_t shift = uint32_t(at_ % kWord), now = std::min(bits - done, kWord - shift);
      if (word >= words_.size()) words_.resize(word + 1, 0);
      const uint64_t mask = now == kWord ? ~uint64_t(0) : (uint64_t(1) << now) - 1;
      words_[word] |= ((value >> done) & mask) << shift;
      done += now;
      at_ += now;
    }
  }
  uint64_t bits() const { return at_; }
  void close() { words_.resize(start_ + wordsOf(at_), 0); }

private:
  std::vector<uint64_t> &words_;
  size_t start_;
  uint64_t at_ = 0;
};

class BitReader {
public:
  BitReader(const std::vector<uint64_t> &words, uint64_t first, uint64_t end) : words_(words), at_(first * kWord), end_(end * kWord) {}
  bool left(uint64_t bits) const { return at_ + bits <= end_; }
  uint64_t get(uint32_t bits) {
    uint64_t value = 0;
    for (uint32_t done = 0; done < bits;) {
      const uint32_t shift = uint32_t(at_ % kWord), now = std::min(bits - done, kWord - shift);
      const uint64_t mask = now == kWord ? ~uint64_t(0) : (uint64_t(1) << now) - 1;
      value |= ((words_[at_ / kWord] >> shift) & mask) << done;
      done += now;
      at_ += now;
    }
    return value;
  }

private:
  const std::vector<uint64_t> &words_;
  uint64_t at_, end_;
};

} // namespace

uint32_t wordsOf(uint64_t bits) { return uint32_t((bits + kWord - 1) / kWord + (bits % kWord == 0 || bits % kWord >= 59)); }

std::optional<uint32_t> legalBits(const std::vector<uint32_t> &legal, uint64_t value) {
  for (const uint32_t bits : legal)
    if (bits >= bitsOf(value)) return bits;
  return std::nullopt;
}

std::optional<ListBits> listBits(const std::vector<ListSynapse> &list, const ListFormat &f, const Chip &chip) {
  Entries entries;
  if (!split(list, f, chip, entries)) return std::nullopt;
  ListBits bits;
  bits.entries = entries.first.size() - 1;
  bits.synapses = entries.stored.size();
  bits.weight = bits.synapses * f.weight_bits;
  bits.delay = bits.synapses * f.delay_bits;
  bits.prefix = bits.entries * (chip.bits.format_id + chip.bits.count);
  if (f.encoding == lmap::SPARSE) bits.index = bits.synapses * f.index_bits;
  if (f.encoding == lmap::RUNLENGTH) bits.index = bits.entries * f.index_bits + bits.synapses * f.skip_bits;
  if (f.encoding == lmap::DENSE) bits.index = bits.entries * f.index_bits;
  return bits;
}

ListFormat bestFormat(const std::vector<std::vector<ListSynapse>> &lists, const std::vector<uint32_t> &times, uint32_t weight_bits,
                      uint32_t delay_bits, const Chip &chip) {
  uint32_t last = 0;
  for (const std::vector<ListSynapse> &list : lists)
    if (!list.empty()) last = std::max(last, list.back().index);
  std::vector<ListFormat> candidates;
  const std::optional<uint32_t> index = legalBits(chip.bits.index, last);
  if (!index) return {};
  candidates.push_back({lmap::SPARSE, *index, 0, weight_bits, delay_bits});
  candidates.push_back({lmap::DENSE, *index, 0, weight_bits, delay_bits});
  for (const uint32_t skip : chip.bits.skip)
    candidates.push_back({lmap::RUNLENGTH, *index, skip, weight_bits, delay_bits});
  ListFormat best = candidates[0];
  uint64_t best_words = UINT64_MAX;
  for (ListFormat f : candidates) {
    if (f.encoding != lmap::SPARSE) { // only the entries' first indices count
      uint32_t most = 0;
      for (const std::vector<ListSynapse> &list : lists) {
        Entries entries;
        split(list, f, chip, entries);
        for (size_t e = 0; e + 1 < entries.first.size() && !list.empty(); ++e)
          most = std::max(most, entries.stored[entries.first[e]].index);
      }
      f.index_bits = legalBits(chip.bits.index, most).value_or(*index);
    }
    uint64_t words = 0;
    for (size_t i = 0; i < lists.size() && words < best_words; ++i) {
      const std::optional<ListBits> bits = listBits(lists[i], f, chip);
      words += bits ? uint64_t(wordsOf(bits->total())) * times[i] : UINT32_MAX;
    }
    if (words < best_words) {
      best_words = words;
      best = f;
    }
  }
  return best;
}

void writeList(const std::vector<ListSynapse> &list, const ListFormat &f, uint32_t format_id, uint32_t delay, const Chip &chip,
               std::vector<uint64_t> &words) {
  Entries entries;
  split(list, f, chip, entries);
  BitWriter out(words);
  for (size_t e = 0; e + 1 < entries.first.size(); ++e) {
    const size_t first = entries.first[e], end = entries.first[e + 1];
    if (first == end) continue;
    out.put(format_id, chip.bits.format_id);
    out.put(end - first, chip.bits.count);
    if (f.encoding != lmap::SPARSE) out.put(entries.stored[first].index, f.index_bits);
    for (size_t i = first; i < end; ++i) {
      out.put(uint64_t(int64_t(entries.stored[i].weight)), f.weight_bits);
      out.put(delay, f.delay_bits);
      if (f.encoding == lmap::SPARSE) out.put(entries.stored[i].index, f.index_bits);
      if (f.encoding == lmap::RUNLENGTH) out.put(i > first ? entries.stored[i].index - entries.stored[i - 1].index : 0, f.skip_bits);
    }
  }
  out.close();
}

bool readList(const std::vector<uint64_t> &words, uint32_t word, uint32_t length, const std::vector<lmap::SynapseFormat> &formats,
              const Chip &chip, std::vector<DecodedSynapse> &list) {
  list.clear();
  if (uint64_t(word) + length > words.size()) return false;
  BitReader in(words, word, uint64_t(word) + length);
  while (in.left(chip.bits.format_id)) {
    const uint32_t id = uint32_t(in.get(chip.bits.format_id));
    if (id == 0) return true;
    if (id > formats.size() || !in.left(chip.bits.count)) return false;
    const lmap::SynapseFormat &f = formats[id - 1];
    const uint32_t count = uint32_t(in.get(chip.bits.count));
    const bool sparse = f.encoding() == lmap::SPARSE, run = f.encoding() == lmap::RUNLENGTH;
    if (!sparse && !in.left(f.index_bits())) return false;
    uint32_t index = sparse ? 0 : uint32_t(in.get(f.index_bits()));
    const uint64_t each = f.weight_bits() + f.delay_bits() + (sparse ? f.index_bits() : run ? f.skip_bits() : 0);
    if (!in.left(each * count)) return false;
    for (uint32_t i = 0; i < count; ++i) {
      DecodedSynapse s;
      s.format = id;
      const uint64_t stored = in.get(f.weight_bits());
      s.weight = int32_t(stored);
      if (f.sign() == lmap::MIXED && f.weight_bits() > 0 && stored >> (f.weight_bits() - 1)) s.weight -= 1 << f.weight_bits();
      s.delay = uint32_t(in.get(f.delay_bits()));
      if (sparse)
        index = uint32_t(in.get(f.index_bits()));
      else if (run)
        index += uint32_t(in.get(f.skip_bits()));
      else if (i > 0)
        ++index;
      s.index = index;
      if (s.weight != 0) list.push_back(s);
    }
  }
  return true;
}

} // namespace lasnn::loihi
