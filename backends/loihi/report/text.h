// The report for a terminal: all sections, long tables cut at a stated number of rows.
#pragma once

#include "backends/loihi/report/data.h"

namespace lasnn::loihi::report {

struct TextOptions {
  size_t cores = 20, links = 10; ///< rows shown
};
std::string toText(const Data &, const TextOptions & = {});
/// The verdict and the numbers one looks for first: a few lines.
std::string toBriefText(const Data &);

} // namespace lasnn::loihi::report
