#include "backends/backend.h"

namespace lasnn {

#include "backends/registry.inc"

llvm::ArrayRef<std::unique_ptr<Backend>> backends() {
  static const std::vector<std::unique_ptr<Backend>> all = [] {
    std::vector<std::unique_ptr<Backend>> list;
    registerAll(list);
    return list;
  }();
  return all;
}

const Backend *findBackend(llvm::StringRef name) {
  for (const std::unique_ptr<Backend> &backend : backends())
    if (backend->name() == name) return backend.get();
  return nullptr;
}

Target findTarget(llvm::StringRef text) {
  const auto [name, variant] = text.split(':');
  if (const Backend *backend = findBackend(name)) return {backend, variant.str()};
  for (const std::unique_ptr<Backend> &backend : backends())
    if (backend->takes(text)) return {backend.get(), text.str()};
  return {};
}

} // namespace lasnn
