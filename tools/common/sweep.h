// A whole data set through one device: accuracy, latency, digest, layer statistics.
#pragma once

#include "frontend/data/data.h"
#include "tools/common/device.h"

#include <functional>
#include <nlohmann/json.hpp>

namespace lasnn::tools {

struct SweepResult {
  std::string device, isa;       ///< Device::name() and isa()
  bool integer = false;
  size_t batch = 1;
  size_t images = 0, correct = 0;
  std::vector<double> latencyUs; ///< one an image, sorted: of the batch that it was in
  double seconds = 0;            ///< wall time of the whole sweep
  uint64_t digest = 0;           ///< XXH64 of all integer outputs in image order; 0 for float networks
  std::vector<uint16_t> predicted;
  std::vector<LayerStats> layers;
  double percentile(double share) const;
};

/// Makes a device beside one that exists (null: the first).
using DeviceFactory = std::function<llvm::Expected<std::unique_ptr<Device>>(const Device *beside)>;

/// Run every image, `threads` devices side by side; outputs are hashed in image order whatever the threads.
llvm::Expected<SweepResult> sweep(const DeviceFactory &make, const data::Dataset &set, unsigned threads);

/// The stable keys of `lasnn-run --json`.
nlohmann::ordered_json toJson(const SweepResult &result);

std::string hex(uint64_t digest);

} // namespace lasnn::tools
