#include "tests/backends/loihi/small_mapping.h"

#include "backends/loihi/encode/list.h"
#include "backends/loihi/lmap.h"

#include <cstring>
#include <stdexcept>

namespace lasnn::loihi {
namespace {

constexpr uint32_t kInputs = 4, kHidden = 8, kOutputs = 3, kFirst = 5; // kFirst: hidden neurons on the first core

int8_t hiddenWeight(uint32_t hidden, uint32_t input) { return int8_t(int(hidden * 5 + input * 3) % 7 - 3 ? int(hidden * 5 + input * 3) % 7 - 3 : 4); }
int8_t outWeight(uint32_t out, uint32_t from) { return int8_t(1 + (out + from) % 5); }

struct CoreBuilder {
  lmap::Core core;
  std::vector<uint64_t> words;

  uint32_t format(const ListFormat &f) {
    lmap::SynapseFormat *format = core.add_formats();
    format->set_encoding(f.encoding), format->set_index_bits(f.index_bits), format->set_skip_bits(f.skip_bits), format->set_weight_bits(f.weight_bits), format->set_delay_bits(f.delay_bits);
    format->set_exponent(-1); // the 9-bit mantissa's lowest bit is lost: 2 * 2^(6 - 1) = 64
    return uint32_t(core.formats_size());
  }
  uint32_t list(const std::vector<ListSynapse> &synapses, const ListFormat &f, uint32_t id, uint32_t delay, const Chip &chip) {
    const uint32_t word = uint32_t(words.size());
    writeList(synapses, f, id, delay, chip, words);
    return word;
  }
  void axon(uint32_t word, uint32_t base, uint32_t atoms = 1, uint32_t stride = 0) {
    core.add_axon_word(word), core.add_axon_length(stride ? stride : uint32_t(words.size()) - word), core.add_axon_base(base);
    core.add_axon_atoms(atoms), core.add_axon_stride(stride);
  }
  lmap::Core *close(lmap::Mapping &m) {
    core.set_memory(std::string(reinterpret_cast<const char *>(words.data()), words.size() * 8));
    *m.add_cores() = core;
    return m.mutable_cores(m.cores_size() - 1);
  }
};

void addHidden(lmap::Mapping &m, const Chip &chip, uint32_t address, uint32_t from, uint32_t to, const ListFormat &f) {
  CoreBuilder b;
  b.core.set_address(address);
  lmap::Group *g = b.core.add_groups();
  g->set_layer(0), g->set_base(0), g->set_compartments_per_neuron(2), g->set_soft_reset(true);
  g->set_c0(from), g->set_c1(to), g->set_y1(1), g->set_x1(1), g->set_bias_terms(1);
  lmap::CompartmentProfile *p = b.core.add_profiles();
  p->set_decay_u(4096), p->set_reset(lmap::SUBTRACT), p->set_v_min_exponent(-1), p->set_v_max_exponent(-1);
  b.core.add_thresholds(5);
  const uint32_t id = b.format(f);
  for (uint32_t i = 0; i < kInputs; ++i) {
    std::vector<ListSynapse> synapses;
    for (uint32_t h = from; h < to; ++h) synapses.push_back({2 * (h - from), hiddenWeight(h, i)});
    b.axon(b.list(synapses, f, id, 0, chip), 0);
  }
  const uint32_t n = to - from;
  lmap::Resources *r = b.core.mutable_used();
  r->set_neurons(n), r->set_compartments(2 * n), r->set_input_axons(kInputs + n), r->set_synapse_formats(1), r->set_compartment_profiles(1), r->set_threshold_profiles(1);
  r->set_destination_groups(2), r->set_synapse_words(uint32_t(b.words.size()) + n), r->set_longest_list(b.core.axon_length(0));
  lmap::Projection *projection = b.core.add_projections();
  projection->set_source(-1), projection->set_layer(0), projection->set_synapses(kInputs * n);
  b.close(m);
}

void addOut(lmap::Mapping &m, const Chip &chip, uint32_t address) {
  CoreBuilder b;
  b.core.set_address(address);
  lmap::Group *g = b.core.add_groups();
  g->set_layer(1), g->set_base(4), g->set_compartments_per_neuron(1), g->set_c1(kOutputs), g->set_y1(1), g->set_x1(1);
  lmap::CompartmentProfile *p = b.core.add_profiles();
  p->set_decay_u(4096), p->set_reset(lmap::NONE), p->set_v_min_exponent(-1), p->set_v_max_exponent(-1);
  b.core.add_thresholds((1 << 17) - 1);
  const ListFormat near{lmap::RUNLENGTH, 6, 2, 8, 0}, far{lmap::SPARSE, 6, 0, 8, 1};
  const uint32_t nearId = b.format(near), farId = b.format(far);
  auto synapsesOf = [&](uint32_t from) {
    std::vector<ListSynapse> synapses;
    for (uint32_t o = 0; o < kOutputs; ++o) synapses.push_back({o, outWeight(o, from)});
    return synapses;
  };
  for (uint32_t h = 0; h < kFirst; ++h) b.axon(b.list(synapsesOf(h), near, nearId, 0, chip), 4);
  const uint32_t shared = uint32_t(b.words.size()); // the second core's neurons share one axon
  uint32_t stride = 0;
  for (uint32_t h = kFirst; h < kHidden; ++h) {
    const uint32_t before = uint32_t(b.words.size());
    b.list(synapsesOf(h), near, nearId, 0, chip);
    stride = uint32_t(b.words.size()) - before;
  }
  b.axon(shared, 4, kHidden - kFirst, stride);
  for (uint32_t i = 0; i < kInputs; ++i) b.axon(b.list(synapsesOf(kHidden + i), far, farId, 1, chip), 4);
  lmap::Resources *r = b.core.mutable_used();
  r->set_neurons(kOutputs), r->set_compartments(4 + kOutputs), r->set_input_axons(uint32_t(b.core.axon_word_size())), r->set_synapse_words(uint32_t(b.words.size())), r->set_synapse_formats(2);
  r->set_compartment_profiles(1), r->set_threshold_profiles(1), r->set_destination_groups(1), r->set_longest_list(stride), r->set_largest_delay(1), r->set_largest_cx_base(4);
  b.close(m);
}

} // namespace

Chip tinyChip() {
  ChipResult result = loadChip("tiny");
  if (!result.chip) throw std::runtime_error("the chip 'tiny' does not load");
  return *result.chip;
}

lmap::Mapping smallMapping(const Chip &chip) {
  lmap::Mapping m;
  lmap::Header *h = m.mutable_header();
  h->set_network("small"), h->set_tool("test"), h->set_options("--target=tiny"), h->set_source_name("small.onnx"), h->set_source_sha256(std::string(64, '0'));
  h->set_chip_name(chip.name), h->set_chip_text(chip.text), h->set_chip_hash(textHash(chip.text)), h->set_seed(1), h->set_timesteps(4), h->set_latency(1), h->set_objective("cores");
  lmap::Layer *hidden = m.add_layers();
  hidden->set_name("hidden"), hidden->set_type("linear"), hidden->set_channels(kHidden), hidden->set_height(1), hidden->set_width(1), hidden->set_scale_log2(6), hidden->add_sources(-1);
  hidden->add_synapse_names("hidden"), hidden->set_reset(lmap::SUBTRACT), hidden->set_s_max(1), hidden->set_synapses(kInputs * kHidden), hidden->set_v_low(-60), hidden->set_v_high(60);
  hidden->set_sum_low(-12), hidden->set_sum_high(16), hidden->set_rate(0.25);
  for (uint32_t k = 0; k < kHidden; ++k) hidden->add_rho(5 * 64), hidden->add_v_threshold(5 * 64), hidden->add_bias(64 * int32_t(k % 3));
  lmap::Layer *out = m.add_layers();
  out->set_name("out"), out->set_type("linear"), out->set_kind(lmap::READOUT_SUM), out->set_channels(kOutputs), out->set_height(1), out->set_width(1), out->set_start(1), out->set_scale_log2(6);
  out->add_sources(0), out->add_sources(-1), out->add_synapse_names("out"), out->add_synapse_names("skip"), out->set_reset(lmap::NONE), out->set_s_max(1);
  out->set_synapses((kHidden + kInputs) * kOutputs), out->set_v_high(4 * 60), out->set_sum_high(60);
  m.set_input_channels(kInputs), m.set_input_height(1), m.set_input_width(1), m.set_input_max_count(1), m.set_output_count(kOutputs), m.set_output_scale(1);
  addHidden(m, chip, 0, 0, kFirst, {lmap::DENSE, 0, 0, 8, 0});
  addHidden(m, chip, 1, kFirst, kHidden, {lmap::SPARSE, 6, 0, 8, 0});
  const uint32_t last = chip.mesh.cores_per_chip + 1; // second core of chip 1
  addOut(m, chip, last);
  lmap::Core *first = m.mutable_cores(0), *second = m.mutable_cores(1);
  for (uint32_t n = 0; n < kFirst; ++n) first->add_out_counts(1), first->add_out_core(last), first->add_out_axon(n);
  for (uint32_t n = kFirst; n < kHidden; ++n) second->add_out_counts(0);
  lmap::SharedAxon *shared = second->add_shared();
  shared->set_first(0), shared->set_count(kHidden - kFirst), shared->set_core(last), shared->set_axon(kFirst);
  for (uint32_t n = 0; n < kOutputs; ++n) m.mutable_cores(2)->add_out_counts(0);
  first->mutable_used()->set_output_entries(kFirst * 2 + kFirst); // another chip: one more each; and the pair's own
  second->mutable_used()->set_output_entries(2 + 1 + (kHidden - kFirst));
  lmap::InputRoute *route = m.add_input();
  for (uint32_t i = 0; i < kInputs; ++i) {
    route->add_counts(3);
    for (uint32_t core : {0u, 1u, last}) route->add_core(core), route->add_axon(core == last ? kFirst + 1 + i : i);
  }
  m.mutable_result()->set_chips(2);
  lmap::Bound *bound = m.mutable_result()->mutable_bound();
  bound->set_cores(1), bound->set_resource("compartments");
  return m;
}

} // namespace lasnn::loihi
