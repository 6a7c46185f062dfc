// Units: one is 2^6 on the chip, so that SANA-FE's rounding of a leak to 1/64 is the chip's to an integer. Layer l is the group "l<l>", the
// input "in"; a bias that starts later than step 0 comes from "b<l>", which fires as long as the layer runs.
#include "backends/loihi/sanafe/export.h"

#include "backends/loihi/sim/host.h"

#include <cstdio>
#include <map>
#include <set>

namespace lasnn::loihi {

namespace {

constexpr const char *kSynapse[] = {"sparse", "runlength", "dense"}; // by lmap::Encoding

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}
std::string inUnits(int64_t chip_value) { return number(double(chip_value) / 64); }

class Exporter {
public:
  Exporter(const Program &program, const Profile &profile, const uint8_t *sample, SanafeFiles &files)
      : p_(program), m_(program.mapping), profile_(profile), sample_(sample), out_(files) {}

  std::vector<std::string> refusals() const {
    std::vector<std::string> errors;
    if (p_.chips > 1) errors.push_back("the mapping uses " + std::to_string(p_.chips) + " chips; SANA-FE knows one mesh");
    if (p_.graded) errors.push_back("spikes are graded; SANA-FE's are binary");
    for (size_t i = 0; i < p_.cores.size(); ++i)
      for (const Piece &piece : p_.cores[i].pieces)
        if (piece.delay > 0 && errors.empty()) errors.push_back("synapses have delays, which SANA-FE's accumulator does not hold");
    for (int l = 0; l < m_.layers_size(); ++l) {
      const lmap::Layer &layer = m_.layers(l);
      if (layer.reset() == lmap::SUBTRACT)
        for (uint32_t c = 0; c < layer.channels(); ++c)
          if (layer.rho(int(c)) < layer.v_threshold(int(c)) || layer.rho(int(c)) >= layer.v_threshold(int(c)) + (1 << layer.scale_log2()))
            return errors.push_back("layer '" + layer.name() + "' subtracts another amount than its threshold, which SANA-FE does not"), errors;
      for (int32_t v : layer.v_initial())
        if (v != 0) return errors.push_back("layer '" + layer.name() + "' begins with voltages other than 0"), errors;
    }
    return errors;
  }

  void write() {
    out_.host.assign(p_.steps + shift(), {});
    architecture();
    network();
    notes();
  }

private:
  const Mesh &mesh() const { return p_.chip.mesh; }
  uint64_t neuronsOf(int l) const { return uint64_t(m_.layers(l).channels()) * m_.layers(l).height() * m_.layers(l).width(); }
  uint64_t inputs() const { return p_.input_begin.size() - 1; }
  /// SANA-FE's spikes act one step after they are sent, the host's in the step that they are sent for: where the host sends spikes, SANA-FE's
  /// step j is chip step j - 1.
  uint32_t shift() const { return m_.input_direct() ? 0 : 1; }
  /// A bias that is off in SANA-FE's first step cannot be the neuron's own.
  bool hasLateBias(int l) const { return m_.layers(l).start() + shift() > 0; }

  void hops(SanafeHost &host, uint32_t core, uint64_t messages) const {
    const uint32_t tile = p_.cores[core].tile, dx = mesh().width - mesh().xOf(tile), dy = mesh().yOf(tile);
    host.messages += messages, host.hops_ew += messages * dx, host.hops_ns += messages * dy;
  }

  static std::string cost(const char *name, const Cost &each) {
    return std::string("energy_") + name + ": " + number(each.energy_pj.orZero() * 1e-12) + ", latency_" + name + ": " + number(each.time_ns.orZero() * 1e-9);
  }

  void architecture() {
    const Profile &f = profile_;
    std::string &a = out_.architecture;
    a = "# " + p_.chip.title + ", profile " + f.name + " (" + f.title + "). The last column of tiles is the host: nothing in it costs anything.\n";
    a += "architecture:\n  name: " + p_.chip.name + "\n  attributes: {topology: mesh, width: " + std::to_string(mesh().width + 1) +
         ", height: " + std::to_string(mesh().height) +
         ", link_buffer_size: 16, sync_model: fixed, latency_sync: " + number(f.barrierNs(p_.tiles).value_or(0) * 1e-9) + "}\n  tile:\n";
    const auto tile = [&](const std::string &name, bool free) {
      a += "    - name: " + name + "\n      attributes: {";
      const char *separator = "";
      for (const char *direction : {"north", "east", "south", "west"}) {
        const Cost &hop = direction[0] == 'n' || direction[0] == 's' ? f.hop_ns : f.hop_ew;
        a += separator + ("energy_" + std::string(direction)) + "_hop: " + number(free ? 0 : hop.energy_pj.orZero() * 1e-12) +
             ", latency_" + direction + "_hop: " + number(free ? 0 : hop.time_ns.orZero() * 1e-9);
        separator = ", ";
      }
      a += "}\n      core:\n";
    };
    const auto core = [&](const std::string &name, bool free, uint64_t neurons) {
      const Cost nothing;
      a += "        - name: " + name +
           "\n          attributes: {buffer_position: soma, buffer_inside_unit: false, max_neurons_supported: " + std::to_string(neurons) +
           "}\n";
      a += "          axon_in: [{name: axon_in, attributes: {" + cost("message_in", free ? nothing : f.message_in) + "}}]\n          synapse:\n";
      const Cost *const costs[] = {&f.synapse_sparse, &f.synapse_runlength, &f.synapse_dense};
      for (int e = 0; e < 3; ++e)
        a += std::string("            - {name: ") + kSynapse[e] + ", attributes: {model: current_based, " +
             cost("process_spike", *costs[e]) + "}}\n";
      a += "          dendrite: [{name: dendrites, attributes: {model: accumulator, energy_update: 0.0, latency_update: 0.0}}]\n          soma:\n";
      a += "            - {name: neurons, attributes: {model: leaky_integrate_fire, " + cost("access_neuron", f.neuron_access) + ", " +
           cost("update_neuron", f.neuron_update) + ", " + cost("spike_out", f.neuron_spike) + "}}\n";
      if (free)
        a += "            - {name: \"host[0.." + std::to_string(neurons - 1) + "]\", attributes: {model: input, " + cost("access_neuron", nothing) + ", " +
             cost("update_neuron", nothing) + ", " + cost("spike_out", nothing) + "}}\n";
      a += "          axon_out: [{name: axon_out, attributes: {" + cost("message_out", free ? nothing : f.message_out) + "}}]\n";
    };
    tile("tile[0.." + std::to_string(mesh().tiles() - 1) + "]", false);
    core("core[0.." + std::to_string(mesh().cores_per_tile - 1) + "]", false, p_.chip.limits.compartments.known() ? p_.chip.limits.compartments.value : 8192);
    tile("host[0.." + std::to_string(mesh().height - 1) + "]", true);
    core("core[0..0]", true, inputs() + uint64_t(m_.layers_size()) + 1);
  }

  std::string place(const CoreProgram &core) const {
    return std::to_string(core.tile) + "." + std::to_string(core.address % mesh().cores_per_chip % mesh().cores_per_tile);
  }

  void network() {
    std::string &n = out_.network;
    n = "network:\n  name: mapped\n  groups:\n";
    const uint32_t timesteps = m_.header().timesteps();
    if (!m_.input_direct()) inputGroup(n, timesteps);
    const StemCurrents stem = m_.input_direct() ? stemCurrents(m_, image().data()) : StemCurrents(size_t(m_.layers_size()));
    for (int l = 0; l < m_.layers_size(); ++l) {
      gatherBias(l, stem[size_t(l)]);
      encoding_[uint32_t(l)].assign(neuronsOf(l), 3);
      layerGroup(n, l);
      if (hasLateBias(l) && biased_[l]) biasGroup(n, l, timesteps);
    }
    const size_t edges_at = n.size();
    edges(n);
    n.insert(edges_at, n.size() == edges_at ? "  edges: []\n" : "  edges:\n");
    for (int l : bias_source_) // SANA-FE charges the unit of the neuron that a synapse leads to
      for (size_t k = m_.layers(l).start() + shift() - 1, last = std::min<size_t>(out_.host.size(), k + timesteps); k < last; ++k)
        for (uint64_t i = 0; i < bias_[l].size(); ++i) out_.host[k].synops[encoding_[uint32_t(l)][i] % 3] += bias_[l][i] != 0;
    n += "mappings:\n";
    for (const CoreProgram &core : p_.cores)
      for (const NeuronGroup &g : core.groups)
        for (uint32_t i = 0; i < g.count; ++i)
          n += "  - l" + std::to_string(g.layer) + "." + std::to_string(core.neuron[g.first + i]) + ": {core: " + place(core) +
               ", soma: neurons, dendrite: dendrites, synapse: " + kSynapse[encoding_[g.layer][core.neuron[g.first + i]] % 3] + "}\n";
    const std::string host = std::to_string(mesh().tiles()) + ".0";
    uint64_t unit = 0;
    if (!m_.input_direct())
      for (uint64_t i = 0; i < inputs(); ++i) n += "  - in." + std::to_string(i) + ": {core: " + host + ", soma: \"host[" + std::to_string(unit++) + "]\"}\n";
    for (int l : bias_source_) n += "  - b" + std::to_string(l) + ".0: {core: " + host + ", soma: \"host[" + std::to_string(unit++) + "]\"}\n";
  }

  std::vector<uint8_t> image() const {
    const size_t size = size_t(m_.input_channels()) * m_.input_height() * m_.input_width();
    return sample_ ? std::vector<uint8_t>(sample_, sample_ + size) : std::vector<uint8_t>(size);
  }

  void inputGroup(std::string &n, uint32_t timesteps) {
    n += "    - name: in\n      attributes: {log_spikes: false, soma_hw_name: \"host[0]\"}\n      neurons:\n";
    for (uint64_t i = 0; i < inputs(); ++i) {
      n += "        - " + std::to_string(i) + ": {spikes: [";
      for (uint32_t t = 0; t < timesteps; ++t) {
        const bool fires = sample_ && sample_[t * inputs() + i] > 0;
        several_ |= sample_ && sample_[t * inputs() + i] > 1;
        n += std::string(t ? "," : "") + (fires ? "1" : "0");
        if (!fires) continue;
        ++out_.host[t].fired;
        std::set<uint32_t> cores;
        for (uint32_t d = p_.input_begin[i]; d < p_.input_begin[i + 1]; ++d) cores.insert(p_.input[d].core);
        for (uint32_t core : cores) hops(out_.host[t], core, 1);
      }
      n += "]}\n";
    }
  }

  void gatherBias(int l, const std::vector<int32_t> &stem) {
    const lmap::Layer &layer = m_.layers(l);
    std::vector<int64_t> &bias = bias_[l];
    bias.resize(neuronsOf(l));
    const uint64_t pixels = uint64_t(layer.height()) * layer.width();
    for (uint64_t i = 0; i < bias.size(); ++i) {
      bias[i] = (layer.bias_size() ? layer.bias(int(i / pixels)) : 0) + int64_t(stem.empty() ? 0 : stem[i]);
      biased_[l] = biased_[l] || bias[i] != 0;
    }
  }

  void layerGroup(std::string &n, int l) {
    const lmap::Layer &layer = m_.layers(l);
    const uint64_t pixels = uint64_t(layer.height()) * layer.width();
    const bool spiking = layer.kind() == lmap::SPIKING;
    n += "    # " + layer.name() + "\n    - name: l" + std::to_string(l) +
         "\n      attributes: {log_spikes: " + (spiking ? "true" : "false") + ", soma_hw_name: neurons, reset_mode: " +
         (layer.reset() == lmap::ZERO       ? "hard"
          : layer.reset() == lmap::SUBTRACT ? "soft"
                                            : "none") +
         ", leak_decay: " + number(double(4096 - layer.decay()) / 4096) + "}\n      neurons:\n";
    for (uint64_t i = 0; i < neuronsOf(l); ++i) {
      // v > theta over multiples of 2^scale is v > theta + half of one; where theta is also taken off it has to be the amount
      const int c = int(i / pixels);
      const std::string threshold = !spiking ? "1e12" : layer.reset() == lmap::SUBTRACT ? inUnits(layer.rho(c)) : inUnits(layer.v_threshold(c));
      n += "        - " + std::to_string(i) + ": {threshold: " + threshold;
      if (!hasLateBias(l) && bias_[l][i] != 0) n += ", bias: " + inUnits(bias_[l][i]);
      n += "}\n";
    }
  }

  void biasGroup(std::string &n, int l, uint32_t timesteps) {
    bias_source_.push_back(l);
    n += "    - name: b" + std::to_string(l) + "\n      attributes: {log_spikes: false, soma_hw_name: \"host[0]\"}\n      neurons:\n        - 0: {spikes: [";
    std::set<uint32_t> cores;
    for (size_t c = 0; c < p_.cores.size(); ++c)
      for (const NeuronGroup &g : p_.cores[c].groups)
        for (uint32_t i = 0; i < g.count && int(g.layer) == l; ++i)
          if (bias_[l][p_.cores[c].neuron[g.first + i]] != 0) cores.insert(uint32_t(c));
    const uint32_t first = m_.layers(l).start() + shift() - 1;
    for (uint32_t k = 0; k < first + timesteps; ++k) {
      n += std::string(k ? "," : "") + (k >= first ? "1" : "0");
      if (k < first || k >= out_.host.size()) continue;
      ++out_.host[k].fired;
      for (uint32_t core : cores) hops(out_.host[k], core, 1);
    }
    n += "]}\n";
  }

  struct Edges {
    std::string pairs, weights; ///< an entry a connection
  };

  void addEdges(std::map<std::pair<std::string, std::string>, Edges> &all, const std::string &from, uint64_t source,
                const CoreProgram &core, uint32_t target) {
    const AxonTarget &axon = core.targets[target];
    const SynapseList &list = core.lists[axon.list];
    const int encoding = list.synops[0] ? 0 : list.synops[1] ? 1 : 2;
    mixed_ |= (list.synops[0] > 0) + (list.synops[1] > 0) + (list.synops[2] > 0) > 1;
    const auto add = [&](uint32_t compartment, int32_t weight) {
      const auto [layer, neuron] = neuronAt(core, compartment);
      if (layer == UINT32_MAX) return;
      Edges &edges = all[{from, "l" + std::to_string(layer)}];
      const char *separator = edges.weights.empty() ? "" : ",";
      edges.pairs += separator + ("[" + std::to_string(source)) + "," + std::to_string(neuron) + "]";
      edges.weights += separator + inUnits(weight);
      uint8_t &unit = encoding_[layer][neuron];
      mixed_ |= unit != 3 && unit != encoding;
      unit = uint8_t(encoding);
    };
    for (uint32_t p = list.begin; p < list.end; ++p) {
      const Piece &piece = core.pieces[p];
      if (piece.scattered)
        for (uint32_t i = piece.begin; i < piece.end; ++i) add(axon.base + core.scatter_index[i], core.weights[piece.weight + i - piece.begin]);
      else
        for (uint32_t r = piece.begin; r < piece.end; ++r)
          for (uint32_t i = 0; i < core.runs[r].count; ++i) add(axon.base + core.runs[r].index + i, core.weights[core.runs[r].weight + i]);
    }
  }

  static std::pair<uint32_t, uint32_t> neuronAt(const CoreProgram &core, uint32_t compartment) {
    for (const NeuronGroup &g : core.groups)
      if (compartment >= g.base && compartment < g.base + g.count * g.stride && (compartment - g.base) % g.stride == 0)
        return {g.layer, core.neuron[g.first + (compartment - g.base) / g.stride]};
    return {UINT32_MAX, 0};
  }

  void edges(std::string &n) {
    std::map<std::pair<std::string, std::string>, Edges> all;
    if (!m_.input_direct())
      for (uint64_t i = 0; i < inputs(); ++i)
        for (uint32_t d = p_.input_begin[i]; d < p_.input_begin[i + 1]; ++d) addEdges(all, "in", i, p_.cores[p_.input[d].core], p_.input[d].target);
    for (const CoreProgram &core : p_.cores)
      for (const NeuronGroup &g : core.groups)
        for (uint32_t k = g.first; k < g.first + g.count; ++k) {
          std::set<uint32_t> slots;
          for (uint32_t e = core.out_begin[k]; e < core.out_begin[k + 1]; ++e) {
            merged_ |= !slots.insert(core.out[e].slot).second;
            addEdges(all, "l" + std::to_string(g.layer), core.neuron[k], p_.cores[core.destinations[core.out[e].slot].core], core.out[e].target);
          }
        }
    for (int l : bias_source_)
      for (uint64_t i = 0; i < bias_[l].size(); ++i) {
        if (bias_[l][i] == 0) continue;
        Edges &edges = all[{"b" + std::to_string(l), "l" + std::to_string(l)}];
        const char *separator = edges.weights.empty() ? "" : ",";
        edges.pairs += separator + ("[0," + std::to_string(i)) + "]", edges.weights += separator + inUnits(bias_[l][i]);
      }
    for (const auto &[key, edges] : all)
      n += "    - " + key.first + " -> " + key.second + ": {type: sparse, source_target_pairs: [" + edges.pairs + "], weight: [" + edges.weights + "]}\n";
  }

  void notes() {
    bool several = false;
    for (const CoreProgram &core : p_.cores)
      for (const NeuronGroup &g : core.groups) several |= g.stride > 1;
    if (several)
      out_.notes.push_back("neurons of several compartments (soft reset, wide biases) are one in SANA-FE: their further accesses, messages "
                           "and synapses are missing there");
    if (merged_) out_.notes.push_back("a neuron sends several messages to one core, which SANA-FE joins into one");
    if (mixed_) out_.notes.push_back("a neuron's synapses have several encodings; SANA-FE charges all of them as the last");
    if (several_) out_.notes.push_back("an input of several spikes a step is one spike in SANA-FE");
  }

  const Program &p_;
  const lmap::Mapping &m_;
  const Profile &profile_;
  const uint8_t *const sample_;
  SanafeFiles &out_;
  std::map<uint32_t, std::vector<uint8_t>> encoding_; ///< by layer: of each neuron's synapses; 3: it has none
  std::map<int, std::vector<int64_t>> bias_;
  std::map<int, bool> biased_;
  std::vector<int> bias_source_;
  bool merged_ = false, mixed_ = false, several_ = false;
};

} // namespace

bool exportSanafe(const Program &program, const std::string &profile, const uint8_t *sample, SanafeFiles &files, std::vector<std::string> &errors) {
  errors.clear();
  const Profile *found = program.chip.profile(profile);
  if (!found) {
    errors.push_back("chip '" + program.chip.name + "' has no profile '" + profile + "' of energies");
    return false;
  }
  Exporter exporter(program, *found, sample, files);
  errors = exporter.refusals();
  if (errors.empty()) exporter.write();
  return errors.empty();
}

} // namespace lasnn::loihi
