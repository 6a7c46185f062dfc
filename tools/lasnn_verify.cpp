// lasnn-verify: proof that what runs is what was trained, link by link on real data:
//   source -> imported   an ONNX runtime that knows nothing of us, beside the imported network in the interpreter
//   imported -> float    folding and fusing
//   float -> integer     what quantization changed (reported, judged by accuracy)
//   integer -> target    the interpreter against every ISA, the GPU or the simulated chip, to the bit
#include "tools/common/cli.h"
#include "tools/common/samples.h"
#include "tools/common/nir_flags.h"
#include "tools/verify/prepare.h"
#include "tools/verify/report.h"

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>

using namespace lasnn;
using namespace lasnn::tools;

int main(int argc, char **argv) {
  const std::string tool = "lasnn-verify";
  CLI::App app{"Prove that an artefact computes what its source model computes; exit 0 when proved, 1 when not."};
  verify::Request o;
  std::string report, html, readout, encoding;
  std::vector<float> mean, deviation;
  double spikeDifference = 0;
  bool json = false;
  setUp(app, tool);
  app.add_option("model", o.model, "the source: .onnx or .mlir, float")->required();
  app.add_option("artefacts", o.artefacts, ".lasnn and .lmap files; none: compile for x86 in memory and verify that");
  app.add_option("--data", o.data, "data set as SET:DIR, for some sets with ?key=value&... behind; SET: " + data::knownSets())->required();
  app.add_option("--split", o.split, "train or test")->check(CLI::IsMember({"train", "test"}));
  app.add_option("--limit", o.limit, "use the first N images; 0: all");
  addDataFlags(app, o.skipCorrupt, o.checksums);
  app.add_option("--source-runner", o.runner,
                 "who runs the source. auto: $LASNN_PYTHON or python3, if it has onnxruntime or onnx; interp: our interpreter alone; else "
                 "a Python to start, which then must do it");
  app.add_option("--calib", o.calib, "of an .lmap that was compiled with calibration: the same set, as SET:DIR");
  app.add_option("--timesteps", o.import.timesteps, "T; overrides the model's own");
  app.add_option("--mean", mean, "input mean per channel, of pixel/255; overrides the model's own")->delimiter(',');
  app.add_option("--std", deviation, "input standard deviation per channel")->delimiter(',');
  app.add_option("--readout", readout, "how the steps' outputs combine")->check(CLI::IsMember({"sum", "mean", "last"}));
  app.add_option("--encoding", encoding, "how the input is driven")->check(CLI::IsMember({"direct", "events"}));
  addNirFlags(app, o.import.nir);
  app.add_option("--max-accuracy-loss,--max-drop", o.limits.accuracyLoss, "points of accuracy that quantization may cost");
  CLI::Option *difference = app.add_option("--max-spike-difference", spikeDifference,
                                           "percent of a layer's spike slots that quantization may move; not asked unless given")
                                ->check(CLI::Range(0.0, 100.0));
  app.add_option("--float-tolerance", o.limits.floatTolerance,
                 "share of a layer's spikes that may move between float networks where rounding does not explain it");
  app.add_option("--report", report, "folder for verify.json and verify.html");
  app.add_option("--html", html, "write the page alone to FILE; - is stdout")->type_name("FILE");
  app.add_flag("--json", json, "print one JSON object on stdout (docs/verify.schema.json)");
  LASNN_PARSE(app, argc, argv)

  if (json && html == "-") return fail(tool, "--json and --html=- both write to stdout; give --html a file"), kUsage;
  if (!readout.empty()) o.import.readout = snn::symbolizeReadoutMode(readout);
  if (!encoding.empty()) o.import.encoding = snn::symbolizeEncoding(encoding);
  if (!mean.empty()) o.import.mean = mean;
  if (!deviation.empty()) o.import.std = deviation;
  if (difference->count()) o.limits.spikeDifference = spikeDifference;

  verify::Prepared prepared;
  if (llvm::Error error = verify::prepare(tool, o, prepared)) return fail(tool, std::move(error));
  if (llvm::Error error = verify::run(prepared.plan, prepared.set)) return fail(tool, std::move(error));
  const verify::Result &result = prepared.plan.result;
  const std::string object = verify::toJson(result).dump(2) + "\n";
  if (html != "-") fmt::print("{}", json ? object : verify::toText(result));
  if (!html.empty())
    if (llvm::Error error = writeFile(html, verify::toHtml(result))) return fail(tool, std::move(error));
  if (!report.empty()) {
    if (std::error_code code = llvm::sys::fs::create_directories(report))
      return fail(tool, fmt::format("cannot make the folder '{}': {}", report, code.message()));
    if (llvm::Error error = writeFile(report + "/verify.json", object)) return fail(tool, std::move(error));
    if (llvm::Error error = writeFile(report + "/verify.html", verify::toHtml(result))) return fail(tool, std::move(error));
  }
  return result.proved() ? kOk : kFailed;
}
