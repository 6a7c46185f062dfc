// Neurons of a core in the order in which the file numbers them (lmap.proto, Group).
#pragma once

#include "backends/loihi/lmap.pb.h"

#include <cstdint>

namespace lasnn::loihi::check {

inline uint64_t boxSize(const lmap::Group &g) {
  if (g.c1() < g.c0() || g.y1() < g.y0() || g.x1() < g.x0()) return 0;
  return uint64_t(g.c1() - g.c0()) * (g.y1() - g.y0()) * (g.x1() - g.x0());
}
inline uint64_t neuronsOf(const lmap::Group &g) { return g.neurons_size() ? uint64_t(g.neurons_size()) : boxSize(g); }

/// Index in its layer of the group's neuron i; the group lies within its layer.
inline uint64_t neuronOf(const lmap::Group &g, const lmap::Layer &layer, uint64_t i) {
  if (g.neurons_size()) return g.neurons(int(i));
  const uint64_t height = g.y1() - g.y0(), width = g.x1() - g.x0(), depth = g.c1() - g.c0();
  uint64_t c, y, x;
  if (g.channels_last()) c = i % depth, x = i / depth % width, y = i / depth / width;
  else x = i % width, y = i / width % height, c = i / width / height;
  return ((g.c0() + c) * layer.height() + g.y0() + y) * layer.width() + g.x0() + x;
}

inline uint64_t sizeOf(const lmap::Layer &layer) { return uint64_t(layer.channels()) * layer.height() * layer.width(); }

} // namespace lasnn::loihi::check
