// A planned network as `.lasnn` bytes for the x86 runtime. No MLIR type appears here.
#pragma once

#include "backends/plan/plan.h"
#include "backends/provenance.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::x86 {

/// Header, FlatBuffer with provenance, the integer network as MLIR bytecode (`ir`), and the x86 plan with packed weights. Same input, same
/// bytes. Empty with `error` set when the network breaks a limit of the format.
std::vector<uint8_t> writeLasnn(const plan::Network &plan, const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error);

} // namespace lasnn::x86
