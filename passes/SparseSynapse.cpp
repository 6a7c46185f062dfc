#include "passes/SparseSynapse.h"

#include <algorithm>

namespace lasnn {
namespace {

constexpr int64_t kBlock = 16;
typedef float Block __attribute__((vector_size(kBlock * sizeof(float)), aligned(4))); // the compiler cuts it to what the CPU has

/// One group's pixels as lists of their non-zero channels.
void listEvents(const SynapseShape &s, const std::vector<float> &in, int64_t group, SynapseScratch &scratch) {
  const int64_t cg = s.c / s.groups, pixels = s.h * s.w;
  scratch.channel.resize(size_t(cg * pixels) + 1), scratch.value.resize(size_t(cg * pixels) + 1), scratch.start.resize(size_t(pixels) + 1);
  int32_t n = 0;
  for (int64_t p = 0; p < pixels; ++p) {
    scratch.start[p] = n;
    const float *x = in.data() + p * s.c + group * cg;
    for (int64_t c = 0; c < cg; ++c) { // written always, kept when it is not 0
      scratch.channel[n] = int32_t(c), scratch.value[n] = x[c];
      n += x[c] != 0.f;
    }
  }
  scratch.start[pixels] = n;
}

__attribute__((always_inline)) inline void blocksOf(const SynapseShape &s, const float *packed, int64_t blocks, int64_t group,
                                                    const std::vector<float> &bias, std::vector<float> &out,
                                                    const SynapseScratch &scratch) {
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups, taps = s.kh * s.kw;
  for (int64_t block = 0; block < blocks; ++block) {
    const float *weights = packed + block * taps * cg * kBlock;
    const int64_t first = group * kg + block * kBlock, width = std::min(kBlock, kg - block * kBlock);
    Block start = {};
    for (int64_t k = 0; k < width; ++k)
      start[k] = bias[first + k];
    for (int64_t oy = 0; oy < s.oh; ++oy)
      for (int64_t ox = 0; ox < s.ow; ++ox) {
        Block sum = start, other = {};
        for (int64_t i = 0; i < s.kh; ++i) {
          const int64_t y = oy * s.sh - s.top + i * s.dh;
          if (y < 0 || y >= s.h) continue;
          for (int64_t j = 0; j < s.kw; ++j) {
            const int64_t x = ox * s.sw - s.left + j * s.dw;
            if (x < 0 || x >= s.w) continue;
            const float *rows = weights + (i * s.kw + j) * cg * kBlock;
            int32_t e = scratch.start[y * s.w + x];
            const int32_t end = scratch.start[y * s.w + x + 1];
            for (; e + 1 < end; e += 2) { // two chains of additions
              sum += *reinterpret_cast<const Block *>(rows + scratch.channel[e] * kBlock) * scratch.value[e];
              other += *reinterpret_cast<const Block *>(rows + scratch.channel[e + 1] * kBlock) * scratch.value[e + 1];
            }
            if (e < end) sum += *reinterpret_cast<const Block *>(rows + scratch.channel[e] * kBlock) * scratch.value[e];
          }
        }
        sum += other;
        float *to = out.data() + (oy * s.ow + ox) * s.k + first;
        for (int64_t k = 0; k < width; ++k)
          to[k] = sum[k];
      }
  }
}

using Blocks = void(const SynapseShape &, const float *, int64_t, int64_t, const std::vector<float> &, std::vector<float> &,
                    const SynapseScratch &);
#define LASNN_BLOCKS(NAME, ...)                                                                                                            \
  __VA_ARGS__ void NAME(const SynapseShape &s, const float *packed, int64_t blocks, int64_t group, const std::vector<float> &bias,         \
                        std::vector<float> &out, const SynapseScratch &scratch) {                                                          \
    blocksOf(s, packed, blocks, group, bias, out, scratch);                                                                                \
  }
LASNN_BLOCKS(blocksPlain)
#ifdef __x86_64__
LASNN_BLOCKS(blocksAvx2, __attribute__((target("avx2"))))
LASNN_BLOCKS(blocksAvx512, __attribute__((target("avx512f"))))
Blocks *chosen() { return __builtin_cpu_supports("avx512f") ? blocksAvx512 : __builtin_cpu_supports("avx2") ? blocksAvx2 : blocksPlain; }
#else
Blocks *chosen() { return blocksPlain; }
#endif

void runDepthwise(const SynapseShape &s, const std::vector<float> &packed, const std::vector<float> &in, const std::vector<float> &bias,
                  std::vector<float> &out) {
  for (int64_t oy = 0; oy < s.oh; ++oy)
    for (int64_t ox = 0; ox < s.ow; ++ox) {
      float *to = out.data() + (oy * s.ow + ox) * s.c;
      std::copy(bias.begin(), bias.end(), to);
      for (int64_t i = 0; i < s.kh; ++i)
        for (int64_t j = 0; j < s.kw; ++j) {
          const int64_t y = oy * s.sh - s.top + i * s.dh, x = ox * s.sw - s.left + j * s.dw;
          if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
          const float *from = in.data() + (y * s.w + x) * s.c, *weight = packed.data() + (i * s.kw + j) * s.c;
          for (int64_t c = 0; c < s.c; ++c)
            to[c] += from[c] * weight[c];
        }
    }
}

} // namespace

PackedWeights packWeights(const SynapseShape &s, llvm::ArrayRef<float> weight) {
  PackedWeights out;
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups, taps = s.kh * s.kw;
  if (s.depthwise()) {
    out.x.resize(weight.size());
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        out.x[tap * s.c + c] = weight[c * taps + tap];
    return out;
  }
  out.blocks = (kg + kBlock - 1) / kBlock;
  out.x.assign(size_t(s.groups * out.blocks * taps * cg * kBlock), 0.f);
  for (int64_t k = 0; k < s.k; ++k)
    for (int64_t c = 0; c < cg; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        out.x[((((k / kg) * out.blocks + k % kg / kBlock) * taps + tap) * cg + c) * kBlock + k % kg % kBlock] =
            weight[(k * cg + c) * taps + tap];
  return out;
}

void runSynapse(const SynapseShape &s, const PackedWeights &weights, const std::vector<float> &in, const std::vector<float> &bias,
                std::vector<float> &out, SynapseScratch &scratch) {
  if (s.depthwise()) return runDepthwise(s, weights.x, in, bias, out);
  static Blocks *const blocks = chosen();
  const int64_t size = weights.blocks * s.kh * s.kw * (s.c / s.groups) * kBlock;
  for (int64_t group = 0; group < s.groups; ++group) {
    listEvents(s, in, group, scratch);
    blocks(s, weights.x.data() + group * size, weights.blocks, group, bias, out, scratch);
  }
}

} // namespace lasnn
