// The files of a report.
#pragma once

#include "backends/loihi/report/data.h"

namespace lasnn::loihi::report {

struct File {
  std::string name, content;
};
/// report.txt, report.json, cores.csv, links.csv, report.html.
std::vector<File> reportFiles(const Data &);

} // namespace lasnn::loihi::report
