// Weights in the order in which kernels read them: kernels/event.h and kernels/dense.h say which.
#include "backends/cuda/program.h"

namespace lasnn::cuda {
namespace {

int8_t weightOf(const plan::Synapse &s, const InputShape &in, uint32_t k, uint32_t c, uint32_t tap) {
  const uint32_t taps = s.kernel_h * s.kernel_w;
  return s.weight[(size_t(k) * (in.channels / s.groups) + c) * taps + tap];
}

} // namespace

std::vector<uint8_t> packEventWeights(const plan::Synapse &s, const InputShape &in, uint32_t out_channels) {
  const uint32_t taps = s.kernel_h * s.kernel_w, columns = rounded(out_channels, 4), in_group = in.channels / s.groups;
  const bool fours = in.form == formAnalog && s.groups == 1;
  const uint32_t rows = fours ? rounded(in_group, 4) : in_group;
  std::vector<uint8_t> packed(size_t(taps) * rows * columns, 0);
  for (uint32_t tap = 0; tap < taps; ++tap)
    for (uint32_t c = 0; c < in_group; ++c)
      for (uint32_t k = 0; k < out_channels; ++k) {
        const size_t at = fours ? ((size_t(tap) * (rows / 4) + c / 4) * columns + k) * 4 + c % 4 : (size_t(tap) * rows + c) * columns + k;
        packed[at] = uint8_t(weightOf(s, in, k, c, tap));
      }
  return packed;
}

std::vector<uint8_t> packDenseWeights(const plan::Synapse &s, const InputShape &in, uint32_t out_channels) {
  const uint32_t taps = s.kernel_h * s.kernel_w, tiles = (out_channels + 31) / 32 * 4;
  std::vector<uint8_t> packed(size_t(taps) * in.words * tiles * 64 * 4, 0);
  uint8_t *at = packed.data();
  for (uint32_t tap = 0; tap < taps; ++tap)
    for (uint32_t word = 0; word < in.words; ++word)
      for (uint32_t pair = 0; pair < tiles / 2; ++pair)
        for (uint32_t lane = 0; lane < 32; ++lane)
          for (uint32_t i = 0; i < 16; ++i, ++at) { // two tiles of two words of four bytes
            const uint32_t k = (pair * 2 + i / 8) * 8 + lane / 4, c = word * 32 + i / 4 % 2 * 16 + lane % 4 * 4 + i % 4;
            if (k < out_channels && c < in.channels)
              *at = uint8_t(weightOf(s, in, k, c, tap));
          }
  return packed;
}

} // namespace lasnn::cuda
