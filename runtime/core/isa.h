// Which instruction sets this build and this CPU have, and which one a network takes.
#pragma once

#include "core/error.h"
#include "lasnn/lasnn.h"

namespace lasnn::runtime {

struct KernelTable;

/// Name of the first thing that `isa` lacks here; nullptr when it can run.
const char *missingFor(lasnn_isa isa);

/// AUTO: the environment variable LASNN_ISA, else the best available.
lasnn_status chooseIsa(lasnn_isa wanted, lasnn_isa &isa, ErrorText &error);

const KernelTable &kernelsOf(lasnn_isa isa);

} // namespace lasnn::runtime
