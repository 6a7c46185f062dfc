// The compiler's passes and the one pipeline that runs them. Each pass is a folder; its manual is in its record (.td).
#pragma once

#include "ir/Snn.h"
#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>
#include <vector>

namespace lasnn {

/// One sample a row: uint8 [C,H,W], or [T,C,H,W] for event input.
struct CalibrationData {
  std::string description; ///< what the artefact's provenance says of it: set, split, count
  std::vector<std::vector<uint8_t>> samples;
};

struct CompileOptions {
  int weightBits = 0;   ///< 2..8, symmetric: -(2^(b-1)-1) .. 2^(b-1)-1; 0: those the model was trained with, or 8
  std::string weights;  ///< with weightScale or rounding, or for widths by layer: as of snn-round-weights, "int8,conv2:int4"; empty: weightBits for all
  size_t roundLimit = 64; ///< samples of the calibration that snn-round-weights looks at
  std::string weightScale, rounding; ///< as of snn-round-weights; empty: max, nearest
  int stateBits = 0;    ///< 16, 24, or 0: chosen from calibration or proof
  int thresholdStep = 0; ///< of the target (Backend::thresholdStep): thresholds become this times a power of 2; 0: any integer
  std::shared_ptr<const CalibrationData> calibration; ///< null: none given
};

/// legalize -> fold -> fuse, in float form.
void buildFloatPipeline(mlir::OpPassManager &manager);
/// calibrate (when data is there) -> quantize -> verify-contract: the integer network.
void buildIntegerPipeline(mlir::OpPassManager &manager, const CompileOptions &options);
/// Makes every pass and pipeline known to lasnn-opt by its flag.
void registerPasses();

} // namespace lasnn
