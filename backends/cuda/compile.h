// From a planned network to the bytes of a `.lasnn` for GPUs: programs, their code for each architecture, the file. No MLIR type appears here.
#pragma once

#include "backends/cuda/nvrtc.h"
#include "backends/cuda/program.h"
#include "backends/provenance.h"

#include <functional>
#include <string>
#include <vector>

namespace lasnn::cuda {

/// Makes a program's code for an architecture. Empty bytes with `error` set where that fails.
using CodeMaker = std::function<Cubin(const Program &program, const std::string &architecture, std::string &error)>;

/// The architectures that --target=cuda means: one cubin runs on all of compute capability 8.x, the other on H100 and H200.
const std::vector<std::string> &defaultArchitectures();
/// "sm_80,sm_90a,compute_90" as a list, each once; `error` set where one is no architecture.
std::vector<std::string> architecturesOf(const std::string &variant, std::string &error);

/// NVRTC, the CodeMaker of everything but tests.
Cubin compileProgram(const Program &program, const std::string &architecture, std::string &error);

struct CompileOptions {
  std::vector<std::string> architectures = defaultArchitectures();
  Options kernels;                  ///< its architecture is set from the list: the newest that the cost model knows
  CodeMaker maker = compileProgram;
};

/// A kernel as one architecture has it.
struct KernelReport {
  std::string layer, form, architecture;
  bool step = false; ///< of the program that streams
  uint32_t threads = 0, shared_bytes = 0; ///< of a block; shared memory: static and dynamic
  KernelResources resources;
  uint64_t spilled() const { return uint64_t(resources.spill_store_bytes) + resources.spill_load_bytes; }
};

struct Compiled {
  std::vector<uint8_t> bytes;
  Program whole, step; ///< whole: no launches where layers feed back
  std::vector<KernelReport> kernels;
  uint64_t arena_bytes = 0; ///< of a sample, all steps at once
};

/// The two programs of a network: all time-steps at once, and one step. False with `error` set where a limit is passed.
bool makePrograms(const plan::Network &network, const Options &options, Compiled &compiled, std::string &error);

/// Bytes are empty with `error` set where something fails.
Compiled compileNetwork(const plan::Network &network, const Provenance &provenance, const std::vector<uint8_t> &ir, const CompileOptions &options,
                        std::string &error);

/// Launches, buffers and what ptxas says of every kernel, as text.
std::string printCompiled(const Compiled &compiled);

} // namespace lasnn::cuda
