// One chip step: the host's spikes arrive; every core updates its compartments and sends spikes; every core takes in what was sent to it.
// Cores write their own state only, so that within a phase any thread may take any core.
#include "backends/loihi/sim/simulator.h"

#include "backends/loihi/sim/arithmetic.h"
#include "backends/loihi/sim/energy.h"
#include "backends/loihi/sim/host.h"
#include "backends/loihi/sim/pool.h"

#include <cstring>
#include <map>

namespace lasnn::loihi {

class Simulator::Pool : public WorkPool {
  using WorkPool::WorkPool;
};

/// Everything a run changes on one core.
struct Simulator::CoreState {
  std::vector<int32_t> v, u, bias; // by neuron; u only where a profile holds a current
  std::vector<uint8_t> refractory;
  std::vector<int32_t> input;    // [slice][compartment]: sums of what arrives
  std::vector<uint8_t> touched;  // [slice][compartment]: whether anything does
  std::vector<std::vector<uint32_t>> sent;   // by destination: targets
  std::vector<std::vector<uint8_t>> payload; // beside them, where spikes are graded
  std::vector<uint64_t> sent_total;          // by destination, since clearStatistics()
  std::vector<LayerCounts> layers;           // by group, of this run
  std::vector<uint64_t> synops_of_target_layer[3]; // by layer, this run
  Counts now;                                // of this step
  Events events;
  int64_t largest_v = 0, largest_q = 0;
};

Simulator::Simulator(std::shared_ptr<const Program> program, const SimulatorOptions &options)
    : program_(std::move(program)), options_(options), cores_(program_->cores.size()), pool_(std::make_unique<Pool>(std::max(1u, options.threads))) {
  for (size_t i = 0; i < cores_.size(); ++i) {
    const CoreProgram &core = program_->cores[i];
    CoreState &state = cores_[i];
    state.v.resize(core.neuron.size());
    bool holds_current = false, refractory = false;
    for (const NeuronGroup &g : core.groups) holds_current |= g.decay_u < 4096, refractory |= g.refractory > 0;
    if (holds_current) state.u.resize(core.neuron.size());
    if (refractory) state.refractory.resize(core.neuron.size());
    state.bias = core.bias;
    state.input.resize(size_t(core.delay_steps) * core.compartments);
    state.touched.resize(state.input.size());
    state.sent.resize(core.destinations.size());
    state.payload.resize(program_->graded ? core.destinations.size() : 0);
  }
  clearStatistics();
}

Simulator::~Simulator() = default;

void Simulator::clearStatistics() {
  statistics_ = {};
  statistics_.steps.assign(program_->steps, std::vector<Counts>(cores_.size()));
  statistics_.cost.assign(program_->chip.profiles.size(), std::vector<StepCost>(program_->steps));
  for (const lmap::Layer &layer : program_->mapping.layers()) {
    statistics_.layers.emplace_back();
    statistics_.layers.back().name = layer.name();
    statistics_.layers.back().neurons = uint64_t(layer.channels()) * layer.height() * layer.width();
  }
  for (size_t i = 0; i < cores_.size(); ++i) {
    cores_[i].sent_total.assign(program_->cores[i].destinations.size(), 0);
    cores_[i].layers.assign(program_->cores[i].groups.size(), {});
    for (auto &by_layer : cores_[i].synops_of_target_layer) by_layer.assign(statistics_.layers.size(), 0);
    cores_[i].events = {}, cores_[i].largest_v = cores_[i].largest_q = 0;
  }
}

void Simulator::run(const uint8_t *sample, std::vector<int32_t> &outputs) {
  const lmap::Mapping &mapping = program_->mapping;
  const uint32_t count = uint32_t(cores_.size()), timesteps = mapping.header().timesteps();
  outputs_.assign(mapping.output_count(), 0);
  if (options_.record_spikes) {
    spikes_.resize(size_t(mapping.layers_size()));
    for (size_t l = 0; l < spikes_.size(); ++l)
      spikes_[l].assign(mapping.layers(int(l)).kind() == lmap::SPIKING ? statistics_.layers[l].neurons * timesteps : 0, 0);
  }
  for (uint32_t i = 0; i < count; ++i) {
    CoreState &state = cores_[i];
    state.v = program_->cores[i].v_initial;
    std::fill(state.u.begin(), state.u.end(), 0);
    std::fill(state.refractory.begin(), state.refractory.end(), 0);
    std::fill(state.input.begin(), state.input.end(), 0);
    std::fill(state.touched.begin(), state.touched.end(), 0);
  }
  if (mapping.input_direct()) stem(sample);
  const size_t frame = mapping.input_direct() ? 0 : program_->input_size / timesteps;
  for (uint32_t step = 0; step < program_->steps; ++step) {
    for (CoreState &state : cores_) state.now = {};
    if (!mapping.input_direct() && step < timesteps) inject(sample + step * frame, step);
    pool_->each(count, [&](uint32_t i) { updateCore(i, step); });
    pool_->each(count, [&](uint32_t i) { deliver(i, step); });
    account(step);
  }
  ++statistics_.runs;
  gather();
  outputs = outputs_;
}

void Simulator::stem(const uint8_t *sample) {
  const StemCurrents currents = stemCurrents(program_->mapping, sample);
  const Arithmetic &a = program_->chip.arithmetic;
  pool_->each(uint32_t(cores_.size()), [&](uint32_t i) {
    const CoreProgram &core = program_->cores[i];
    CoreState &state = cores_[i];
    for (const NeuronGroup &group : core.groups) {
      const std::vector<int32_t> &current = currents[group.layer];
      if (current.empty()) continue;
      for (uint32_t n = group.first; n < group.first + group.count; ++n) {
        const int64_t bias = int64_t(core.bias[n]) + current[core.neuron[n]];
        state.events.bias_overflows += !biasFits(bias, group.bias_terms, a.bias_mantissa, a.bias_exponent_max);
        state.bias[n] = int32_t(std::clamp<int64_t>(bias, INT32_MIN, INT32_MAX));
      }
    }
  });
}

/// What the host sends before chip step `step`: it acts in that step.
void Simulator::inject(const uint8_t *frame, uint32_t step) {
  const size_t neurons = program_->input_begin.size() - 1;
  for (size_t n = 0; n < neurons; ++n) {
    if (frame[n] == 0) continue;
    for (uint32_t d = program_->input_begin[n]; d < program_->input_begin[n + 1]; ++d) {
      const InputDelivery &to = program_->input[d];
      CoreState &state = cores_[to.core];
      for (uint32_t i = 0; i < frame[n]; ++i) apply(state, program_->cores[to.core], to.target, 1, step, state.now);
      state.now.host_in += frame[n], state.now.messages_in += frame[n];
    }
  }
}

void Simulator::apply(CoreState &state, const CoreProgram &core, uint32_t target, int32_t payload, uint32_t from_step, Counts &counts) {
  const AxonTarget &axon = core.targets[target];
  const SynapseList &list = core.lists[axon.list];
  for (uint32_t p = list.begin; p < list.end; ++p) {
    const Piece &piece = core.pieces[p];
    const size_t slice = size_t((from_step + piece.delay) % core.delay_steps) * core.compartments + axon.base;
    // sums modulo 2^32: a list that could pass it is far beyond the accumulator, whose overflow is counted when it is read
    uint32_t *const input = reinterpret_cast<uint32_t *>(state.input.data()) + slice;
    uint8_t *const touched = state.touched.data() + slice;
    const int32_t *weight = core.weights.data() + piece.weight;
    if (piece.scattered) {
      for (uint32_t i = piece.begin; i < piece.end; ++i, ++weight) {
        const uint32_t index = core.scatter_index[i];
        input[index] += uint32_t(*weight) * uint32_t(payload), touched[index] = 1;
      }
      continue;
    }
    for (uint32_t r = piece.begin; r < piece.end; ++r) {
      const Run &run = core.runs[r];
      const int32_t *const w = core.weights.data() + run.weight;
      for (uint32_t i = 0; i < run.count; ++i) input[run.index + i] += uint32_t(w[i]) * uint32_t(payload);
      std::memset(touched + run.index, 1, run.count);
    }
  }
  for (int e = 0; e < 3; ++e) {
    counts.synops[e] += list.synops[e];
    if (core.layer_of_target[target] != UINT32_MAX) state.synops_of_target_layer[e][core.layer_of_target[target]] += list.synops[e];
  }
}

void Simulator::updateCore(uint32_t index, uint32_t step) {
  const CoreProgram &core = program_->cores[index];
  CoreState &state = cores_[index];
  for (auto &sent : state.sent) sent.clear();
  for (auto &payload : state.payload) payload.clear();
  state.now.accesses += core.owned;
  for (const NeuronGroup &group : core.groups) updateGroup(state, core, group, step);
  const size_t slice = size_t(step % core.delay_steps) * core.compartments;
  std::fill_n(state.input.begin() + std::ptrdiff_t(slice), core.compartments, 0);
  std::fill_n(state.touched.begin() + std::ptrdiff_t(slice), core.compartments, uint8_t(0));
}

void Simulator::updateGroup(CoreState &state, const CoreProgram &core, const NeuronGroup &group, uint32_t step) {
  const lmap::Layer &layer = program_->mapping.layers(int(group.layer));
  const uint32_t timesteps = program_->mapping.header().timesteps(), start = layer.start();
  const size_t slice = size_t(step % core.delay_steps) * core.compartments + group.base;
  const uint8_t *const touched = state.touched.data() + slice;
  LayerCounts &counted = state.layers[size_t(&group - core.groups.data())];
  counted.accesses += uint64_t(group.count) * group.stride;
  if (step < start || step >= start + timesteps) { // not its time: what arrives too early is lost, what is left over does not matter
    if (step < start)
      for (uint32_t i = 0; i < group.count; ++i) state.events.early_inputs += touched[size_t(i) * group.stride];
    return;
  }
  const Arithmetic &a = program_->chip.arithmetic;
  const int32_t widest = int32_t((int64_t(1) << (std::min(a.voltage, 32u) - 1)) - 1);
  const int32_t low = layer.clamp_low() ? int32_t(std::clamp<int64_t>(layer.v_min(), -widest, widest)) : -widest;
  const int32_t high = layer.clamp_high() ? int32_t(std::clamp<int64_t>(layer.v_max(), -widest, widest)) : widest;
  const int32_t *const input = state.input.data() + slice;
  const bool spiking = layer.kind() == lmap::SPIKING, holds_current = group.decay_u < 4096;
  const uint32_t s_max = std::max(1u, layer.s_max());
  const uint64_t payload_max = a.graded_payload >= 8 ? 255 : (1u << a.graded_payload) - 1;
  uint64_t clips = 0, updates = 0, spikes = 0, firing = 0;
  int64_t largest_v = state.largest_v, largest_q = state.largest_q;
  for (uint32_t i = 0; i < group.count; ++i) {
    const uint32_t n = group.first + i;
    const size_t at = size_t(i) * group.stride;
    const int32_t bias = state.bias[n];
    int32_t v = state.v[n];
    if (!touched[at] && v == 0 && bias == 0 && !holds_current && group.refractory == 0 && (!spiking || core.theta[n] >= 0)) continue; // nothing happens
    ++updates;
    int32_t q = input[at];
    largest_q = std::max<int64_t>(largest_q, q < 0 ? -int64_t(q) : q);
    q = saturated(q, a.accumulator, state.events.input_overflows);
    int32_t u = q;
    if (holds_current)
      u = state.u[n] =
          wrapped(int64_t(decayedCurrent(state.u[n], group.decay_u, a.current_decay_adds_one)) + q, a.current, state.events.current_wraps);
    if (group.decay_v > 0) v = decayed(v, group.decay_v);
    v = clipped(int64_t(v) + u + bias, low, high, clips);
    if (group.refractory > 0 && state.refractory[n] > 0) --state.refractory[n], v = 0;
    largest_v = std::max<int64_t>(largest_v, v < 0 ? -int64_t(v) : v);
    if (spiking) {
      const uint32_t s = spikesOf(v, core.theta[n], core.rho[n], s_max);
      if (s > 0) {
        if (group.reset == lmap::ZERO) v = 0;
        else if (group.reset == lmap::SUBTRACT) v = clipped(int64_t(v) - int64_t(s) * core.rho[n], low, high, clips);
        if (group.refractory > 0) state.refractory[n] = uint8_t(group.refractory);
        spikes += s, ++firing;
        if (options_.record_spikes) spikes_[group.layer][size_t(step - start) * statistics_.layers[group.layer].neurons + core.neuron[n]] = uint8_t(s);
        state.events.payload_overflows += s > 1 && s > payload_max;
        for (uint32_t e = core.out_begin[n]; e < core.out_begin[n + 1]; ++e) {
          const OutEntry &entry = core.out[e];
          state.sent[entry.slot].push_back(entry.target);
          if (program_->graded) state.payload[entry.slot].push_back(uint8_t(s));
          const Destination &to = core.destinations[entry.slot];
          ++counted.messages;
          counted.within_tile += to.within_tile, counted.hops_ew += to.hops_ew, counted.hops_ns += to.hops_ns, counted.hops_chip += to.hops_chip;
        }
      }
    }
    state.v[n] = v;
  }
  if (!spiking && step == start + timesteps - 1)
    for (uint32_t n = group.first; n < group.first + group.count; ++n) outputs_[layer.output_offset() + core.neuron[n]] = state.v[n] >> layer.scale_log2();
  state.largest_v = largest_v, state.largest_q = largest_q;
  state.events.clips += clips;
  state.now.updates += updates * group.stride, state.now.spikes += firing;
  counted.clips += clips, counted.updates += updates * group.stride, counted.spikes += spikes, counted.firing += firing;
  if (group.soft_pair) { // the spike that resets its own neuron: a message and a synapse within the core
    state.now.messages_out += firing, state.now.messages_in += firing, state.now.within_tile += firing, state.now.synops[lmap::SPARSE] += firing;
    counted.messages += firing, counted.within_tile += firing, counted.synops_by_encoding[lmap::SPARSE] += firing;
  }
}

/// Everything that was sent to this core in this step; it acts in the next, or later by its delay.
void Simulator::deliver(uint32_t index, uint32_t step) {
  const CoreProgram &core = program_->cores[index];
  CoreState &state = cores_[index];
  for (auto [from, slot] : core.sources) {
    const std::vector<uint32_t> &targets = cores_[from].sent[slot];
    const std::vector<uint8_t> *payload = program_->graded ? &cores_[from].payload[slot] : nullptr;
    for (size_t i = 0; i < targets.size(); ++i) apply(state, core, targets[i], payload ? (*payload)[i] : 1, step + 1, state.now);
    state.now.messages_in += targets.size();
  }
  for (size_t slot = 0; slot < core.destinations.size(); ++slot) {
    const uint64_t messages = state.sent[slot].size();
    const Destination &to = core.destinations[slot];
    state.sent_total[slot] += messages;
    state.now.messages_out += messages, state.now.within_tile += messages * to.within_tile;
    state.now.hops_ew += messages * to.hops_ew, state.now.hops_ns += messages * to.hops_ns, state.now.hops_chip += messages * to.hops_chip;
  }
}

void Simulator::account(uint32_t step) {
  std::vector<Counts> &by_core = statistics_.steps[step];
  for (size_t i = 0; i < cores_.size(); ++i) by_core[i] += cores_[i].now;
  for (size_t p = 0; p < program_->chip.profiles.size(); ++p) {
    const Profile &profile = program_->chip.profiles[p];
    StepCost cost;
    for (size_t i = 0; i < cores_.size(); ++i) {
      cost += energyOf(cores_[i].now, profile);
      const double busy = busyNs(cores_[i].now, profile);
      if (busy > cost.time_ns) cost.time_ns = busy, cost.slowest_core = uint32_t(i);
    }
    cost.time_ns += profile.barrierNs(program_->tiles).value_or(0);
    statistics_.cost[p][step] += cost;
    statistics_.cost[p][step].slowest_core = cost.slowest_core;
  }
}

/// Moves what the cores counted by group into the layers.
void Simulator::gather() {
  for (size_t i = 0; i < cores_.size(); ++i) {
    CoreState &state = cores_[i];
    for (size_t g = 0; g < state.layers.size(); ++g) {
      LayerCounts &layer = statistics_.layers[program_->cores[i].groups[g].layer];
      LayerCounts &from = state.layers[g];
      for (uint64_t synops : from.synops_by_encoding) from.synops += synops;
      layer += from;
      from = {};
    }
    for (int e = 0; e < 3; ++e)
      for (size_t l = 0; l < statistics_.layers.size(); ++l) {
        uint64_t &synops = state.synops_of_target_layer[e][l];
        statistics_.layers[l].synops_by_encoding[e] += synops, statistics_.layers[l].synops += synops;
        synops = 0;
      }
    statistics_.events += state.events;
    state.events = {};
    statistics_.largest_v = std::max(statistics_.largest_v, state.largest_v), statistics_.largest_q = std::max(statistics_.largest_q, state.largest_q);
  }
  for (LayerCounts &layer : statistics_.layers) layer.steps += program_->mapping.header().timesteps();
}

std::vector<LinkLoad> Simulator::links() const {
  std::map<std::array<uint32_t, 4>, uint64_t> loads;
  for (size_t i = 0; i < cores_.size(); ++i)
    for (size_t slot = 0; slot < cores_[i].sent_total.size(); ++slot) {
      const uint64_t messages = cores_[i].sent_total[slot];
      if (messages == 0) continue;
      for (const LinkLoad &link : routeOf(program_->chip, program_->cores[i].address, program_->cores[program_->cores[i].destinations[slot].core].address))
        loads[{link.chip_from, link.tile_from, link.chip_to, link.tile_to}] += messages;
    }
  std::vector<LinkLoad> links;
  for (const auto &[at, messages] : loads) links.push_back({at[0], at[1], at[2], at[3], messages});
  return links;
}

} // namespace lasnn::loihi
