#include "distill/device.h"

#include <fmt/format.h>
#ifdef LASNN_TORCH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

#include <cstdlib>
#include <new>

namespace lasnn::distill {

torch::Device deviceFromName(const std::string &name) {
  if (name == "cpu")
    return torch::kCPU;
  const std::string number = name.starts_with("cuda:") ? name.substr(5) : "";
  const bool digits = !number.empty() && number.size() < 4 && number.find_first_not_of("0123456789") == std::string::npos;
  if (name != "cuda" && !digits)
    throw std::invalid_argument(fmt::format("--device={}: known are cpu, cuda and cuda:N", name));
#ifndef LASNN_TORCH_CUDA
  throw std::runtime_error(fmt::format("--device={}: this program was built against a LibTorch without CUDA; build against one that has it "
                                       "(-DCMAKE_PREFIX_PATH=...), or use --device=cpu", name));
#else
  const int count = int(torch::cuda::device_count());
  if (count == 0)
    throw std::runtime_error(fmt::format("--device={}: no GPU is there that LibTorch can use; check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device=cpu", name));
  const char *local = std::getenv("LOCAL_RANK");
  const int index = digits ? std::stoi(number) : local ? std::atoi(local) : 0;
  if (index >= count)
    throw std::runtime_error(fmt::format("--device={}: GPU {} is not there; GPUs 0 to {} are", name, index, count - 1));
  return {torch::kCUDA, torch::DeviceIndex(index)};
#endif
}

bool isOutOfMemory(const std::exception &e) {
  if (dynamic_cast<const std::bad_alloc *>(&e) || dynamic_cast<const c10::OutOfMemoryError *>(&e))
    return true;
  const std::string text = e.what();
  // LibTorch's CPU allocator throws a plain c10::Error; oneDNN's own allocations speak of memory too.
  for (const char *words : {"DefaultCPUAllocator", "not enough memory", "out of memory", "could not create a memory"})
    if (text.find(words) != std::string::npos)
      return true;
  return false;
}

void releaseMemory(const torch::Device &device) {
#ifdef LASNN_TORCH_CUDA
  if (device.is_cuda())
    c10::cuda::CUDACachingAllocator::emptyCache();
#else
  (void)device;
#endif
}

} // namespace lasnn::distill
