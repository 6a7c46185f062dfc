// Writes a `.lasnn`. What the file may hold is decided in one place, the runtime's verifier: the writer checks only what it
// needs to pack weights, and has the finished bytes verified.
#include "backends/x86/write_lasnn.h"

#include "backends/lasnn_file.h"
#include "backends/x86/pack_weights.h"
#include "lasnn/lasnn.h"
#include "lasnn_generated.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace lasnn::x86 {

using namespace plan;

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

/// Layers of at most this many channels keep byte rows whatever their weights: nibble rows have 32 bytes at least, as theirs have.
constexpr uint32_t kMostByteChannels = 32;

/// The row widths of a layer's synapses from spikes: nibbles where all of them allow it, since one kernel sums them all.
uint32_t rowBits(const plan::Network &plan, const Layer &layer, const Synapse &s) {
  const auto analog = [&](const Synapse &each) { return plan.encoding == Encoding::Direct && each.input == 0; };
  if (analog(s)) return 8;
  const bool nibbles = layer.out_channels > kMostByteChannels && std::all_of(layer.synapses.begin(), layer.synapses.end(), [&](const Synapse &each) {
                         return analog(each) || weightBits(each.weight, 2) <= 4;
                       });
  return weightBits(s.weight, nibbles ? 2 : 6);
}

format::SynapseShape shapeOf(const plan::Network &plan, const Layer &layer, const Synapse &s) {
  const Buffer &in = plan.buffers[s.input];
  const uint32_t height = layer.poolsCurrents() ? layer.current_height : layer.out_height;
  const uint32_t width = layer.poolsCurrents() ? layer.current_width : layer.out_width;
  return {in.channels, in.height,  in.width,     layer.out_channels, height,    width,      s.kernel_h, s.kernel_w,
          s.stride_h,  s.stride_w, s.dilation_h, s.dilation_w,       s.pad_top, s.pad_left, s.groups,
          rowBits(plan, layer, s)};
}

/// What packing relies on. Everything else is the verifier's business.
bool packable(const plan::Network &plan, const Layer &layer, const Synapse &s, std::string &error) {
  error = "layer '" + layer.name + "', synapse '" + s.name + "': ";
  if (s.input >= plan.buffers.size()) return error += "reads buffer " + std::to_string(s.input), false;
  const uint64_t in = plan.buffers[s.input].channels, out = layer.out_channels;
  if (s.groups == 0 || in == 0 || out == 0 || in % s.groups != 0 || out % s.groups != 0)
    return error += std::to_string(s.groups) + " groups on " + std::to_string(in) + " -> " + std::to_string(out) + " channels", false;
  if (in > (1u << 16) || out > (1u << 16) || s.kernel_h > (1u << 14) || s.kernel_w > (1u << 14) || s.kernel_h == 0 || s.kernel_w == 0)
    return error += "a shape beyond the format's limits", false;
  const uint64_t needed = out * (in / s.groups) * s.kernel_h * s.kernel_w;
  if (s.weight.size() != needed)
    return error += std::to_string(s.weight.size()) + " weights, " + std::to_string(needed) + " needed", false;
  error.clear();
  return true;
}

class Writer {
public:
  explicit Writer(const plan::Network &plan) : plan_(plan) {}

  std::vector<uint8_t> write(const Provenance &provenance, const std::vector<uint8_t> &ir) {
    return finishFile(fbb_, format::CreateModel(fbb_, writeProvenance(fbb_, provenance), writeAligned(fbb_, ir, 16), writePlan()));
  }

private:
  Offset<format::Plan> writePlan() {
    std::vector<Offset<format::Buffer>> buffers;
    for (const Buffer &b : plan_.buffers)
      buffers.push_back(format::CreateBuffer(fbb_, fbb_.CreateString(b.name), b.channels, b.height, b.width, b.max_count));
    std::vector<Offset<format::Layer>> layers;
    for (const Layer &layer : plan_.layers)
      layers.push_back(writeLayer(layer));
    std::vector<Offset<format::Delay>> delays;
    for (const Delay &d : plan_.delays)
      delays.push_back(format::CreateDelay(fbb_, d.from, d.to));
    const auto table = fbb_.CreateVector(plan_.encode_table);
    const auto buffer_vector = fbb_.CreateVector(buffers);
    const auto layer_vector = fbb_.CreateVector(layers);
    const auto delay_vector = fbb_.CreateVector(delays);
    return format::CreatePlan(fbb_, fbb_.CreateString(plan_.name), plan_.timesteps, format::Encoding(plan_.encoding), table, buffer_vector,
                              layer_vector, plan_.output_count, plan_.output_scale, delay_vector);
  }

  Offset<format::Layer> writeLayer(const Layer &layer) {
    const auto name = fbb_.CreateString(layer.name);
    const bool current = layer.kind == LayerKind::Spiking || layer.kind == LayerKind::Readout;
    std::vector<Offset<format::Synapse>> synapses;
    for (const Synapse &s : layer.synapses)
      if (current) synapses.push_back(writeSynapse(layer, s));
    const auto synapse_vector = fbb_.CreateVector(synapses);
    const auto bias = fbb_.CreateVector(layer.bias);
    const auto inputs = fbb_.CreateVector(layer.inputs);
    Offset<format::Neuron> neuron = 0;
    if (layer.kind == LayerKind::Spiking) neuron = writeNeuron(layer.neuron);
    return format::CreateLayer(fbb_, name, format::LayerKind(layer.kind), layer.output, synapse_vector, bias, layer.out_channels,
                               layer.out_height, layer.out_width, layer.current_fits_int16, neuron, format::Readout(layer.readout), inputs,
                               format::PoolKind(layer.pool), layer.kernel_h, layer.kernel_w, layer.stride_h, layer.stride_w,
                               layer.pad_top, layer.pad_left, layer.current_height, layer.current_width);
  }

  Offset<format::Synapse> writeSynapse(const Layer &layer, const Synapse &s) {
    const format::SynapseShape shape = shapeOf(plan_, layer, s);
    const bool analog = plan_.encoding == Encoding::Direct && s.input == 0;
    const auto weight = writeAligned(fbb_, analog ? packAnalogWeights(shape, s.weight) : packSpikeWeights(shape, s.weight), 64);
    return format::CreateSynapse(fbb_, fbb_.CreateString(s.name), s.input, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.dilation_h,
                                 s.dilation_w, s.pad_top, s.pad_left, s.groups, uint8_t(shape.weight_bits), weight);
  }

  Offset<format::Neuron> writeNeuron(const Neuron &n) {
    const std::vector<int32_t> none;
    const auto threshold = fbb_.CreateVector(n.v_threshold);
    const auto rho = fbb_.CreateVector(n.reset == Reset::Subtract ? n.rho : none);
    const auto v_reset = fbb_.CreateVector(n.reset == Reset::Value ? n.v_reset : none);
    return format::CreateNeuron(fbb_, n.decay, format::Reset(n.reset), n.state_bits, n.has_v_min, n.v_min, n.s_max, threshold, rho, v_reset);
  }

  const plan::Network &plan_;
  FlatBufferBuilder fbb_;
};

std::string verified(const std::vector<uint8_t> &bytes) {
  struct Free {
    void operator()(void *p) const { free(p); }
  };
  const std::unique_ptr<void, Free> aligned(std::aligned_alloc(64, (bytes.size() + 63) / 64 * 64));
  memcpy(aligned.get(), bytes.data(), bytes.size());
  size_t arena = 0;
  char error[256];
  return lasnn_arena_size(aligned.get(), bytes.size(), &arena, error, sizeof error) == LASNN_OK ? "" : error;
}

} // namespace

std::vector<uint8_t> writeLasnn(const plan::Network &plan, const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error) {
  error.clear();
  uint64_t weight_bytes = 0;
  for (const Layer &layer : plan.layers)
    for (const Synapse &s : layer.synapses) {
      if (!packable(plan, layer, s, error)) return {};
      const format::SynapseShape shape = shapeOf(plan, layer, s);
      weight_bytes += plan.encoding == Encoding::Direct && s.input == 0 ? format::analogBytes(shape) : format::packedBytes(shape);
    }
  if (weight_bytes + ir.size() > kMostFileBytes) {
    error = "weights and IR take " + std::to_string(weight_bytes + ir.size()) + " bytes, the format holds 1 GiB";
    return {};
  }
  std::vector<uint8_t> bytes = Writer(plan).write(provenance, ir);
  error = verified(bytes);
  if (!error.empty()) bytes.clear();
  return bytes;
}

} // namespace lasnn::x86
