// A mapped chip as the tools see it: the simulator, beside its energies and times.
#pragma once

#include "backends/loihi/sim/simulator.h"
#include "frontend/data/data.h"
#include "tools/common/device.h"
#include "tools/common/model.h"

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

namespace lasnn::tools {

/// A mapping and what all devices that ran it counted.
struct ChipRuns {
  std::shared_ptr<const loihi::Program> program;
  std::string name, hash;
  std::mutex lock;
  loihi::Statistics statistics; ///< of devices that are gone
  std::vector<loihi::LinkLoad> links; ///< likewise; a link of several devices has several entries
};

bool isMapping(const ModelBytes &bytes);
llvm::Expected<std::shared_ptr<ChipRuns>> loadMapping(const ModelBytes &bytes, const std::string &path);
/// As loadSamples of a network (passes/Samples.h).
llvm::Expected<data::Dataset> loadSamples(const ChipRuns &chip, const std::string &spec, const std::string &split, data::LoadOptions options);
/// Counts into `runs` when it goes.
std::unique_ptr<Device> makeLoihi(std::shared_ptr<ChipRuns> runs);

/// By sample: events, energies and times by every profile of the chip.
nlohmann::ordered_json toJson(const ChipRuns &runs);
std::string toText(const ChipRuns &runs, bool profile);

} // namespace lasnn::tools
