// lasnn-opt: runs single passes and pipelines on text of the dialect snn; what the tests of passes drive.
#include "passes/passes.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::registerTransformsPasses(); // canonicalize, cse, print-op-stats, view-op-graph, ...
  lasnn::registerPasses();
  mlir::DialectRegistry registry;
  registry.insert<lasnn::snn::SnnDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "passes of the spiking network compiler\n", registry));
}
