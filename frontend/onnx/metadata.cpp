#include "frontend/onnx/metadata.h"

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cmath>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

constexpr StringRef weightsKey = "lasnn.weights", unitKey = "lasnn.unit.";

/// All of the text is one number.
template <typename T> bool parseNumber(StringRef text, T &value) {
  text = text.trim();
  auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  return error == std::errc() && end == text.end();
}

struct Reader {
  Import &import;
  Location file;
  llvm::StringMap<std::string> entries;

  InFlightDiagnostic refuse(StringRef key, StringRef expected) {
    InFlightDiagnostic diag = import.error(file, "O12");
    diag << "metadata " << key << " is " << quoted(entries[key]) << ", expected " << expected;
    return diag;
  }
  std::vector<float> list(StringRef key) {
    std::vector<float> values;
    auto at = entries.find(key);
    if (at == entries.end()) return values;
    SmallVector<StringRef> words;
    StringRef(at->second).split(words, ',');
    for (StringRef word : words) {
      float value;
      if (!parseNumber(word, value) || !std::isfinite(value)) {
        refuse(key, "finite numbers with commas between");
        return {};
      }
      values.push_back(value);
    }
    return values;
  }
};

/// lasnn.weights (all layers), lasnn.weights.LAYER (that one) and lasnn.unit.LAYER. A layer without a unit leaves the
/// choice to the compiler.
void readTrained(Reader &reader, Settings &settings) {
  auto bitsOf = [&](StringRef key) {
    int bits = 0;
    StringRef word = reader.entries[key];
    if (word.consume_front("int") && parseNumber(word, bits) && bits >= 2 && bits <= 8) return bits;
    reader.refuse(key, "int2 to int8");
    return 8;
  };
  std::optional<int> all;
  if (reader.entries.contains(weightsKey)) all = bitsOf(weightsKey);
  for (StringRef key : reader.entries.keys()) {
    if (key.starts_with(unitKey)) {
      std::string layer = key.drop_front(unitKey.size()).str(), own = weightsKey.str() + "." + layer;
      Trained &trained = settings.trained[layer];
      trained.unit = reader.list(key);
      if (trained.unit.empty() || !llvm::all_of(trained.unit, [](float u) { return u > 0; }))
        reader.refuse(key, "positive numbers with commas between, one a channel or one for all");
      if (reader.entries.contains(own)) trained.weightBits = bitsOf(own);
      else if (all) trained.weightBits = *all;
      else reader.refuse(key, "lasnn.weights beside it");
    } else if (key.starts_with(weightsKey) && key != weightsKey) {
      std::string unit = unitKey.str() + key.drop_front(weightsKey.size() + 1).str();
      if (!reader.entries.contains(unit)) reader.refuse(key, unit + " beside it");
    }
  }
}

} // namespace

Settings readSettings(Import &import, Location file, const ImportOptions &options) {
  Reader reader{import, file, {}};
  for (const auto &entry : import.model->metadata_props()) {
    if (!StringRef(entry.key()).starts_with("lasnn.")) continue;
    if (!reader.entries.try_emplace(entry.key(), entry.value()).second)
      import.error(file, "O12") << "metadata " << quoted(entry.key()) << " is given twice, expected it once";
    static const StringRef known[] = {"lasnn.timesteps", "lasnn.encoding", "lasnn.readout", "lasnn.mean", "lasnn.std",
                                      "lasnn.layers", "lasnn.source", "lasnn.max_count"};
    StringRef key = entry.key();
    if (!llvm::is_contained(known, key) && !key.starts_with(weightsKey) && !key.starts_with(unitKey))
      import.warning(file, "O12") << "metadata " << quoted(entry.key()) << " is not known and ignored";
  }
  auto has = [&](StringRef key) { return reader.entries.contains(key); };
  auto integer = [&](StringRef key, StringRef expected, int64_t least, int64_t most) -> std::optional<int64_t> {
    int64_t value;
    if (parseNumber(reader.entries[key], value) && value >= least && value <= most) return value;
    reader.refuse(key, expected);
    return std::nullopt;
  };

  Settings settings;
  settings.timesteps = options.timesteps;
  if (options.timesteps && (*options.timesteps < 1 || *options.timesteps > 65535))
    import.error(file, "S1") << "timesteps is given as " << *options.timesteps << ", expected 1 to 65535";
  else if (!options.timesteps && has("lasnn.timesteps")) settings.timesteps = integer("lasnn.timesteps", "1 to 65535", 1, 65535).value_or(1);

  settings.readout = options.readout;
  if (!options.readout && has("lasnn.readout")) {
    settings.readout = snn::symbolizeReadoutMode(reader.entries["lasnn.readout"]);
    if (!settings.readout) reader.refuse("lasnn.readout", "mean, sum or last");
  }
  if (options.encoding) settings.encoding = *options.encoding;
  else if (has("lasnn.encoding")) {
    std::optional<snn::Encoding> encoding = snn::symbolizeEncoding(reader.entries["lasnn.encoding"]);
    if (!encoding) reader.refuse("lasnn.encoding", "direct or events");
    settings.encoding = encoding.value_or(snn::Encoding::Direct);
  }
  if (has("lasnn.max_count")) settings.maxCount = integer("lasnn.max_count", "1 to 255", 1, 255).value_or(1);

  settings.mean = options.mean ? *options.mean : reader.list("lasnn.mean");
  settings.std = options.std ? *options.std : reader.list("lasnn.std");
  for (float value : settings.mean)
    if (!std::isfinite(value)) import.error(file, "E1") << "a mean is not finite, expected finite values";
  for (float value : settings.std)
    if (!std::isfinite(value) || !(value > 0)) import.error(file, "E1") << "a std is " << value << ", expected a finite value above 0";

  readTrained(reader, settings);
  if (has("lasnn.layers")) {
    settings.layers.emplace();
    SmallVector<StringRef> words;
    StringRef(reader.entries["lasnn.layers"]).split(words, ',', -1, /*KeepEmpty=*/false);
    for (StringRef word : words) settings.layers->push_back(word.trim().str());
  }
  return settings;
}

} // namespace lasnn::onnx_import
