// Compiles device code in this process with NVRTC, found at run time: no GPU, no CUDA toolkit at build time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lasnn::cuda {

/// What ptxas says of a kernel.
struct KernelResources {
  uint32_t registers = 0, shared_bytes = 0, spill_store_bytes = 0, spill_load_bytes = 0;
};

struct Cubin {
  std::string architecture; ///< "sm_90a"
  std::vector<uint8_t> bytes;
  std::map<std::string, KernelResources> kernels; ///< by name
};

/// The library's version, "13.0"; empty with `error` set when no NVRTC is found.
std::string nvrtcVersion(std::string &error);

/// A cubin for one architecture ("sm_80", "sm_90", "sm_90a"), or PTX for "compute_90". Empty bytes with `error` set, the compiler's log in it.
Cubin compileCuda(const std::string &source, const std::string &architecture, std::string &error);

} // namespace lasnn::cuda
