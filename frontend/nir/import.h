// The NIR importer and exporter: an HDF5 file's bytes to a module with one snn.network in float form, and back. docs/nir.md.
#pragma once

#include "ir/Snn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace lasnn::nir {

/// Who wrote the file: it decides what tau, r, the comparison and the reset mean, which NIR leaves open.
enum class Writer { Auto, SnnTorch, SpikingJelly, Norse, Sinabs, Rockpool, Lava };
constexpr const char *kWriters[] = {"auto", "snntorch", "spikingjelly", "norse", "sinabs", "rockpool", "lava"}; ///< in the order of Writer
inline llvm::StringRef stringifyWriter(Writer writer) { return kWriters[int(writer)]; }

/// What a NIR file does not say. Each one set here overrides what the writer's convention says.
struct Conventions {
  Writer writer = Writer::Auto;
  std::optional<double> dt;        ///< seconds a step
  std::optional<snn::Reset> reset; ///< zero (to v_reset) or subtract
  std::optional<snn::Compare> compare;
  std::optional<int64_t> multiSpike; ///< most spikes a step
  std::optional<float> vMin;
};

struct ImportOptions {
  std::optional<int64_t> timesteps;
  std::optional<std::vector<float>> mean, std;
  std::optional<snn::ReadoutMode> readout;
  std::optional<snn::Encoding> encoding;
  std::string networkName;
  Conventions conventions;
  bool isolate = true; ///< read in a child process; false only for bytes that are known to be whole: HDF5's library crashes on others
};

/// True of the bytes of any HDF5 file.
bool isHdf5(llvm::StringRef bytes);

/// Every problem found is emitted as a diagnostic at the NIR node's name, all in one run. Bytes are not trusted.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> importNir(mlir::MLIRContext &context, llvm::StringRef bytes, llvm::StringRef fileName,
                                                             const ImportOptions &options = {});

/// The bytes of a NIR file for a float network, fused or not. What NIR cannot say is emitted as diagnostics.
mlir::FailureOr<std::string> exportNir(snn::NetworkOp network);

/// The step that exported files are written for, which is also snnTorch's.
constexpr double kExportDt = 1e-4;

} // namespace lasnn::nir
