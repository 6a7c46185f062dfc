// What a simulation counts. Everything is a sum over runs, except what its comment says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::loihi {

/// Events of one core (or all) in one chip step (or all).
struct Counts {
  uint64_t accesses = 0; ///< compartments looked at: all of the core, every step
  uint64_t updates = 0;  ///< of these, active: v, input or bias was not 0
  uint64_t spikes = 0;   ///< a graded spike counts once
  uint64_t messages_out = 0, messages_in = 0, host_in = 0; ///< host_in: of messages_in, those that the host sent
  uint64_t synops[3] = {};                                 ///< synaptic operations by encoding: SPARSE, RUNLENGTH, DENSE
  uint64_t within_tile = 0, hops_ew = 0, hops_ns = 0, hops_chip = 0; ///< of the messages out

  uint64_t synapticOperations() const { return synops[0] + synops[1] + synops[2]; }
  uint64_t hops() const { return hops_ew + hops_ns; }
  void operator+=(const Counts &o) {
    accesses += o.accesses, updates += o.updates, spikes += o.spikes, messages_out += o.messages_out, messages_in += o.messages_in, host_in += o.host_in;
    for (int i = 0; i < 3; ++i) synops[i] += o.synops[i];
    within_tile += o.within_tile, hops_ew += o.hops_ew, hops_ns += o.hops_ns, hops_chip += o.hops_chip;
  }
};

/// What would make the chip differ from the network. A run with none of them is exact.
struct Events {
  uint64_t clips = 0;           ///< a voltage met its bounds; a network may ask for it (state_bits, v_min)
  uint64_t input_overflows = 0; ///< a step's synaptic sum does not fit the accumulator
  uint64_t current_wraps = 0;   ///< u does not fit its register
  uint64_t bias_overflows = 0;  ///< a bias does not fit its registers
  uint64_t early_inputs = 0;    ///< compartments that got a spike before their layer starts
  uint64_t payload_overflows = 0; ///< a graded spike does not fit its payload

  void operator+=(const Events &o) {
    clips += o.clips, input_overflows += o.input_overflows, current_wraps += o.current_wraps, bias_overflows += o.bias_overflows;
    early_inputs += o.early_inputs, payload_overflows += o.payload_overflows;
  }
  bool exact() const { return input_overflows + current_wraps + bias_overflows + early_inputs + payload_overflows == 0; }
};

struct LayerCounts {
  std::string name;
  uint64_t neurons = 0, steps = 0;                   ///< steps: T of every run
  uint64_t spikes = 0, synops = 0, messages = 0, clips = 0; ///< spikes: their counts; synops: into this layer, stored zeros included
  uint64_t accesses = 0, updates = 0, firing = 0;    ///< firing: spikes as events
  uint64_t synops_by_encoding[3] = {};
  uint64_t within_tile = 0, hops_ew = 0, hops_ns = 0, hops_chip = 0;

  void operator+=(const LayerCounts &o) {
    steps += o.steps, spikes += o.spikes, synops += o.synops, messages += o.messages, clips += o.clips;
    accesses += o.accesses, updates += o.updates, firing += o.firing;
    for (int i = 0; i < 3; ++i) synops_by_encoding[i] += o.synops_by_encoding[i];
    within_tile += o.within_tile, hops_ew += o.hops_ew, hops_ns += o.hops_ns, hops_chip += o.hops_chip;
  }
};

/// By one profile; sums of what is known.
struct StepCost {
  double synapse_pj = 0, neuron_pj = 0, network_pj = 0; ///< network: messages and hops
  double time_ns = 0;                                   ///< of the step, its barrier included
  uint32_t slowest_core = 0;                            ///< index of the core that the step waited for, in its last run
  double total_pj() const { return synapse_pj + neuron_pj + network_pj; }
  void operator+=(const StepCost &o) { synapse_pj += o.synapse_pj, neuron_pj += o.neuron_pj, network_pj += o.network_pj, time_ns += o.time_ns; }
};

struct LinkLoad {
  uint32_t chip_from = 0, tile_from = 0, chip_to = 0, tile_to = 0;
  uint64_t messages = 0;
};

struct Statistics {
  uint64_t runs = 0;
  std::vector<std::vector<Counts>> steps; ///< [chip step][core]
  std::vector<LayerCounts> layers;        ///< as in the mapping
  Events events;
  std::vector<std::vector<StepCost>> cost; ///< [profile of the chip][chip step]
  int64_t largest_v = 0, largest_q = 0;    ///< magnitudes, over all runs

  /// Of the same program.
  void operator+=(const Statistics &other);

  Counts step(size_t k) const {
    Counts sum;
    for (const Counts &core : steps[k]) sum += core;
    return sum;
  }
  Counts core(size_t i) const {
    Counts sum;
    for (const auto &step : steps) sum += step[i];
    return sum;
  }
  Counts total() const {
    Counts sum;
    for (size_t k = 0; k < steps.size(); ++k) sum += step(k);
    return sum;
  }
};

inline void Statistics::operator+=(const Statistics &o) {
  if (steps.empty()) return void(*this = o);
  runs += o.runs, events += o.events;
  for (size_t k = 0; k < steps.size(); ++k)
    for (size_t c = 0; c < steps[k].size(); ++c) steps[k][c] += o.steps[k][c];
  for (size_t l = 0; l < layers.size(); ++l) layers[l] += o.layers[l];
  for (size_t p = 0; p < cost.size(); ++p)
    for (size_t k = 0; k < cost[p].size(); ++k) cost[p][k] += o.cost[p][k];
  largest_v = std::max(largest_v, o.largest_v), largest_q = std::max(largest_q, o.largest_q);
}

} // namespace lasnn::loihi
