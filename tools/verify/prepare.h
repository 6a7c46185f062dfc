// From files to a plan: which executors run and which of them are compared.
#pragma once

#include "tools/verify/verify.h"

namespace lasnn::tools::verify {

struct Request {
  std::string model, data, split = "test", runner = "auto", calib;
  std::vector<std::string> artefacts;
  size_t limit = 1000;
  bool skipCorrupt = false, checksums = false;
  tools::LoadOptions import;
  Limits limits;
};

/// What has to live while the plan runs.
struct Prepared {
  std::unique_ptr<mlir::MLIRContext> context;
  std::vector<Model> models;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules;
  data::Dataset set;
  Plan plan;
};

/// Loads model, artefacts and samples. Diagnostics are printed where they arise; the error says the rest.
llvm::Error prepare(const std::string &tool, const Request &request, Prepared &prepared);

} // namespace lasnn::tools::verify
