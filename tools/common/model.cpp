#include "tools/common/model.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SHA256.h"

#include <fmt/format.h>

using namespace mlir;

namespace lasnn::tools {

std::unique_ptr<MLIRContext> makeContext() {
  auto context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->loadDialect<snn::SnnDialect>();
  context->printOpOnDiagnostic(false); // an operation prints its weights
  return context;
}

ModelBytes alignedCopy(StringRef text) {
  ModelBytes bytes;
  bytes.size = text.size();
  const size_t padded = (text.size() + 64) / 64 * 64;
  bytes.data.reset(static_cast<uint8_t *>(std::aligned_alloc(64, padded)));
  std::memcpy(bytes.data.get(), text.data(), text.size());
  std::memset(bytes.data.get() + text.size(), 0, padded - text.size()); // MLIR's parser looks for the 0 behind its text
  return bytes;
}

llvm::Expected<ModelBytes> readFile(const std::string &path) {
  if (path != "-" && llvm::sys::fs::is_directory(path))
    return llvm::createStringError(fmt::format("cannot read '{}': it is a folder, expected a model file", path));
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) return llvm::createStringError(fmt::format("cannot read '{}': {}", path, buffer.getError().message()));
  return alignedCopy((*buffer)->getBuffer());
}

static bool isMlir(StringRef text) { return text.starts_with("ML\xefR") || text.contains("snn.network"); }

llvm::Expected<Model> loadModel(MLIRContext &context, const std::string &path, const LoadOptions &options) {
  auto bytes = readFile(path);
  if (!bytes) return bytes.takeError();
  return loadModel(context, path, std::move(*bytes), options);
}

llvm::Expected<Model> loadModel(MLIRContext &context, const std::string &path, ModelBytes bytes, const LoadOptions &options) {
  Model model;
  model.path = path;
  model.bytes = std::move(bytes);
  auto digest = llvm::SHA256::hash({model.bytes.data.get(), model.bytes.size});
  model.sha256 = llvm::toHex(ArrayRef<uint8_t>(digest), /*LowerCase=*/true);
  StringRef text = model.bytes.text();
  std::string name = path == "-" ? "stdin" : path;

  if (text.empty()) return llvm::createStringError(fmt::format("'{}' is empty, expected an ONNX, NIR, MLIR or .lasnn model", name));
  ParserConfig config(&context, /*verifyAfterParse=*/true);
  if (text.starts_with("LASNNMAP")) return llvm::createStringError(fmt::format("'{}' is a network mapped onto a chip (.lmap), expected a model; lasnn-run runs mappings, lasnn-verify MODEL MAPPING proves them", name));
  if (text.starts_with("LASNN")) {
    model.kind = Model::Kind::Lasnn;
    char error[512] = "";
    if (format::readContents(model.bytes.data.get(), model.bytes.size, model.contents, error, sizeof error) != LASNN_OK)
      return llvm::createStringError(fmt::format("'{}': {}", name, error));
    StringRef ir(reinterpret_cast<const char *>(model.contents.ir), model.contents.ir_size);
    model.module = parseSourceString<ModuleOp>(ir, config);
  } else if (text.starts_with(StringRef("\x89HDF\r\n\x1a\n", 8))) {
#ifdef LASNN_NIR
    model.kind = Model::Kind::Nir;
    nir::ImportOptions own{options.timesteps, options.mean, options.std, options.readout, options.encoding, options.networkName, options.nir};
    auto imported = nir::importNir(context, text, name, own);
    if (succeeded(imported)) model.module = std::move(*imported);
#else
    return llvm::createStringError(fmt::format("'{}' is an HDF5 (NIR) file, which this build cannot read: it was made without HDF5 (Debian: libhdf5-dev)", name));
#endif
  } else if (isMlir(text)) {
    model.kind = Model::Kind::Mlir;
    model.module = parseSourceString<ModuleOp>(text, config, name);
  } else {
    auto imported = onnx_import::importOnnx(context, text, name, options);
    if (succeeded(imported)) model.module = std::move(*imported);
  }
  if (!model.module) return llvm::createStringError(fmt::format("'{}' was refused, for the reasons above", name));
  auto networks = model.module->getOps<snn::NetworkOp>();
  if (std::distance(networks.begin(), networks.end()) != 1)
    return llvm::createStringError(fmt::format("'{}' holds {} networks, expected 1", name, std::distance(networks.begin(), networks.end())));
  model.network = *networks.begin();
  return model;
}

} // namespace lasnn::tools
