#include "tests/backends/loihi/plain_mapper.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace lasnn::test {

using namespace loihi;

namespace {

class Random {
public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// low..high, both included.
  int operator()(int low, int high) { return low + int(engine_() % uint64_t(high - low + 1)); }
  bool chance(int percent) { return (*this)(1, 100) <= percent; }

private:
  std::mt19937_64 engine_;
};

std::vector<int32_t> values(Random &random, uint32_t count, int low, int high, int unit = 1) {
  std::vector<int32_t> all(count);
  for (int32_t &value : all) value = random(low, high) * unit;
  return all;
}

bool leaks(const plan::Neuron &n) { return n.decay > 0 && n.decay < 4096; }

/// A synapse from `buffer` into a layer; the shape of its result by the reference.
plan::Synapse randomSynapse(Random &random, const plan::Network &plan, uint32_t buffer, uint32_t channels, plan::Layer &layer, bool first) {
  const plan::Buffer &in = plan.buffers[buffer];
  plan::Synapse s;
  s.name = "synapse", s.input = buffer;
  if (first && random.chance(60)) {
    s.kernel_h = std::min<uint32_t>(in.height, uint32_t(random(1, 3))), s.kernel_w = std::min<uint32_t>(in.width, uint32_t(random(1, 3)));
    s.stride_h = uint32_t(random(1, 2)), s.stride_w = uint32_t(random(1, 2));
    s.pad_top = random(0, int(s.kernel_h) - 1), s.pad_left = random(0, int(s.kernel_w) - 1);
    if (in.height > 4 && random.chance(20)) s.dilation_h = 2, s.kernel_h = std::min(s.kernel_h, 2u);
    layer.out_height = (in.height + 2 * uint32_t(s.pad_top) - s.dilation_h * (s.kernel_h - 1) - 1) / s.stride_h + 1;
    layer.out_width = (in.width + 2 * uint32_t(s.pad_left) - (s.kernel_w - 1) - 1) / s.stride_w + 1;
    if (in.channels % 2 == 0 && channels % 2 == 0 && random.chance(30)) s.groups = 2;
  } else if (first) {
    s.kernel_h = in.height, s.kernel_w = in.width; // linear
    layer.out_height = layer.out_width = 1;
  } else { // any that gives the shape that there is: one window over everything, slid by a stride of 1 with enough padding
    s.kernel_h = in.height, s.kernel_w = in.width;
    s.pad_top = s.pad_left = 0;
    if (layer.out_height > 1) s.pad_top = int(in.height) - 1;
    if (layer.out_width > 1) s.pad_left = int(in.width) - 1;
  }
  s.weight.resize(size_t(channels) * in.channels / s.groups * s.kernel_h * s.kernel_w);
  const int widest = random.chance(20) ? 127 : random.chance(50) ? 15 : 3;
  for (int8_t &w : s.weight) w = int8_t(random.chance(25) ? 0 : random(-widest, widest));
  return s;
}

class BitWriter {
public:
  explicit BitWriter(std::string &memory) : memory_(memory), bit_(memory.size() * 8) {}
  void write(uint32_t value, uint32_t bits) {
    for (uint32_t i = 0; i < bits; ++i, ++bit_) {
      if (bit_ / 8 >= memory_.size()) memory_.push_back(0);
      if (value >> i & 1) memory_[bit_ / 8] = char(memory_[bit_ / 8] | 1 << bit_ % 8);
    }
  }
  void align() {
    memory_.resize((memory_.size() + 7) / 8 * 8);
    bit_ = memory_.size() * 8;
  }

private:
  std::string &memory_;
  uint64_t bit_;
};

struct Place {
  uint32_t core, neuron; ///< index of the core; number on it
};
using Weights = std::map<uint32_t, int32_t>; ///< by target neuron of a layer

/// Every neuron of `buffer` to the neurons of `layer`, [source][target] -> weight, from the definition (ir/spec.md C1).
std::vector<Weights> expanded(const plan::Network &plan, const plan::Layer &layer, const plan::Synapse &s) {
  const plan::Buffer &in = plan.buffers[s.input];
  std::vector<Weights> all(size_t(in.channels) * in.height * in.width);
  const uint32_t in_group = in.channels / s.groups;
  for (uint32_t k = 0; k < layer.out_channels; ++k)
    for (uint32_t y = 0; y < layer.out_height; ++y)
      for (uint32_t x = 0; x < layer.out_width; ++x)
        for (uint32_t c = 0; c < in_group; ++c)
          for (uint32_t i = 0; i < s.kernel_h; ++i)
            for (uint32_t j = 0; j < s.kernel_w; ++j) {
              const int iy = int(y * s.stride_h) - s.pad_top + int(i * s.dilation_h), ix = int(x * s.stride_w) - s.pad_left + int(j * s.dilation_w);
              const int32_t w = s.weight[((size_t(k) * in_group + c) * s.kernel_h + i) * s.kernel_w + j];
              if (w == 0 || iy < 0 || ix < 0 || iy >= int(in.height) || ix >= int(in.width)) continue;
              const uint32_t source = ((k / (layer.out_channels / s.groups) * in_group + c) * in.height + uint32_t(iy)) * in.width + uint32_t(ix);
              all[source][(k * layer.out_height + y) * layer.out_width + x] += w;
            }
  return all;
}

class PlainMapper {
public:
  PlainMapper(const plan::Network &plan, const Chip &chip, uint64_t seed, const PlainOptions &options)
      : plan_(plan), chip_(chip), random_(seed), options_(options) {}

  lmap::Mapping map() {
    header();
    for (uint32_t l = 0; l < plan_.layers.size(); ++l) layer(l);
    deal();
    for (uint32_t l = 0; l < plan_.layers.size(); ++l)
      for (const plan::Synapse &s : plan_.layers[l].synapses) connect(l, s);
    finish();
    return std::move(m_);
  }

private:
  void header() {
    lmap::Header &h = *m_.mutable_header();
    h.set_network(plan_.name), h.set_chip_name(chip_.name), h.set_chip_text(chip_.text), h.set_timesteps(plan_.timesteps);
    const plan::Buffer &in = plan_.buffers[0];
    m_.set_version(1);
    m_.set_input_channels(in.channels), m_.set_input_height(in.height), m_.set_input_width(in.width), m_.set_input_max_count(in.max_count);
    m_.set_input_direct(plan_.encoding == plan::Encoding::Direct);
    m_.set_encode_table(plan_.encode_table.data(), plan_.encode_table.size());
    m_.set_output_count(plan_.output_count), m_.set_output_scale(plan_.output_scale);
  }

  bool fromImage(const plan::Synapse &s) const { return s.input == 0 && plan_.encoding == plan::Encoding::Direct; }

  /// No read-out of this layer is larger.
  int64_t largestSum(const plan::Layer &layer) const {
    int64_t sum = 0;
    for (const plan::Synapse &s : layer.synapses)
      for (int8_t w : s.weight) sum += std::abs(w) * (fromImage(s) ? 128 : int64_t(plan_.buffers[s.input].max_count));
    for (int32_t bias : layer.bias) sum += std::abs(bias);
    return sum * plan_.timesteps;
  }

  void layer(uint32_t l) {
    const plan::Layer &from = plan_.layers[l];
    lmap::Layer &to = *m_.add_layers();
    to.set_name(from.name), to.set_channels(from.out_channels), to.set_height(from.out_height), to.set_width(from.out_width);
    uint32_t start = 0;
    for (const plan::Synapse &s : from.synapses)
      if (s.input > 0) start = std::max(start, m_.layers(int(layer_of_buffer_[s.input])).start() + 1);
    if (options_.slack && random_.chance(30)) start += uint32_t(random_(1, 2));
    to.set_start(start);
    m_.mutable_header()->set_latency(std::max(m_.header().latency(), start));
    const bool spiking = from.kind == plan::LayerKind::Spiking, leaky = spiking && leaks(from.neuron);
    const uint32_t scale = leaky ? 0 : spiking ? 6 : largestSum(from) < (1 << 17) ? uint32_t(random_(0, 1)) * 6 : 0;
    to.set_scale_log2(scale);
    const auto scaled = [&](const std::vector<int32_t> &in, auto *out) {
      for (int32_t value : in) out->Add(value * (1 << scale));
    };
    scaled(from.bias, to.mutable_bias());
    if (!spiking) {
      to.set_kind(from.readout == plan::Readout::Sum ? lmap::READOUT_SUM : lmap::READOUT_LAST);
      to.set_output_offset(from.output), to.set_decay(from.readout == plan::Readout::Sum ? 0 : 4096), to.set_reset(lmap::NONE);
      return;
    }
    layer_of_buffer_[from.output] = l;
    const plan::Neuron &n = from.neuron;
    to.set_decay(n.decay), to.set_s_max(n.s_max);
    to.set_reset(n.reset == plan::Reset::Zero ? lmap::ZERO : n.reset == plan::Reset::Subtract ? lmap::SUBTRACT : lmap::NONE);
    scaled(n.v_threshold, to.mutable_v_threshold()), scaled(n.rho, to.mutable_rho());
    const int64_t high = (int64_t(1) << (n.state_bits - 1)) - 1;
    to.set_clamp_low(true), to.set_v_min((n.has_v_min ? std::max<int64_t>(-high - 1, n.v_min) : -high - 1) * (1 << scale));
    to.set_clamp_high(true), to.set_v_max(high * (1 << scale));
  }

  /// Neurons of all layers, in random pieces, to random cores.
  void deal() {
    const uint32_t cores = options_.most_chips * chip_.mesh.cores_per_chip;
    place_.resize(plan_.layers.size());
    for (uint32_t l = 0; l < plan_.layers.size(); ++l) {
      const lmap::Layer &layer = m_.layers(int(l));
      const uint32_t neurons = layer.channels() * layer.height() * layer.width();
      place_[l].resize(neurons);
      std::vector<uint32_t> order(neurons);
      for (uint32_t n = 0; n < neurons; ++n) order[n] = n;
      if (random_.chance(50))
        for (uint32_t n = neurons; n > 1; --n) std::swap(order[n - 1], order[uint32_t(random_(0, int(n) - 1))]);
      for (uint32_t begin = 0; begin < neurons;) {
        const uint32_t k = options_.plain ? 1 : uint32_t(random_(1, 2)), count = std::min(neurons - begin, uint32_t(random_(1, 20)));
        const uint32_t own = cores / uint32_t(plan_.layers.size()); // plain: cores of this layer alone
        const uint32_t core = coreAt(options_.plain ? l * own + uint32_t(random_(0, int(own) - 1)) : uint32_t(random_(0, int(cores) - 1)), count * k);
        addGroup(core, l, k, {order.begin() + begin, order.begin() + begin + count});
        begin += count;
      }
    }
  }

  uint32_t coreAt(uint32_t address, uint32_t compartments) {
    for (;; ++address) {
      auto [at, fresh] = index_.emplace(address, uint32_t(cores_.size()));
      if (fresh) {
        cores_.emplace_back();
        cores_.back().set_address(address);
        next_.push_back(0);
        out_.emplace_back();
      }
      if (chip_.limits.compartments.allows(next_[at->second] + compartments)) return at->second;
    }
  }

  void addGroup(uint32_t core, uint32_t l, uint32_t k, const std::vector<uint32_t> &neurons) {
    lmap::Core &c = cores_[core];
    const lmap::Layer &layer = m_.layers(int(l));
    lmap::Group &g = *c.add_groups();
    g.set_layer(l), g.set_base(next_[core]), g.set_compartments_per_neuron(k), g.set_bias_terms(32);
    g.set_profile(uint32_t(c.profiles_size()));
    g.set_soft_reset(layer.reset() == lmap::SUBTRACT && k == 2);
    lmap::CompartmentProfile &profile = *c.add_profiles();
    profile.set_decay_u(4096), profile.set_decay_v(layer.decay()), profile.set_reset(layer.reset());
    for (uint32_t n : neurons) {
      g.add_neurons(n);
      place_[l][n] = {core, uint32_t(out_[core].size())};
      compartment_[{core, place_[l][n].neuron}] = next_[core];
      next_[core] += k;
      out_[core].emplace_back();
      if (layer.kind() != lmap::SPIKING) continue;
      const int32_t mantissa = layer.v_threshold(int(n / (layer.height() * layer.width()))) >> 6;
      if (std::find(c.thresholds().begin(), c.thresholds().end(), mantissa) == c.thresholds().end()) c.add_thresholds(mantissa);
    }
  }

  void connect(uint32_t l, const plan::Synapse &s) {
    const plan::Layer &layer = plan_.layers[l];
    if (fromImage(s)) {
      lmap::HostLayer &h = *m_.add_host();
      h.set_layer(l), h.set_name(s.name), h.set_kernel_h(s.kernel_h), h.set_kernel_w(s.kernel_w), h.set_stride_h(s.stride_h), h.set_stride_w(s.stride_w);
      h.set_dilation_h(s.dilation_h), h.set_dilation_w(s.dilation_w), h.set_pad_top(s.pad_top), h.set_pad_left(s.pad_left), h.set_groups(s.groups);
      h.set_weight(s.weight.data(), s.weight.size());
      return;
    }
    const lmap::Layer &to = m_.layers(int(l));
    const uint32_t delay = s.input == 0 ? to.start() : to.start() - m_.layers(int(layer_of_buffer_.at(s.input))).start() - 1;
    const std::vector<Weights> weights = expanded(plan_, layer, s);
    for (uint32_t source = 0; source < weights.size(); ++source) {
      std::map<uint32_t, std::vector<StoredAt>> by_core;
      for (auto [target, w] : weights[source])
        by_core[place_[l][target].core].push_back({compartment_.at({place_[l][target].core, place_[l][target].neuron}), w});
      for (auto &[core, synapses] : by_core) {
        const uint32_t axon = addAxon(core, synapses, delay, to.scale_log2(), l % 3);
        if (s.input == 0) input_[source].push_back({cores_[core].address(), axon});
        else {
          const Place from = place_[layer_of_buffer_.at(s.input)][source];
          out_[from.core][from.neuron].push_back({cores_[core].address(), axon});
        }
      }
    }
  }

  struct StoredAt {
    uint32_t index;
    int32_t weight;
  };

  /// One list, in entries of a random encoding each (plain: of the given one); its base is taken off the indices.
  uint32_t addAxon(uint32_t core, std::vector<StoredAt> &synapses, uint32_t delay, uint32_t scale, uint32_t plain_encoding) {
    lmap::Core &c = cores_[core];
    std::sort(synapses.begin(), synapses.end(), [](const StoredAt &a, const StoredAt &b) { return a.index < b.index; });
    const uint32_t base = random_.chance(50) ? synapses.front().index : 0, word = uint32_t(c.memory().size() / 8);
    BitWriter bits(*c.mutable_memory());
    for (size_t i = 0; i < synapses.size();) {
      lmap::SynapseFormat format;
      format.set_index_bits(12), format.set_skip_bits(5), format.set_exponent(int32_t(scale) - 7), format.set_weight_bits(8);
      format.set_delay_bits(delay > 0 || (!options_.plain && random_.chance(10)) ? 6 : 0);
      format.set_encoding(options_.plain ? lmap::Encoding(plain_encoding) : lmap::Encoding(random_(0, 2)));
      if (!options_.plain && random_.chance(30)) { // signs apart
        format.set_sign(synapses[i].weight > 0 ? lmap::EXCITATORY : lmap::INHIBITORY);
        format.set_exponent(int32_t(scale) - 6);
      }
      if (c.formats_size() >= 13) { // ids have 4 bits and 0 is taken: what is left is one format for each scale
        format.set_encoding(lmap::SPARSE), format.set_sign(lmap::MIXED), format.set_exponent(int32_t(scale) - 7), format.set_delay_bits(6);
      }
      size_t end = i + 1;
      const auto fits = [&](size_t j) {
        const uint32_t gap = synapses[j].index - synapses[j - 1].index;
        return (format.sign() == lmap::MIXED || (synapses[j].weight > 0) == (format.sign() == lmap::EXCITATORY)) &&
               (format.encoding() == lmap::SPARSE || gap == 1 || (format.encoding() == lmap::RUNLENGTH && gap < 32));
      };
      while (end < synapses.size() && end - i < 60 && fits(end)) ++end;
      const auto weight = [&](int32_t w) { return format.sign() == lmap::MIXED ? uint32_t(w) & 255 : uint32_t(std::abs(w)); };
      bits.write(formatId(c, format), chip_.bits.format_id), bits.write(uint32_t(end - i), chip_.bits.count);
      if (format.encoding() != lmap::SPARSE) bits.write(synapses[i].index - base, 12);
      for (size_t j = i; j < end; ++j) {
        bits.write(weight(synapses[j].weight), 8), bits.write(delay, format.delay_bits());
        if (format.encoding() == lmap::SPARSE) bits.write(synapses[j].index - base, 12);
        if (format.encoding() == lmap::RUNLENGTH) bits.write(j == i ? 0 : synapses[j].index - synapses[j - 1].index, 5);
      }
      i = end;
    }
    bits.write(0, chip_.bits.format_id);
    bits.align();
    c.add_axon_word(word), c.add_axon_length(uint32_t(c.memory().size() / 8) - word), c.add_axon_base(base);
    return uint32_t(c.axon_word_size()) - 1;
  }

  uint32_t formatId(lmap::Core &c, const lmap::SynapseFormat &format) {
    for (int i = 0; i < c.formats_size(); ++i)
      if (c.formats(i).SerializeAsString() == format.SerializeAsString()) return uint32_t(i) + 1;
    *c.add_formats() = format;
    return uint32_t(c.formats_size());
  }

  void finish() {
    for (auto &[source, deliveries] : input_) {
      lmap::InputRoute &route = *m_.add_input();
      route.set_first(source), route.add_counts(uint32_t(deliveries.size()));
      for (auto [core, axon] : deliveries) route.add_core(core), route.add_axon(axon);
    }
    for (size_t i = 0; i < cores_.size(); ++i)
      for (const auto &entries : out_[i]) {
        cores_[i].add_out_counts(uint32_t(entries.size()));
        for (auto [core, axon] : entries) cores_[i].add_out_core(core), cores_[i].add_out_axon(axon);
      }
    std::sort(cores_.begin(), cores_.end(), [](const lmap::Core &a, const lmap::Core &b) { return a.address() < b.address(); });
    for (lmap::Core &core : cores_) *m_.add_cores() = std::move(core);
  }

  struct Entry {
    uint32_t core, axon;
  };
  const plan::Network &plan_;
  const Chip &chip_;
  Random random_;
  PlainOptions options_;
  lmap::Mapping m_;
  std::map<uint32_t, uint32_t> layer_of_buffer_, index_;
  std::vector<lmap::Core> cores_;
  std::vector<uint32_t> next_;                 ///< free compartment, by core
  std::vector<std::vector<Place>> place_;      ///< [layer][neuron]
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> compartment_; ///< of (core, neuron)
  std::vector<std::vector<std::vector<Entry>>> out_; ///< [core][neuron]
  std::map<uint32_t, std::vector<Entry>> input_;
};

} // namespace

plan::Network randomChipPlan(uint64_t seed) {
  Random random(seed * 7919 + 13);
  plan::Network plan;
  plan.name = "random" + std::to_string(seed);
  plan.timesteps = uint32_t(random(1, 7));
  plan.encoding = random.chance(50) ? plan::Encoding::Direct : plan::Encoding::Events;
  plan::Buffer in;
  in.name = "input", in.channels = uint32_t(random(1, 3)), in.height = uint32_t(random(1, 6)), in.width = uint32_t(random(1, 6)),
  in.max_count = uint32_t(random(1, 3));
  if (plan.encoding == plan::Encoding::Direct)
    for (uint32_t i = 0; i < in.channels * 256; ++i) plan.encode_table.push_back(int8_t(random(-127, 127)));
  plan.buffers.push_back(in);
  const int depth = random(1, 4);
  for (int d = 0; d <= depth; ++d) {
    const bool readout = d == depth;
    plan::Layer layer;
    layer.kind = readout ? plan::LayerKind::Readout : plan::LayerKind::Spiking;
    layer.name = readout ? "readout" : "layer" + std::to_string(d);
    layer.out_channels = uint32_t(random(1, 6));
    const int sources = random(1, 3);
    std::set<uint32_t> used;
    for (int s = 0; s < sources; ++s) {
      const uint32_t buffer = s == 0 && random.chance(80) ? uint32_t(plan.buffers.size()) - 1 : uint32_t(random(0, int(plan.buffers.size()) - 1));
      if (!used.insert(buffer).second) continue;
      const plan::Buffer &from = plan.buffers[buffer];
      if (s > 0 && (layer.out_height > from.height || layer.out_width > from.width) && layer.out_height * layer.out_width > 1)
        if (layer.out_height > 2 * from.height - 1 || layer.out_width > 2 * from.width - 1) continue;
      layer.synapses.push_back(randomSynapse(random, plan, buffer, layer.out_channels, layer, layer.synapses.empty()));
      if (readout) break;
    }
    layer.bias = values(random, layer.out_channels, random.chance(50) ? 0 : -40, random.chance(50) ? 0 : 40);
    if (readout) {
      layer.output = 0, layer.readout = random.chance(70) ? plan::Readout::Sum : plan::Readout::Last;
      plan.output_count = layer.out_channels * layer.out_height * layer.out_width;
    } else {
      plan::Neuron &n = layer.neuron;
      n.decay = random.chance(40) ? 0 : random.chance(25) ? 4096 : uint32_t(random(1, 4095));
      const int kind = random(0, 2);
      n.reset = kind == 0 ? plan::Reset::Zero : kind == 1 ? plan::Reset::Subtract : plan::Reset::None;
      n.state_bits = leaks(n) ? 24 : 16;
      if (random.chance(30)) n.has_v_min = true, n.v_min = -random(0, 200);
      n.v_threshold = leaks(n) ? values(random, layer.out_channels, 0, 3, 64) : values(random, layer.out_channels, 0, 90);
      n.rho = n.reset == plan::Reset::Subtract ? (random.chance(50) ? n.v_threshold : values(random, layer.out_channels, 0, 100))
                                               : std::vector<int32_t>(layer.out_channels, 0);
      n.v_reset.assign(layer.out_channels, 0);
      plan::Buffer out;
      out.name = layer.name, out.channels = layer.out_channels, out.height = layer.out_height, out.width = layer.out_width;
      layer.output = uint32_t(plan.buffers.size());
      plan.buffers.push_back(out);
    }
    plan.layers.push_back(std::move(layer));
  }
  return plan;
}

lmap::Mapping plainMapping(const plan::Network &plan, const Chip &chip, uint64_t seed, const PlainOptions &options) {
  return PlainMapper(plan, chip, seed, options).map();
}

} // namespace lasnn::test
