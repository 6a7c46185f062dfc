// What the kernel files share: how a kernel is launched, and memory read and written 16 bytes at a time.
#pragma once

#include "distill/neuron_step.h"

#ifndef LASNN_LAUNCH // tests/distill/cuda_emulation.h brings its own
#define LASNN_UNROLL _Pragma("unroll")
#define LASNN_UNROLL_FOUR _Pragma("unroll 4")
#define LASNN_LAUNCH(kernel, blocks, threads, stream, ...) kernel<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define LASNN_LAUNCHED() int(cudaGetLastError())
#endif

namespace lasnn::distill {

/// Neighbouring values of type T, float or bfloat16's bits. Words, since the compiler then takes one instruction to read or write all.
template <typename T, int lanes> struct alignas(sizeof(T) * lanes) Vector {
  static constexpr int words = int(sizeof(T)) * lanes / 4;
  uint32_t word[words];
  __device__ float get(int lane) const {
    float x;
    const uint32_t bits = sizeof(T) == 4 ? word[lane] : lane % 2 ? word[lane / 2] & 0xffff0000u : word[lane / 2] << 16;
    std::memcpy(&x, &bits, 4);
    return x;
  }
  __device__ void set(int lane, float x) {
    T value;
    store(value, x);
    if constexpr (sizeof(T) == 4)
      std::memcpy(&word[lane], &value, 4);
    else
      word[lane / 2] = lane % 2 ? (word[lane / 2] & 0xffffu) | uint32_t(value) << 16 : (word[lane / 2] & 0xffff0000u) | uint32_t(value);
  }
};
template <typename T> struct Vector<T, 1> {
  T value;
  __device__ float get(int) const { return load(value); }
  __device__ void set(int, float x) { store(value, x); }
};
template <typename T, int lanes> __device__ Vector<T, lanes> vectorAt(const T *from, int64_t at) {
  return *reinterpret_cast<const Vector<T, lanes> *>(from + at);
}
template <typename T, int lanes> __device__ void keepAt(T *to, int64_t at, const Vector<T, lanes> &v) {
  *reinterpret_cast<Vector<T, lanes> *>(to + at) = v;
}

} // namespace lasnn::distill
