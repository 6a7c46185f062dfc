// One spatial axis of a synapse: where a coordinate of its source goes. Convolutions, pools and their compositions are all products of two.
#pragma once

#include <cstdint>
#include <vector>

namespace lasnn::loihi {

/// The coordinate reaches output `out` through kernel position `tap`, `times` times (overlapping sum pools reach it more than once).
struct Tap {
  uint32_t out = 0, tap = 0, times = 1;
  bool operator==(const Tap &) const = default;
  auto operator<=>(const Tap &) const = default;
};

struct Axis {
  uint32_t in = 1, out = 1, taps = 1;
  std::vector<uint32_t> first; ///< in + 1 entries: taps of coordinate i are list[first[i] .. first[i + 1])
  std::vector<Tap> list;       ///< of each coordinate, ascending

  const Tap *begin(uint32_t i) const { return list.data() + first[i]; }
  const Tap *end(uint32_t i) const { return list.data() + first[i + 1]; }
  /// No pair of coordinates meets through more than one tap or more than once: each synapse is one weight of the kernel.
  bool plain() const;
  /// By tap: how often it reaches one output at most, over the sources.
  std::vector<uint32_t> reach() const;
};

Axis identityAxis(uint32_t size);
Axis windowAxis(uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t dilation, int32_t pad);
/// First `a`, whose taps are summed over (a pool), then `b`.
Axis compose(const Axis &a, const Axis &b);
/// All taps are one: a sum over the window.
Axis summed(Axis axis);

} // namespace lasnn::loihi
