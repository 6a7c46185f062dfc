#include "tools/common/samples.h"

#include <cstdio>
#include <fmt/format.h>

namespace lasnn::tools {

void addDataFlags(CLI::App &app, bool &skipCorrupt, bool &checksums) {
  app.add_flag("--skip-corrupt", skipCorrupt, "leave damaged records of the data set out and say which, instead of failing");
  app.add_flag("--checksums", checksums, "compare standard data files with their known MD5; a difference is said, not an error");
}

llvm::Expected<std::shared_ptr<CalibrationData>> loadCalibration(const std::string &tool, snn::NetworkOp network, const std::string &spec,
                                                                 data::LoadOptions options) {
  if (options.limit == 0) return llvm::createStringError("--calib-limit is 0: the calibration set is empty, expected at least 1 image");
  auto set = loadSamples(network, spec, "train", options);
  if (!set) return set.takeError();
  printNotes(tool, *set);
  auto calibration = std::make_shared<CalibrationData>();
  calibration->description = fmt::format("{} train, first {} images", set->name, set->count);
  for (size_t i = 0; i < set->count; ++i)
    calibration->samples.emplace_back(set->image(i), set->image(i) + set->imageBytes());
  return calibration;
}

void printNotes(const std::string &tool, const data::Dataset &set) {
  for (const std::string &note : set.notes)
    fmt::print(stderr, "{}: note: {}\n", tool, note);
}

} // namespace lasnn::tools
