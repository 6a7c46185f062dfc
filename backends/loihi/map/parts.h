// Vertices in parts, with what every part holds: kept up to date move by move.
#pragma once

#include "backends/loihi/map/multilevel.h"

namespace lasnn::loihi {

class Parts {
public:
  static constexpr uint32_t kNone = UINT32_MAX;

  Parts(const Hypergraph &graph, const PartLimits &limits, uint32_t count);

  uint32_t count() const { return count_; }
  uint32_t of(uint32_t v) const { return of_[v]; }
  const std::vector<uint32_t> &all() const { return of_; }
  uint64_t compartments(uint32_t part) const { return loads_[part].compartments; }
  double packets() const { return packets_; }
  uint64_t modelWords(uint32_t part) const { return loads_[part].words; } ///< before words_scale, without soft resets' own

  bool fits(uint32_t v, uint32_t part) const;
  void insert(uint32_t v, uint32_t part);
  void remove(uint32_t v);
  void move(uint32_t v, uint32_t to) {
    remove(v);
    insert(v, to);
  }
  /// Packets saved by moving v, for every part; v's own: 0.
  void gains(uint32_t v, std::vector<double> &gain) const;
  /// Packets more if v came to a part that it is not in.
  double costOf(uint32_t v, uint32_t part) const;
  uint32_t synapses(uint32_t net, uint32_t part) const { return synapses_[size_t(net) * count_ + part]; }
  bool broken(uint32_t part) const;

private:
  struct Load {
    uint64_t compartments = 0, axons = 0, entries = 0, own_words = 0, words = 0, thresholds = 0;
  };
  bool within(const Load &load) const;

  const Hypergraph &graph_;
  const PartLimits &limits_;
  uint32_t count_;
  std::vector<uint32_t> of_;
  std::vector<uint32_t> synapses_;     ///< by net and part
  std::vector<uint32_t> at_threshold_; ///< vertices, by part and threshold
  std::vector<Load> loads_;
  double packets_ = 0;
};

} // namespace lasnn::loihi
