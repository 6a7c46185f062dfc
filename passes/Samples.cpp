#include "passes/Samples.h"

#include "llvm/Support/FormatVariadic.h"

namespace lasnn {

llvm::Expected<data::Dataset> loadSamples(snn::NetworkOp network, const std::string &spec, const std::string &split, data::LoadOptions options) {
  bool events = false;
  network.walk([&](snn::EncodeOp encode) {
    if (encode.getEncoding() != snn::Encoding::Events) return;
    events = true;
    options.frames = uint32_t(network.getTimesteps());
    options.maxCount = uint32_t(encode.getMaxCount());
  });
  std::string error;
  auto set = data::load(spec, split, options, error);
  if (!set) return llvm::createStringError(error);
  if (set->events == events) return std::move(*set);
  return llvm::createStringError(
      events ? llvm::formatv("rule E3: the network takes {0} frames of spike counts, {1} holds images; give a set of events (nmnist, dvs-gesture)",
                             network.getTimesteps(), set->name).str()
             : llvm::formatv("rule E1: the network takes images, {0} holds events; give the set that it was trained on", set->name).str());
}

} // namespace lasnn
