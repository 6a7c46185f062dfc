#pragma once

#include <string>

namespace lasnn {

/// Where a network came from; part of every artefact.
struct Provenance {
  std::string tool;         ///< "lasnn-compile 0.1.0"
  std::string options;      ///< the options that shape the artefact, in a fixed order
  std::string sourceName;   ///< file name without its folder
  std::string sourceSha256; ///< hex
  std::string calibration;  ///< data set, split, count; "" when none
};

} // namespace lasnn
