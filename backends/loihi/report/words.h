// Numbers as people read them, alike in text and HTML. Absent ones are the word unknown.
#pragma once

#include "backends/loihi/report/data.h"

#include <string>

namespace lasnn::loihi::report {

std::string whole(double value);              ///< 12 544
std::string counted(double value, const char *one); ///< "1 core", "12 544 cores"
std::string shortNumber(const Maybe &value);  ///< 3 or 4 digits that count: 0.0123, 1.52, 48.3, 12 544
std::string percentText(const Maybe &value);  ///< "97.7 %"
std::string energyText(const Maybe &pj);      ///< pJ, nJ, µJ, mJ
std::string timeText(const Maybe &ns);        ///< ns, µs, ms, s
std::string shapeText(const std::array<uint32_t, 3> &shape); ///< "32x16x16"
std::string linkText(const Link &);           ///< "chip 0: (1,2) -> (2,2)"

} // namespace lasnn::loihi::report
