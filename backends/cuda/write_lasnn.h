// CUDA programs and their code to `.lasnn` bytes. No MLIR type appears here.
#pragma once

#include "backends/cuda/program.h"
#include "backends/provenance.h"

namespace lasnn::cuda {

/// The kernels of both programs for one architecture, each compiled from its own sourceOf().
struct Code {
  std::string architecture;          ///< "sm_90a": cubins; "compute_90": PTX
  std::vector<uint8_t> whole, step;  ///< one for each program of the file
};

/// `to` holds at a step what `from` held at the one before.
struct DelayedBuffer {
  uint32_t from, to;
};

struct FileContent {
  const Program *whole = nullptr; ///< all T steps at once; null where layers feed back
  const Program *step = nullptr;  ///< T = 1, with the same buffers; null: the file cannot stream
  uint32_t timesteps = 1;
  uint32_t input_max = 255;       ///< largest input value: 255 of an image, the bound of spike counts of events
  std::vector<DelayedBuffer> delays;
  std::vector<Code> codes;
};

/// The same content, the same bytes. Empty with `error` set when the format or the runtime's verifier refuses it.
std::vector<uint8_t> writeLasnn(const FileContent &content, const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error);

/// Where buffers lie for one sample, so that those alive together are apart.
struct ArenaPlan {
  struct Place {
    uint64_t offset, bytes;
  };
  std::vector<Place> buffers;
  uint64_t bytes = 0;
};
ArenaPlan planArena(const Program &program, const std::vector<DelayedBuffer> &delays);

} // namespace lasnn::cuda
