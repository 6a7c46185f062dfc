// The fewest cores that any mapping needs: compartments are the one resource that nothing can share or encode away. And the fewest packets
// of any cut of layers into boxes, since no box of a core's size is reached by fewer axons.
#pragma once

#include "backends/loihi/lower/model.h"

namespace lasnn::loihi {

void lowerBound(const Model &model, const Chip &chip, lmap::Bound &bound);

} // namespace lasnn::loihi
