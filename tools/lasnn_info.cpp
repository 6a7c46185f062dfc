// lasnn-info: what an artefact or a model holds, without running it.
#include "tools/common/cli.h"
#include "tools/common/model.h"

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
  json["kind"] = model.kind == Model::Kind::Lasnn ? "lasnn" : model.kind == Model::Kind::Onnx ? "onnx" : "mlir";
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

} // namespace

int main(int argc, char **argv) {
  const std::string tool = "lasnn-info";
  CLI::App app{"Say what a model or an artefact holds."};
  std::string path;
  bool json = false;
  onnx_import::ImportOptions import;
  setUp(app, tool);
  app.add_option("model", path, ".lasnn, .onnx or .mlir; - is stdin")->required();
  app.add_option("--timesteps", import.timesteps, "T, for a source model that does not say");
  app.add_flag("--json", json, "print one JSON object on stdout");
  LASNN_PARSE(app, argc, argv)

  auto context = makeContext();
  DiagnosticPrinter printer(*context, path);
  auto model = loadModel(*context, path, import);
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
