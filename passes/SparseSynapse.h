// A float synapse that skips the inputs that are 0: lists of the non-zero channels of every pixel, sums of 16 output channels in registers.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace lasnn {

/// A window operation's geometry; a linear layer is the 1x1 window on one pixel.
struct SynapseShape {
  int64_t c = 1, h = 1, w = 1, k = 1, oh = 1, ow = 1;
  int64_t kh = 1, kw = 1, sh = 1, sw = 1, top = 0, left = 0, dh = 1, dw = 1, groups = 1;
  bool depthwise() const { return groups == c && groups == k; }
};

/// [group][16 output channels][tap][input channel][16]; depthwise: [tap][channel].
struct PackedWeights {
  std::vector<float> x;
  int64_t blocks = 0; ///< of 16 output channels, a group; the last one is filled up with zeros
};

struct SynapseScratch {
  std::vector<int32_t> channel, start;
  std::vector<float> value;
};

/// `weight` is [K][C/G][KH][KW].
PackedWeights packWeights(const SynapseShape &shape, llvm::ArrayRef<float> weight);
/// Channels lie side by side, in `in` as in `out`.
void runSynapse(const SynapseShape &shape, const PackedWeights &weights, const std::vector<float> &in, const std::vector<float> &bias,
                std::vector<float> &out, SynapseScratch &scratch);

} // namespace lasnn
