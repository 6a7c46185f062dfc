#include "backends/x86/pack_weights.h"

#include <algorithm>

namespace lasnn::x86 {

using namespace format;

namespace {

/// Dense view of a grouped weight: zero between channels of different groups.
class DenseWeight {
public:
  DenseWeight(const SynapseShape &shape, const std::vector<int8_t> &weight)
      : shape_(shape), weight_(weight), in_group_(shape.in_channels / shape.groups), out_group_(shape.out_channels / shape.groups) {}

  int8_t at(uint32_t k, uint32_t c, uint32_t ky, uint32_t kx) const {
    if (k / out_group_ != c / in_group_) return 0;
    return weight_[((size_t(k) * in_group_ + c % in_group_) * shape_.kernel_h + ky) * shape_.kernel_w + kx];
  }

private:
  const SynapseShape &shape_;
  const std::vector<int8_t> &weight_;
  uint32_t in_group_, out_group_;
};

} // namespace

uint32_t weightBits(const std::vector<int8_t> &weight, uint32_t least) {
  for (uint32_t bits = least; bits < 8; ++bits) {
    const int bound = 1 << (bits - 1);
    if (isRowWidth(bits) && std::all_of(weight.begin(), weight.end(), [&](int8_t w) { return w >= -bound && w < bound; })) return bits;
  }
  return 8;
}

std::vector<uint8_t> packSpikeWeights(const SynapseShape &shape, const std::vector<int8_t> &weight) {
  const DenseWeight dense(shape, weight);
  const bool nibbles = packsNibbles(shape.weight_bits);
  const int bias = 1 << (shape.weight_bits - 1);
  std::vector<uint8_t> packed(packedBytes(shape), 0);
  uint8_t *row = packed.data();
  for (uint32_t block = 0; block < weightBlocks(shape); ++block) {
    const uint32_t bytes = rowBytes(shape, block), first = block * rowChannels(shape);
    const ChannelRange inputs = blockInputs(shape, block);
    const auto fill = [&](auto value) {
      const auto at = [&](uint32_t k) { return first + k < shape.out_channels ? int(value(first + k)) : 0; };
      for (uint32_t k = 0; k < bytes; ++k)
        row[rowByte(k)] = nibbles ? uint8_t((at(bytes + k) + bias) << 4 | (at(k) + bias)) : uint8_t(k % 32 < 16 ? at(k) + bias : at(k));
      row += bytes;
    };
    for (uint32_t kx = 0; kx < shape.kernel_w; ++kx) {
      for (uint32_t ky = 0; ky < shape.kernel_h; ++ky)
        for (uint32_t c = inputs.first; c < inputs.first + inputs.count; ++c)
          fill([&](uint32_t k) { return dense.at(k, c, ky, kx); });
      fill([](uint32_t) { return int8_t(0); });
    }
  }
  return packed;
}

std::vector<uint8_t> packAnalogWeights(const SynapseShape &shape, const std::vector<int8_t> &weight) {
  const DenseWeight dense(shape, weight);
  const AnalogRuns runs = analogRuns(shape);
  const uint32_t runs_per_row = runs.count / shape.kernel_h;
  std::vector<uint8_t> packed(analogBytes(shape), 0);
  uint8_t *at = packed.data();
  for (uint32_t block = 0; block < blockCount(shape.out_channels); ++block)
    for (uint32_t run = 0; run < runs.count; ++run)
      for (uint32_t pair = 0; pair < runs.pairs; ++pair)
        for (uint32_t k = block * kBlockChannels; k < (block + 1) * kBlockChannels; ++k)
          for (uint32_t i = 2 * pair; i < 2 * pair + 2; ++i, ++at) {
            if (k >= shape.out_channels || i >= runs.length) continue;
            const uint32_t kx = runs_per_row > 1 ? run % runs_per_row : i / shape.in_channels;
            *at = uint8_t(dense.at(k, i % shape.in_channels, run / runs_per_row, kx));
          }
  return packed;
}

} // namespace lasnn::x86
