// Descriptions of random networks: drawn from a seed, checked, shrunk. Plain data; build_network.h turns one into IR.
//
// A weight, threshold or pixel is a hash of the description's seeds and its own index. So a smaller description keeps the
// values of what is left, and a failure survives shrinking.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::test {

enum class LayerKind { Spiking, Readout, SumPool, MaxPool, Add, Delay };
enum class ResetKind { Zero, Subtract, None, Value };
enum class BiasKind { None, Spread, MaxFits16, MinFits16 }; ///< the last two put a layer's current exactly at the int16 limits

struct SynapseSpec {
  int input = 0; ///< value index: 0 is the encoded input, i + 1 the result of layer i; an earlier one, or a delay's
  bool linear = false;
  int kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1, groups = 1;
  int top = 0, left = 0, bottom = 0, right = 0;
};

struct NeuronSpec {
  bool leaky = false;
  int decay = 0; ///< 0..4096
  ResetKind reset = ResetKind::Zero;
  int stateBits = 16, sMax = 1;
  bool hasVMin = false;
  int vMin = 0;
  bool perChannel = false; ///< else parameters of shape [1]
  int theta = 1, thetaSpread = 0, rho = 1, rhoSpread = 0, vReset = 0, vResetSpread = 0;
};

struct LayerSpec {
  LayerKind kind = LayerKind::Spiking;
  uint64_t seed = 0;
  std::vector<SynapseSpec> synapses; ///< Spiking, Readout
  int channels = 1;                  ///< K of Spiking and Readout
  int weightLimit = 127, weightShift = 0, zeroPercent = 0;
  BiasKind bias = BiasKind::None;
  int biasSpread = 0;
  bool claim16 = true; ///< mark current_bits = 16 where rule K5 proves it
  NeuronSpec neuron;
  bool last = false; ///< read-out mode: last, else sum
  bool poolsCurrents = false; ///< Spiking, Readout: the largest current of a window goes on
  // Pools, Add and Delay, which may read a later value
  std::vector<int> inputs;
  // The window of pools, of spikes or currents
  int kh = 1, kw = 1, sh = 1, sw = 1, top = 0, left = 0, bottom = 0, right = 0;
};

struct NetworkSpec {
  uint64_t seed = 0;
  int timesteps = 1, samples = 1;
  bool events = true, vectorInput = false;
  int c = 1, h = 1, w = 1;
  int maxCount = 1;        ///< events
  int densityPercent = 20; ///< share of inputs that are not 0 (events)
  bool shuffled = false;   ///< textual order of the operations
  std::vector<LayerSpec> layers;
};

/// A value between layers.
struct ValueShape {
  int c = 1, h = 1, w = 1, maxCount = 1;
  bool vector = false, analog = false, isResult = true; ///< isResult false: of a read-out, nothing may read it
  int currentH = 0, currentW = 0; ///< of a layer: its currents' extent, before it pools them
  int64_t size() const { return int64_t(c) * h * w; }
};

NetworkSpec drawNetwork(uint64_t seed);
/// One entry a value (input, then one a layer); empty with `why` set when the description breaks a rule.
std::vector<ValueShape> shapes(const NetworkSpec &spec, std::string *why = nullptr);
/// Descriptions one step smaller, most promising first; only valid ones.
std::vector<NetworkSpec> smaller(const NetworkSpec &spec);

// The values behind a description.
int8_t weightOf(const LayerSpec &layer, size_t synapse, int k, int c, int i, int j);
std::vector<int8_t> weightsOf(const LayerSpec &layer, size_t synapse, int inChannels, int kh, int kw);
/// Bias of every channel and, by the bounds of the contract, whether every current fits 16 bits (K5).
struct Currents {
  std::vector<int32_t> bias;
  bool fits16 = false;
};
Currents currentsOf(const NetworkSpec &spec, const std::vector<ValueShape> &values, size_t layer);
int32_t perChannel(uint64_t seed, int base, int spread, int channel);
int8_t tableEntry(const NetworkSpec &spec, int channel, int pixel);
/// One sample as lasnn_run takes it.
std::vector<uint8_t> sampleOf(const NetworkSpec &spec, int index);

/// Mistakes to put into a network, to prove that the suite sees them. False when the network has no place for it.
bool inject(NetworkSpec &spec, const std::string &mistake);

} // namespace lasnn::test
