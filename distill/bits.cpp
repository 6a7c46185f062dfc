#include "distill/bits.h"
#include "distill/bits_loops.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#ifdef LASNN_DISTILL_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace lasnn::distill {
namespace {

template <typename Body> void overBytes(int64_t bytes, const Body &body) { at::parallel_for(0, bytes, 1 << 15, body); }

#ifdef LASNN_DISTILL_CUDA
void check(int code, const char *what) {
  if (code)
    throw std::runtime_error(fmt::format("{}: CUDA error {}", what, code));
}
#endif

/// A type that the loops and kernels know.
bool known(torch::ScalarType type) { return type == torch::kFloat32 || type == torch::kBFloat16; }

} // namespace

torch::Tensor packBits(const torch::Tensor &given) {
  const torch::Tensor spikes = (known(given.scalar_type()) ? given : given.to(torch::kFloat32)).contiguous(given.suggest_memory_format());
  const int64_t count = spikes.numel();
  const torch::Tensor bits = torch::empty({(count + 7) / 8}, torch::TensorOptions(torch::kUInt8).device(spikes.device()));
  const bool bfloat16 = spikes.scalar_type() == torch::kBFloat16;
#ifdef LASNN_DISTILL_CUDA
  if (spikes.is_cuda()) {
    const c10::cuda::CUDAGuard guard(spikes.device());
    check(packCuda(spikes.data_ptr(), bfloat16, bits.data_ptr<uint8_t>(), count, c10::cuda::getCurrentCUDAStream().stream()), "packing spikes");
    return bits;
  }
#endif
  if (!spikes.is_cpu()) // right on any device, and slow
    return packBits(spikes.to(torch::kCPU)).to(spikes.device());
  overBytes(bits.numel(), [&](int64_t begin, int64_t end) {
    if (bfloat16)
      packLoop(static_cast<const uint16_t *>(spikes.data_ptr()), bits.data_ptr<uint8_t>(), count, begin, end);
    else
      packLoop(spikes.data_ptr<float>(), bits.data_ptr<uint8_t>(), count, begin, end);
  });
  return bits;
}

torch::Tensor unpackBits(const torch::Tensor &packed, torch::IntArrayRef sizes, torch::MemoryFormat format, const torch::TensorOptions &options) {
  const auto type = options.dtype().toScalarType();
  if (!known(type))
    return unpackBits(packed, sizes, format, options.dtype(torch::kFloat32)).to(type);
  const torch::Tensor spikes = torch::empty(sizes, options.device(packed.device()).memory_format(format));
  const int64_t count = spikes.numel();
  const bool bfloat16 = type == torch::kBFloat16;
#ifdef LASNN_DISTILL_CUDA
  if (packed.is_cuda()) {
    const c10::cuda::CUDAGuard guard(packed.device());
    check(unpackCuda(packed.data_ptr<uint8_t>(), bfloat16, spikes.data_ptr(), count, c10::cuda::getCurrentCUDAStream().stream()), "unpacking spikes");
    return spikes;
  }
#endif
  if (!packed.is_cpu())
    return unpackBits(packed.to(torch::kCPU), sizes, format, options.device(torch::kCPU)).to(packed.device());
  overBytes(packed.numel(), [&](int64_t begin, int64_t end) {
    if (bfloat16)
      unpackLoop(packed.data_ptr<uint8_t>(), static_cast<uint16_t *>(spikes.data_ptr()), count, begin, end);
    else
      unpackLoop(packed.data_ptr<uint8_t>(), spikes.data_ptr<float>(), count, begin, end);
  });
  return spikes;
}

} // namespace lasnn::distill
