// What the spiking network says too little or too much on average, put into biases.
#include "passes/Convert/Convert.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::convert {
namespace {

/// The synapse with one output channel a channel of `value`, through sums and maxima of currents; null: there is none.
Operation *synapseOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<Conv2DOp, LinearOp>(op)) return op->getResult(0).hasOneUse() ? op : nullptr;
  if (isa_and_nonnull<AddOp, MaxPoolOp>(op) && op->getResult(0).hasOneUse())
    for (Value operand : op->getOperands())
      if (Operation *found = synapseOf(operand)) return found;
  return nullptr;
}

} // namespace

llvm::Error correctBiases(NetworkOp network, ArrayRef<Target> targets, ArrayRef<std::vector<uint8_t>> samples, int64_t rounds) {
  const int64_t steps = int64_t(network.getTimesteps());
  for (const Target &target : targets) {
    Operation *synapse = synapseOf(target.neuron->getOperand(0));
    if (!synapse) continue;
    const bool readout = isa<ReadoutOp>(target.neuron);
    for (int64_t round = 0; round < (readout ? 1 : rounds); ++round) {
      auto program = makeFloatProgram(network);
      if (!program) return program.takeError();
      const size_t size = target.mean.size();
      std::vector<std::vector<double>> parts(kParts, std::vector<double>(size, 0.0));
      forEachSample(samples.size(), [&](size_t first, size_t last, size_t part) {
        FloatRun run(*program);
        for (size_t i = first; i < last; ++i)
          run.run(
              samples[i], steps,
              [&](Operation *op, int64_t step, const Pixels &x) {
                if (op != target.neuron || (readout && step + 1 < steps)) return;
                for (size_t e = 0; e < x.x.size(); ++e)
                  parts[part][e % x.c] += x.x[e];
              },
              target.neuron);
      });
      const double values = double(samples.size()) * double(tensorType(target.neuron->getResult(0)).getNumElements()) / double(size) *
                            (readout ? 1.0 : double(steps));
      std::vector<double> shift(size);
      for (size_t c = 0; c < size; ++c) {
        double sum = 0;
        for (const auto &part : parts)
          sum += part[c];
        shift[c] = target.mean[c] - sum / values * target.theta[c];
      }
      scaleOutputs(synapse, std::vector<double>(size, 1.0), shift);
    }
  }
  return llvm::Error::success();
}

} // namespace lasnn::convert
