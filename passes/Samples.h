// A data set as samples of one network: images for a direct encoding, T frames of spike counts for events (rule E3).
#pragma once

#include "frontend/data/data.h"
#include "ir/Snn.h"
#include "llvm/Support/Error.h"

namespace lasnn {

/// Loads `spec`; an event set is asked for the network's T and max_count. An error when the set is of the other kind.
llvm::Expected<data::Dataset> loadSamples(snn::NetworkOp network, const std::string &spec, const std::string &split, data::LoadOptions options);

} // namespace lasnn
