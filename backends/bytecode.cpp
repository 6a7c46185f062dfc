#include "backends/backend.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace lasnn {

std::vector<uint8_t> bytecodeOf(snn::NetworkOp network) {
  MLIRContext *context = network.getContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  module->getBody()->push_back(network->clone());
  module->walk([&](Operation *op) {
    auto name = dyn_cast<NameLoc>(op->getLoc());
    op->setLoc(name ? Location(NameLoc::get(name.getName())) : UnknownLoc::get(context));
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments()) argument.setLoc(UnknownLoc::get(context));
  });
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(writeBytecodeToFile(*module, stream))) return {};
  stream.flush();
  return {text.begin(), text.end()};
}

} // namespace lasnn
