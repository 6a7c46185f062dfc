#include "backends/loihi/sim/program.h"

#include "backends/loihi/sim/arithmetic.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

namespace lasnn::loihi {

namespace {

constexpr size_t kMostErrors = 20;
constexpr uint32_t kNone = UINT32_MAX;

class Builder {
public:
  Builder(const lmap::Mapping &mapping, std::vector<std::string> &errors) : mapping_(mapping), errors_(errors) {}

  std::shared_ptr<const Program> build() {
    ChipResult chip = parseChip(mapping_.header().chip_text(), "the mapping's chip");
    for (const std::string &error : chip.errors) fail("", error);
    if (!chip.chip) return nullptr;
    program_->chip = std::move(*chip.chip);
    header();
    if (!errors_.empty()) return nullptr;
    for (int i = 0; i < mapping_.cores_size() && errors_.size() < kMostErrors; ++i) core(mapping_.cores(i));
    if (!errors_.empty()) return nullptr;
    for (size_t i = 0; i < program_->cores.size() && errors_.size() < kMostErrors; ++i) outputs(uint32_t(i));
    input();
    if (!errors_.empty()) return nullptr;
    std::set<std::pair<uint32_t, uint32_t>> tiles;
    std::set<uint32_t> chips;
    for (const CoreProgram &core : program_->cores) tiles.emplace(core.chip, core.tile), chips.insert(core.chip);
    program_->tiles = uint32_t(tiles.size()), program_->chips = uint32_t(chips.size());
    return program_;
  }

private:
  void fail(const std::string &where, const std::string &what) {
    if (errors_.size() < kMostErrors) errors_.push_back(where.empty() ? what : where + ": " + what);
  }
  static std::string name(uint32_t address, const Chip &chip) {
    return "core " + std::to_string(address / chip.mesh.cores_per_chip) + "." + std::to_string(address % chip.mesh.cores_per_chip);
  }

  void header() {
    const lmap::Header &h = mapping_.header();
    if (h.timesteps() < 1 || h.timesteps() > 65535) fail("header", "timesteps is " + std::to_string(h.timesteps()) + ", allowed 1..65535");
    uint32_t latency = 0;
    for (const lmap::Layer &layer : mapping_.layers()) {
      latency = std::max(latency, layer.start());
      const uint64_t neurons = uint64_t(layer.channels()) * layer.height() * layer.width();
      const std::string where = "layer '" + layer.name() + "'";
      if (neurons == 0 || neurons > UINT32_MAX) fail(where, "has " + std::to_string(neurons) + " neurons");
      if (layer.start() > 65535) fail(where, "starts at step " + std::to_string(layer.start()));
      if (layer.scale_log2() > 23) fail(where, "has the scale 2^" + std::to_string(layer.scale_log2()));
      const auto channels = [&](const char *what, int size, bool may_be_empty) {
        if (uint32_t(size) != layer.channels() && !(may_be_empty && size == 0))
          fail(where, std::string(what) + " has " + std::to_string(size) + " entries for " + std::to_string(layer.channels()) + " channels");
      };
      channels("v_threshold", layer.v_threshold_size(), layer.kind() != lmap::SPIKING);
      channels("rho", layer.rho_size(), layer.reset() != lmap::SUBTRACT && layer.s_max() <= 1);
      channels("bias", layer.bias_size(), true);
      channels("v_initial", layer.v_initial_size(), true);
      if (layer.kind() != lmap::SPIKING && uint64_t(layer.output_offset()) + neurons > mapping_.output_count())
        fail(where, "writes outputs " + std::to_string(layer.output_offset()) + ".." + std::to_string(layer.output_offset() + neurons) +
                        " of " + std::to_string(mapping_.output_count()));
      if (layer.s_max() > 255) fail(where, "may spike " + std::to_string(layer.s_max()) + " times a step, at most 255");
      program_->graded |= layer.kind() == lmap::SPIKING && layer.s_max() > 1;
    }
    if (h.latency() < latency || h.latency() > 65535)
      fail("header", "latency is " + std::to_string(h.latency()) + ", but a layer starts at step " + std::to_string(latency));
    if (mapping_.output_count() > 1 << 24) fail("header", "has " + std::to_string(mapping_.output_count()) + " outputs");
    const uint64_t inputs = uint64_t(mapping_.input_channels()) * mapping_.input_height() * mapping_.input_width();
    if (inputs == 0 || inputs > 1 << 28) fail("input", "has " + std::to_string(inputs) + " values");
    if (mapping_.input_direct() && mapping_.encode_table().size() != size_t(mapping_.input_channels()) * 256) fail("input", "its table is not [C][256]");
    program_->steps = h.timesteps() + h.latency();
    program_->input_size = size_t(inputs) * (mapping_.input_direct() ? 1 : h.timesteps());
    program_->mapping = mapping_;
    program_->mapping.clear_cores();
  }

  void core(const lmap::Core &from) {
    const Chip &chip = program_->chip;
    program_->cores.emplace_back();
    CoreProgram &core = program_->cores.back();
    core.address = from.address(), core.chip = from.address() / chip.mesh.cores_per_chip;
    core.tile = chip.mesh.tileOf(from.address() % chip.mesh.cores_per_chip);
    const std::string where = name(core.address, chip);
    if (!index_.emplace(core.address, uint32_t(program_->cores.size() - 1)).second) return fail(where, "appears twice");
    groups(from, core, where);
    if (!errors_.empty()) return;
    lists(from, core, where);
  }

  void groups(const lmap::Core &from, CoreProgram &core, const std::string &where) {
    std::vector<bool> taken;
    for (const lmap::Group &g : from.groups()) {
      if (g.layer() >= uint32_t(mapping_.layers_size()))
        return fail(where, "a group names layer " + std::to_string(g.layer()) + " of " + std::to_string(mapping_.layers_size()));
      if (g.profile() >= uint32_t(from.profiles_size()))
        return fail(where, "a group names profile " + std::to_string(g.profile()) + " of " + std::to_string(from.profiles_size()));
      const lmap::Layer &layer = mapping_.layers(int(g.layer()));
      const lmap::CompartmentProfile &profile = from.profiles(int(g.profile()));
      const uint32_t pixels = layer.height() * layer.width(), all = layer.channels() * pixels;
      std::vector<uint32_t> neurons(g.neurons().begin(), g.neurons().end());
      if (neurons.empty()) {
        if (g.c0() >= g.c1() || g.c1() > layer.channels() || g.y0() >= g.y1() || g.y1() > layer.height() || g.x0() >= g.x1() || g.x1() > layer.width())
          return fail(where, "a group's box lies outside layer '" + layer.name() + "'");
        const uint32_t channels = g.c1() - g.c0(), area = (g.y1() - g.y0()) * (g.x1() - g.x0()), width = g.x1() - g.x0();
        for (uint32_t n = 0; n < channels * area; ++n) {
          const uint32_t c = g.c0() + (g.channels_last() ? n % channels : n / area), at = g.channels_last() ? n / channels : n % area;
          neurons.push_back((c * layer.height() + g.y0() + at / width) * layer.width() + g.x0() + at % width);
        }
      }
      unlisted_.clear();
      NeuronGroup group;
      group.layer = g.layer(), group.base = g.base(), group.stride = g.compartments_per_neuron();
      group.first = uint32_t(core.neuron.size()), group.count = uint32_t(neurons.size());
      group.decay_u = profile.decay_u(), group.decay_v = profile.decay_v(), group.refractory = profile.refractory();
      group.reset = profile.reset(), group.bias_terms = g.bias_terms(), group.soft_pair = g.soft_reset();
      if (group.decay_u > 4096 || group.decay_v > 4096 || group.refractory > program_->chip.arithmetic.refractory_max)
        return fail(where, "a profile has a decay or a refractory time outside its range");
      if (group.stride < 1 || group.stride > 64) return fail(where, "a neuron of " + std::to_string(group.stride) + " compartments");
      const uint64_t end = uint64_t(group.base) + uint64_t(group.count) * group.stride;
      if (!program_->chip.limits.compartments.allows(end) || end > 1 << 22)
        return fail(where, "compartment " + std::to_string(end - 1) + " is needed, " + std::to_string(program_->chip.limits.compartments.value) + " exist");
      taken.resize(std::max<size_t>(taken.size(), end));
      for (uint64_t i = group.base; i < end; ++i) {
        if (taken[i]) return fail(where, "compartment " + std::to_string(i) + " belongs to two groups");
        taken[i] = true;
      }
      const bool stem = std::any_of(mapping_.host().begin(), mapping_.host().end(), [&](const lmap::HostLayer &host) { return host.layer() == g.layer(); });
      const Arithmetic &a = program_->chip.arithmetic;
      for (int32_t bias : layer.bias())
        if (!stem && !biasFits(bias, group.bias_terms, a.bias_mantissa, a.bias_exponent_max)) // with a stem the sum has to, which runs show
          return fail(where, "the bias " + std::to_string(bias) + " of layer '" + layer.name() + "' does not fit " +
                                 std::to_string(group.bias_terms) + " bias registers");
      for (int32_t theta : layer.v_threshold())
        if (std::none_of(from.thresholds().begin(), from.thresholds().end(),
                         [&](int32_t mantissa) { return int64_t(mantissa) << a.threshold_shift == theta; }))
          unlisted_.insert(theta);
      for (uint32_t n : neurons) {
        if (n >= all) return fail(where, "neuron " + std::to_string(n) + " of " + std::to_string(all) + " in layer '" + layer.name() + "'");
        const int c = int(n / pixels);
        if (layer.v_threshold_size() && unlisted_.count(layer.v_threshold(c)))
          return fail(where, "the threshold " + std::to_string(layer.v_threshold(c)) + " of layer '" + layer.name() +
                                 "' is in none of its threshold profiles");
        core.neuron.push_back(n);
        core.theta.push_back(layer.v_threshold_size() ? layer.v_threshold(c) : INT32_MAX);
        core.rho.push_back(layer.rho_size() ? layer.rho(c) : 0);
        core.bias.push_back(layer.bias_size() ? layer.bias(c) : 0);
        core.v_initial.push_back(layer.v_initial_size() ? layer.v_initial(c) : 0);
      }
      core.owned += group.count * group.stride;
      core.groups.push_back(group);
    }
    core.compartments = uint32_t(taken.size());
    layer_of_compartment_.assign(taken.size(), kNone);
    for (const NeuronGroup &g : core.groups)
      for (uint32_t i = 0; i < g.count * g.stride; ++i) layer_of_compartment_[g.base + i] = g.layer;
  }

  void lists(const lmap::Core &from, CoreProgram &core, const std::string &where) {
    const int axons = from.axon_word_size();
    const bool atoms = from.axon_atoms_size() > 0;
    if (from.axon_length_size() != axons || from.axon_base_size() != axons ||
        (atoms && (from.axon_atoms_size() != axons || from.axon_stride_size() != axons)))
      return fail(where, "its lists of axons differ in length");
    const int32_t shift = int32_t(program_->chip.arithmetic.weight_shift);
    const auto bad = [shift](const lmap::SynapseFormat &f) {
      return f.index_bits() > 16 || f.skip_bits() > 16 || f.weight_bits() > 9 || f.delay_bits() > 10 || f.exponent() < -32 || f.exponent() + shift > 22;
    };
    for (const lmap::SynapseFormat &f : from.formats())
      if (bad(f) || f.weight_bits() + (f.sign() == lmap::MIXED ? 0 : 1) > program_->chip.arithmetic.weight_mantissa)
        return fail(where, "a synapse format has a width outside its range");
    std::unordered_map<uint64_t, uint32_t> known; // (word, length) -> list
    uint32_t longest_delay = 0;
    core.target_of_axon.push_back(0);
    for (int a = 0; a < axons && errors_.size() < kMostErrors; ++a) {
      const uint32_t count = atoms ? from.axon_atoms(a) : 1;
      if (count < 1 || count > 1 << 16) return fail(where, "axon " + std::to_string(a) + " has " + std::to_string(count) + " atoms");
      for (uint32_t atom = 0; atom < count; ++atom) {
        const uint64_t word = from.axon_word(a) + uint64_t(atom) * (atoms ? from.axon_stride(a) : 0);
        if (word > UINT32_MAX) return fail(where, "axon " + std::to_string(a) + " lies outside the memory");
        auto [place, fresh] = known.emplace(word << 32 | from.axon_length(a), uint32_t(core.lists.size()));
        if (fresh) {
          synapses_.clear();
          const std::string wrong = decodeList(from, program_->chip, uint32_t(word), from.axon_length(a), synapses_);
          if (!wrong.empty()) return fail(where, "the list of axon " + std::to_string(a) + " is damaged: " + wrong);
          addList(core);
          for (const StoredSynapse &s : synapses_) longest_delay = std::max(longest_delay, s.delay);
        }
        const SynapseList &list = core.lists[place->second];
        const uint64_t base = from.axon_base(a), last = base + list.last_index;
        if (list.begin != list.end && last >= core.compartments)
          return fail(where, "axon " + std::to_string(a) + " reaches compartment " + std::to_string(last) + " of " + std::to_string(core.compartments));
        core.targets.push_back({place->second, uint32_t(base)});
        core.layer_of_target.push_back(list.begin != list.end ? layer_of_compartment_[last] : kNone);
      }
      core.target_of_axon.push_back(uint32_t(core.targets.size()));
    }
    core.delay_steps = longest_delay + 2;
  }

  void addList(CoreProgram &core) {
    SynapseList list;
    list.begin = uint32_t(core.pieces.size());
    for (const StoredSynapse &s : synapses_) {
      ++list.synops[s.encoding];
      list.last_index = std::max(list.last_index, s.index);
    }
    std::stable_sort(synapses_.begin(), synapses_.end(), [](const StoredSynapse &a, const StoredSynapse &b) {
      return std::pair(a.delay, a.index) < std::pair(b.delay, b.index);
    });
    for (size_t begin = 0, end = 0; begin < synapses_.size(); begin = end) {
      size_t runs = 0;
      for (end = begin; end < synapses_.size() && synapses_[end].delay == synapses_[begin].delay; ++end)
        runs += end == begin || synapses_[end].index != synapses_[end - 1].index + 1;
      Piece piece;
      piece.delay = synapses_[begin].delay, piece.weight = uint32_t(core.weights.size());
      piece.scattered = (end - begin) < 4 * runs; // shorter runs cost more than they save
      piece.begin = uint32_t(piece.scattered ? core.scatter_index.size() : core.runs.size());
      for (size_t i = begin; i < end; ++i) {
        if (piece.scattered) core.scatter_index.push_back(synapses_[i].index);
        else if (i == begin || synapses_[i].index != synapses_[i - 1].index + 1) core.runs.push_back({synapses_[i].index, 1, uint32_t(core.weights.size())});
        else ++core.runs.back().count;
        core.weights.push_back(synapses_[i].weight);
      }
      piece.end = uint32_t(piece.scattered ? core.scatter_index.size() : core.runs.size());
      core.pieces.push_back(piece);
    }
    list.end = uint32_t(core.pieces.size());
    core.lists.push_back(list);
  }

  /// (core, axon, atom) as the index of a target there; kNone and an error when there is none.
  uint32_t resolve(const std::string &where, uint32_t address, uint32_t axon, uint32_t atom, uint32_t &core) {
    const auto at = index_.find(address);
    if (at == index_.end()) return fail(where, "sends to core " + std::to_string(address) + ", which the mapping does not use"), kNone;
    core = at->second;
    const CoreProgram &to = program_->cores[core];
    if (axon + 1 >= to.target_of_axon.size())
      return fail(where, "sends to axon " + std::to_string(axon) + " of " + std::to_string(to.target_of_axon.size() - 1) + " on " +
                             name(address, program_->chip)),
             kNone;
    const uint32_t target = to.target_of_axon[axon] + atom;
    if (target >= to.target_of_axon[axon + 1])
      return fail(where, "sends atom " + std::to_string(atom) + " to an axon of " +
                             std::to_string(to.target_of_axon[axon + 1] - to.target_of_axon[axon])),
             kNone;
    return target;
  }

  void outputs(uint32_t index) {
    const lmap::Core &from = mapping_.cores(int(index));
    CoreProgram &core = program_->cores[index];
    const std::string where = name(core.address, program_->chip);
    if (from.out_counts_size() != 0 && size_t(from.out_counts_size()) != core.neuron.size())
      return fail(where, "has output entries of " + std::to_string(from.out_counts_size()) + " neurons, but " +
                             std::to_string(core.neuron.size()) + " neurons");
    if (from.out_core_size() != from.out_axon_size()) return fail(where, "its output entries differ in length");
    std::vector<std::vector<std::array<uint32_t, 3>>> by_neuron(core.neuron.size()); // address, axon, atom
    uint64_t at = 0;
    for (int n = 0; n < from.out_counts_size(); ++n)
      for (uint32_t i = 0; i < from.out_counts(n); ++i, ++at) {
        if (at >= uint64_t(from.out_core_size())) return fail(where, "counts more output entries than it has");
        by_neuron[size_t(n)].push_back({from.out_core(int(at)), from.out_axon(int(at)), 0});
      }
    if (at != uint64_t(from.out_core_size())) fail(where, "has output entries of no neuron");
    for (const lmap::SharedAxon &shared : from.shared()) {
      if (uint64_t(shared.first()) + shared.count() > core.neuron.size()) return fail(where, "shares an axon among neurons that it does not have");
      for (uint32_t i = 0; i < shared.count(); ++i) by_neuron[shared.first() + i].push_back({shared.core(), shared.axon(), i});
    }
    std::map<uint32_t, uint32_t> slots; // destination's index -> slot
    core.out_begin.push_back(0);
    for (const auto &entries : by_neuron) {
      for (auto [address, axon, atom] : entries) {
        uint32_t to = 0;
        const uint32_t target = resolve(where, address, axon, atom, to);
        if (target == kNone) return;
        auto [slot, fresh] = slots.emplace(to, uint32_t(slots.size()));
        if (fresh) {
          core.destinations.push_back(wayBetween(program_->chip, core.address, address));
          core.destinations.back().core = to;
          program_->cores[to].sources.emplace_back(index, slot->second);
        }
        core.out.push_back({slot->second, target});
      }
      core.out_begin.push_back(uint32_t(core.out.size()));
    }
  }

  void input() {
    const uint32_t neurons = mapping_.input_channels() * mapping_.input_height() * mapping_.input_width();
    std::vector<std::vector<InputDelivery>> by_neuron(neurons);
    for (const lmap::InputRoute &route : mapping_.input()) {
      if (route.core_size() != route.axon_size() || (route.atom_size() && route.atom_size() != route.core_size()))
        return fail("input", "its deliveries differ in length");
      if (uint64_t(route.first()) + uint64_t(route.counts_size()) > neurons) return fail("input", "routes neurons that it does not have");
      uint64_t at = 0;
      for (int n = 0; n < route.counts_size(); ++n)
        for (uint32_t i = 0; i < route.counts(n); ++i, ++at) {
          if (at >= uint64_t(route.core_size())) return fail("input", "counts more deliveries than it has");
          InputDelivery delivery{};
          delivery.target = resolve("input", route.core(int(at)), route.axon(int(at)), route.atom_size() ? route.atom(int(at)) : 0, delivery.core);
          if (delivery.target == kNone) return;
          by_neuron[route.first() + uint32_t(n)].push_back(delivery);
        }
    }
    program_->input_begin.push_back(0);
    for (const auto &deliveries : by_neuron) {
      program_->input.insert(program_->input.end(), deliveries.begin(), deliveries.end());
      program_->input_begin.push_back(uint32_t(program_->input.size()));
    }
    for (const lmap::HostLayer &host : mapping_.host()) {
      if (host.layer() >= uint32_t(mapping_.layers_size())) { fail("host", "layer " + std::to_string(host.layer()) + " does not exist"); continue; }
      const lmap::Layer &layer = mapping_.layers(int(host.layer()));
      const uint64_t groups = host.groups();
      if (!mapping_.input_direct()) fail("host", "a stem without an image");
      if (groups < 1 || mapping_.input_channels() % groups || layer.channels() % groups || host.stride_h() < 1 || host.stride_w() < 1 ||
          host.dilation_h() < 1 || host.dilation_w() < 1)
        fail("host", "'" + host.name() + "' has groups, strides or dilations that cannot be");
      else if (host.weight().size() != uint64_t(layer.channels()) * (mapping_.input_channels() / groups) * host.kernel_h() * host.kernel_w())
        fail("host", "'" + host.name() + "' has " + std::to_string(host.weight().size()) + " weights");
    }
  }

  const lmap::Mapping &mapping_;
  std::vector<std::string> &errors_;
  std::shared_ptr<Program> program_ = std::make_shared<Program>();
  std::unordered_map<uint32_t, uint32_t> index_; ///< address -> index
  std::vector<uint32_t> layer_of_compartment_;   ///< of the core at hand
  std::set<int32_t> unlisted_;                   ///< thresholds of the group at hand that its core lacks
  std::vector<StoredSynapse> synapses_;          ///< of the list at hand
};

} // namespace

Destination wayBetween(const Chip &chip, uint32_t from_address, uint32_t to_address) {
  const Mesh &mesh = chip.mesh;
  const auto apart = [](uint32_t a, uint32_t b) { return a > b ? a - b : b - a; };
  const uint32_t from_chip = from_address / mesh.cores_per_chip, to_chip = to_address / mesh.cores_per_chip;
  const uint32_t from = mesh.tileOf(from_address % mesh.cores_per_chip), to = mesh.tileOf(to_address % mesh.cores_per_chip);
  Destination way;
  way.hops_chip = apart(from_chip, to_chip);
  way.hops_ew = apart(mesh.xOf(from), mesh.xOf(to));
  way.hops_ns = apart(mesh.yOf(from), mesh.yOf(to));
  way.within_tile = way.hops_chip + way.hops_ew + way.hops_ns == 0;
  return way;
}

std::shared_ptr<const Program> makeProgram(const lmap::Mapping &mapping, std::vector<std::string> &errors) {
  errors.clear();
  return Builder(mapping, errors).build();
}

} // namespace lasnn::loihi
