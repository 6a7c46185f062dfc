// dump_steps FILE.onnx [SAMPLES.bin [currents]]: imports a file; with samples (raw unsigned bytes, one after the other) runs each
// through the float interpreter and writes every layer's spikes and the logits of every step as JSON; with "currents" also
// the neurons' constants and what they take. Without samples it prints the module. onnx_reference.py compares the numbers with an ONNX runtime's.
#include "frontend/onnx/import.h"
#include "ir/interpreter/interpreter.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>

using namespace lasnn;

static void writeList(llvm::ArrayRef<float> values) {
  std::printf("[");
  for (size_t k = 0; k < values.size(); ++k) std::printf("%s%.9g", k ? "," : "", double(values[k]));
  std::printf("]");
}

int main(int argc, char **argv) {
  const bool currents = argc == 4 && llvm::StringRef(argv[3]) == "currents";
  if (argc < 2 || (argc > 3 && !currents)) {
    std::fprintf(stderr, "usage: dump_steps FILE.onnx [SAMPLES.bin [currents]]\n");
    return 2;
  }
  auto file = llvm::MemoryBuffer::getFile(argv[1], /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) {
    std::fprintf(stderr, "%s: %s\n", argv[1], file.getError().message().c_str());
    return 1;
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = onnx_import::importOnnx(context, (*file)->getBuffer(), argv[1]);
  if (failed(module)) return 1;
  if (argc == 2) {
    mlir::OpPrintingFlags flags;
    flags.elideLargeElementsAttrs(8).enableDebugInfo(true, /*prettyForm=*/true);
    (*module)->print(llvm::outs(), flags);
    return 0;
  }
  auto samples = llvm::MemoryBuffer::getFile(argv[2], /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!samples) {
    std::fprintf(stderr, "%s: %s\n", argv[2], samples.getError().message().c_str());
    return 1;
  }
  auto network = *(*module)->getOps<snn::NetworkOp>().begin();
  auto interpreter = snn::Interpreter::create(network);
  if (!interpreter) {
    llvm::errs() << toString(interpreter.takeError()) << "\n";
    return 1;
  }
  // What is written: neurons, and the operand of each read-out under the output's name.
  llvm::DenseMap<mlir::Operation *, std::string> watched;
  network.walk([&](mlir::Operation *op) {
    if (snn::getNeuron(op)) watched[op] = snn::nameOf(op);
    if (snn::NeuronView neuron = snn::getNeuron(op); neuron && currents)
      if (mlir::Operation *producer = neuron.input.getDefiningOp()) watched[producer] = snn::nameOf(op) + ".current";
    if (auto output = llvm::dyn_cast<snn::OutputOp>(op))
      if (auto readout = output.getValue().getDefiningOp<snn::ReadoutOp>())
        if (mlir::Operation *producer = readout.getInput().getDefiningOp()) watched[producer] = output.getName().str();
  });
  int64_t lastStep = -1;
  (*interpreter)->setObserver([&](mlir::Operation *op, int64_t step, const snn::Tensor &result) {
    auto at = watched.find(op);
    if (at == watched.end()) return;
    std::printf("%s\n", step == lastStep ? "," : step == 0 ? "{" : "},{");
    lastStep = step;
    std::printf("\"%s\":", at->second.c_str());
    writeList(result.f);
  });
  llvm::StringRef bytes = (*samples)->getBuffer();
  size_t size = (*interpreter)->inputSize();
  std::printf("{\"timesteps\":%lld,", static_cast<long long>((*interpreter)->timesteps()));
  if (currents) {
    std::string comma;
    std::printf("\"neurons\":{");
    network.walk([&](mlir::Operation *op) {
      snn::NeuronView neuron = snn::getNeuron(op);
      if (!neuron) return;
      std::printf("%s\"%s\":{\"beta\":%.9g,\"reset\":\"%s\",\"v_threshold\":", comma.c_str(), snn::nameOf(op).c_str(),
                  neuron.beta ? neuron.beta.getValueAsDouble() : 1.0, snn::stringifyReset(neuron.reset).str().c_str());
      writeList(snn::floatValues(neuron.vThreshold));
      std::printf("}");
      comma = ",";
    });
    std::printf("},");
  }
  std::printf("\"samples\":[");
  for (size_t at = 0; at + size <= bytes.size(); at += size) {
    std::printf("%s{\"steps\":[", at ? "," : "");
    lastStep = -1;
    llvm::ArrayRef<uint8_t> sample(reinterpret_cast<const uint8_t *>(bytes.data()) + at, size);
    if (llvm::Error error = (*interpreter)->run(sample)) {
      llvm::errs() << toString(std::move(error)) << "\n";
      return 1;
    }
    std::printf("}],\"output\":");
    writeList((*interpreter)->output().f);
    std::printf("}");
  }
  std::printf("]}\n");
  return 0;
}
