#include "backends/loihi/check/parts.h"
#include "backends/loihi/check/walk.h"

#include <fmt/format.h>

#include <set>

namespace lasnn::loihi::check {
namespace {

/// "core 1.5.2 (conv3, conv4)": chip, tile, core of the tile, and its layers.
std::string placeOf(const lmap::Mapping &mapping, const Chip &chip, const lmap::Core &core) {
  const uint32_t onChip = core.address() % chip.mesh.cores_per_chip, tile = chip.mesh.tileOf(onChip);
  std::set<uint32_t> layers;
  for (const lmap::Group &group : core.groups()) layers.insert(group.layer());
  std::string names;
  for (uint32_t layer : layers) names += (names.empty() ? "" : ", ") + (layer < uint32_t(mapping.layers_size()) ? mapping.layers(int(layer)).name() : "layer " + std::to_string(layer));
  return fmt::format("core {}.{}.{} ({})", core.address() / chip.mesh.cores_per_chip, tile, onChip - tile * chip.mesh.cores_per_tile, names);
}

} // namespace

std::string Result::text() const {
  std::string out;
  for (const Finding &f : findings) {
    out += fmt::format("{}: {}", f.code, f.place);
    if (f.places > 1) out += fmt::format(" and {} more", f.places - 1);
    if (f.needed || f.allowed) out += fmt::format(": needs {}, allowed {}", f.needed, f.allowed);
    out += fmt::format(": {}; {}\n", f.text, f.cure);
  }
  return out;
}

Result check(const lmap::Mapping &mapping, const Chip &chip) {
  Result result;
  Context context{mapping, chip, Findings(result.findings), {}, {}, {}, {}};
  const size_t cores = size_t(mapping.cores_size());
  context.layerAt.resize(cores), context.axons.resize(cores), result.cores.resize(cores);
  for (size_t i = 0; i < cores; ++i) {
    context.places.push_back(placeOf(mapping, chip, mapping.cores(int(i))));
    result.cores[i].address = mapping.cores(int(i)).address();
    if (!context.byAddress.emplace(mapping.cores(int(i)).address(), uint32_t(i)).second)
      context.found.rule("core-twice", context.places[i], "its address is another core's too", kMapAgain);
  }
  checkHeader(context);
  checkLayers(context);
  for (uint32_t i = 0; i < cores; ++i) checkCore(context, i, result.cores[i]), checkMemory(context, i, result.cores[i]);
  checkNetwork(context, result.cores);
  checkRecorded(context, result.cores);
  return result;
}

} // namespace lasnn::loihi::check
