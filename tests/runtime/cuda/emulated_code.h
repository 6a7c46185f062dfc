// Code for the emulated driver: what stands in a file where a GPU's cubin or PTX stands. It says which kernel of backends/cuda each launch is, with
// its layer's sizes; the driver then runs that kernel's source on the CPU.
#pragma once

#include "backends/cuda/program.h"

#include <string>
#include <utility>
#include <vector>

namespace lasnn::test {

struct EmulatedCode {
  std::string architecture;
  std::vector<std::pair<std::string, cuda::Launch>> kernels; ///< by name; launches without weights and buffers
};
/// For "sm_XY" bytes with an ELF header, for "compute_XY" zero-terminated text that begins like PTX.
std::vector<uint8_t> emulatedCode(const cuda::Program &program, const std::string &architecture);
std::vector<uint8_t> writeEmulatedCode(const EmulatedCode &code);
/// False: `image` is none.
bool readEmulatedCode(const void *image, EmulatedCode &code);

} // namespace lasnn::test
