// The fewest cores that any mapping needs: compartments are the one resource that nothing can share or encode away.
#pragma once

#include "backends/loihi/lower/model.h"

namespace lasnn::loihi {

void lowerBound(const Model &model, const Chip &chip, lmap::Bound &bound);

} // namespace lasnn::loihi
