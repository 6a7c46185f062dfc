// Tables for other programs: one row a core, one row a link. RFC 4180, a head line; unknown numbers are empty cells.
#pragma once

#include "backends/loihi/report/data.h"

namespace lasnn::loihi::report {

std::string coresCsv(const Data &);
std::string linksCsv(const Data &);
std::string csvRow(const std::vector<std::string> &cells);

} // namespace lasnn::loihi::report
