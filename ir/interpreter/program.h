// The interpreter's inside: a network as a flat list of nodes over value slots, prepared once, evaluated every step.
#pragma once

#include "ir/interpreter/interpreter.h"

namespace lasnn::snn {

/// A window operation's geometry; a linear layer is the 1x1 window on a 1x1 image with C = N.
struct Window {
  int64_t c = 1, h = 1, w = 1;    // input
  int64_t k = 1, oh = 1, ow = 1;  // result
  int64_t kh = 1, kw = 1, sh = 1, sw = 1, top = 0, left = 0, dh = 1, dw = 1, groups = 1;
};

struct Node {
  mlir::Operation *op = nullptr;
  llvm::SmallVector<int, 2> inputs; ///< value slots
  int result = -1;                  ///< value slot
  /// Its result is the same at every step: everything before it is a direct encoding (E1, E2). Computed at step 1 only.
  bool constant = false;
  Window window;
  std::vector<float> weightF, biasF;   ///< weight transposed to [c in group][kh][kw][group][k in group]: see transpose()
  std::vector<int32_t> weightI, biasI;
  bool countSynops = false;            ///< integer input of spikes
  int neuron = -1;                     ///< index into neurons of the neuron this op belongs to or feeds, or -1
  int delay = -1;                      ///< index into delays, of a delay; `inputs` is empty then
};

struct NeuronState {
  NeuronView view;
  int64_t perChannel = 1; ///< elements a channel
  std::vector<float> thresholdF, rhoF, resetF, vF;
  std::vector<int32_t> thresholdI, rhoI, resetI, vI;
  float betaF = 1, vMinF = 0;
  bool hasVMin = false;
  std::vector<float> recorded; ///< v between N4 and N5, when asked for
  int64_t keep = 4096, lo = 0, hi = 0; ///< keep = 4096 - decay
};

struct ReadoutState {
  ReadoutMode mode = ReadoutMode::Sum;
  std::vector<float> sumF;
  std::vector<int64_t> sumI;
  float scale = 1;
};

/// D1. Gives `held` when its node is evaluated, and takes the operand once all nodes are.
struct DelayState {
  int input = -1; ///< value slot
  Tensor held;
};

struct Program {
  NetworkOp network;
  bool integer = false;
  Encoding encoding = Encoding::Direct;
  int64_t timesteps = 1;
  llvm::SmallVector<int64_t, 3> inputShape;
  bool floatInput = false;
  std::vector<Node> nodes;
  std::vector<Tensor> values;
  std::vector<NeuronState> neurons; ///< Node::neuron indexes both for a neuron node
  std::vector<NeuronStats> stats;
  std::vector<ReadoutState> readouts;
  std::vector<int> readoutNodes;  ///< node index -> readout index, -1 when none
  std::vector<DelayState> delays;
  std::vector<int> outputs;       ///< value slots of snn.output operands
  int64_t step = 0;               ///< steps done since reset
  Interpreter::Observer observer;
};

/// Build the program of a verified network (prepare.cpp).
llvm::Expected<Program> prepare(NetworkOp network);
/// Compute one node at the current step from its input slots (evaluate.cpp). Encode nodes read `frame`.
void evaluate(Program &program, size_t node, llvm::ArrayRef<uint8_t> bytes, llvm::ArrayRef<float> floats);

} // namespace lasnn::snn
