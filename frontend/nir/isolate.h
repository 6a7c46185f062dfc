// Reading in a process of its own: a damaged file must not take the tool down.
#pragma once

#include "frontend/nir/file.h"

namespace lasnn::nir {
/// What the child runs: HDF5's own library over the bytes. May crash on damaged files.
std::unique_ptr<Group> readFileHere(llvm::StringRef bytes, const Report &report);
} // namespace lasnn::nir
