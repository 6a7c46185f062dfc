// The one table that LaSNN stands on (docs/distill.md): teacher, the same SNN without distillation, LaSNN at several T, and the
// teacher converted, on the same data. Each part is one ordinary command of this program, run as a child. Free of Torch.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::distill {

struct ClaimOptions {
  std::string program = "/proc/self/exe"; // what the parts are run with
  std::string data, out, preset, arch, teacher, teacherFlags, studentFlags, convertFlags = "--flat=0.0005";
  std::string baselineInit = "random";
  std::vector<uint64_t> seeds = {1};
  std::vector<int64_t> timesteps = {1, 2, 4, 8};
  int64_t train = 4, convertLimit = 1000;
  bool trainEach = false;
};

/// Runs what is missing in the folder, prints the table (or JSON), writes claim.md, claim.json and claim.html.
void runClaim(const ClaimOptions &, bool json);

/// The parts' results put together; the same object that claim.json holds:
/// {"teacher": {"top1"}, "plain" and "lasnn": [{"timesteps", "mean", "sd", "values", "spike_rate"}], "converted": {"images", "ann_top1",
///  "over_time", "stopped"}, "comparison": {"timesteps", "target", "reached_at" (0: never), "ratio", "at_least"}, "commands"}
nlohmann::json claimFigures(const ClaimOptions &, const nlohmann::json &results);

// claim_page.cpp
std::string claimSentence(const nlohmann::json &figures);
std::string claimMarkdown(const nlohmann::json &figures);
std::string claimHtml(const nlohmann::json &figures);

} // namespace lasnn::distill
