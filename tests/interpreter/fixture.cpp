#include "tests/interpreter/fixture.h"

#include "ir/interpreter/interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace lasnn::snn;

namespace lasnn::test {

struct Network::Impl {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Interpreter> interpreter;
  std::string error;
  std::vector<std::string> order;
  std::map<std::string, std::vector<Values>> traces;
  std::map<mlir::Operation *, std::string> names;

  std::string nameOf(mlir::Operation *op) {
    auto [it, isNew] = names.try_emplace(op);
    if (isNew) {
      std::string kind = op->getName().stripDialect().str();
      size_t same = 0;
      for (auto &[other, name] : names) same += name == kind || name.rfind(kind + "#", 0) == 0;
      it->second = same == 0 ? kind : kind + "#" + std::to_string(same);
      order.push_back(it->second);
    }
    return it->second;
  }
};

static std::string text(llvm::Error error) { return error ? llvm::toString(std::move(error)) : std::string(); }

static Values values(const Tensor &tensor) {
  return tensor.isFloat ? Values(tensor.f.begin(), tensor.f.end()) : Values(tensor.i.begin(), tensor.i.end());
}

Network::Network(const std::string &source) : impl(std::make_unique<Impl>()) {
  impl->context.loadDialect<SnnDialect>();
  mlir::ScopedDiagnosticHandler handler(&impl->context, [&](mlir::Diagnostic &diagnostic) {
    impl->error += diagnostic.str() + "\n";
    return mlir::success();
  });
  impl->module = mlir::parseSourceString<mlir::ModuleOp>(source, &impl->context);
  if (!impl->module) return;
  auto network = *impl->module->getOps<NetworkOp>().begin();
  auto interpreter = Interpreter::create(network);
  if (!interpreter) {
    impl->error = llvm::toString(interpreter.takeError());
    return;
  }
  impl->interpreter = std::move(*interpreter);
  impl->interpreter->setObserver([this](mlir::Operation *op, int64_t, const Tensor &result) {
    impl->traces[impl->nameOf(op)].push_back(values(result));
  });
}
Network::~Network() = default;
const std::string &Network::error() const { return impl->error; }

int64_t Network::timesteps() const { return impl->interpreter->timesteps(); }
size_t Network::inputSize() const { return impl->interpreter->inputSize(); }
float Network::outputScale() const { return impl->interpreter->outputScale(); }
bool Network::isInteger() const { return impl->interpreter->isInteger(); }

std::string Network::run(const std::vector<uint8_t> &sample) {
  impl->traces.clear();
  return text(impl->interpreter->run(llvm::ArrayRef(sample)));
}
std::string Network::run(const std::vector<float> &sample) {
  impl->traces.clear();
  return text(impl->interpreter->run(llvm::ArrayRef(sample)));
}
std::string Network::step(const std::vector<uint8_t> &frame) { return text(impl->interpreter->step(llvm::ArrayRef(frame))); }
std::string Network::step(const std::vector<float> &frame) { return text(impl->interpreter->step(llvm::ArrayRef(frame))); }
void Network::reset() {
  impl->traces.clear();
  impl->interpreter->reset();
}

Values Network::output() const { return values(impl->interpreter->output()); }
std::vector<Stats> Network::stats() const {
  std::vector<Stats> all;
  for (const NeuronStats &s : impl->interpreter->stats())
    all.push_back({s.name, s.neurons, s.steps, s.spikes, s.clips, s.synops, s.minV, s.maxV, s.minI, s.maxI, s.maxAbsV});
  return all;
}
void Network::clearStats() { impl->interpreter->clearStats(); }
std::vector<Values> Network::trace(const std::string &op) const {
  auto it = impl->traces.find(op);
  return it == impl->traces.end() ? std::vector<Values>() : it->second;
}
std::vector<std::string> Network::order() const { return impl->order; }

static Values outputOf(Network &&network, const auto &x) {
  std::string error = network.error().empty() ? network.run(x) : network.error();
  if (!error.empty()) throw std::runtime_error(error);
  return network.output();
}

Values evaluateFloat(const std::string &inputShape, const std::string &op, const std::string &resultShape, const std::vector<float> &x) {
  return outputOf(Network(llvm::formatv(R"(
snn.network @n timesteps = 1 {{
  %i = snn.input "in" : tensor<{0}xf32>
  %x = snn.encode %i direct : (tensor<{0}xf32>) -> tensor<{0}xf32>
  %y = {1} : (tensor<{0}xf32>) -> tensor<{2}xf32>
  %r = snn.readout %y last : (tensor<{2}xf32>) -> tensor<{2}xf32>
  snn.output "out" %r : tensor<{2}xf32>
})", inputShape, op, resultShape).str()), x);
}

Values evaluateCounts(const std::string &inputShape, const std::string &op, const std::string &resultShape, const std::vector<uint8_t> &x) {
  return outputOf(Network(llvm::formatv(R"(
snn.network @n timesteps = 1 {{
  %i = snn.input "in" : tensor<{0}xui8>
  %x = snn.encode %i events {{max_count = 255 : i64} : (tensor<{0}xui8>) -> tensor<{0}xui8>
  %y = {1} : (tensor<{0}xui8>) -> tensor<{2}xi32>
  %r = snn.readout %y last {{scale = 1.0 : f32} : (tensor<{2}xi32>) -> tensor<{2}xi32>
  snn.output "out" %r : tensor<{2}xi32>
})", inputShape, op, resultShape).str()), x);
}

static std::string neuronKind(const std::string &op) { return op.substr(4, op.find(' ') - 4); } // "snn.lif %x" -> "lif"

Driven driveFloat(const std::string &op, const std::vector<std::vector<float>> &currents) {
  size_t n = currents.front().size();
  Network network(llvm::formatv(R"(
snn.network @n timesteps = {0} {{
  %i = snn.input "in" : tensor<{1}xf32>
  %x = snn.encode %i direct : (tensor<{1}xf32>) -> tensor<{1}xf32>
  %s = {2} : (tensor<{1}xf32>) -> tensor<{1}xf32>
  %r = snn.readout %s sum : (tensor<{1}xf32>) -> tensor<{1}xf32>
  snn.output "out" %r : tensor<{1}xf32>
})", currents.size(), n, op).str());
  Driven driven;
  driven.error = network.error();
  for (const auto &frame : currents)
    if (driven.error.empty()) driven.error = network.step(frame);
  if (!driven.error.empty()) return driven;
  driven.spikes = network.trace(neuronKind(op));
  driven.stats = network.stats().front();
  return driven;
}

Driven driveInteger(const std::string &op, const std::vector<std::vector<int>> &currents, int bias) {
  size_t n = currents.front().size();
  std::string weight; // each neuron sums four counts: 127 a + b - 127 c - d
  for (size_t row = 0; row < n; ++row) {
    weight += row ? ", [" : "[";
    for (size_t column = 0; column < n; ++column)
      weight += std::string(column ? ", " : "") + (column == row ? "127, 1, -127, -1" : "0, 0, 0, 0");
    weight += "]";
  }
  Network network(llvm::formatv(R"(
snn.network @n timesteps = {0} {{
  %i = snn.input "in" : tensor<{2}xui8>
  %e = snn.encode %i events {{max_count = 255 : i64} : (tensor<{2}xui8>) -> tensor<{2}xui8>
  %x = snn.linear %e {{weight = dense<[{3}]> : tensor<{1}x{2}xi8>, bias = dense<{4}> : tensor<{1}xi32>} : (tensor<{2}xui8>) -> tensor<{1}xi32>
  %s = {5} : (tensor<{1}xi32>) -> tensor<{1}xui8>
  %c = snn.linear %s {{weight = dense<1> : tensor<1x{1}xi8>} : (tensor<{1}xui8>) -> tensor<1xi32>
  %r = snn.readout %c sum {{scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
})", currents.size(), n, 4 * n, weight, bias, op).str());
  Driven driven;
  driven.error = network.error();
  for (const auto &frame : currents) {
    std::vector<uint8_t> counts;
    for (int current : frame) {
      uint8_t q = uint8_t(std::abs(current) / 127), r = uint8_t(std::abs(current) % 127);
      for (int part : {current > 0 ? q : 0, current > 0 ? r : 0, current < 0 ? q : 0, current < 0 ? r : 0}) counts.push_back(uint8_t(part));
    }
    if (driven.error.empty()) driven.error = network.step(counts);
  }
  if (!driven.error.empty()) return driven;
  driven.spikes = network.trace(neuronKind(op));
  driven.stats = network.stats().front();
  return driven;
}

} // namespace lasnn::test
