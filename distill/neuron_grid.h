// How a block's threads divide the neurons of a step, so that each thread stays with its channels and neighbours in a warp read
// neighbouring memory. Free of Torch and of CUDA.
#pragma once

#include "distill/neuron_loops.h"
#include "distill/surrogate.h"

#include <algorithm>

namespace lasnn::distill {

constexpr unsigned threadsPerBlock = 128; // small, so that kernels of many registers still have several blocks on a multiprocessor

/// Vectors of `lanes` neighbouring neurons in columns: a column is one channel (channels outermost: [C, H, W]), or `lanes` neighbouring
/// channels (channels innermost); it has a vector in each row. A block takes `tile` columns and every slices-th run of rows.
struct NeuronGrid {
  uint32_t columns, rows, perImage; // perImage: rows of one image's column
  uint32_t columnStride, imageStride;
  uint32_t tile, tiles, slices;
  uint32_t lanes, channelsPerColumn; // channelsPerColumn: 1, or lanes

  LASNN_INLINE uint32_t rowsAtOnce() const { return threadsPerBlock / tile; }
  LASNN_INLINE uint32_t blocks() const { return tiles * slices; }
  LASNN_INLINE uint32_t at(uint32_t column, uint32_t row) const {
    return row / perImage * imageStride + column * columnStride + row % perImage * lanes;
  }
};

/// Enough blocks for a large GPU (132 multiprocessors of 2 to 6 blocks, several times over), few enough that their sums are quickly added.
constexpr uint32_t blocksAimedAt = 2048, rowsAThread = 4;

inline NeuronGrid neuronGrid(const LoopShape &shape, uint32_t lanes) {
  NeuronGrid g{};
  g.lanes = lanes;
  const bool innermost = shape.inner == 1;
  g.channelsPerColumn = innermost ? lanes : 1;
  g.columns = uint32_t(innermost ? shape.channels / lanes : shape.channels);
  g.perImage = uint32_t(innermost ? 1 : shape.inner / lanes);
  g.rows = uint32_t(shape.neurons / lanes / g.columns);
  g.columnStride = uint32_t(innermost ? lanes : shape.inner);
  g.imageStride = uint32_t(shape.channels * shape.inner);
  g.tile = 1;
  while (innermost && g.tile < 32 && g.tile < g.columns)
    g.tile *= 2;
  g.tiles = (g.columns + g.tile - 1) / g.tile;
  const uint32_t useful = (g.rows + g.rowsAtOnce() * rowsAThread - 1) / (g.rowsAtOnce() * rowsAThread);
  g.slices = std::max(1u, std::min(useful, blocksAimedAt / g.tiles));
  return g;
}

/// Whether `lanes` neighbours always lie in one vector, of one channel or of as many.
inline bool divides(const LoopShape &shape, uint32_t lanes) { return (shape.inner == 1 ? shape.channels : shape.inner) % lanes == 0; }

} // namespace lasnn::distill
