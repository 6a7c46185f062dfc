#include "backends/loihi/lower/lower.h"

#include "backends/loihi/lower/scale.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

using std::to_string;

/// Part of what a buffer holds: a population's spikes (or the input's) seen through pools, `steps` network steps late.
struct Term {
  int32_t source;
  uint32_t steps;
  Axis y, x;
};

class Lowering {
public:
  Lowering(const plan::Network &network, const Chip &chip) : net_(network), chip_(chip) {}

  LowerResult run() {
    model_.name = net_.name;
    model_.timesteps = net_.timesteps;
    model_.encoding = net_.encoding;
    model_.input = net_.buffers.at(0);
    model_.encode_table = net_.encode_table;
    model_.output_count = net_.output_count;
    model_.output_scale = net_.output_scale;
    number();
    for (uint32_t i = 0; i < net_.layers.size(); ++i)
      addLayer(i);
    if (model_.populations.empty() && errors_.empty()) errors_.push_back("the network has no layer that runs on the chip");
    if (errors_.empty()) schedule();
    LowerResult result;
    result.errors = std::move(errors_);
    if (result.errors.empty()) result.model = std::move(model_);
    return result;
  }

private:
  bool direct() const { return net_.encoding == plan::Encoding::Direct; }
  void refuse(const plan::Layer &layer, const std::string &what) { errors_.push_back("layer '" + layer.name + "': " + what); }
  uint32_t countOf(int32_t source) const { return source < 0 ? model_.input.max_count : model_.populations[size_t(source)].s_max; }

  /// Feedback reads populations that come later: all have their number, and the most spikes of a step, before any is made.
  void number() {
    writer_.assign(net_.buffers.size(), -1);
    late_.assign(net_.buffers.size(), -1);
    terms_.resize(net_.buffers.size());
    for (uint32_t i = 0; i < net_.layers.size(); ++i) {
      const plan::Layer &layer = net_.layers[i];
      const bool fires = layer.kind == plan::LayerKind::Spiking,
                 or_pool = layer.kind == plan::LayerKind::Pool && layer.pool == plan::PoolKind::Max;
      if (layer.kind != plan::LayerKind::Readout) writer_[layer.output] = int32_t(i);
      population_.push_back(uint32_t(model_.populations.size()));
      if (!fires && !or_pool && layer.kind != plan::LayerKind::Readout) continue;
      model_.populations.emplace_back();
      if (fires) model_.populations.back().s_max = layer.neuron.s_max;
    }
    for (const plan::Delay &delay : net_.delays)
      late_[delay.to] = int32_t(delay.from);
  }

  /// Ends, since every cycle goes through a neuron (D3), which is a term of its own.
  const std::vector<Term> &terms(uint32_t buffer) {
    std::vector<Term> &terms_here = terms_[buffer];
    if (!terms_here.empty() || analog(buffer)) return terms_here;
    std::vector<Term> all;
    if (buffer == 0) {
      all = {{-1, 0, identityAxis(model_.input.height), identityAxis(model_.input.width)}};
    } else if (late_[buffer] >= 0) {
      all = terms(uint32_t(late_[buffer]));
      for (Term &term : all)
        ++term.steps; // D1
    } else if (writer_[buffer] >= 0) {
      const plan::Layer &layer = net_.layers[size_t(writer_[buffer])];
      const uint32_t population = population_[size_t(writer_[buffer])];
      if (layer.kind == plan::LayerKind::Add) {
        for (const uint32_t input : layer.inputs) {
          const std::vector<Term> more = terms(input);
          all.insert(all.end(), more.begin(), more.end());
        }
      } else if (layer.kind == plan::LayerKind::Pool && layer.pool == plan::PoolKind::Sum) {
        const plan::Buffer &in = net_.buffers[layer.inputs[0]];
        const Axis y = summed(windowAxis(in.height, layer.out_height, layer.kernel_h, layer.stride_h, 1, layer.pad_top));
        const Axis x = summed(windowAxis(in.width, layer.out_width, layer.kernel_w, layer.stride_w, 1, layer.pad_left));
        for (const Term &term : terms(layer.inputs[0]))
          all.push_back({term.source, term.steps, compose(term.y, y), compose(term.x, x)});
      } else {
        all = {{int32_t(population), 0, identityAxis(layer.out_height), identityAxis(layer.out_width)}};
      }
    }
    return terms_here = std::move(all);
  }

  void addLayer(uint32_t i) {
    const plan::Layer &layer = net_.layers[i];
    switch (layer.kind) {
    case plan::LayerKind::Spiking:
    case plan::LayerKind::Readout:
      return addNeurons(i);
    case plan::LayerKind::Pool:
      if (layer.pool == plan::PoolKind::Max) return addOrPool(i);
      if (analog(layer.inputs[0])) refuse(layer, "pools the image itself; let the first layer be a convolution with a stride");
      return;
    case plan::LayerKind::Add:
      for (const uint32_t input : layer.inputs)
        if (analog(input))
          return refuse(layer, "adds the image itself to spikes, which the chip cannot hold; put a convolution between them");
    }
  }

  bool analog(uint32_t buffer) const { return buffer == 0 && direct(); }

  /// The maximum of spikes is 1 where any fires: neurons without memory, threshold 0, weights 1.
  void addOrPool(uint32_t i) {
    const plan::Layer &layer = net_.layers[i];
    const uint32_t input = layer.inputs[0];
    if (analog(input)) return refuse(layer, "a maximum pool of the image cannot run on the chip; train with a strided convolution");
    uint64_t most = 0;
    for (const Term &term : terms(input)) {
      uint64_t y = 0, x = 0;
      for (const uint32_t r : term.y.reach())
        y = std::max<uint64_t>(y, r);
      for (const uint32_t r : term.x.reach())
        x = std::max<uint64_t>(x, r);
      most += y * x * countOf(term.source);
    }
    if (most > 1)
      return refuse(layer, "a maximum pool of spike counts up to " + to_string(most) +
                               ", allowed 1 (a neuron can only tell whether any spike came); train with average "
                               "pools, or with strides");
    const plan::Buffer &in = net_.buffers[input];
    Population population;
    population.name = layer.name;
    population.type = "or-pool " + to_string(layer.kernel_h) + "x" + to_string(layer.kernel_w) + " s" + to_string(layer.stride_h);
    setShape(population, layer, i);
    const auto ones = std::make_shared<std::vector<int8_t>>(size_t(in.channels) * layer.kernel_h * layer.kernel_w, int8_t(1));
    const Axis y = windowAxis(in.height, layer.out_height, layer.kernel_h, layer.stride_h, 1, layer.pad_top);
    const Axis x = windowAxis(in.width, layer.out_width, layer.kernel_w, layer.stride_w, 1, layer.pad_left);
    for (const Term &term : terms(input))
      addProjection(population, layer.name, term, y, x, in.channels, in.channels, ones);
    plan::Neuron neuron;
    neuron.decay = 4096;
    neuron.state_bits = 24;
    neuron.v_threshold.assign(in.channels, 0);
    finish(population, neuron, std::vector<int32_t>(in.channels, 0), layer);
  }

  void setShape(Population &population, const plan::Layer &layer, uint32_t index) {
    population.plan_layer = index;
    population.channels = layer.out_channels;
    population.height = layer.out_height;
    population.width = layer.out_width;
  }

  static std::string typeOf(const plan::Layer &layer, const plan::Network &net) {
    if (layer.synapses.empty()) return "bias only";
    const plan::Synapse &s = layer.synapses[0];
    const plan::Buffer &in = net.buffers[s.input];
    if (layer.out_height == 1 && layer.out_width == 1 && s.kernel_h >= in.height && s.kernel_w >= in.width) return "linear";
    std::string type = s.groups > 1 && s.groups == in.channels ? "depthwise " : "conv ";
    type += to_string(s.kernel_h) + "x" + to_string(s.kernel_w);
    if (s.stride_h > 1 || s.stride_w > 1) type += " s" + to_string(s.stride_h);
    return type;
  }

  void addNeurons(uint32_t i) {
    const plan::Layer &layer = net_.layers[i];
    if (layer.poolsCurrents())
      return refuse(
          layer,
          "a maximum over windows of currents: the chip adds currents, it cannot compare them; train with average pools, or with strides");
    const bool fires = layer.kind == plan::LayerKind::Spiking;
    Population population;
    population.name = layer.name;
    population.type = typeOf(layer, net_);
    setShape(population, layer, i);
    plan::Neuron neuron = layer.neuron;
    if (!fires) {
      population.kind = layer.readout == plan::Readout::Sum ? lmap::READOUT_SUM : lmap::READOUT_LAST;
      population.output_offset = layer.output;
      neuron = {};
      neuron.decay = layer.readout == plan::Readout::Sum ? 0 : 4096;
      neuron.reset = plan::Reset::None;
    } else if (neuron.s_max > 1) {
      if (chip_.arithmetic.graded_payload == 0)
        return refuse(layer, "its neurons fire up to " + to_string(neuron.s_max) + " spikes a step, allowed 1 on chip '" + chip_.name +
                                 "', whose spikes carry no number; train with s_max = 1, or compile for loihi2");
      if (chip_.arithmetic.graded_payload < 32 && neuron.s_max >= 1u << chip_.arithmetic.graded_payload)
        return refuse(layer, "its neurons fire up to " + to_string(neuron.s_max) + " spikes a step, a graded spike holds " +
                                 to_string(chip_.arithmetic.graded_payload) + " bits");
    }
    population.s_max = fires ? neuron.s_max : 1;
    for (const plan::Synapse &s : layer.synapses) {
      if (analog(s.input)) {
        population.host.push_back({s});
        continue;
      }
      const plan::Buffer &in = net_.buffers[s.input];
      const auto weight = std::make_shared<const std::vector<int8_t>>(s.weight);
      const Axis y = windowAxis(in.height, layer.out_height, s.kernel_h, s.stride_h, s.dilation_h, s.pad_top);
      const Axis x = windowAxis(in.width, layer.out_width, s.kernel_w, s.stride_w, s.dilation_w, s.pad_left);
      for (const Term &term : terms(s.input))
        addProjection(population, s.name, term, y, x, in.channels, s.groups, weight);
    }
    finish(population, neuron, layer.bias, layer);
  }

  void addProjection(Population &population, const std::string &name, const Term &term, const Axis &y, const Axis &x, uint32_t channels_in,
                     uint32_t groups, std::shared_ptr<const std::vector<int8_t>> weight) {
    Projection p;
    p.name = name;
    p.source = term.source;
    p.steps = term.steps;
    p.target = population_[population.plan_layer];
    p.synapse = uint32_t(population.projections.size());
    p.channels_in = channels_in;
    p.channels_out = population.channels;
    p.groups = groups;
    p.y = compose(term.y, y);
    p.x = compose(term.x, x);
    p.plain = p.y.plain() && p.x.plain();
    p.density = weight->empty() ? 0 : 1 - double(std::count(weight->begin(), weight->end(), int8_t(0))) / double(weight->size());
    p.weight = std::move(weight);
    population.projections.push_back(uint32_t(model_.projections.size()));
    model_.projections.push_back(std::move(p));
  }

  void finish(Population &population, const plan::Neuron &neuron, const std::vector<int32_t> &bias, const plan::Layer &layer) {
    population.decay = neuron.decay;
    std::vector<Projection *> projections;
    std::vector<uint32_t> counts;
    for (const uint32_t p : population.projections) {
      projections.push_back(&model_.projections[p]);
      counts.push_back(countOf(model_.projections[p].source));
    }
    plan::Layer plain = layer; // its bias is all that the bounds read
    plain.bias = bias;
    const Bounds bounds = bound(population, {projections.begin(), projections.end()}, counts, &plain, neuron, model_);
    population.v_low = bounds.voltage.low;
    population.v_high = bounds.voltage.high;
    population.sum_low = bounds.sum.low;
    population.sum_high = bounds.sum.high;
    fitScale(population, projections, bounds, {neuron, bias}, chip_, errors_);
    model_.populations[population_[population.plan_layer]] = std::move(population);
  }

  /// A layer starts when the first step of its farthest source arrives; nearer sources wait in the synapses' delays. A spike takes one chip
  /// step and may be for `steps` network steps later, so start(target) + steps >= start(source) + 1 over every projection: longest ways.
  void schedule() {
    std::vector<int32_t> last(model_.populations.size(), -1); // projection that set the start
    bool moved = true;
    for (size_t round = 0; moved && round <= model_.populations.size(); ++round) {
      moved = false;
      for (uint32_t i = 0; i < model_.projections.size(); ++i) {
        const Projection &p = model_.projections[i];
        if (p.source < 0) continue;
        const uint32_t after = model_.populations[size_t(p.source)].start + 1;
        if (after <= model_.populations[p.target].start + p.steps) continue;
        model_.populations[p.target].start = after - p.steps;
        last[p.target] = int32_t(i);
        moved = true;
        if (round == model_.populations.size()) return refuseLoop(last, p.target);
      }
    }
    for (Projection &p : model_.projections) {
      const Population &target = model_.populations[p.target];
      p.delay = target.start + p.steps - (p.source >= 0 ? model_.populations[size_t(p.source)].start + 1 : 0);
      const uint64_t allowed = std::min<uint64_t>(chip_.limits.delay, chip_.bits.delay.empty() ? 0 : (1u << chip_.bits.delay.back()) - 1);
      if (p.delay > allowed)
        errors_.push_back("layer '" + target.name + "': '" + p.name +
                          (p.steps > 0 ? "' comes " + to_string(p.steps) + " steps late (snn.delay) and needs a delay of "
                                       : "' skips over layers and needs a delay of ") +
                          to_string(p.delay) + " steps, allowed " + to_string(allowed) +
                          (p.steps > allowed ? "; delay it by " + to_string(p.delay - allowed) + " steps less"
                                             : "; route it through a layer of neurons about half way"));
      model_.latency = std::max(model_.latency, target.start);
    }
  }

  /// Each layer of a loop takes a chip step and each snn.delay gives one. The chip leaks and adds biases at every step, so a network step
  /// cannot be stretched over several.
  void refuseLoop(const std::vector<int32_t> &last, uint32_t population) {
    const auto before = [&](uint32_t p) { return uint32_t(model_.projections[size_t(last[p])].source); };
    for (size_t i = 0; i < last.size(); ++i) // into the loop
      population = before(population);
    for (uint32_t at = before(population), i = 0; i < last.size(); at = before(at), ++i) // its first layer
      population = std::min(population, at);
    std::string way = "'" + model_.populations[population].name + "'";
    uint32_t layers = 0, steps = 0;
    for (uint32_t at = population; layers == 0 || at != population; ++layers) {
      const Projection &p = model_.projections[size_t(last[at])];
      steps += p.steps;
      at = uint32_t(p.source);
      way = "'" + model_.populations[at].name + "' -> " + way;
    }
    errors_.push_back("layer '" + model_.populations[population].name + "': the loop " + way + " takes " + to_string(layers) +
                      " chip steps, one a layer, but its delays (snn.delay, rule D1) give " + to_string(steps) +
                      " steps of the network; delay it by " + to_string(layers - steps) + " more, let it span " +
                      to_string(layers - steps) + " layers less (a layer that hears itself works), or run the network on x86 or cuda");
  }

  const plan::Network &net_;
  const Chip &chip_;
  Model model_;
  std::vector<std::vector<Term>> terms_; // by buffer, as far as asked for
  std::vector<int32_t> writer_, late_;   // by buffer: the layer that writes it; the buffer of which it is the step before; -1: none
  std::vector<uint32_t> population_;     // by layer: its number, of those that have neurons
  std::vector<std::string> errors_;
};

} // namespace

LowerResult lower(const plan::Network &network, const Chip &chip) { return Lowering(network, chip).run(); }

} // namespace lasnn::loihi
