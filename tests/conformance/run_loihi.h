// A mapping run by the chip's simulator, which executes nothing but the file.
#pragma once

#include "tests/conformance/run_x86.h"

namespace lasnn::test {

/// "" when the mapping gives the interpreter's outputs and spikes, else the first difference.
std::string compareLoihi(const std::vector<uint8_t> &mapping, const Trace &truth);

} // namespace lasnn::test
