// The data sets that tools read: the flags about them, and what is to be said about them.
#pragma once

#include "passes/Samples.h"

#include <CLI/CLI.hpp>

namespace lasnn::tools {

/// --skip-corrupt and --checksums.
void addDataFlags(CLI::App &app, bool &skipCorrupt, bool &checksums);

/// "lasnn-run: note: TEXT" on stderr, one a note.
void printNotes(const std::string &tool, const data::Dataset &set);

} // namespace lasnn::tools
