// lasnn-info: what an artefact or a model holds, without running it; two mappings beside each other.
#include "backends/loihi/report/diff.h"
#include "backends/loihi/report/json.h"
#include "backends/loihi/report/text.h"
#include "tools/common/cli.h"
#include "tools/common/loihi_device.h"
#include "tools/common/mapping_report.h"
#include "tools/common/model.h"
#include "tools/common/nir_flags.h"
#include "tools/common/samples.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

using namespace lasnn;
using namespace lasnn::tools;

namespace {

nlohmann::ordered_json shapeOf(mlir::Value value) {
  nlohmann::ordered_json shape = nlohmann::ordered_json::array();
  for (int64_t dim : snn::tensorType(value).getShape()) shape.push_back(dim);
  return shape;
}

size_t weightsOf(mlir::Operation *op) {
  size_t count = 0;
  op->walk([&](mlir::Operation *inner) {
    if (auto weight = inner->getAttrOfType<mlir::ElementsAttr>("weight")) count += weight.getNumElements();
  });
  return count;
}

/// What an operation costs at one step, were every input a spike: synapses are the connections, each counted where a weight serves many.
uint64_t synapsesOf(mlir::Operation *op) {
  uint64_t sum = 0;
  op->walk([&](mlir::Operation *inner) {
    auto weight = inner->getAttrOfType<mlir::ElementsAttr>("weight");
    if (!weight) return;
    const auto result = snn::tensorType(inner->getResult(0));
    sum += uint64_t(weight.getNumElements()) * uint64_t(result.getNumElements() / result.getDimSize(0)); // padding included
  });
  return sum;
}

/// Neurons, and the bytes of their membranes: f32 in float form.
void addNeurons(mlir::Operation *op, uint64_t &neurons, uint64_t &bytes) {
  op->walk([&](mlir::Operation *inner) {
    const snn::NeuronView neuron = snn::getNeuron(inner);
    if (!neuron) return;
    const uint64_t count = uint64_t(snn::tensorType(neuron.input).getNumElements());
    neurons += count;
    bytes +=
        count * (neuron.decay || !snn::tensorType(neuron.input).getElementType().isF32() ? uint64_t(neuron.stateBits == 16 ? 2 : 4) : 4);
  });
}

uint64_t parametersOf(mlir::Operation *op) {
  uint64_t count = 0;
  op->walk([&](mlir::Operation *inner) {
    for (const char *name : {"weight", "bias", "v_threshold", "rho", "v_reset", "gamma", "beta", "mean", "variance"})
      if (auto values = inner->getAttrOfType<mlir::DenseIntOrFPElementsAttr>(name)) count += uint64_t(values.getNumElements());
  });
  return count;
}

std::string quotedDot(const std::string &text) {
  std::string out = "\"";
  for (char c : text)
    out += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? std::string(" ") : std::string(1, c);
  return out + "\"";
}

/// The network for Graphviz: operations in order, what flows between them on the edges, feedback dashed.
std::string toDot(Model &model) {
  std::string text = fmt::format("digraph {} {{\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"Helvetica\", fontsize=11];\n  "
                                 "edge [fontname=\"Helvetica\", fontsize=9];\n",
                                 quotedDot(model.network.getSymName().str()));
  std::map<mlir::Operation *, size_t> index;
  const auto order = snn::executionOrder(model.network);
  for (size_t i = 0; i < order.size(); ++i)
    index[order[i]] = i;
  for (size_t i = 0; i < order.size(); ++i) {
    uint64_t neurons = 0, bytes = 0;
    addNeurons(order[i], neurons, bytes);
    const uint64_t weights = weightsOf(order[i]);
    std::string label = snn::nameOf(order[i]) + "\\n" + order[i]->getName().stripDialect().str();
    if (neurons) label += fmt::format(", {} neurons", neurons);
    if (weights) label += fmt::format(", {} weights", weights);
    std::string escaped = quotedDot(label);
    for (size_t at = escaped.find("\\\\n"); at != std::string::npos; at = escaped.find("\\\\n", at))
      escaped.erase(at, 1);
    text += fmt::format("  n{} [label={}];\n", i, escaped);
    for (mlir::Value operand : order[i]->getOperands())
      if (mlir::Operation *from = operand.getDefiningOp()) {
        std::string shape;
        for (int64_t dim : snn::tensorType(operand).getShape())
          shape += (shape.empty() ? "" : "x") + std::to_string(dim);
        text += fmt::format("  n{} -> n{} [label=\"{}\"{}];\n", index[from], i, shape,
                            index[from] >= i ? ", style=dashed, constraint=false" : "");
      }
  }
  return text + "}\n";
}

/// Graphviz draws it; the error says what to install.
llvm::Error writeSvg(const std::string &dot, const std::string &path) {
  auto program = llvm::sys::findProgramByName("dot");
  if (!program)
    return llvm::createStringError("--svg needs Graphviz's 'dot' (Debian: graphviz), which is not here; --dot prints what it would draw");
  llvm::SmallString<128> in, out;
  if (llvm::sys::fs::createTemporaryFile("lasnn", "dot", in) || llvm::sys::fs::createTemporaryFile("lasnn", "svg", out))
    return llvm::createStringError("no temporary file can be made");
  const llvm::FileRemover removeIn(in), removeOut(out);
  if (llvm::Error error = writeFile(in.str().str(), dot)) return error;
  std::string why;
  const std::string to = "-o" + out.str().str();
  if (llvm::sys::ExecuteAndWait(*program, {"dot", "-Tsvg", to, in.str()}, std::nullopt, {}, 60, 0, &why) != 0)
    return llvm::createStringError("dot failed: " + why);
  auto drawn = llvm::MemoryBuffer::getFile(out);
  if (!drawn) return llvm::createStringError("dot wrote nothing: " + drawn.getError().message());
  return writeFile(path, (*drawn)->getBuffer());
}

nlohmann::ordered_json describe(Model &model) {
  nlohmann::ordered_json json;
  json["file"] = model.path;
  json["kind"] = model.kind == Model::Kind::Lasnn ? "lasnn" : model.kind == Model::Kind::Onnx ? "onnx" : model.kind == Model::Kind::Nir ? "nir" : "mlir";
  json["bytes"] = model.bytes.size;
  json["sha256"] = model.sha256;
  if (model.kind == Model::Kind::Lasnn) {
    const format::FileContents &c = model.contents;
    json["content_hash"] = fmt::format("{:016x}", c.content_hash);
    json["targets"] = nlohmann::ordered_json::array();
    if (c.x86) json["targets"].push_back("x86");
    if (c.cuda) json["targets"].push_back("cuda");
    json["provenance"] = {{"tool", std::string(c.tool)}, {"options", std::string(c.options)}, {"source", std::string(c.source_name)},
                          {"source_sha256", std::string(c.source_sha256)}, {"calibration", std::string(c.calibration)}};
  }
  json["network"] = model.network.getSymName().str();
  json["form"] = model.network.isInteger() ? "integer" : "float";
  json["timesteps"] = uint64_t(model.network.getTimesteps());
  size_t weights = 0;
  uint64_t parameters = 0, neurons = 0, synapses = 0, stateBytes = 0;
  const bool integer = model.network.isInteger();
  json["operations"] = nlohmann::ordered_json::array();
  for (mlir::Operation *op : snn::executionOrder(model.network)) {
    size_t own = weightsOf(op);
    weights += own;
    nlohmann::ordered_json entry{{"op", op->getName().stripDialect().str()}, {"name", snn::nameOf(op)}};
    if (op->getNumResults()) entry["shape"] = shapeOf(op->getResult(0));
    if (own) entry["weights"] = own;
    uint64_t ownNeurons = 0;
    addNeurons(op, ownNeurons, stateBytes);
    if (ownNeurons) entry["neurons"] = ownNeurons;
    if (const uint64_t connections = synapsesOf(op)) entry["synapses"] = connections;
    parameters += parametersOf(op), neurons += ownNeurons, synapses += synapsesOf(op);
    json["operations"].push_back(std::move(entry));
  }
  json["weights"] = weights;
  json["parameters"] = parameters;
  json["neurons"] = neurons;
  json["synapses"] = synapses;
  json["macs"] = synapses * uint64_t(model.network.getTimesteps()); // of a sample, done densely: what events save is the share of silence
  json["memory"] = {{"weight_bytes", weights * (integer ? 1 : 4)},
                    {"state_bytes", stateBytes}}; // a weight as a byte; kernels pack narrower ones
  return json;
}

/// What samples make of it: each layer's spikes a neuron and step, and the weights that meet a spike in a sample (integer form).
llvm::Error measure(const std::string &tool, Model &model, const std::string &spec, size_t limit, nlohmann::ordered_json &json) {
  data::LoadOptions options;
  options.limit = limit;
  auto set = lasnn::loadSamples(model.network, spec, "test", options);
  if (!set) return set.takeError();
  printNotes(tool, *set);
  auto device = makeInterpreter(model.network);
  if (!device) return device.takeError();
  if ((*device)->inputSize() != set->imageBytes())
    return llvm::createStringError(fmt::format("a sample of {} has {} bytes, the network takes {}; use the data set that it was trained on",
                                               set->name, set->imageBytes(), (*device)->inputSize()));
  Output output;
  for (size_t i = 0; i < set->count; ++i)
    if (llvm::Error error = (*device)->run(set->image(i), output)) return error;
  json["measured"] = {{"data", spec}, {"samples", set->count}, {"layers", nlohmann::ordered_json::array()}};
  double all = 0;
  for (const LayerStats &layer : (*device)->stats()) {
    nlohmann::ordered_json one{{"name", layer.name}, {"spike_rate", layer.rate()}};
    if (model.network.isInteger())
      one["synaptic_operations"] = double(layer.synops) / double(std::max<size_t>(1, set->count)), all += double(layer.synops);
    json["measured"]["layers"].push_back(std::move(one));
  }
  if (model.network.isInteger()) json["measured"]["synaptic_operations"] = all / double(std::max<size_t>(1, set->count));
  return llvm::Error::success();
}

llvm::Expected<loihi::report::Data> reportOn(const std::string &path) {
  auto bytes = readFile(path);
  if (!bytes) return bytes.takeError();
  auto read = readMapping(*bytes, path);
  if (!read) return read.takeError();
  return loihi::report::collect(read->mapping, read->chip, read->checked);
}

/// The whole report of a mapping; a broken limit is a failure.
int tellMapping(const std::string &tool, const std::string &path, const std::string &folder, bool json) {
  auto data = reportOn(path);
  if (!data) return fail(tool, data.takeError());
  if (!folder.empty())
    if (llvm::Error error = writeReports(*data, folder)) return fail(tool, std::move(error));
  fmt::print("{}", json ? toJson(*data).dump(2) + "\n" : toText(*data));
  return data->header.fits ? kOk : kFailed;
}

int tellDifference(const std::string &tool, const std::string &a, const std::string &b, bool json) {
  auto first = reportOn(a), second = reportOn(b);
  if (!first || !second) return fail(tool, llvm::joinErrors(first.takeError(), second.takeError()));
  const loihi::report::Difference difference = loihi::report::difference(*first, *second);
  fmt::print("{}", json ? toJson(difference).dump(2) + "\n" : toText(difference, a, b));
  return kOk;
}

} // namespace

int main(int argc, char **argv) {
  const std::string tool = "lasnn-info";
  CLI::App app{"Say what a model or an artefact holds."};
  std::string path, folder, svg, data;
  size_t limit = 64;
  std::vector<std::string> diff;
  bool json = false, dot = false;
  LoadOptions import;
  setUp(app, tool);
  app.add_option("model", path, ".lasnn, .lmap, .onnx, .nir or .mlir; - is stdin");
  app.add_option("--diff", diff, "two .lmap files: what differs between the mappings")->expected(2)->type_name("A B");
  app.add_option("--report", folder, "of an .lmap: folder for report.html, .txt, .json, cores.csv, links.csv");
  app.add_option("--timesteps", import.timesteps, "T, for a source model that does not say");
  app.add_option("--data", data, "SET:DIR: measure spike rates and synaptic operations of a sample on it, test split");
  app.add_option("--limit", limit, "samples of that set; 0: all");
  app.add_flag("--dot", dot, "print the network as a graph for Graphviz");
  app.add_option("--svg", svg, "draw it to FILE, with Graphviz's dot; - is stdout")->type_name("FILE");
  addNirFlags(app, import.nir);
  app.add_flag("--json", json, "print one JSON object on stdout");
  LASNN_PARSE(app, argc, argv)

  if (path.empty() == diff.empty()) return fail(tool, "expected either a model or --diff A B"), kUsage;
  if ((dot || !svg.empty()) && (json || !diff.empty())) return fail(tool, "--dot and --svg go with a model alone"), kUsage;
  if (!diff.empty()) return tellDifference(tool, diff[0], diff[1], json);
  auto bytes = readFile(path);
  if (!bytes) return fail(tool, bytes.takeError());
  if (isMapping(*bytes) && (dot || !svg.empty()))
    return fail(tool, fmt::format("'{}' is a mapping, which is no graph of layers; draw the model that it was made from", path));
  if (isMapping(*bytes)) return tellMapping(tool, path, folder, json);
  if (!folder.empty()) return fail(tool, fmt::format("--report: '{}' is no .lmap", path));

  auto context = makeContext();
  DiagnosticPrinter printer(*context, path);
  auto model = loadModel(*context, path, std::move(*bytes), import);
  if (!model) return fail(tool, model.takeError());
  if (dot || !svg.empty()) {
    const std::string graph = toDot(*model);
    if (dot) fmt::print("{}", graph);
    if (!svg.empty())
      if (llvm::Error error = writeSvg(graph, svg)) return fail(tool, std::move(error));
    return kOk;
  }
  nlohmann::ordered_json info = describe(*model);
  if (!data.empty())
    if (llvm::Error error = measure(tool, *model, data, limit, info)) return fail(tool, std::move(error));
  if (json) {
    fmt::print("{}\n", info.dump(2));
    return kOk;
  }
  for (auto &[key, value] : info.items()) {
    if (key == "operations" || key == "provenance" || key == "measured") continue;
    fmt::print("{:<16} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (info.contains("provenance"))
    for (auto &[key, value] : info["provenance"].items()) fmt::print("{:<16} {}\n", key, value.get<std::string>());
  for (auto &op : info["operations"])
    fmt::print("  {:<12} {:<28} {:<14} {}{}{}\n", op["op"].get<std::string>(), op["name"].get<std::string>(),
               op.contains("shape") ? op["shape"].dump() : "", op.contains("weights") ? op["weights"].dump() + " weights" : "",
               op.contains("synapses") ? ", " + op["synapses"].dump() + " synapses" : "",
               op.contains("neurons") ? (op.contains("weights") ? ", " : "") + op["neurons"].dump() + " neurons" : "");
  if (!info.contains("measured")) return kOk;
  fmt::print("measured on {} samples\n", info["measured"]["samples"].get<size_t>());
  for (auto &layer : info["measured"]["layers"])
    fmt::print("  {:<28} rate {:6.2f} %{}\n", layer["name"].get<std::string>(), 100 * layer["spike_rate"].get<double>(),
               layer.contains("synaptic_operations")
                   ? fmt::format(", {:.0f} synaptic operations a sample", layer["synaptic_operations"].get<double>())
                   : "");
  return kOk;
}
