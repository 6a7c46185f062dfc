// The report as one HTML file that fetches nothing: tables are in the page itself, pictures are drawn by D3, which is copied into it.
#pragma once

#include "backends/loihi/report/data.h"

namespace lasnn::loihi::report {

std::string toHtml(const Data &);

} // namespace lasnn::loihi::report
