// Pools and sums of spikes go into the one layer that reads them, so that they need neither a launch nor memory.
#pragma once

#include "backends/cuda/program.h"

namespace lasnn::cuda {

/// A buffer that is not written: its pixels are P2's windows, side by side, of another's.
struct View {
  uint32_t source = 0, pool_h = 1, pool_w = 1;
};

struct Fused {
  plan::Network plan;      ///< without the fused pools and sums; buffers as they were
  std::vector<View> views; ///< of every buffer; its own source where it is none
};

/// A sum (A1) that one synapse reads becomes that many synapses of the same weights, a sum pool (P1) the synapse's kernel with every tap as
/// often as the window has pixels: both are linear. A maximum (P2) of bits is taken where the layer loads them. Windows lie side by side
/// and fill the image. always: whatever it costs; else where the layer's own work stays near what it was.
Fused fuse(const plan::Network &plan, bool always);

} // namespace lasnn::cuda
