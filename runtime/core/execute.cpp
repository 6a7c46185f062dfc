// Runs the layers of a network over a chunk of steps: layer after layer, each over all steps of the chunk. Delays make chunks of one step.
#include "core/network.h"

#include <cstring>

namespace lasnn::runtime {
namespace {

struct Chunk {
  uint32_t first, steps;
  bool load_state, store_state;
};

/// Kernel work of one layer for one chunk.
class LayerRun {
public:
  LayerRun(lasnn_network &net, LayerState &layer, const Chunk &chunk) : net_(net), layer_(layer), source_(*layer.source), chunk_(chunk) {}

  void run() {
    switch (source_.kind()) {
    case format::LayerKind::Spiking:
    case format::LayerKind::Readout: return current();
    case format::LayerKind::Pool: return pool();
    case format::LayerKind::Add: return add();
    }
  }

private:
  Spikes view(uint32_t buffer) const { return viewOf(net_, buffer, chunk_.first); }

  void current() {
    // A direct-encoded image is the same at every step: its current is made with the first chunk (or at each step of a
    // stream, whose image may change).
    if (layer_.analog_synapses > 0 && chunk_.first == 0) analog();
    if (source_.kind() == format::LayerKind::Spiking) {
      for (uint32_t i = 0; i < layer_.synapse_count; ++i)
        if (!layer_.synapses[i].analog) countSynops(layer_.synapses[i]);
      layer_.stats.steps += chunk_.steps;
    }
    if (!format::poolsCurrents(source_)) return sum();
    if (layer_.spike_synapses == 0) {
      if (chunk_.first == 0) poolCurrents(layer_.current);
      return gatherPooled();
    }
    // Spikes have a part in the currents that are compared: step by step.
    for (uint32_t t = 0; t < chunk_.steps; ++t) {
      const Chunk one = {chunk_.first + t, 1, t > 0 || chunk_.load_state, t + 1 < chunk_.steps || chunk_.store_state};
      LayerRun step(net_, layer_, one);
      step.sum();
      step.poolCurrents(layer_.sums);
      step.gatherPooled();
    }
    net_.dirty = net_.dirty || chunk_.steps > 1;
  }

  /// Event lists for all rows of currents, and what `gather` makes of them.
  void sum() {
    const uint32_t height = format::currentHeight(source_);
    for (uint32_t y = 0; y < height; y += layer_.rows_at_once) {
      const uint32_t left = height - y, rows = left < layer_.rows_at_once ? left : layer_.rows_at_once;
      for (uint32_t i = 0; i < layer_.synapse_count; ++i)
        if (layer_.synapses[i].shape.groups == 1) lists(layer_.synapses[i], 0, y, rows);
      const uint32_t words = layer_.nibbles ? 2 : 1; // blocks of neurons that a block of weights feeds
      for (uint32_t block = 0; block * words < layer_.blocks; ++block) {
        for (uint32_t i = 0; i < layer_.synapse_count; ++i)
          if (layer_.synapses[i].shape.groups > 1) lists(layer_.synapses[i], block, y, rows);
        gather(block, block * words, y, rows);
      }
    }
  }

  void analog() {
    bool first = true;
    for (uint32_t i = 0; i < layer_.synapse_count; ++i) {
      const SynapseState &s = layer_.synapses[i];
      if (!s.analog) continue;
      const format::AnalogRuns runs = format::analogRuns(s.shape);
      AnalogTask task = {};
      task.image = s.image;
      task.weight = s.weight;
      task.channels = s.shape.in_channels;
      task.padded_width = s.padded_width;
      task.run_count = runs.count;
      task.run_pairs = runs.pairs;
      task.runs_per_row = runs.count / s.shape.kernel_h;
      task.stride_h = s.shape.stride_h;
      task.stride_w = s.shape.stride_w;
      task.dilation_h = s.shape.dilation_h;
      task.dilation_w = s.shape.dilation_w;
      task.out_height = s.shape.out_height;
      task.out_width = s.shape.out_width;
      task.out_channels = s.shape.out_channels;
      task.blocks = layer_.blocks;
      task.start = first ? layer_.start : nullptr;
      task.current = layer_.current;
      task.narrow = layer_.narrow;
      net_.kernels->analog_i8(task);
      first = false;
    }
  }

  void countSynops(const SynapseState &s) {
    net_.kernels->synops_u8({view(s.input), chunk_.steps, s.row_uses, s.column_uses,
                             source_.out_channels() / s.shape.groups, &layer_.stats.synops});
  }

  void lists(const SynapseState &s, uint32_t block, uint32_t y, uint32_t rows) {
    if (s.analog) return;
    const format::ChannelRange range = format::blockInputs(s.shape, block);
    EventTask task = {};
    task.in = view(s.input);
    task.steps = chunk_.steps;
    task.y0 = y;
    task.rows = rows;
    task.kernel_h = s.shape.kernel_h;
    task.stride_h = s.shape.stride_h;
    task.dilation_h = s.shape.dilation_h;
    task.pad_top = s.shape.pad_top;
    task.first_channel = range.first;
    task.channels = range.count;
    task.column_rows = format::columnRows(s.shape, block);
    task.events = s.events;
    task.starts = s.starts;
    task.capacity = s.capacity;
    (layer_.wide_entries ? net_.kernels->events_u32 : net_.kernels->events_u16)(task);
  }

  /// Where block `block` of a synapse's packed weights begins.
  static const uint8_t *blockWeights(const SynapseState &s, uint32_t block) {
    const uint8_t *rows = s.weight;
    if (s.shape.groups == 1) return rows + block * format::blockBytes(s.shape, 0); // only the last block is smaller
    for (uint32_t b = 0; b < block; ++b)
      rows += format::blockBytes(s.shape, b);
    return rows;
  }

  uint32_t sources(uint32_t block, uint32_t &row_bytes) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < layer_.synapse_count; ++i) {
      const SynapseState &s = layer_.synapses[i];
      if (s.analog) continue;
      GatherSource &source = layer_.sources[count++];
      row_bytes = format::rowBytes(s.shape, block);
      source.rows = blockWeights(s, block);
      source.events = s.events;
      source.starts = s.starts;
      source.capacity = s.capacity;
      source.width = s.shape.in_width;
      source.column_bytes = format::columnRows(s.shape, block) * row_bytes;
      source.kernel_w = s.shape.kernel_w;
      source.stride_w = s.shape.stride_w;
      source.dilation_w = s.shape.dilation_w;
      source.pad_left = s.shape.pad_left;
      source.bias = s.bias;
    }
    return count;
  }

  size_t blockAt(uint32_t block) const { return size_t(layer_.narrow ? 2 : 4) * block * format::kBlockChannels; }
  size_t lanes() const { return size_t(layer_.blocks) * format::kBlockChannels; }

  GatherTask rowsOf(uint32_t block, uint32_t y, uint32_t rows, uint32_t width) const {
    GatherTask task = {};
    task.sources = layer_.sources;
    task.windows = layer_.windows;
    task.y0 = y;
    task.rows = rows;
    task.width = width;
    task.steps = chunk_.steps;
    task.block = block;
    task.channels = source_.out_channels();
    task.row_bytes = source_.out_channels() - block * format::kBlockChannels <= 32 ? 32 : 64;
    return task;
  }

  /// What synapses add to bias and analog current; then neurons or a read-out, unless a maximum comes first.
  /// weight_block and block: the same 64, or 128, channels, as blocks of weights and of neurons.
  void gather(uint32_t weight_block, uint32_t block, uint32_t y, uint32_t rows) {
    GatherTask task = rowsOf(block, y, rows, format::currentWidth(source_));
    task.source_count = sources(weight_block, task.row_bytes);
    task.current = static_cast<const uint8_t *>(layer_.current) + blockAt(block);
    task.current_stride = layer_.current_stride;
    task.sums = layer_.sums ? layer_.sums + block * format::kBlockChannels : nullptr;
    task.sums_stride = lanes();
    if (!task.sums) setResult(task);
    run(task);
  }

  void poolCurrents(const void *from) {
    CurrentPoolTask task = {};
    task.in = from;
    task.out = layer_.pooled;
    task.narrow = layer_.narrow;
    task.lanes = uint32_t(lanes());
    task.in_height = source_.current_height();
    task.in_width = source_.current_width();
    task.out_height = source_.out_height();
    task.out_width = source_.out_width();
    setWindow(task);
    net_.kernels->pool_current(task);
  }

  void gatherPooled() {
    for (uint32_t block = 0; block < layer_.blocks; ++block) {
      GatherTask task = rowsOf(block, 0, source_.out_height(), source_.out_width());
      task.current = static_cast<const uint8_t *>(layer_.pooled) + blockAt(block);
      task.current_stride = lanes();
      setResult(task);
      run(task);
    }
  }

  /// Neurons, or a read-out.
  __attribute__((noinline)) void setResult(GatherTask &task) {
    task.spiking = source_.kind() == format::LayerKind::Spiking;
    if (task.spiking) {
      setNeuron(task);
      task.theta = static_cast<const uint8_t *>(layer_.theta) + blockAt(task.block);
      task.amount = static_cast<const uint8_t *>(layer_.amount) + blockAt(task.block);
      task.state = static_cast<uint8_t *>(layer_.state) + blockAt(task.block);
      task.state_stride = lanes();
      task.load_state = chunk_.load_state;
      task.store_state = chunk_.store_state;
      task.out = view(source_.output());
      task.spikes = &layer_.stats.spikes;
      task.clips = &layer_.stats.clips;
    } else {
      task.readout = net_.readout + source_.output();
      task.pixels = size_t(source_.out_height()) * source_.out_width();
      task.last = source_.readout() == format::Readout::Last;
    }
  }

  void run(const GatherTask &task) {
    const KernelTable &k = *net_.kernels;
    const bool wide = layer_.wide_entries;
    if (layer_.nibbles && task.source_count > 0)
      return (layer_.narrow ? (wide ? k.gather_i16_w4_u32 : k.gather_i16_w4_u16) : (wide ? k.gather_i32_w4_u32 : k.gather_i32_w4_u16))(task);
    (layer_.narrow ? (wide ? k.gather_i16_u32 : k.gather_i16_u16) : (wide ? k.gather_i32_u32 : k.gather_i32_u16))(task);
  }

  void setNeuron(GatherTask &task) const {
    const format::Neuron &n = *source_.neuron();
    task.reset = n.reset() == format::Reset::Subtract ? ResetKind::Subtract
                 : n.reset() == format::Reset::None   ? ResetKind::None
                                                      : ResetKind::Assign; // Zero assigns 0
    task.decay = n.decay();
    task.state_bits = n.state_bits();
    task.s_max = n.s_max();
    const auto low = int32_t(-(int64_t(1) << (n.state_bits() - 1)));
    task.v_min = n.has_v_min() && n.v_min() > low ? n.v_min() : low;
  }

  void pool() {
    PoolTask task = {};
    task.in = view(source_.inputs()->Get(0));
    task.out = view(source_.output());
    task.sum = source_.pool() == format::PoolKind::Sum;
    task.steps = chunk_.steps;
    setWindow(task);
    net_.kernels->pool_u8(task);
  }

  template <class Task> void setWindow(Task &task) const {
    task.kernel_h = source_.kernel_h();
    task.kernel_w = source_.kernel_w();
    task.stride_h = source_.stride_h();
    task.stride_w = source_.stride_w();
    task.pad_top = source_.pad_top();
    task.pad_left = source_.pad_left();
  }

  void add() {
    for (uint32_t i = 0; i < source_.inputs()->size(); ++i)
      layer_.inputs[i] = view(source_.inputs()->Get(i));
    net_.kernels->add_u8({layer_.inputs, source_.inputs()->size(), chunk_.steps, view(source_.output())});
  }

  lasnn_network &net_;
  LayerState &layer_;
  const format::Layer &source_;
  const Chunk &chunk_;
};

/// D1: what was held back goes to where it is read at step t.
void giveDelayed(lasnn_network &net, uint32_t t) {
  for (uint32_t i = 0; i < net.delay_count; ++i) {
    const DelayState &d = net.delays[i];
    const Spikes to = viewOf(net, d.to, t);
    for (size_t pixel = 0, pixels = size_t(to.height) * to.width; pixel < pixels; ++pixel)
      memcpy(to.data + pixel * to.pixel_stride, d.held + pixel * to.step_stride, to.step_stride);
  }
}

/// After all have given, so that a delay of a delay takes what that one gave at this step.
void holdDelayed(lasnn_network &net, uint32_t t) {
  for (uint32_t i = 0; i < net.delay_count; ++i) {
    const DelayState &d = net.delays[i];
    const Spikes from = viewOf(net, d.from, t);
    for (size_t pixel = 0, pixels = size_t(from.height) * from.width; pixel < pixels; ++pixel)
      memcpy(d.held + pixel * from.step_stride, from.data + pixel * from.pixel_stride, from.step_stride);
  }
}

void clearDelayed(lasnn_network &net) {
  for (uint32_t i = 0; i < net.delay_count; ++i)
    memset(net.delays[i].held, 0, net.delays[i].bytes);
}

void runChunk(lasnn_network &net, const Chunk &chunk) {
  giveDelayed(net, chunk.first);
  for (uint32_t i = 0; i < net.layer_count; ++i)
    LayerRun(net, net.layers[i], chunk).run();
  if (chunk.store_state) holdDelayed(net, chunk.first); // dirty then
}

/// A uint8 image through the encoding table into the padded image of every analog synapse. Padding stays zero.
void encodeImage(lasnn_network &net, const uint8_t *input) {
  const int8_t *table = net.plan->encode_table()->data();
  const BufferState &in = net.buffers[0];
  for (uint32_t l = 0; l < net.layer_count; ++l)
    for (uint32_t i = 0; i < net.layers[l].synapse_count; ++i) {
      const SynapseState &s = net.layers[l].synapses[i];
      if (!s.analog) continue;
      for (uint32_t y = 0; y < s.padded_height; ++y) {
        const int64_t from = int64_t(y) - s.shape.pad_top;
        if (from < 0 || from >= int64_t(in.height)) continue;
        const int64_t begin = s.shape.pad_left > 0 ? s.shape.pad_left : 0;
        int64_t end = int64_t(in.width) + s.shape.pad_left;
        end = end < int64_t(s.padded_width) ? end : int64_t(s.padded_width);
        for (uint32_t c = 0; c < in.channels; ++c) {
          const uint8_t *row = input + (size_t(c) * in.height + size_t(from)) * in.width;
          int16_t *to = s.image + size_t(y) * s.padded_width * in.channels + c;
          for (int64_t x = begin; x < end; ++x)
            to[size_t(x) * in.channels] = table[c * 256 + row[x - s.shape.pad_left]];
        }
      }
    }
}

/// Takes the input of `steps` steps into buffer 0 from step 0 on.
bool takeInput(lasnn_network &net, const uint8_t *input, uint32_t steps) {
  if (net.plan->encoding() == format::Encoding::Direct) {
    encodeImage(net, input);
    return true;
  }
  const BufferState &in = net.buffers[0];
  bool too_large = false;
  for (uint32_t t = 0; t < steps; ++t) {
    const PackTask task = {input + size_t(t) * in.channels * in.height * in.width, viewOf(net, 0, t), &too_large};
    (in.max_count == 1 ? net.kernels->pack_bits_u8 : net.kernels->pack_counts_u8)(task);
  }
  if (too_large) ErrorText(net.error, sizeof net.error).set("an input value exceeds input_max = %u", in.max_count);
  return !too_large;
}

} // namespace

Spikes viewOf(const lasnn_network &net, uint32_t buffer, uint32_t t) {
  const BufferState &b = net.buffers[buffer];
  const size_t step = stepBytes(b.channels, b.max_count);
  return {b.data + t * step, step * net.stored_steps, step, b.channels, b.height, b.width, b.max_count};
}

void reset(lasnn_network &net) {
  if (!net.dirty) return;
  for (uint32_t i = 0; i < net.layer_count; ++i)
    if (net.layers[i].state) memset(net.layers[i].state, 0, net.layers[i].state_bytes);
  clearDelayed(net);
  memset(net.readout, 0, sizeof(int32_t) * net.plan->output_count());
  net.dirty = false;
}

bool loadInput(lasnn_network &net, const uint8_t *input) {
  net.stored_steps = net.timesteps;
  if (takeInput(net, input, net.timesteps)) return true;
  net.stored_steps = 0;
  return false;
}

void runLayer(lasnn_network &net, uint32_t layer) {
  const Chunk chunk = {0, net.chunk_steps, false, false};
  giveDelayed(net, 0);
  LayerRun(net, net.layers[layer], chunk).run();
}

bool runAll(lasnn_network &net, const uint8_t *input) {
  if (!loadInput(net, input)) return false;
  memset(net.readout, 0, sizeof(int32_t) * net.plan->output_count());
  if (net.dirty) clearDelayed(net); // of steps that came before
  for (uint32_t t = 0; t < net.timesteps; t += net.chunk_steps) {
    const uint32_t left = net.timesteps - t, steps = left < net.chunk_steps ? left : net.chunk_steps;
    const Chunk chunk = {t, steps, t > 0, steps < left};
    net.dirty = net.dirty || chunk.store_state;
    runChunk(net, chunk);
  }
  return true;
}

bool runStep(lasnn_network &net, const uint8_t *input) {
  net.stored_steps = 1;
  if (!takeInput(net, input, 1)) {
    net.stored_steps = 0;
    return false;
  }
  net.dirty = true;
  runChunk(net, {0, 1, true, true});
  return true;
}

} // namespace lasnn::runtime
