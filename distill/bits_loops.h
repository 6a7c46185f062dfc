// Packing and unpacking of spikes on a CPU and on a GPU. Free of Torch.
#pragma once

#include <cstdint>

namespace lasnn::distill {

/// Bytes [begin, end) of the bits of `count` values, T float or uint16_t holding bfloat16's bits; what is left of the last byte is 0.
template <typename T> void packLoop(const T *spikes, uint8_t *bits, int64_t count, int64_t begin, int64_t end);
template <typename T> void unpackLoop(const uint8_t *bits, T *spikes, int64_t count, int64_t begin, int64_t end);

/// All of them. Returns cudaGetLastError()'s code, 0 for success.
int packCuda(const void *spikes, bool bfloat16, uint8_t *bits, int64_t count, void *stream);
int unpackCuda(const uint8_t *bits, bool bfloat16, void *spikes, int64_t count, void *stream);

} // namespace lasnn::distill
