// Reports on an .lmap for the tools: read, checked, described.
#pragma once

#include "backends/loihi/report/collect.h"
#include "tools/common/model.h"

namespace lasnn::tools {

struct CheckedMapping {
  loihi::lmap::Mapping mapping;
  loihi::Chip chip; ///< the one that the file holds
  loihi::check::Result checked;
};
/// The error names the file. What the checker says is no error here: it is in the report.
llvm::Expected<CheckedMapping> readMapping(const ModelBytes &bytes, const std::string &path);
/// report.txt, report.json, cores.csv, links.csv, report.html into a folder that is made where it lacks.
llvm::Error writeReports(const loihi::report::Data &data, const std::string &folder);

} // namespace lasnn::tools
