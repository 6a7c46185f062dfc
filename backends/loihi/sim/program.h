// A mapping made ready to run: every synapse list decoded once, every address resolved to an index. Reads the .lmap alone, and
// refuses whatever in it points outside: a damaged file is an error, never a crash.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"
#include "backends/loihi/sim/statistics.h"

#include <memory>
#include <string>
#include <vector>

namespace lasnn::loihi {

/// `count` neighbouring compartments from `index` on, weights from `weight` on.
struct Run {
  uint32_t index, count, weight;
};

/// The synapses of a list that share a delay: as runs of neighbours where that pays, else one by one.
struct Piece {
  uint32_t delay = 0;
  bool scattered = false;
  uint32_t begin = 0, end = 0; ///< into runs, or into scatter_index and weights from `weight` on
  uint32_t weight = 0;
};

struct SynapseList {
  uint32_t begin = 0, end = 0; ///< into pieces
  uint32_t synops[3] = {};     ///< by encoding
  uint32_t last_index = 0;
};

/// What an (input axon, atom) does: its list, from compartment `base` on.
struct AxonTarget {
  uint32_t list, base;
};

/// Where a spike goes: the n-th destination core of its own core, and the target there.
struct OutEntry {
  uint32_t slot, target;
};

struct Destination {
  uint32_t core = 0; ///< index
  uint32_t within_tile = 0, hops_ew = 0, hops_ns = 0, hops_chip = 0; ///< of one message
};

/// Neurons of one layer on one core that share everything but threshold and bias.
struct NeuronGroup {
  uint32_t layer = 0, base = 0, stride = 1; ///< compartments: base + i * stride
  uint32_t first = 0, count = 0;            ///< neurons of the core
  uint32_t decay_u = 4096, decay_v = 0, refractory = 0, bias_terms = 0;
  lmap::Reset reset = lmap::ZERO;
  bool soft_pair = false; ///< reset by a second compartment: each spike costs a message and a synaptic operation within the core
};

struct CoreProgram {
  uint32_t address = 0, chip = 0, tile = 0;
  uint32_t compartments = 0; ///< up to the last in use
  uint32_t owned = 0;        ///< in use
  uint32_t delay_steps = 2;  ///< slices of the accumulators
  std::vector<NeuronGroup> groups;
  std::vector<uint32_t> neuron;           ///< index in its layer
  std::vector<int32_t> theta, rho, bias, v_initial;
  std::vector<Run> runs;
  std::vector<uint32_t> scatter_index;
  std::vector<int32_t> weights; ///< of the runs, and of the scattered, each piece from Piece::weight on
  std::vector<Piece> pieces;
  std::vector<SynapseList> lists;
  std::vector<AxonTarget> targets;      ///< by axon, then atom
  std::vector<uint32_t> target_of_axon; ///< first of each; one more behind the last
  std::vector<uint32_t> layer_of_target; ///< the layer that a target's list leads to
  std::vector<uint32_t> out_begin;      ///< by neuron; one more behind the last
  std::vector<OutEntry> out;
  std::vector<Destination> destinations;
  std::vector<std::pair<uint32_t, uint32_t>> sources; ///< (core, slot there) that lead here
};

struct InputDelivery {
  uint32_t core, target;
};

struct Program {
  Chip chip;
  lmap::Mapping mapping; ///< without the cores, which stand below
  std::vector<CoreProgram> cores;
  std::vector<uint32_t> input_begin; ///< by input neuron; one more behind the last
  std::vector<InputDelivery> input;
  uint32_t steps = 0; ///< chip steps of a run
  uint32_t tiles = 0, chips = 0; ///< in use
  size_t input_size = 0; ///< bytes of a sample
  bool graded = false;
};

/// Null and `errors` when the mapping does not hold together.
std::shared_ptr<const Program> makeProgram(const lmap::Mapping &mapping, std::vector<std::string> &errors);

/// Steps from tile to tile, first along x, then along y: of one message between two cores.
Destination wayBetween(const Chip &chip, uint32_t from_address, uint32_t to_address);

/// One synapse as it is stored.
struct StoredSynapse {
  uint32_t index = 0, delay = 0, encoding = 0;
  int32_t weight = 0;
};

/// A list of `length` words from word `word` on; "" or what is wrong with it.
std::string decodeList(const lmap::Core &core, const Chip &chip, uint32_t word, uint32_t length, std::vector<StoredSynapse> &synapses);

} // namespace lasnn::loihi
