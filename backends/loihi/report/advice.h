// What is wrong with a mapping, in the checker's and the mapper's words, and what would help it most.
#pragma once

#include "backends/loihi/check/check.h"
#include "backends/loihi/report/data.h"

namespace lasnn::loihi::report {

/// Fills violations, advice, and the verdict.
void judge(Data &data, const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked);
/// The chip's limits in the report's order; unknown ones stay absent.
void fillAllowed(Data &data, const Chip &chip);

} // namespace lasnn::loihi::report
