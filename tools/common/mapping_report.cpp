#include "tools/common/mapping_report.h"

#include "backends/loihi/lmap.h"
#include "backends/loihi/report/files.h"
#include "tools/common/cli.h"

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>

namespace lasnn::tools {

llvm::Expected<CheckedMapping> readMapping(const ModelBytes &bytes, const std::string &path) {
  const std::string name = path == "-" ? "stdin" : path;
  CheckedMapping read;
  std::string error;
  if (!loihi::readLmap({bytes.data.get(), bytes.data.get() + bytes.size}, read.mapping, error)) return llvm::createStringError(fmt::format("'{}': {}", name, error));
  const loihi::ChipResult chip = loihi::parseChip(read.mapping.header().chip_text(), name);
  if (!chip.chip) {
    std::string text = fmt::format("'{}': the chip that it holds cannot be read:", name);
    for (const std::string &each : chip.errors) text += "\n  " + each;
    return llvm::createStringError(text);
  }
  read.chip = *chip.chip;
  read.checked = loihi::check::check(read.mapping, read.chip);
  return read;
}

llvm::Error writeReports(const loihi::report::Data &data, const std::string &folder) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder)) return llvm::createStringError(fmt::format("cannot make the folder '{}': {}", folder, code.message()));
  for (const loihi::report::File &file : loihi::report::reportFiles(data))
    if (llvm::Error error = writeFile(folder + "/" + file.name, file.content)) return error;
  return llvm::Error::success();
}

} // namespace lasnn::tools
