#include "passes/Convert/Convert.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn {

llvm::Expected<Accuracy> measureAccuracy(NetworkOp network, size_t count, llvm::function_ref<ArrayRef<uint8_t>(size_t)> sample,
                                         llvm::function_ref<int64_t(size_t)> label, ArrayRef<int64_t> steps) {
  auto program = makeFloatProgram(network);
  if (!program) return program.takeError();
  llvm::DenseSet<Operation *> readouts;
  network.walk([&](ReadoutOp op) { readouts.insert(op); });
  struct Part {
    std::vector<uint64_t> right;
    double spikes = 0, chances = 0;
  };
  std::vector<Part> parts(kParts, Part{std::vector<uint64_t>(steps.size(), 0)});
  forEachSample(count, [&](size_t first, size_t last, size_t number) {
    FloatRun run(*program);
    Part &part = parts[number];
    for (size_t i = first; i < last; ++i)
      run.run(sample(i), steps.back(), [&](Operation *op, int64_t step, const Pixels &x) {
        if (getNeuron(op)) {
          for (float s : x.x)
            part.spikes += s;
          part.chances += double(x.x.size());
        } else if (readouts.contains(op)) {
          for (size_t s = 0; s < steps.size(); ++s)
            if (steps[s] == step + 1) part.right[s] += std::max_element(x.x.begin(), x.x.end()) - x.x.begin() == label(i);
        }
      });
  });
  Accuracy out;
  double spikes = 0, chances = 0;
  for (size_t s = 0; s < steps.size(); ++s) {
    uint64_t right = 0;
    for (const Part &part : parts)
      right += part.right[s];
    out.top1.push_back(100.0 * double(right) / double(count));
  }
  for (const Part &part : parts)
    spikes += part.spikes, chances += part.chances;
  out.rate = chances > 0 ? spikes / chances : 0;
  return out;
}

} // namespace lasnn
