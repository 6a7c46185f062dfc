#include "backends/loihi/map/share.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

uint32_t mostAtoms(const Chip &chip) { return 1u << std::min(chip.slots.population_atom_bits, 20u); }

void share(const Model &model, const Partition &partition, const Chip &chip, CoreProjection &made, lmap::Resources &used) {
  TileSynapses &s = made.synapses;
  const uint32_t base = s.axons[0].cx_base;
  if (base % std::max(1u, chip.slots.cx_base_multiple) != 0 ||
      std::any_of(s.axons.begin(), s.axons.end(), [&](const TileAxon &a) { return a.cx_base != base; }))
    return;
  const uint32_t source = uint32_t(model.projections[made.projection].source);
  const Population &p = model.populations[source];
  std::vector<uint32_t> list_of(p.neurons(), UINT32_MAX), words;
  for (const TileAxon &axon : s.axons)
    list_of[axon.source] = axon.list;
  for (const std::vector<ListSynapse> &list : s.lists)
    words.push_back(wordsOf(listBits(list, s.format, chip).value_or(ListBits{}).total()));
  std::vector<SharedChunk> chunks;
  uint64_t total = 0;
  for (uint32_t c = 0; c < partition.cores.size(); ++c) {
    uint32_t number = 0;
    for (const Tile &tile : partition.cores[c]) {
      for (uint32_t first = 0; tile.population == source && first < tile.size(); first += mostAtoms(chip)) {
        SharedChunk chunk{c, number + first, 0, {}};
        for (uint32_t i = first; i < std::min(tile.size(), first + mostAtoms(chip)); ++i) {
          chunk.lists.push_back(list_of[tile.neuron(i, p)]);
          if (chunk.lists.back() != UINT32_MAX) chunk.stride = std::max(chunk.stride, words[chunk.lists.back()]);
        }
        if (chunk.stride == 0) continue; // nothing there reaches the layer
        total += uint64_t(chunk.stride) * chunk.lists.size();
        chunks.push_back(std::move(chunk));
      }
      number += tile.size();
    }
  }
  if (chunks.size() >= s.axons.size() || !chip.limits.synapse_words.allows(used.synapse_words() - s.words + total)) return;
  used.set_input_axons(used.input_axons() - uint32_t(s.axons.size()) + uint32_t(chunks.size()));
  used.set_synapse_words(used.synapse_words() - s.words + uint32_t(total));
  s.words = uint32_t(total);
  made.shared = std::move(chunks);
}

} // namespace

uint32_t sharedChunks(uint32_t neurons, const Chip &chip) { return (neurons + mostAtoms(chip) - 1) / mostAtoms(chip); }

bool mayShare(const Model &model, const Projection &projection) {
  // One axon has one base, so every source's list must begin at the layer's first neuron.
  const auto fromTheFirst = [](const Axis &axis) {
    for (uint32_t i = 0; i < axis.in; ++i)
      if (axis.begin(i) != axis.end(i) && axis.begin(i)->out != 0) return false;
    return true;
  };
  if (projection.source < 0 || projection.groups > 1 || !fromTheFirst(projection.y) || !fromTheFirst(projection.x)) return false;
  if (model.populations[size_t(projection.source)].soft_reset) return false; // its cores have no shared axons (NxTF)
  return std::count_if(model.projections.begin(), model.projections.end(),
                       [&](const Projection &p) { return p.source == projection.source; }) == 1;
}

void shareAxons(const Model &model, const Partition &partition, const Chip &chip, std::vector<CoreBuild> &builds) {
  std::vector<uint32_t> cores(model.projections.size(), 0);
  for (const CoreBuild &build : builds)
    for (const CoreProjection &made : build.projections)
      ++cores[made.projection];
  for (CoreBuild &build : builds)
    for (CoreProjection &made : build.projections)
      if (cores[made.projection] == 1 && made.shared.empty() && mayShare(model, model.projections[made.projection]))
        share(model, partition, chip, made, build.used);
}

} // namespace lasnn::loihi
