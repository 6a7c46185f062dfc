#include "backends/loihi/map/bound.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

uint64_t divided(uint64_t a, const Limit &b) { return b.known() ? (a + b - 1) / b : uint64_t(a > 0); }

} // namespace

void lowerBound(const Model &model, const Chip &chip, lmap::Bound &bound) {
  uint64_t compartments = 0, each = 0;
  for (const Population &p : model.populations) {
    const uint64_t needed = uint64_t(p.neurons()) * p.compartments;
    const uint64_t alone = std::max<uint64_t>(divided(needed, chip.limits.compartments), 1);
    bound.add_layer_cores(uint32_t(alone));
    compartments += needed;
    each += alone;
  }
  bound.set_cores(uint32_t(std::max<uint64_t>(divided(compartments, chip.limits.compartments), 1)));
  bound.set_resource("compartments");
  bound.set_cores_one_layer_each(uint32_t(each));
}

} // namespace lasnn::loihi
