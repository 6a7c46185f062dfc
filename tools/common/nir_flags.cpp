#include "tools/common/nir_flags.h"

namespace lasnn::tools {

void addNirFlags(CLI::App &app, nir::Conventions &c) {
  const std::string group = "What NIR files leave open (docs/nir.md)";
  app.add_option_function<std::string>(
         "--nir-dialect", [&c](const std::string &name) { c.writer = nir::Writer(llvm::find(nir::kWriters, name) - nir::kWriters); },
         "whose convention the file follows; auto: from its numbers, where they decide it")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(nir::kWriters), std::end(nir::kWriters))))
      ->group(group);
  app.add_option("--dt", c.dt, "seconds a step")->group(group);
  app.add_option_function<std::string>(
         "--reset", [&c](const std::string &name) { c.reset = name == "zero" ? snn::Reset::Zero : snn::Reset::Subtract; },
         "zero: to v_reset; subtract: by the threshold")
      ->check(CLI::IsMember({"zero", "subtract"}))
      ->group(group);
  app.add_option_function<std::string>(
         "--spike-cmp", [&c](const std::string &name) { c.compare = name == "gt" ? snn::Compare::Gt : snn::Compare::Ge; },
         "a neuron fires above its threshold, or at it too")
      ->check(CLI::IsMember({"gt", "ge"}))
      ->group(group);
  app.add_option_function<int64_t>(
         "--multi-spike", [&c](const int64_t &most) { c.multiSpike = most; },
         "the most spikes of a neuron in one step; needs --reset=subtract")
      ->check(CLI::Range(1, 255))
      ->group(group);
  app.add_option("--v-min", c.vMin, "no membrane falls below it; at most 0")->group(group);
}

llvm::Expected<std::string> exportAsNir(snn::NetworkOp network) {
#ifdef LASNN_NIR
  auto bytes = nir::exportNir(network);
  if (mlir::failed(bytes))
    return llvm::createStringError("the network cannot be written as NIR, for the reasons above; nothing was written");
  return std::move(*bytes);
#else
  (void)network;
  return llvm::createStringError("--emit=nir: this build was made without HDF5 (Debian: libhdf5-dev)");
#endif
}

} // namespace lasnn::tools
