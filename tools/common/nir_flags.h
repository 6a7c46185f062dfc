// The flags of what NIR files leave open, one list for all tools.
#pragma once

#include "frontend/nir/import.h"
#include "tools/common/cli.h"

namespace lasnn::tools {
void addNirFlags(CLI::App &app, nir::Conventions &conventions);
/// The bytes of a NIR file; the reasons of a refusal are printed as diagnostics.
llvm::Expected<std::string> exportAsNir(snn::NetworkOp network);
} // namespace lasnn::tools
