// A program's kernels as CUDA C++, each layer's sizes written in as constants.
#pragma once

#include "backends/cuda/program.h"

#include <string>
#include <utility>
#include <vector>

namespace lasnn::cuda {

/// One translation unit; the kernel of launch i is called kernelName(program, i).
std::string sourceOf(const Program &program);
/// Launches of one kernel over equal sizes share it: compiling it takes seconds.
std::string kernelName(const Program &program, size_t launch);
/// The files it includes: (name, text).
const std::vector<std::pair<const char *, const char *>> &kernelHeaders();

} // namespace lasnn::cuda
