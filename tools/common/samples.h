// The data sets that tools read: the flags about them, and what is to be said about them.
#pragma once

#include "passes/Samples.h"
#include "passes/passes.h"

#include <CLI/CLI.hpp>
#include <memory>

namespace lasnn::tools {

/// --skip-corrupt and --checksums.
void addDataFlags(CLI::App &app, bool &skipCorrupt, bool &checksums);

/// The first images of a set's train split, for the compiler.
llvm::Expected<std::shared_ptr<CalibrationData>> loadCalibration(const std::string &tool, snn::NetworkOp network, const std::string &spec,
                                                                 data::LoadOptions options);

/// "lasnn-run: note: TEXT" on stderr, one a note.
void printNotes(const std::string &tool, const data::Dataset &set);

} // namespace lasnn::tools
