// A network laid out in its arena. Everything here is plain data made by build.cpp; weights stay in the model's bytes.
#pragma once

#include "core/arena.h"
#include "core/error.h"
#include "format/layout.h"
#include "format/verify.h"
#include "kernels/kernels.h"
#include "lasnn/lasnn.h"

namespace lasnn::runtime {

/// The most steps that go through the layers together. Within a chunk the membrane stays in registers; event lists are this long.
constexpr uint32_t kChunkSteps = 16;

struct BufferState {
  uint8_t *data; // null for a direct-encoded input
  uint32_t channels, height, width, max_count;
};

struct DelayState {
  uint32_t from, to;
  uint8_t *held; // one step of `from`: what `to` is given at the next; zero in reset state
  uint64_t bytes;
};

struct SynapseState {
  format::SynapseShape shape;
  const uint8_t *weight;
  uint32_t input, bias;
  bool analog;
  // Spikes: lists for rows_at_once rows of one chunk
  void *events;
  uint32_t *starts;
  size_t capacity;
  uint32_t *row_uses, *column_uses; // output rows (columns) whose window holds an input row (column)
  // Analog: the zero-padded image [y][x][c]
  int16_t *image;
  uint32_t padded_height, padded_width;
};

struct LayerState {
  const format::Layer *source;
  uint32_t blocks, synapse_count, spike_synapses, analog_synapses;
  SynapseState *synapses;
  bool narrow;       // 16-bit membranes and currents
  bool nibbles;      // rows of 4 bits and below
  bool wide_entries; // list entries of 32 bits
  uint32_t rows_at_once;
  GatherSource *sources;
  GatherWindow *windows;
  int32_t *start;            // bias in lane order, for the analog kernel
  void *current;             // what gather starts from
  size_t current_stride;     // 0: one vector for all pixels
  int32_t *sums;             // currents of one step before a maximum over windows of them, when spikes have a part in them
  void *pooled;              // behind that maximum; as `current`, one vector a pixel
  void *theta, *amount;      // lane order, int16 or int32
  void *state;
  uint64_t state_bytes;
  Spikes *inputs;            // Add
  lasnn_layer_stats stats;
};

} // namespace lasnn::runtime

struct lasnn_network {
  const lasnn::format::Plan *plan;
  const lasnn::runtime::KernelTable *kernels;
  lasnn_isa isa;
  uint64_t content_hash;
  uint32_t timesteps, layer_count, spiking_count, delay_count;
  uint32_t chunk_steps; // kChunkSteps, or T where that is less, or 1 where there are delays
  lasnn::runtime::BufferState *buffers;
  lasnn::runtime::LayerState *layers;
  lasnn::runtime::DelayState *delays;
  uint32_t *spiking; // spiking layer -> layer
  int32_t *readout;
  uint32_t stored_steps; // steps that the buffers hold now: T after a run, 1 after a step, 0 before either
  bool dirty;            // some membrane, read-out or delay is not in its initial value
  void *own_memory;      // freed by destroy
  void *mapped;          // unmapped by destroy
  size_t mapped_size;
  char error[256];
};

namespace lasnn::runtime {

/// Lays the network of a verified model out in `arena`. Null when only measuring or when the arena is too small.
lasnn_network *layoutNetwork(const format::Model &model, Arena &arena);
/// Fills what layoutNetwork laid out.
void fillNetwork(lasnn_network &net);

/// One sample, all steps. False, with the network's error set and nothing else changed, when the input is out of range.
bool runAll(lasnn_network &net, const uint8_t *input);
/// One step with membranes kept.
bool runStep(lasnn_network &net, const uint8_t *input);
void reset(lasnn_network &net);

/// For benches: takes the input as a run does; then one layer over the first chunk from reset state.
bool loadInput(lasnn_network &net, const uint8_t *input);
void runLayer(lasnn_network &net, uint32_t layer);

/// The buffer from step `t` on, as kernels see it.
Spikes viewOf(const lasnn_network &net, uint32_t buffer, uint32_t t);

} // namespace lasnn::runtime
