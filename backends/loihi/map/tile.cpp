#include "backends/loihi/map/tile.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace lasnn::loihi {

namespace {

/// How one source coordinate meets the tile along one axis: taps with outputs counted from the first inside.
struct Meeting {
  uint32_t source = 0, pattern = 0, first = 0; ///< first: less the tile's start
};

struct AxisMeetings {
  std::vector<Meeting> meetings;
  std::vector<std::vector<Tap>> patterns;
};

AxisMeetings meet(const Axis &axis, uint32_t begin, uint32_t end) {
  AxisMeetings result;
  for (uint32_t i = 0; i < axis.in; ++i) {
    std::vector<Tap> pattern;
    uint32_t first = 0;
    for (const Tap *t = axis.begin(i); t != axis.end(i); ++t) {
      if (t->out < begin || t->out >= end) continue;
      if (pattern.empty()) first = t->out;
      pattern.push_back({t->out - first, t->tap, t->times});
    }
    if (pattern.empty()) continue;
    const auto found = std::find(result.patterns.begin(), result.patterns.end(), pattern);
    result.meetings.push_back({i, uint32_t(found - result.patterns.begin()), first - begin});
    if (found == result.patterns.end()) result.patterns.push_back(std::move(pattern));
  }
  return result;
}

int32_t stored(int64_t weight, const WeightFormat &format) {
  return int32_t((format.sign == lmap::INHIBITORY ? -weight : weight) / (int64_t(1) << format.shift));
}

struct ListHash {
  size_t operator()(const std::vector<ListSynapse> &list) const {
    uint64_t hash = list.size() * 0x9E3779B97F4A7C15u;
    for (const ListSynapse &s : list)
      hash = (hash ^ (uint64_t(s.index) << 32 | uint32_t(s.weight))) * 0xD6E8FEB86659FD93u + (hash >> 29);
    return size_t(hash);
  }
};

/// Lists that differ only by where they start are one list; what cx_base cannot hold stays in the indices.
class Sharing {
public:
  Sharing(TileSynapses &out, uint32_t modulus) : out_(out), modulus_(modulus) {}

  uint32_t baseOf(uint32_t anchor) const { return anchor % modulus_; }
  uint32_t blockOf(uint32_t anchor) const { return anchor / modulus_; }

  /// `list` holds absolute compartments, none below `anchor`; its axon's base is baseOf(anchor).
  uint32_t add(std::vector<ListSynapse> list, uint32_t anchor) {
    for (ListSynapse &s : list)
      s.index -= baseOf(anchor);
    const auto [found, fresh] = known_.try_emplace(std::move(list), uint32_t(known_.size()));
    if (fresh) out_.lists.push_back(found->first);
    return found->second;
  }

private:
  TileSynapses &out_;
  uint32_t modulus_;
  std::unordered_map<std::vector<ListSynapse>, uint32_t, ListHash> known_;
};

void addBox(const Projection &p, const Population &population, const Tile &tile, uint32_t base, Sharing &sharing, TileSynapses &out) {
  const AxisMeetings ys = meet(p.y, tile.y0, tile.y1), xs = meet(p.x, tile.x0, tile.x1);
  const uint32_t k = population.compartments, in_group = p.inGroup(), out_group = p.outGroup(), taps_x = p.x.taps;
  struct Made {
    uint32_t list, synapses;
  };
  const uint32_t first_c = tile.c0 / out_group * in_group, end_c = (tile.c1 - 1) / out_group * in_group + in_group;
  std::unordered_map<uint64_t, Made> made;
  std::vector<ListSynapse> list;
  for (uint32_t c = first_c; c < end_c; ++c) {
    const uint32_t group = c / in_group, k0 = std::max(tile.c0, group * out_group), k1 = std::min(tile.c1, (group + 1) * out_group);
    made.clear();
    for (const Meeting &my : ys.meetings)
      for (const Meeting &mx : xs.meetings) {
        const uint32_t at = base + ((k0 - tile.c0) * tile.strideC() + my.first * tile.strideY() + mx.first * tile.strideX()) * k;
        // The same patterns at another place: the same list while cx_base reaches there.
        const uint64_t key = (uint64_t(my.pattern) << 44) | (uint64_t(mx.pattern) << 24) | sharing.blockOf(at);
        auto found = made.find(key);
        if (found == made.end()) {
          list.clear();
          const auto &py = ys.patterns[my.pattern], &px = xs.patterns[mx.pattern];
          const auto kernelAt = [&](uint32_t ko) {
            const int8_t *w = p.kernel(ko, c);
            for (auto ty = py.begin(); ty != py.end();) {
              auto ty_end = ty;
              while (ty_end != py.end() && ty_end->out == ty->out)
                ++ty_end;
              for (auto tx = px.begin(); tx != px.end();) {
                auto tx_end = tx;
                while (tx_end != px.end() && tx_end->out == tx->out)
                  ++tx_end;
                int64_t sum = 0;
                for (auto a = ty; a != ty_end; ++a)
                  for (auto b = tx; b != tx_end; ++b)
                    sum += int64_t(w[a->tap * taps_x + b->tap]) * a->times * b->times;
                if (sum != 0)
                  list.push_back({at + ((ko - k0) * tile.strideC() + ty->out * tile.strideY() + tx->out * tile.strideX()) * k,
                                  stored(sum, p.format)});
                tx = tx_end;
              }
              ty = ty_end;
            }
          };
          for (uint32_t ko = k0; ko < k1; ++ko)
            kernelAt(ko);
          if (tile.channels_last)
            std::sort(list.begin(), list.end(), [](const ListSynapse &a, const ListSynapse &b) { return a.index < b.index; });
          const Made m{list.empty() ? UINT32_MAX : sharing.add(list, at), uint32_t(list.size())};
          found = made.emplace(key, m).first;
        }
        const Made &m = found->second;
        if (m.list == UINT32_MAX) continue;
        out.axons.push_back({(c * p.y.in + my.source) * p.x.in + mx.source, m.list, sharing.baseOf(at)});
        out.synapses += m.synapses;
      }
  }
}

/// Outputs of an axis: which coordinates reach them.
std::vector<std::vector<Tap>> byOutput(const Axis &axis) {
  std::vector<std::vector<Tap>> result(axis.out);
  for (uint32_t i = 0; i < axis.in; ++i)
    for (const Tap *t = axis.begin(i); t != axis.end(i); ++t)
      result[t->out].push_back({i, t->tap, t->times});
  return result;
}

void addNeurons(const Projection &p, const Population &population, const Tile &tile, uint32_t base, Sharing &sharing, TileSynapses &out) {
  const std::vector<std::vector<Tap>> ys = byOutput(p.y), xs = byOutput(p.x);
  std::vector<std::vector<std::pair<uint32_t, int64_t>>> by_source(size_t(p.channels_in) * p.y.in * p.x.in); // targets ascend
  for (uint32_t i = 0; i < tile.neurons.size(); ++i) {
    const uint32_t n = tile.neurons[i], x = n % population.width, y = n / population.width % population.height, k = n / population.pixels();
    const uint32_t c0 = k / p.outGroup() * p.inGroup();
    for (uint32_t c = c0; c < c0 + p.inGroup(); ++c) {
      const int8_t *w = p.kernel(k, c);
      for (const Tap &ty : ys[y])
        for (const Tap &tx : xs[x])
          if (const int64_t each = int64_t(w[ty.tap * p.x.taps + tx.tap]) * ty.times * tx.times; each != 0) {
            auto &targets = by_source[(c * p.y.in + ty.out) * p.x.in + tx.out];
            const uint32_t at = base + i * population.compartments;
            if (targets.empty() || targets.back().first != at) targets.emplace_back(at, 0);
            targets.back().second += each;
          }
    }
  }
  for (uint32_t source = 0; source < by_source.size(); ++source) {
    std::vector<ListSynapse> list;
    for (const auto &[at, weight] : by_source[source])
      if (weight != 0) list.push_back({at, stored(weight, p.format)});
    if (list.empty()) continue;
    out.synapses += list.size();
    const uint32_t anchor = list.front().index;
    out.axons.push_back({source, sharing.add(std::move(list), anchor), sharing.baseOf(anchor)});
  }
}

uint32_t baseModulus(const Chip &chip) { return uint32_t(std::min<uint64_t>(chip.limits.cx_base, UINT32_MAX - 1) + 1); }

} // namespace

uint32_t Tile::neuron(uint32_t i, const Population &population) const {
  if (!box()) return neurons[i];
  const uint32_t c = i / strideC() % (c1 - c0), y = i / strideY() % (y1 - y0), x = i / strideX() % (x1 - x0);
  return ((c0 + c) * population.height + y0 + y) * population.width + x0 + x;
}

Tile tileOf(uint32_t index, const Population &p, std::vector<uint32_t> neurons, bool channels_last) {
  std::sort(neurons.begin(), neurons.end());
  Tile box;
  box.population = index;
  box.channels_last = channels_last;
  box.c0 = box.y0 = box.x0 = UINT32_MAX;
  for (const uint32_t n : neurons) {
    const uint32_t c = n / p.pixels(), y = n / p.width % p.height, x = n % p.width;
    box.c0 = std::min(box.c0, c), box.c1 = std::max(box.c1, c + 1);
    box.y0 = std::min(box.y0, y), box.y1 = std::max(box.y1, y + 1);
    box.x0 = std::min(box.x0, x), box.x1 = std::max(box.x1, x + 1);
  }
  if (box.size() == neurons.size()) return box;
  Tile tile;
  tile.population = index;
  tile.neurons = std::move(neurons);
  return tile;
}

TileSynapses tileSynapses(const Projection &projection, const Population &population, const Tile &tile, uint32_t base, const Chip &chip) {
  TileSynapses out;
  Sharing sharing(out, baseModulus(chip));
  if (tile.box())
    addBox(projection, population, tile, base, sharing, out);
  else
    addNeurons(projection, population, tile, base, sharing, out);
  const uint32_t delay_bits = legalBits(chip.bits.delay, projection.delay).value_or(0);
  setFormat(out, bestFormat(out.lists, std::vector<uint32_t>(out.lists.size(), 1), projection.format.bits, delay_bits, chip), chip);
  return out;
}

void setFormat(TileSynapses &out, const ListFormat &format, const Chip &chip) {
  out.format = format;
  out.bits = {};
  out.words = out.longest = 0;
  for (const std::vector<ListSynapse> &list : out.lists) {
    const ListBits bits = listBits(list, out.format, chip).value_or(ListBits{});
    const uint32_t words = wordsOf(bits.total());
    out.words += words;
    out.longest = std::max(out.longest, words);
    out.bits.weight += bits.weight;
    out.bits.delay += bits.delay;
    out.bits.index += bits.index;
    out.bits.prefix += bits.prefix;
    out.bits.entries += bits.entries;
    out.bits.synapses += list.size();
  }
}

TileCost tileCost(const Projection &p, const Population &population, const Tile &tile, const Chip &chip) {
  const AxisMeetings ys = meet(p.y, tile.y0, tile.y1), xs = meet(p.x, tile.x0, tile.x1);
  const uint32_t k = population.compartments, in_group = p.inGroup(), out_group = p.outGroup(), modulus = baseModulus(chip);
  // Source channels with the same outputs inside the tile need lists of the same shape: one stands for all.
  struct Kind {
    uint32_t outputs, first; ///< first: offset of its first output, modulo nothing for one group
    bool operator<(const Kind &other) const { return std::tie(outputs, first) < std::tie(other.outputs, other.first); }
  };
  std::map<Kind, uint32_t> kinds;
  for (uint32_t group = tile.c0 / out_group; group <= (tile.c1 - 1) / out_group; ++group) {
    const uint32_t k0 = std::max(tile.c0, group * out_group), k1 = std::min(tile.c1, (group + 1) * out_group);
    kinds[{k1 - k0, (k0 - tile.c0) * tile.strideC() * k}] += in_group;
  }
  TileCost cost;
  std::vector<std::vector<ListSynapse>> lists;
  std::vector<uint32_t> times;
  for (const auto &[kind, channels] : kinds) {
    std::map<std::tuple<uint32_t, uint32_t, uint32_t>, bool> seen;
    for (const Meeting &my : ys.meetings)
      for (const Meeting &mx : xs.meetings) {
        const uint32_t at = kind.first + (my.first * tile.strideY() + mx.first * tile.strideX()) * k;
        if (!seen.emplace(std::tuple(my.pattern, mx.pattern, at / modulus), true).second) continue;
        std::vector<ListSynapse> list;
        const uint32_t base = at % modulus;
        for (uint32_t o = 0; o < kind.outputs; ++o) {
          uint32_t last_y = UINT32_MAX;
          for (const Tap &ty : ys.patterns[my.pattern]) {
            if (ty.out == last_y) continue;
            last_y = ty.out;
            uint32_t last_x = UINT32_MAX;
            for (const Tap &tx : xs.patterns[mx.pattern]) {
              if (tx.out == last_x) continue;
              last_x = tx.out;
              list.push_back({at - base + (o * tile.strideC() + ty.out * tile.strideY() + tx.out * tile.strideX()) * k, 1});
            }
          }
        }
        if (tile.channels_last)
          std::sort(list.begin(), list.end(), [](const ListSynapse &a, const ListSynapse &b) { return a.index < b.index; });
        lists.push_back(std::move(list));
        times.push_back(channels);
      }
    cost.axons += uint64_t(channels) * ys.meetings.size() * xs.meetings.size();
  }
  const uint32_t delay_bits = legalBits(chip.bits.delay, p.delay).value_or(0);
  cost.format = bestFormat(lists, times, p.format.bits, delay_bits, chip);
  for (size_t i = 0; i < lists.size(); ++i) {
    const uint32_t words = wordsOf(listBits(lists[i], cost.format, chip).value_or(ListBits{}).total());
    cost.words += uint64_t(words) * times[i];
    cost.longest = std::max(cost.longest, words);
  }
  return cost;
}

} // namespace lasnn::loihi
