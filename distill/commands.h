// The subcommands, called with options that are already parsed. std::invalid_argument means the user asked wrongly.
#pragma once

#include "distill/convert_options.h"
#include "distill/options.h"
#include "frontend/data/data.h"

namespace lasnn::distill {

struct EvalOptions {
  std::string model, data, split = "test";
  int64_t limit = 0, latency = 0;
  std::vector<int64_t> timesteps; // empty: the model's own T
  int threads = 1;
  bool skipCorrupt = false, checksums = false;
};
struct QuantizeOptions {
  std::string model, out, weights = "int8", unit = "best";
};
struct ExportOptions {
  std::string model, out, normalisation = "fold";
};

struct TraceOptions {
  std::string model, data, out, split = "test";
  int64_t limit = 64;
  bool skipCorrupt = false, checksums = false;
};

struct ReportOptions {
  std::string model, data, teacher, out, split = "test";
  int64_t limit = 0, timesteps = 0;
  int threads = 1;
  bool skipCorrupt = false, checksums = false;
};

struct ConvertCommand {
  std::string model, data;
  int64_t limit = 0;
  bool skipCorrupt = false, checksums = false;
  ConvertOptions options;
};

void runTeacher(TrainOptions, bool json);
void runStudent(TrainOptions, const StudentOptions &, bool json);
void runEval(const EvalOptions &, bool json);
void runQuantize(const QuantizeOptions &);
void runConvert(const ConvertCommand &, bool json);
void runReport(const ReportOptions &);
void runExport(const ExportOptions &);
void runTrace(const TraceOptions &);

} // namespace lasnn::distill
