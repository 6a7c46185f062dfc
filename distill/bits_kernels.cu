// The kernels of bits_loops.h: a thread a byte of bits, so eight spikes; a warp reads whole lines.
#include "distill/bits_loops.h"
#include "distill/kernel_tools.h"

namespace lasnn::distill {
namespace {

constexpr unsigned bitThreads = 256;

template <typename T, bool wide> __global__ void packKernel(const T *spikes, uint8_t *bits, int64_t count) {
  const int64_t at = int64_t(blockIdx.x) * bitThreads + threadIdx.x, first = at * 8;
  if (first >= count)
    return;
  unsigned byte = 0;
  if (wide && first + 8 <= count) {
    constexpr int lanes = int(16 / sizeof(T));
LASNN_UNROLL
    for (int part = 0; part < 8; part += lanes) {
      const Vector<T, lanes> v = vectorAt<T, lanes>(spikes, first + part);
LASNN_UNROLL
      for (int lane = 0; lane < lanes; ++lane)
        byte |= unsigned(v.get(lane) != 0) << (part + lane);
    }
  } else {
    for (int k = 0; k < 8 && first + k < count; ++k)
      byte |= unsigned(load(spikes[first + k]) != 0) << k;
  }
  bits[at] = uint8_t(byte);
}

template <typename T, bool wide> __global__ void unpackKernel(const uint8_t *bits, T *spikes, int64_t count) {
  const int64_t at = int64_t(blockIdx.x) * bitThreads + threadIdx.x, first = at * 8;
  if (first >= count)
    return;
  const unsigned byte = bits[at];
  if (wide && first + 8 <= count) {
    constexpr int lanes = int(16 / sizeof(T));
LASNN_UNROLL
    for (int part = 0; part < 8; part += lanes) {
      Vector<T, lanes> v{};
LASNN_UNROLL
      for (int lane = 0; lane < lanes; ++lane)
        v.set(lane, byte >> (part + lane) & 1 ? 1.0f : 0.0f);
      keepAt<T, lanes>(spikes, first + part, v);
    }
  } else {
    for (int k = 0; k < 8 && first + k < count; ++k)
      store(spikes[first + k], byte >> k & 1 ? 1.0f : 0.0f);
  }
}

unsigned blocksFor(int64_t count) { return unsigned(((count + 7) / 8 + bitThreads - 1) / bitThreads); }
bool wide(const void *spikes) { return reinterpret_cast<uintptr_t>(spikes) % 16 == 0; }

template <typename T> int pack(const T *spikes, uint8_t *bits, int64_t count, void *stream) {
  if (wide(spikes))
    LASNN_LAUNCH((packKernel<T, true>), blocksFor(count), bitThreads, stream, spikes, bits, count);
  else
    LASNN_LAUNCH((packKernel<T, false>), blocksFor(count), bitThreads, stream, spikes, bits, count);
  return LASNN_LAUNCHED();
}

template <typename T> int unpack(const uint8_t *bits, T *spikes, int64_t count, void *stream) {
  if (wide(spikes))
    LASNN_LAUNCH((unpackKernel<T, true>), blocksFor(count), bitThreads, stream, bits, spikes, count);
  else
    LASNN_LAUNCH((unpackKernel<T, false>), blocksFor(count), bitThreads, stream, bits, spikes, count);
  return LASNN_LAUNCHED();
}

} // namespace

int packCuda(const void *spikes, bool bfloat16, uint8_t *bits, int64_t count, void *stream) {
  if (count == 0)
    return 0;
  return bfloat16 ? pack(static_cast<const uint16_t *>(spikes), bits, count, stream) : pack(static_cast<const float *>(spikes), bits, count, stream);
}

int unpackCuda(const uint8_t *bits, bool bfloat16, void *spikes, int64_t count, void *stream) {
  if (count == 0)
    return 0;
  return bfloat16 ? unpack(bits, static_cast<uint16_t *>(spikes), count, stream) : unpack(bits, static_cast<float *>(spikes), count, stream);
}

} // namespace lasnn::distill
