// What a tool reads out of a `.lasnn` besides running it. Pointers lead into the model's bytes.
#pragma once

#include "lasnn/lasnn.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lasnn::format {

struct FileContents {
  std::string_view tool, options, source_name, source_sha256, calibration; ///< provenance
  bool x86 = false, cuda = false; ///< what it runs on
  const uint8_t *ir = nullptr; ///< the integer network as MLIR bytecode
  size_t ir_size = 0;
  uint64_t content_hash = 0;
};

/// Verifies the file first, and what it holds for each target as its create does. `model` must be 64-byte aligned.
lasnn_status readContents(const void *model, size_t model_size, FileContents &contents, char *error, size_t error_size);

} // namespace lasnn::format
