// lasnn-info: what an artefact or a model holds, without running it; two mappings beside each other.
#include "backends/loihi/report/diff.h"
#include "backends/loihi/report/json.h"
#include "backends/loihi/report/text.h"
#include "tools/common/cli.h"
#include "tools/common/loihi_device.h"
#include "tools/common/mapping_report.h"
#include "tools/common/model.h"
#include "tools/common/nir_flags.h"

#include <fmt/format.h>
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
  json["operations"] = nlohmann::ordered_json::array();
  for (mlir::Operation *op : snn::executionOrder(model.network)) {
    size_t own = weightsOf(op);
    weights += own;
    nlohmann::ordered_json entry{{"op", op->getName().stripDialect().str()}, {"name", snn::nameOf(op)}};
    if (op->getNumResults()) entry["shape"] = shapeOf(op->getResult(0));
    if (own) entry["weights"] = own;
    json["operations"].push_back(std::move(entry));
  }
  json["weights"] = weights;
  return json;
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
  std::string path, folder;
  std::vector<std::string> diff;
  bool json = false;
  LoadOptions import;
  setUp(app, tool);
  app.add_option("model", path, ".lasnn, .lmap, .onnx, .nir or .mlir; - is stdin");
  app.add_option("--diff", diff, "two .lmap files: what differs between the mappings")->expected(2)->type_name("A B");
  app.add_option("--report", folder, "of an .lmap: folder for report.html, .txt, .json, cores.csv, links.csv");
  app.add_option("--timesteps", import.timesteps, "T, for a source model that does not say");
  addNirFlags(app, import.nir);
  app.add_flag("--json", json, "print one JSON object on stdout");
  LASNN_PARSE(app, argc, argv)

  if (path.empty() == diff.empty()) return fail(tool, "expected either a model or --diff A B"), kUsage;
  if (!diff.empty()) return tellDifference(tool, diff[0], diff[1], json);
  auto bytes = readFile(path);
  if (!bytes) return fail(tool, bytes.takeError());
  if (isMapping(*bytes)) return tellMapping(tool, path, folder, json);
  if (!folder.empty()) return fail(tool, fmt::format("--report: '{}' is no .lmap", path));

  auto context = makeContext();
  DiagnosticPrinter printer(*context, path);
  auto model = loadModel(*context, path, std::move(*bytes), import);
  if (!model) return fail(tool, model.takeError());
  nlohmann::ordered_json info = describe(*model);
  if (json) {
    fmt::print("{}\n", info.dump(2));
    return kOk;
  }
  for (auto &[key, value] : info.items()) {
    if (key == "operations" || key == "provenance") continue;
    fmt::print("{:<16} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (info.contains("provenance"))
    for (auto &[key, value] : info["provenance"].items()) fmt::print("{:<16} {}\n", key, value.get<std::string>());
  for (auto &op : info["operations"])
    fmt::print("  {:<12} {:<28} {:<14} {}\n", op["op"].get<std::string>(), op["name"].get<std::string>(),
               op.contains("shape") ? op["shape"].dump() : "", op.contains("weights") ? op["weights"].dump() + " weights" : "");
  return kOk;
}
