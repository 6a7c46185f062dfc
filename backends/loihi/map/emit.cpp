#include "backends/loihi/map/emit.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace lasnn::loihi {

namespace {

template <class To, class From> void assign(To *to, const From &from) {
  to->Reserve(int(from.size()));
  for (const auto &value : from)
    to->Add(static_cast<typename std::remove_reference_t<decltype(*to)>::value_type>(value));
}

void emitLayer(const Model &model, const Population &p, lmap::Layer &layer) {
  layer.set_name(p.name);
  layer.set_kind(p.kind);
  layer.set_type(p.type);
  layer.set_channels(p.channels);
  layer.set_height(p.height);
  layer.set_width(p.width);
  layer.set_start(p.start);
  layer.set_scale_log2(p.scale_log2);
  for (const uint32_t i : p.projections) {
    layer.add_sources(model.projections[i].source);
    layer.add_synapse_names(model.projections[i].name);
  }
  if (std::any_of(p.projections.begin(), p.projections.end(), [&](uint32_t i) { return model.projections[i].steps > 0; }))
    for (const uint32_t i : p.projections)
      layer.add_source_steps(model.projections[i].steps);
  layer.set_decay(p.decay);
  layer.set_reset(p.reset);
  layer.set_s_max(p.s_max);
  layer.set_output_offset(p.output_offset);
  layer.set_v_low(p.v_low);
  layer.set_v_high(p.v_high);
  layer.set_sum_low(p.sum_low);
  layer.set_sum_high(p.sum_high);
  layer.set_plan_layer(p.plan_layer);
  assign(layer.mutable_rho(), p.rho);
  if (p.kind == lmap::SPIKING) assign(layer.mutable_v_threshold(), p.threshold);
  assign(layer.mutable_bias(), p.bias);
  assign(layer.mutable_v_initial(), p.initial);
  layer.set_clamp_low(p.clamp_low);
  layer.set_v_min(p.v_min);
  layer.set_clamp_high(p.clamp_high);
  layer.set_v_max(p.v_max);
  layer.set_rate(p.rate);
}

void emitHost(const Model &model, lmap::Mapping &mapping) {
  for (uint32_t i = 0; i < model.populations.size(); ++i)
    for (const HostSynapse &host : model.populations[i].host) {
      const plan::Synapse &s = host.synapse;
      lmap::HostLayer &h = *mapping.add_host();
      h.set_layer(i);
      h.set_name(s.name);
      h.set_kernel_h(s.kernel_h);
      h.set_kernel_w(s.kernel_w);
      h.set_stride_h(s.stride_h);
      h.set_stride_w(s.stride_w);
      h.set_dilation_h(s.dilation_h);
      h.set_dilation_w(s.dilation_w);
      h.set_pad_top(s.pad_top);
      h.set_pad_left(s.pad_left);
      h.set_groups(s.groups);
      h.set_weight(s.weight.data(), s.weight.size());
    }
}

/// None where they are shared.
const std::vector<TileAxon> &discrete(const CoreProjection &made) {
  static const std::vector<TileAxon> none;
  return made.shared.empty() ? made.synapses.axons : none;
}

/// Lists of each chunk's neurons one after the other, each as long as the longest.
void emitShared(const CoreProjection &made, uint32_t delay, const Chip &chip, lmap::Core &core, std::vector<uint64_t> &words) {
  for (const SharedChunk &chunk : made.shared) {
    const size_t start = words.size();
    for (size_t atom = 0; atom < chunk.lists.size(); ++atom) {
      if (chunk.lists[atom] != UINT32_MAX)
        writeList(made.synapses.lists[chunk.lists[atom]], made.synapses.format, made.format, delay, chip, words);
      words.resize(start + (atom + 1) * chunk.stride, 0);
    }
    core.mutable_axon_atoms()->Resize(core.axon_word_size(), 1);
    core.mutable_axon_stride()->Resize(core.axon_word_size(), 0);
    core.add_axon_word(uint32_t(start));
    core.add_axon_length(chunk.stride);
    core.add_axon_base(made.synapses.axons[0].cx_base);
    core.add_axon_atoms(uint32_t(chunk.lists.size()));
    core.add_axon_stride(chunk.stride);
  }
}

void emitCore(const Model &model, const CoreTiles &tiles, const CoreBuild &build, const Chip &chip, lmap::Core &core,
              std::vector<uint32_t> &first_axon) {
  for (uint32_t t = 0; t < tiles.size(); ++t) {
    const Tile &tile = tiles[t];
    const Population &p = model.populations[tile.population];
    lmap::Group &g = *core.add_groups();
    g.set_layer(tile.population);
    g.set_base(build.base[t]);
    g.set_compartments_per_neuron(p.compartments);
    g.set_c0(tile.c0);
    g.set_c1(tile.c1);
    g.set_y0(tile.y0);
    g.set_y1(tile.y1);
    g.set_x0(tile.x0);
    g.set_x1(tile.x1);
    g.set_channels_last(tile.channels_last);
    assign(g.mutable_neurons(), tile.neurons);
    g.set_profile(build.profile[t]);
    g.set_bias_terms(p.bias_terms);
    g.set_soft_reset(p.soft_reset);
  }
  for (const auto &profile : build.profiles)
    *core.add_profiles() = profile;
  assign(core.mutable_thresholds(), build.thresholds);
  for (const auto &format : build.formats)
    *core.add_formats() = format;
  std::vector<uint64_t> words;
  std::vector<uint32_t> at;
  first_axon.clear();
  for (const CoreProjection &made : build.projections) {
    const Projection &projection = model.projections[made.projection];
    const TileSynapses &s = made.synapses;
    at.clear();
    const size_t start = words.size();
    first_axon.push_back(uint32_t(core.axon_word_size()));
    if (!made.shared.empty()) emitShared(made, projection.delay, chip, core, words);
    for (const std::vector<ListSynapse> &list : s.lists) {
      if (!made.shared.empty()) break;
      at.push_back(uint32_t(words.size()));
      writeList(list, s.format, made.format, projection.delay, chip, words);
    }
    at.push_back(uint32_t(words.size()));
    for (const TileAxon &axon : discrete(made)) {
      core.add_axon_word(at[axon.list]);
      core.add_axon_length(at[axon.list + 1] - at[axon.list]);
      core.add_axon_base(axon.cx_base);
    }
    lmap::Projection &record = *core.add_projections();
    record.set_source(projection.source);
    record.set_layer(projection.target);
    record.set_synapse(int32_t(projection.synapse));
    record.set_axons(uint32_t(made.shared.empty() ? s.axons.size() : made.shared.size()));
    record.set_lists(uint32_t(s.lists.size()));
    record.set_synapses(s.synapses);
    record.set_stored(s.bits.synapses);
    record.set_words(uint32_t(words.size() - start));
    record.set_weight_bits(s.bits.weight);
    record.set_index_bits(s.bits.index);
    record.set_prefix_bits(s.bits.prefix);
    record.set_delay_bits(s.bits.delay);
    ListBits bits = s.bits;
    if (!made.shared.empty()) { // every atom has a list of its own
      bits = {};
      for (const SharedChunk &chunk : made.shared)
        for (const uint32_t list : chunk.lists)
          if (list != UINT32_MAX) {
            const ListBits one = listBits(s.lists[list], s.format, chip).value_or(ListBits{});
            bits.weight += one.weight, bits.index += one.index, bits.prefix += one.prefix, bits.delay += one.delay,
                bits.synapses += s.lists[list].size();
          }
      record.set_stored(bits.synapses);
      record.set_weight_bits(bits.weight);
      record.set_index_bits(bits.index);
      record.set_prefix_bits(bits.prefix);
      record.set_delay_bits(bits.delay);
    }
    record.set_padding_bits(uint64_t(words.size() - start) * 64 - bits.total());
    record.set_delay(projection.delay);
  }
  if (core.axon_atoms_size() > 0) { // discrete axons behind the last shared one
    core.mutable_axon_atoms()->Resize(core.axon_word_size(), 1);
    core.mutable_axon_stride()->Resize(core.axon_word_size(), 0);
  }
  std::string memory(words.size() * 8, '\0');
  for (size_t i = 0; i < words.size(); ++i)
    for (uint32_t byte = 0; byte < 8; ++byte)
      memory[i * 8 + byte] = char(words[i] >> (8 * byte));
  core.set_memory(std::move(memory));
  *core.mutable_used() = build.used;
}

/// Where each source neuron's spikes go: counts, then flat targets.
struct Routes {
  std::vector<uint32_t> first; ///< by neuron
  std::vector<uint32_t> core, axon;
};

} // namespace

void emit(const Model &model, const Partition &partition, const std::vector<CoreBuild> &builds, const std::vector<uint32_t> &address,
          const Chip &chip, lmap::Mapping &mapping) {
  for (const Population &p : model.populations)
    emitLayer(model, p, *mapping.add_layers());
  emitHost(model, mapping);
  for (const CoreBuild &build : builds)
    for (const CoreProjection &made : build.projections) {
      lmap::Layer &layer = *mapping.mutable_layers(int(model.projections[made.projection].target));
      layer.set_synapses(layer.synapses() + made.synapses.synapses);
    }
  const uint32_t cores = uint32_t(partition.cores.size());
  std::vector<uint32_t> order(cores);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return address[a] < address[b]; });

  std::vector<std::vector<uint32_t>> first_axon(cores);
  for (const uint32_t c : order) {
    lmap::Core &core = *mapping.add_cores();
    core.set_address(address[c]);
    emitCore(model, partition.cores[c], builds[c], chip, core, first_axon[c]);
  }

  // Routes of population + 1 (0 is the input), counted first, then filled: by neuron in order of target cores.
  std::vector<Routes> routes(model.populations.size() + 1);
  const auto sizeOf = [&](size_t i) {
    return i == 0 ? size_t(model.input.channels) * model.input.height * model.input.width : size_t(model.populations[i - 1].neurons());
  };
  for (size_t i = 0; i < routes.size(); ++i)
    routes[i].first.assign(sizeOf(i) + 1, 0);
  for (const CoreBuild &build : builds)
    for (const CoreProjection &made : build.projections)
      for (const TileAxon &axon : discrete(made))
        ++routes[size_t(model.projections[made.projection].source + 1)].first[axon.source + 1];
  std::vector<std::vector<uint32_t>> next(routes.size());
  for (size_t i = 0; i < routes.size(); ++i) {
    std::partial_sum(routes[i].first.begin(), routes[i].first.end(), routes[i].first.begin());
    routes[i].core.resize(routes[i].first.back());
    routes[i].axon.resize(routes[i].first.back());
    next[i] = routes[i].first;
  }
  for (const uint32_t c : order)
    for (size_t m = 0; m < builds[c].projections.size(); ++m) {
      const CoreProjection &made = builds[c].projections[m];
      const size_t source = size_t(model.projections[made.projection].source + 1);
      const std::vector<TileAxon> &axons = discrete(made);
      for (uint32_t a = 0; a < axons.size(); ++a) {
        const uint32_t at = next[source][axons[a].source]++;
        routes[source].core[at] = address[c];
        routes[source].axon[at] = first_axon[c][m] + a;
      }
    }

  if (!routes[0].core.empty()) {
    lmap::InputRoute &input = *mapping.add_input();
    for (size_t n = 0; n + 1 < routes[0].first.size(); ++n)
      input.add_counts(routes[0].first[n + 1] - routes[0].first[n]);
    assign(input.mutable_core(), routes[0].core);
    assign(input.mutable_axon(), routes[0].axon);
  }
  std::vector<int> place(cores); // of the partition's cores in the mapping
  for (uint32_t i = 0; i < cores; ++i)
    place[order[i]] = int(i);
  for (const uint32_t to : order)
    for (size_t m = 0; m < builds[to].projections.size(); ++m) {
      uint32_t axon = first_axon[to][m];
      for (const SharedChunk &chunk : builds[to].projections[m].shared) {
        lmap::SharedAxon &shared = *mapping.mutable_cores(place[chunk.core])->add_shared();
        shared.set_first(chunk.first);
        shared.set_count(uint32_t(chunk.lists.size()));
        shared.set_core(address[to]);
        shared.set_axon(axon++);
      }
    }
  for (uint32_t i = 0; i < cores; ++i) {
    const uint32_t c = order[i];
    lmap::Core &core = *mapping.mutable_cores(int(i));
    uint64_t entries = core.used().output_entries();
    const uint32_t chip_of = address[c] / chip.mesh.cores_per_chip;
    for (const Tile &tile : partition.cores[c]) {
      const Population &p = model.populations[tile.population];
      const Routes &r = routes[tile.population + 1];
      for (uint32_t n = 0; n < tile.size(); ++n) {
        const uint32_t neuron = tile.neuron(n, p);
        core.add_out_counts(r.first[neuron + 1] - r.first[neuron]);
        for (uint32_t e = r.first[neuron]; e < r.first[neuron + 1]; ++e) {
          core.add_out_core(r.core[e]);
          core.add_out_axon(r.axon[e]);
          entries += chip.slots.discrete + (r.core[e] / chip.mesh.cores_per_chip != chip_of ? chip.slots.across_chips : 0);
        }
      }
    }
    for (const lmap::SharedAxon &shared : core.shared())
      entries += chip.slots.population + (shared.core() / chip.mesh.cores_per_chip != chip_of ? chip.slots.across_chips : 0);
    core.mutable_used()->set_output_entries(uint32_t(entries));
  }

  mapping.set_input_channels(model.input.channels);
  mapping.set_input_height(model.input.height);
  mapping.set_input_width(model.input.width);
  mapping.set_input_direct(model.encoding == plan::Encoding::Direct);
  mapping.set_input_max_count(model.input.max_count);
  mapping.set_encode_table(model.encode_table.data(), model.encode_table.size());
  mapping.set_output_count(model.output_count);
  mapping.set_output_scale(model.output_scale);
}

} // namespace lasnn::loihi
