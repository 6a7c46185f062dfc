// The CUDA artefact run through the runtime's C API over the emulated driver: the real kernels, on the CPU.
#pragma once

#include "backends/plan/plan.h"
#include "backends/provenance.h"
#include "tests/conformance/run_x86.h"

namespace lasnn::test {

/// A `.lasnn` whose code is for the emulated driver; empty with `error` set.
std::vector<uint8_t> cudaArtefact(const plan::Network &network, const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error);
/// "" when the artefact gives the interpreter's trace, all samples as one batch, else the first difference.
std::string compareCuda(const std::vector<uint8_t> &artefact, const Trace &truth);

} // namespace lasnn::test
