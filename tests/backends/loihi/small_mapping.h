// A mapping made by hand for the chip `tiny`: 4 input neurons, 8 hidden ones (reset by subtraction) on two cores of chip 0, a read-out of 3 on
// chip 1, which also sees the input (through a delay); one shared axon. It breaks no rule.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"

namespace lasnn::loihi {

Chip tinyChip();
lmap::Mapping smallMapping(const Chip &chip);

} // namespace lasnn::loihi
