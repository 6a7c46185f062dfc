#include "tests/conformance/check_network.h"

#include "backends/backend.h"
#include "backends/plan/plan_network.h"
#include "ir/interpreter/interpreter.h"
#include "passes/passes.h"
#include "tests/conformance/build_network.h"
#include "tests/conformance/run_cuda.h"
#include "tests/conformance/run_loihi.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::test {
namespace {

/// Collects what is diagnosed while it lives.
struct Diagnosed {
  std::vector<std::string> messages;
  ScopedDiagnosticHandler handler;
  explicit Diagnosed(MLIRContext &context) : handler(&context, [this](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error) messages.push_back(diagnostic.str());
    return success();
  }) {}
  std::string first() const { return messages.empty() ? "no message" : messages.front(); }
};

std::string bytecodeOf(Operation *op) {
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  if (failed(writeBytecodeToFile(op, stream))) return "";
  return bytes;
}

/// Text and bytecode give the same network back.
std::string checkRoundTrip(ModuleOp module) {
  MLIRContext &context = *module.getContext();
  std::string text = printed(module);
  OwningOpRef<ModuleOp> fromText = parseSourceString<ModuleOp>(text, &context);
  if (!fromText) return "round trip: the printed network does not parse";
  if (printed(*fromText) != text) return "round trip: text printed again differs";
  OwningOpRef<ModuleOp> fromBytes = parseSourceString<ModuleOp>(bytecodeOf(module), &context);
  if (!fromBytes) return "round trip: the bytecode does not parse";
  if (printed(*fromBytes) != text) return "round trip: the network read from bytecode differs";
  return "";
}

struct Expected {
  Trace trace;
  std::string error;
};

/// The truth: samples one after the other, then a stream of steps that goes on beyond T.
Expected interpret(NetworkOp network, const std::vector<std::vector<uint8_t>> &samples) {
  Expected expected;
  Trace &trace = expected.trace;
  auto created = Interpreter::create(network);
  if (!created) return {{}, "interpreter: " + llvm::toString(created.takeError())};
  Interpreter &interpreter = **created;
  trace.timesteps = int(interpreter.timesteps());
  trace.samples = samples;
  std::map<Operation *, size_t> layerOf;
  for (const NeuronStats &stats : interpreter.stats()) {
    layerOf[stats.op] = trace.layers.size();
    trace.layers.push_back({});
    trace.layers.back().name = stats.name, trace.layers.back().neurons = uint64_t(stats.neurons);
  }
  interpreter.setObserver([&](Operation *op, int64_t, const Tensor &result) {
    if (auto it = layerOf.find(op); it != layerOf.end()) trace.layers[it->second].counts.emplace_back(result.i.begin(), result.i.end());
  });
  for (const auto &sample : samples) {
    if (llvm::Error error = interpreter.run(llvm::ArrayRef(sample))) return {{}, "interpreter: " + llvm::toString(std::move(error))};
    trace.outputs.push_back(interpreter.output().i);
  }
  for (const NeuronStats &stats : interpreter.stats()) {
    LayerTrace &layer = trace.layers[layerOf[stats.op]];
    layer.steps = stats.steps, layer.spikes = stats.spikes, layer.clips = stats.clips, layer.synops = stats.synops;
  }
  interpreter.setObserver({});
  interpreter.reset();
  for (int t = 0; t < trace.timesteps + 2; ++t) { // an image that changes from step to step, or frames of all samples
    const std::vector<uint8_t> &sample = samples[size_t(t >= trace.timesteps) % samples.size()];
    size_t frame = interpreter.encoding() == Encoding::Events ? sample.size() / size_t(trace.timesteps) : sample.size();
    size_t at = interpreter.encoding() == Encoding::Events ? size_t(t % trace.timesteps) * frame : 0;
    trace.stream.emplace_back(sample.begin() + ptrdiff_t(at), sample.begin() + ptrdiff_t(at + frame));
    if (llvm::Error error = interpreter.step(llvm::ArrayRef(trace.stream.back()))) return {{}, "interpreter: " + llvm::toString(std::move(error))};
    trace.streamed.push_back(interpreter.output().i);
    if (t + 1 == trace.timesteps && trace.streamed.back() != trace.outputs[0]) return {{}, "interpreter: stepping and running differ"};
  }
  return expected;
}

bool sameTrace(const Trace &a, const Trace &b) {
  if (a.outputs != b.outputs || a.streamed != b.streamed || a.layers.size() != b.layers.size()) return false;
  for (size_t l = 0; l < a.layers.size(); ++l)
    if (a.layers[l].counts != b.layers[l].counts || a.layers[l].name != b.layers[l].name) return false;
  return true;
}

/// `null` refuses every operation by name, and nothing else happens.
std::string checkNull(const Backend &backend, NetworkOp network) {
  Diagnosed diagnosed(*network.getContext());
  if (succeeded(backend.check(network))) return "null: check accepts a network";
  size_t operations = size_t(std::distance(network.getBody().front().begin(), network.getBody().front().end()));
  if (diagnosed.messages.size() != operations) return "null: check reports " + std::to_string(diagnosed.messages.size()) + " of " + std::to_string(operations) + " operations";
  if (succeeded(backend.compile(network, {}))) return "null: compile accepts a network";
  return diagnosed.messages.size() == operations + 1 ? "" : "null: compile gives no message";
}

std::string checkX86(const Backend &backend, NetworkOp network, const Trace &truth, const CheckOptions &options, Coverage &coverage) {
  Provenance provenance{"conformance", "", "random", std::string(64, '0'), ""};
  Diagnosed diagnosed(*network.getContext());
  if (failed(backend.check(network))) {
    if (!options.fromFloat || diagnosed.messages.empty()) return "x86 check: refuses: " + diagnosed.first();
    ++coverage.refused, ++coverage.refusals[diagnosed.first().substr(0, 90)]; // the generator cannot know what the quantizer chose
    return "";
  }
  auto first = backend.compile(network, provenance), second = backend.compile(network, provenance);
  if (failed(first) || failed(second)) return "x86 compile: " + diagnosed.first();
  if (first->bytes != second->bytes) return "x86 compile: two artefacts of one network differ";
  for (const std::string &kind : x86Kinds()) {
    std::string difference = compareX86(first->bytes, kind, truth);
    if (!difference.empty()) return "x86 " + kind + " " + difference;
    ++coverage.ran["x86 " + kind];
  }
  if (!options.inject.empty()) return "";
  std::string error;
  std::vector<uint8_t> ir = irOfX86(first->bytes, error);
  if (ir.empty()) return "x86 ir: the section cannot be read: " + error;
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(llvm::StringRef(reinterpret_cast<const char *>(ir.data()), ir.size()), network.getContext());
  if (!module) return "x86 ir: the section does not parse: " + diagnosed.first();
  if (printed(networkOf(*module)) != printed(network)) return "x86 ir: the section holds another network";
  Expected again = interpret(networkOf(*module), truth.samples);
  return again.error.empty() && sameTrace(again.trace, truth) ? "" : "x86 ir: the section's network computes something else " + again.error;
}

/// The backend's own path but for NVRTC: the code is for the emulated driver, which runs the kernels' source.
std::string checkCuda(const Backend &backend, NetworkOp network, const Trace &truth, const CheckOptions &options, Coverage &coverage) {
  Provenance provenance{"conformance", "", "random", std::string(64, '0'), ""};
  Diagnosed diagnosed(*network.getContext());
  if (failed(backend.check(network))) {
    if (!options.fromFloat || diagnosed.messages.empty()) return "cuda check: refuses: " + diagnosed.first();
    ++coverage.refused, ++coverage.refusals[diagnosed.first().substr(0, 90)];
    return "";
  }
  FailureOr<plan::Network> plan = plan::planNetwork(network, backend.name());
  if (failed(plan)) return "cuda plan: " + diagnosed.first();
  std::string error;
  const std::vector<uint8_t> ir = lasnn::bytecodeOf(network), first = cudaArtefact(*plan, provenance, ir, error), second = cudaArtefact(*plan, provenance, ir, error);
  if (first.empty()) return "cuda compile: " + error;
  if (first != second) return "cuda compile: two artefacts of one network differ";
  if (std::string difference = compareCuda(first, truth); !difference.empty()) return "cuda " + difference;
  ++coverage.ran["cuda, emulated"];
  return "";
}

/// What the chip cannot hold it refuses, with a reason; what it takes equals the interpreter.
std::string checkLoihi(const Backend &backend, NetworkOp network, const Trace &truth, const std::string &chip, Coverage &coverage) {
  Provenance provenance{"conformance", "", "random", std::string(64, '0'), ""};
  Diagnosed diagnosed(*network.getContext());
  TargetOptions options;
  options.variant = chip;
  options.effort = 0;
  options.threads = 1;
  if (failed(backend.check(network, options.variant))) {
    ++coverage.ran[chip + ", refused"];
    return diagnosed.messages.empty() ? "loihi check: refuses without a message" : "";
  }
  auto first = backend.compile(network, provenance, options), second = backend.compile(network, provenance, options);
  if (failed(first) || failed(second)) return "loihi compile: " + diagnosed.first();
  if (!first->errors.empty()) {
    ++coverage.ran[chip + ", refused"];
    return "";
  }
  if (first->bytes != second->bytes) return "loihi compile: two mappings of one network differ";
  if (std::string difference = compareLoihi(first->bytes, truth); !difference.empty()) return "loihi " + difference;
  ++coverage.ran[chip + (network.getOps<DelayOp>().empty() ? ", simulated" : ", simulated with delays")];
  return "";
}

void cover(const Trace &trace, NetworkOp network, Coverage &coverage) {
  ++coverage.networks;
  for (const LayerTrace &layer : trace.layers) {
    ++coverage.neuronLayers;
    double rate = double(layer.spikes) / double(layer.neurons * layer.steps);
    ++coverage.rates[rate == 0 ? 0 : rate <= 0.01 ? 1 : rate <= 0.1 ? 2 : rate <= 0.5 ? 3 : rate < 1 ? 4 : 5];
    coverage.clipping += layer.clips > 0;
    coverage.synops += layer.synops, coverage.spikes += layer.spikes;
  }
  coverage.recurrent += !network.getOps<DelayOp>().empty();
  network.walk([&](LayerOp layer) { coverage.proven16 += layer.getCurrentBits() == 16; });
}

} // namespace

std::string checkNetwork(const NetworkSpec &spec, const CheckOptions &options, Coverage &coverage) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<SnnDialect>();
  OwningOpRef<ModuleOp> module = options.fromFloat ? buildFloat(spec, context) : buildInteger(spec, context);
  {
    Diagnosed diagnosed(context);
    if (failed(verify(*module))) return "verify: " + diagnosed.first();
    if (std::string error = checkRoundTrip(*module); !error.empty()) return error + ": " + diagnosed.first();
  }
  std::vector<std::vector<uint8_t>> samples;
  for (int i = 0; i < spec.samples; ++i) samples.push_back(sampleOf(spec, i));
  if (options.fromFloat) {
    Diagnosed diagnosed(context);
    CompileOptions compile;
    compile.weightBits = spec.seed % 3 ? 8 : 4;
    if (spec.seed % 5) {
      auto data = std::make_shared<CalibrationData>();
      data->description = "random", data->samples = samples;
      compile.calibration = data;
    }
    PassManager manager(&context);
    buildFloatPipeline(manager);
    buildIntegerPipeline(manager, compile);
    if (failed(manager.run(*module))) { // a refusal is no failure, if it says why
      if (diagnosed.messages.empty()) return "passes: they fail without a message";
      ++coverage.refused, ++coverage.refusals[diagnosed.first().substr(0, 90)];
      return "";
    }
    if (std::string error = checkRoundTrip(*module); !error.empty()) return error;
  }
  NetworkOp network = networkOf(*module), given = network;
  OwningOpRef<ModuleOp> wrong;
  if (!options.inject.empty()) {
    NetworkSpec other = spec;
    if (!inject(other, options.inject) || shapes(other).empty()) return "";
    wrong = buildInteger(other, context);
    given = networkOf(*wrong);
  }
  Expected expected = interpret(network, samples);
  if (!expected.error.empty()) return expected.error;
  cover(expected.trace, network, coverage);
  for (const std::unique_ptr<Backend> &backend : backends()) {
    std::string difference;
    if (backend->name() == "null") difference = checkNull(*backend, given);
    else if (backend->name() == "x86") difference = checkX86(*backend, given, expected.trace, options, coverage);
    else if (backend->name() == "cuda") // every third: the emulation takes ten times as long as all the rest
      difference = spec.seed % 3 ? "" : checkCuda(*backend, given, expected.trace, options, coverage);
    else if (backend->name() == "loihi")
      difference = spec.seed % 3 == 1 ? checkLoihi(*backend, given, expected.trace, spec.seed % 2 ? "loihi2" : "loihi1", coverage) : "";
    else difference = "backend " + backend->name().str() + ": the suite has no runner for it, add one to check_network.cpp";
    if (!difference.empty()) return difference;
  }
  return "";
}

std::string networkText(const NetworkSpec &spec, bool fromFloat) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<SnnDialect>();
  OwningOpRef<ModuleOp> module = fromFloat ? buildFloat(spec, context) : buildInteger(spec, context);
  return printed(networkOf(*module));
}

void Coverage::add(const Coverage &other) {
  networks += other.networks, recurrent += other.recurrent, neuronLayers += other.neuronLayers, proven16 += other.proven16, clipping += other.clipping, refused += other.refused;
  for (int i = 0; i < 6; ++i) rates[i] += other.rates[i];
  synops += other.synops, spikes += other.spikes;
  for (const auto &[kind, count] : other.ran) ran[kind] += count;
  for (const auto &[message, count] : other.refusals) refusals[message] += count;
}

std::string Coverage::text() const {
  std::string text = std::to_string(networks) + " networks (" + std::to_string(recurrent) + " with delays), " + std::to_string(neuronLayers) + " neuron layers (" + std::to_string(clipping) + " clip), " + std::to_string(proven16) +
                     " layers with 16-bit currents, " + std::to_string(spikes) + " spikes, " + std::to_string(synops) + " synaptic operations\nlayers by firing rate:";
  const char *names[] = {"0", "to 1 %", "to 10 %", "to 50 %", "below 100 %", "100 % and above"};
  for (int i = 0; i < 6; ++i) text += std::string(i ? ", " : " ") + names[i] + ": " + std::to_string(rates[i]);
  text += "\nran:";
  for (const auto &[kind, count] : ran) text += " " + kind + " " + std::to_string(count);
  if (refused) text += "\nrefused by the passes: " + std::to_string(refused);
  for (const auto &[message, count] : refusals) text += "\n  " + std::to_string(count) + " x " + message;
  return text + "\n";
}

} // namespace lasnn::test
