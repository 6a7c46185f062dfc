// Networks for reports: an image classifier of a few convolutions with made-up weights, which fits Loihi, or does not.
#pragma once

#include "backends/plan/plan.h"

namespace lasnn::loihi {

/// Three convolutions of `width`, `width` and 2 * `width` channels on a 3x32x32 image, and a read-out of 10.
plan::Network classifier(uint32_t width);

} // namespace lasnn::loihi
