#include "ir/interpreter/program.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace lasnn::snn {

struct Interpreter::Impl {
  Program program;

  /// One step; `frame` has as many entries as the input tensor.
  void step(ArrayRef<uint8_t> bytes, ArrayRef<float> floats) {
    Program &p = program;
    for (size_t i = 0; i < p.nodes.size(); ++i) {
      Node &node = p.nodes[i];
      if (!(node.constant && p.step > 0)) evaluate(p, i, bytes, floats);
      if (p.observer) p.observer(node.op, p.step, p.values[node.result]);
    }
    for (DelayState &delay : p.delays) delay.held = p.values[delay.input]; // D1
    for (NeuronStats &stats : p.stats) ++stats.steps;
    ++p.step;
  }

  size_t frameSize() const {
    size_t size = 1;
    for (int64_t dim : program.inputShape) size *= dim;
    return size;
  }

  llvm::Error check(size_t given, size_t expected, bool floats, bool isEvents, ArrayRef<uint8_t> bytes) {
    if (floats != program.floatInput)
      return llvm::createStringError(llvm::formatv("the input is given as {0}, the network takes {1}", floats ? "floats" : "bytes",
                                                   program.floatInput ? "floats" : "bytes"));
    if (given != expected)
      return llvm::createStringError(llvm::formatv("the input has {0} values, the network takes {1}", given, expected));
    if (!isEvents) return llvm::Error::success();
    int64_t most = 255;
    for (Node &node : program.nodes)
      if (auto encode = dyn_cast<EncodeOp>(node.op)) most = encode.getMaxCount();
    for (auto [i, value] : llvm::enumerate(bytes))
      if (value > most)
        return llvm::createStringError(llvm::formatv("rule E3: the spike count at index {0} is {1}, expected at most {2}", i, int(value), most));
    return llvm::Error::success();
  }

  template <typename T> llvm::Error run(ArrayRef<T> sample, size_t sampleSize) {
    bool events = program.encoding == Encoding::Events;
    constexpr bool floats = std::is_same_v<T, float>;
    ArrayRef<uint8_t> bytes;
    if constexpr (!floats) bytes = sample;
    if (llvm::Error error = check(sample.size(), sampleSize, floats, events, bytes)) return error;
    for (int64_t t = 0; t < program.timesteps; ++t) {
      ArrayRef<T> frame = events ? sample.slice(t * frameSize(), frameSize()) : sample;
      if constexpr (floats) step({}, frame);
      else step(frame, {});
    }
    return llvm::Error::success();
  }
};

llvm::Expected<std::unique_ptr<Interpreter>> Interpreter::create(NetworkOp network) {
  auto program = prepare(network);
  if (!program) return program.takeError();
  auto impl = std::make_unique<Impl>();
  impl->program = std::move(*program);
  std::unique_ptr<Interpreter> interpreter(new Interpreter(std::move(impl)));
  interpreter->clearStats();
  return interpreter;
}
Interpreter::Interpreter(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Interpreter::~Interpreter() = default;

int64_t Interpreter::timesteps() const { return impl->program.timesteps; }
bool Interpreter::isInteger() const { return impl->program.integer; }
Encoding Interpreter::encoding() const { return impl->program.encoding; }
llvm::ArrayRef<int64_t> Interpreter::inputShape() const { return impl->program.inputShape; }
size_t Interpreter::inputSize() const {
  return impl->frameSize() * (encoding() == Encoding::Events ? timesteps() : 1);
}

void Interpreter::reset() {
  for (NeuronState &neuron : impl->program.neurons) {
    std::fill(neuron.vF.begin(), neuron.vF.end(), 0.f);
    std::fill(neuron.vI.begin(), neuron.vI.end(), 0);
  }
  for (DelayState &delay : impl->program.delays) {
    std::fill(delay.held.f.begin(), delay.held.f.end(), 0.f);
    std::fill(delay.held.i.begin(), delay.held.i.end(), 0);
  }
  impl->program.step = 0; // read-outs start anew at step 0
}

llvm::Error Interpreter::run(llvm::ArrayRef<uint8_t> sample) {
  reset();
  return impl->run(sample, inputSize());
}
llvm::Error Interpreter::run(llvm::ArrayRef<float> sample) {
  reset();
  return impl->run(sample, inputSize());
}
llvm::Error Interpreter::step(llvm::ArrayRef<uint8_t> frame) {
  if (llvm::Error error = impl->check(frame.size(), impl->frameSize(), false, encoding() == Encoding::Events, frame)) return error;
  // A direct image is constant within a sample; a stream may change it from step to step.
  int64_t step = impl->program.step;
  for (Node &node : impl->program.nodes)
    if (node.constant && step > 0) evaluate(impl->program, &node - impl->program.nodes.data(), frame, {});
  impl->step(frame, {});
  return llvm::Error::success();
}
llvm::Error Interpreter::step(llvm::ArrayRef<float> frame) {
  if (llvm::Error error = impl->check(frame.size(), impl->frameSize(), true, false, {})) return error;
  int64_t step = impl->program.step;
  for (Node &node : impl->program.nodes)
    if (node.constant && step > 0) evaluate(impl->program, &node - impl->program.nodes.data(), {}, frame);
  impl->step({}, frame);
  return llvm::Error::success();
}

Tensor Interpreter::output() const {
  Tensor all;
  all.isFloat = !impl->program.integer;
  for (int slot : impl->program.outputs) {
    const Tensor &value = impl->program.values[slot];
    all.f.insert(all.f.end(), value.f.begin(), value.f.end());
    all.i.insert(all.i.end(), value.i.begin(), value.i.end());
  }
  all.shape = {int64_t(all.isFloat ? all.f.size() : all.i.size())};
  return all;
}
float Interpreter::outputScale() const { return impl->program.readouts.empty() ? 1.f : impl->program.readouts.front().scale; }

llvm::ArrayRef<NeuronStats> Interpreter::stats() const { return impl->program.stats; }
void Interpreter::clearStats() {
  for (NeuronStats &stats : impl->program.stats) {
    stats.steps = stats.spikes = stats.clips = stats.synops = 0;
    stats.minV = stats.maxV = stats.minI = stats.maxI = 0;
    std::fill(stats.maxAbsV.begin(), stats.maxAbsV.end(), 0.0);
  }
}
void Interpreter::setObserver(Observer observer) { impl->program.observer = std::move(observer); }

void Interpreter::recordMembranes(bool on) {
  for (NeuronState &neuron : impl->program.neurons) neuron.recorded.assign(on ? neuron.vF.size() + neuron.vI.size() : 0, 0.f); // one of them is empty
}
llvm::ArrayRef<float> Interpreter::membranes(size_t neuron) const { return impl->program.neurons[neuron].recorded; }

} // namespace lasnn::snn
