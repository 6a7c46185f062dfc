// A made-up report that reaches every section: numbers are plausible, consistent with one another, and no network's.
#pragma once

#include "backends/loihi/report/data.h"

namespace lasnn::loihi::report {

struct SampleOptions {
  uint32_t chips = 1;
  bool simulated = true, fits = true;
};
Data sampleReport(const SampleOptions &options = {});

} // namespace lasnn::loihi::report
