// An integer network as plain data: what every backend plans from, made by the IR walk (plan_network.cpp). No MLIR type appears here, so
// writers, kernels and the runtime's tests need none.
//
// Semantics of every field: ir/spec.md. Buffers hold spike counts (or the analog image) per pixel and step; layers
// read buffers and write exactly one; delays carry a buffer from one step to the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::plan {

enum class Encoding : uint8_t { Direct, Events };
enum class Reset : uint8_t { Zero, Subtract, None, Value };
enum class Readout : uint8_t { Sum, Last };
enum class PoolKind : uint8_t { Sum, Max };

/// What flows between layers. Buffer 0 is the network's (encoded) input.
struct Buffer {
  std::string name;
  uint32_t channels = 0, height = 1, width = 1;
  uint32_t max_count = 1; ///< largest spike count a step can hold; 1 means bits. At most 255. Ignored for a direct input.
};

/// A convolution from one buffer: out[k,y,x] += sum w[k,c,ky,kx] * in[c, y*sh - pad_top + ky*dh, x*sw - pad_left + kx*dw].
/// A linear layer on a [C,H,W] buffer is the convolution whose kernel is [H,W], with output 1x1.
struct Synapse {
  std::string name;
  uint32_t input = 0; ///< buffer index
  uint32_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0; ///< bottom and right follow from the output shape
  uint32_t groups = 1;
  std::vector<int8_t> weight; ///< [K][C/groups][kernel_h][kernel_w]
};

/// Per output channel vectors have K entries. Equations: spec.md N1..N7.
struct Neuron {
  uint32_t decay = 0; ///< d of leak(v), 0..4096; 0 is IF, 4096 forgets all
  Reset reset = Reset::Zero;
  uint32_t state_bits = 16; ///< 16, 24 or 32: v is clamped to the signed range
  bool has_v_min = false;
  int32_t v_min = 0;
  uint32_t s_max = 1; ///< spikes a step; above 1 only with Subtract
  std::vector<int32_t> v_threshold, rho, v_reset; ///< theta; reset amount (Subtract); target (Value)
};

enum class LayerKind : uint8_t { Spiking, Readout, Pool, Add };

struct Layer {
  LayerKind kind = LayerKind::Spiking;
  std::string name;
  uint32_t output = 0; ///< buffer index (Spiking, Pool, Add); for Readout: offset into the output vector
  // Spiking and Readout: I[k,y,x] = bias[k] + sum over synapses; where currents are pooled, the largest of these in the window
  std::vector<Synapse> synapses;
  std::vector<int32_t> bias; ///< [K]
  uint32_t out_channels = 0, out_height = 1, out_width = 1;
  bool current_fits_int16 = false; ///< proved by verify-contract: every I fits int16, so sums modulo 2^16 are exact
  Neuron neuron;
  Readout readout = Readout::Sum;
  uint32_t current_height = 0, current_width = 0; ///< before a maximum over windows of currents; 0: none is taken
  // Pool: input buffer `inputs[0]`; Add: spike counts of `inputs` added
  std::vector<uint32_t> inputs;
  PoolKind pool = PoolKind::Sum;
  // The window of Pool, or of the maximum over currents
  uint32_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1;
  int32_t pad_top = 0, pad_left = 0;

  bool poolsCurrents() const { return current_height > 0; }
};

/// Buffer `to` holds at step t what `from` held at step t - 1, and 0 at step 1 (spec D1). It has the shape and max_count of `from`, and no layer
/// writes it.
struct Delay {
  uint32_t from = 0, to = 0;
};

struct Network {
  std::string name;
  uint32_t timesteps = 1;
  Encoding encoding = Encoding::Direct;
  std::vector<int8_t> encode_table; ///< Direct: [C][256], pixel byte to int8 (spec E2); padding is 0
  std::vector<Buffer> buffers;
  std::vector<Layer> layers; ///< in order of execution
  std::vector<Delay> delays; ///< where there are any, the layers run step by step
  uint32_t output_count = 0;
  float output_scale = 1.0f;
};

} // namespace lasnn::plan
