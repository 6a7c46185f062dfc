// How the network is driven and read: lasnn.* metadata of the file, overridden by the caller's options.
#pragma once

#include "frontend/onnx/import.h"
#include "frontend/onnx/node.h"

#include <map>

namespace lasnn::onnx_import {

/// What a layer that was trained in integers was trained with.
struct Trained {
  int weightBits = 8;
  std::vector<float> unit; ///< one, or one a channel
};

struct Settings {
  std::optional<int64_t> timesteps;
  std::optional<snn::ReadoutMode> readout;
  snn::Encoding encoding = snn::Encoding::Direct;
  std::vector<float> mean, std; ///< as given: one entry, or one a channel
  int64_t maxCount = 1;
  std::optional<std::vector<std::string>> layers;
  std::map<std::string, Trained> trained; ///< by the neuron's node, or the output that is read
};

/// Reads all of it; problems are reported at `file`.
Settings readSettings(Import &import, mlir::Location file, const ImportOptions &options);

} // namespace lasnn::onnx_import
