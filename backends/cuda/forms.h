// What is known of a kernel besides its source: what it can compute, its grid and shared memory, its weights' order, its work.
#pragma once

#include "backends/cuda/program.h"

namespace lasnn::cuda {

/// What a launch asks of a GPU, for the cost model (choose.cpp).
struct Work {
  double tensor_macs = 0;    ///< of all blocks, padding included
  double instructions = 0;   ///< integer instructions of all warps
  double bytes = 0;          ///< to and from memory
  double block_cycles = 0;   ///< of one block that has an SM to itself: what it waits for
  uint32_t blocks_an_sm = 1; ///< at once
};

struct Form {
  Kernel kernel;
  const char *name, *function;
  std::vector<uint32_t> tiles; ///< none: not a layer's
  /// Why it cannot compute a layer; empty if it can.
  std::string (*cannot)(const LayerShape &);
  Grid (*grid)(const Launch &);
  uint32_t (*sharedBytes)(const Launch &);
  std::vector<uint8_t> (*pack)(const plan::Synapse &, const InputShape &, const Launch &);
  /// rates: of the launch's inputs.
  Work (*work)(const Launch &, uint32_t batch, const std::vector<double> &rates);
};

const std::vector<Form> &forms();
const Form &formOf(Kernel kernel);
/// Null where no kernel has the name.
const Form *formNamed(const std::string &name);

std::vector<uint8_t> packRows(const plan::Synapse &synapse, const InputShape &in, uint32_t out_channels);       ///< kernels/event.h
std::vector<uint8_t> packListedRows(const plan::Synapse &synapse, const InputShape &in, uint32_t out_channels); ///< kernels/skip.h
std::vector<uint8_t> packTaps(const plan::Synapse &synapse, const InputShape &in, uint32_t out_channels);       ///< kernels/depthwise.h
std::vector<uint8_t> packProducts(const plan::Synapse &synapse, const InputShape &in, uint32_t out_channels,
                                  uint32_t tiles); ///< kernels/product.h

} // namespace lasnn::cuda
