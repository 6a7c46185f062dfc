#include "tools/common/samples.h"

#include <cstdio>
#include <fmt/format.h>

namespace lasnn::tools {

void addDataFlags(CLI::App &app, bool &skipCorrupt, bool &checksums) {
  app.add_flag("--skip-corrupt", skipCorrupt, "leave damaged records of the data set out and say which, instead of failing");
  app.add_flag("--checksums", checksums, "compare standard data files with their known MD5; a difference is said, not an error");
}

void printNotes(const std::string &tool, const data::Dataset &set) {
  for (const std::string &note : set.notes) fmt::print(stderr, "{}: note: {}\n", tool, note);
}

} // namespace lasnn::tools
