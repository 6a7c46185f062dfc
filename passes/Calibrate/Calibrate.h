#pragma once

#include "passes/passes.h"

namespace lasnn {
/// The pass on samples in memory; its options `data` and `limit` are not used.
std::unique_ptr<mlir::Pass> createCalibrate(std::shared_ptr<const CalibrationData> data);
} // namespace lasnn
