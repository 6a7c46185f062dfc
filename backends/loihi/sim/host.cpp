#include "backends/loihi/sim/host.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

struct Encoded {
  uint32_t channels, height, width;
  std::vector<int32_t> value; ///< [C][H][W], ir/spec.md E2
};

/// ir/spec.md C1 without bias, added to `sum` [K][height][width].
void addConvolution(const lmap::HostLayer &host, const Encoded &in, uint32_t channels, uint32_t height, uint32_t width, std::vector<int64_t> &sum) {
  const int8_t *const weight = reinterpret_cast<const int8_t *>(host.weight().data());
  const uint32_t in_group = in.channels / host.groups();
  for (uint32_t k = 0; k < channels; ++k)
    for (uint32_t c = 0; c < in_group; ++c) {
      const int32_t *const plane = in.value.data() + size_t(k / (channels / host.groups()) * in_group + c) * in.height * in.width;
      for (uint32_t i = 0; i < host.kernel_h(); ++i)
        for (uint32_t j = 0; j < host.kernel_w(); ++j) {
          const int32_t w = weight[((size_t(k) * in_group + c) * host.kernel_h() + i) * host.kernel_w() + j];
          if (w == 0) continue;
          for (uint32_t y = 0; y < height; ++y) {
            const int64_t iy = int64_t(y) * host.stride_h() - host.pad_top() + int64_t(i) * host.dilation_h();
            if (iy < 0 || iy >= in.height) continue;
            int64_t *const row = sum.data() + (size_t(k) * height + y) * width;
            int64_t ix = -int64_t(host.pad_left()) + int64_t(j) * host.dilation_w();
            for (uint32_t x = 0; x < width; ++x, ix += host.stride_w())
              if (ix >= 0 && ix < in.width) row[x] += w * plane[size_t(iy) * in.width + size_t(ix)];
          }
        }
    }
}

} // namespace

StemCurrents stemCurrents(const lmap::Mapping &mapping, const uint8_t *image) {
  Encoded in{mapping.input_channels(), mapping.input_height(), mapping.input_width(), {}};
  const size_t pixels = size_t(in.height) * in.width;
  const int8_t *const table = reinterpret_cast<const int8_t *>(mapping.encode_table().data());
  for (size_t i = 0; i < in.channels * pixels; ++i) in.value.push_back(table[i / pixels * 256 + image[i]]);
  StemCurrents currents(size_t(mapping.layers_size()));
  std::vector<std::vector<int64_t>> sums(currents.size());
  for (const lmap::HostLayer &host : mapping.host()) {
    const lmap::Layer &layer = mapping.layers(int(host.layer()));
    std::vector<int64_t> &sum = sums[host.layer()];
    sum.resize(size_t(layer.channels()) * layer.height() * layer.width());
    addConvolution(host, in, layer.channels(), layer.height(), layer.width(), sum);
  }
  for (size_t l = 0; l < sums.size(); ++l)
    for (int64_t sum : sums[l])
      currents[l].push_back(int32_t(std::clamp<int64_t>(sum * (int64_t(1) << mapping.layers(int(l)).scale_log2()), INT32_MIN, INT32_MAX)));
  return currents;
}

} // namespace lasnn::loihi
