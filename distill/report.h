// The page a training run ends with: what was learned, how well, how busily, and from what.
#pragma once

#include "distill/evaluate.h"
#include "distill/teacher.h"

namespace lasnn::distill {

/// Evaluates `model` on `set` (its test split, as a rule) and writes one self-contained HTML file. `teacher` may be null; `source`
/// says where the model and the data come from. Curves need meta["history"], one entry an epoch, and are left out without it.
struct ReportSource {
  std::string model, data, teacher;
  int64_t timesteps = 0; // accuracy over time is shown up to this many steps, at least the model's own
};
void writeReport(const Model &model, Teacher *teacher, const data::Dataset &set, const ReportSource &source, int threads, const std::string &path);

/// "2026-11-23 21:04", for provenance.
std::string timeNow();

} // namespace lasnn::distill
