// Weights in the order in which kernels read them: each kernel's header says which.
#include "backends/cuda/forms.h"
#include "backends/cuda/kernels/product.h"

namespace lasnn::cuda {
namespace {

int8_t weightOf(const plan::Synapse &s, const InputShape &in, uint32_t k, uint32_t c, uint32_t tap) {
  const uint32_t taps = s.kernel_h * s.kernel_w;
  return s.weight[(size_t(k) * (in.channels / s.groups) + c) * taps + tap];
}

struct Place {
  uint32_t tap, channel;
};

/// What value j of half `half` of lane quarter q of a product step stands for (kernels/product.h).
Place placeOf(const InputShape &in, uint32_t step, uint32_t q, uint32_t half, uint32_t j) {
  if (in.form == formAnalog) {
    const uint32_t number = step * 8 + 2 * q + half, fours = foursOf(in);
    return {number / fours, number % fours * 4 + j};
  }
  const uint32_t G = wordsTogether(in), group = step / G * G, s = step % G;
  const uint32_t tap = group / in.words, word = group % in.words;
  if (in.form == formCounts) return {tap, word * 32 + 8 * q + 4 * half + j};
  return {tap, (word + q * G / 4) * 32 + q % (4 / G) * 2 * G + 2 * s + half + 8 * j};
}

} // namespace

std::vector<uint8_t> packRows(const plan::Synapse &s, const InputShape &in, uint32_t out_channels) {
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

std::vector<uint8_t> packListedRows(const plan::Synapse &s, const InputShape &in, uint32_t out_channels) {
  const uint32_t taps = s.kernel_h * s.kernel_w, columns = rounded(out_channels, 4);
  std::vector<uint8_t> packed(size_t(taps) * in.words * 32 * columns, 0);
  for (uint32_t tap = 0; tap < taps; ++tap)
    for (uint32_t c = 0; c < in.channels; ++c)
      for (uint32_t k = 0; k < out_channels; ++k)
        packed[(size_t(tap) * in.words * 32 + c) * columns + k] = uint8_t(weightOf(s, in, k, c, tap));
  return packed;
}

std::vector<uint8_t> packTaps(const plan::Synapse &s, const InputShape &in, uint32_t out_channels) {
  const uint32_t taps = s.kernel_h * s.kernel_w, columns = in.words * 32;
  std::vector<uint8_t> packed(size_t(rounded(taps, 4)) * columns, 0);
  for (uint32_t tap = 0; tap < taps; ++tap)
    for (uint32_t k = 0; k < out_channels; ++k)
      packed[(size_t(tap / 4) * columns + k) * 4 + tap % 4] = uint8_t(weightOf(s, in, k, 0, tap));
  return packed;
}

std::vector<uint8_t> packProducts(const plan::Synapse &s, const InputShape &in, uint32_t out_channels, uint32_t tiles) {
  const uint32_t taps = s.kernel_h * s.kernel_w, steps = stepsOf(in), blocks = (rounded(out_channels, 32) / 8 + tiles - 1) / tiles;
  std::vector<uint8_t> packed(size_t(blocks) * steps * tiles * tileBytes, 0);
  uint8_t *to = packed.data();
  for (uint32_t block = 0; block < blocks; ++block)
    for (uint32_t step = 0; step < steps; ++step)
      for (uint32_t tile = 0; tile < tiles; ++tile)
        for (uint32_t half = 0; half < 2; ++half)
          for (uint32_t n = 0; n < 8; ++n)
            for (uint32_t byte = 0; byte < 16; ++byte, ++to) {
              const Place place = placeOf(in, step, byte / 4, half, byte % 4);
              const uint32_t k = (block * tiles + tile) * 8 + n;
              if (k < out_channels && place.tap < taps && place.channel < in.channels)
                *to = uint8_t(weightOf(s, in, k, place.channel, place.tap));
            }
  return packed;
}

} // namespace lasnn::cuda
