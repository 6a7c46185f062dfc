// Shared (population) axons: where all spikes of a layer go to one core, a source tile needs one axon there in place of one a neuron, and
// one output entry pair. What makes wide linear layers fit at all.
#pragma once

#include "backends/loihi/map/core_build.h"

namespace lasnn::loihi {

/// Turns the axons of every projection that may share into shared ones, where the synapse memory allows it.
void shareAxons(const Model &model, const Partition &partition, const Chip &chip, std::vector<CoreBuild> &builds);

/// Whether a projection could share if its target layer lay on one core.
bool mayShare(const Model &model, const Projection &projection);
/// Shared axons of one source tile of that many neurons.
uint32_t sharedChunks(uint32_t neurons, const Chip &chip);

} // namespace lasnn::loihi
