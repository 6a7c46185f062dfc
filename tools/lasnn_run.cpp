// lasnn-run: a compiled network (or, on the interpreter, any model) over a data set.
#include "tools/common/cli.h"
#include "tools/common/loihi_device.h"
#include "tools/common/mapping_report.h"
#include "tools/common/model.h"
#include "tools/common/nir_flags.h"
#include "tools/common/samples.h"
#include "tools/common/sweep.h"

#include <fmt/format.h>

using namespace lasnn;
using namespace lasnn::tools;

int main(int argc, char **argv) {
  const std::string tool = "lasnn-run";
  CLI::App app{"Run a network over a data set and report accuracy, latency, spike rates and the digest of its outputs."};
  std::string path, spec, split = "test", device = "auto", isa = "auto", folder;
  data::LoadOptions options;
  size_t threads = 1, batch = 1;
  bool json = false, profile = false;
  LoadOptions import;
  std::string readout, encoding;
  setUp(app, tool);
  app.add_option("artefact", path, ".lasnn or .lmap; with --device=interp also .onnx, .nir and .mlir; - is stdin")->required();
  app.add_option("--data", spec, "data set as SET:DIR, for some sets with ?key=value&... behind; SET: " + data::knownSets())->required();
  app.add_option("--split", split, "train or test")->check(CLI::IsMember({"train", "test"}));
  app.add_option("--limit", options.limit, "use the first N images; 0: all");
  addDataFlags(app, options.skipCorrupt, options.checksums);
  app.add_option("--device", device, "auto: what the file was compiled for, else interp; it says which. loihi: the simulator of a mapped chip")
      ->check(CLI::IsMember({"auto", "interp", "x86", "cuda", "loihi"}));
  app.add_option("--isa", isa, "kernels of the x86 device; LASNN_ISA in the environment overrides auto")
      ->check(CLI::IsMember({"auto", "scalar", "avx2", "avx512"}));
  app.add_option("--threads", threads, "images side by side")->check(CLI::Range(size_t(1), size_t(256)));
  app.add_option("--batch", batch, "images at a time, on a GPU; latency is then a batch's")->check(CLI::Range(size_t(1), size_t(1) << 20));
  app.add_option("--timesteps", import.timesteps, "T, for a source model; overrides the file");
  app.add_option("--readout", readout, "how per-step outputs combine, for a source model")->check(CLI::IsMember({"sum", "mean", "last"}));
  app.add_option("--encoding", encoding, "how the input of a source model is driven")->check(CLI::IsMember({"direct", "events"}));
  addNirFlags(app, import.nir);
  app.add_flag("--profile", profile, "print synaptic operations and clips by layer; on a mapped chip also the cores that steps wait for");
  app.add_option("--report", folder, "of a mapped chip: folder for report.html, .txt, .json, cores.csv, links.csv, with what was simulated");
  app.add_flag("--json", json, "print one JSON object on stdout");
  LASNN_PARSE(app, argc, argv)
  if (!readout.empty()) import.readout = snn::symbolizeReadoutMode(readout);
  if (!encoding.empty()) import.encoding = snn::symbolizeEncoding(encoding);

  auto context = makeContext();
  DiagnosticPrinter printer(*context, path);
  auto bytes = readFile(path);
  if (!bytes) return fail(tool, bytes.takeError());
  std::shared_ptr<ChipRuns> chip; // of a mapping
  CheckedMapping mapping;         // with --report
  Model loaded;
  if (isMapping(*bytes)) {
    if (device != "auto" && device != "loihi") return fail(tool, fmt::format("'{}' is a network mapped onto a chip, which --device={} cannot run; leave it away", path, device));
    auto runs = loadMapping(*bytes, path);
    if (!runs) return fail(tool, runs.takeError());
    chip = std::move(*runs), device = "loihi";
    if (!folder.empty()) {
      auto read = readMapping(*bytes, path);
      if (!read) return fail(tool, read.takeError());
      mapping = std::move(*read);
    }
  } else if (device == "loihi") {
    return fail(tool, fmt::format("'{}' is no .lmap, which --device=loihi needs; compile it with lasnn-compile --target=loihi1", path));
  } else {
    auto model = loadModel(*context, path, std::move(*bytes), import);
    if (!model) return fail(tool, model.takeError());
    loaded = std::move(*model);
  }
  Model *const model = &loaded;
  if (device == "auto") {
    const bool artefact = model->kind == Model::Kind::Lasnn;
    device = !artefact ? "interp" : model->contents.x86 ? "x86" : "cuda";
    fmt::print(stderr, "{}: device {}: {}\n", tool, device, artefact ? "what the file was compiled for" : "the only one that runs a source model");
  }
  if (!chip && device != "interp" && (model->kind != Model::Kind::Lasnn || !(device == "x86" ? model->contents.x86 : model->contents.cuda)))
    return fail(tool, fmt::format("'{}' {}, which --device={} needs; compile it with lasnn-compile --target={}", path,
                                  model->kind == Model::Kind::Lasnn ? "was compiled for another target" : "is no .lasnn", device, device));
  if (batch > 1 && device != "cuda") return fail(tool, fmt::format("--batch={}: device {} takes one image at a time; try --threads", batch, device));

  if (!folder.empty() && !chip) return fail(tool, fmt::format("--report: '{}' is no .lmap", path));
  auto set = chip ? loadSamples(*chip, spec, split, options) : loadSamples(model->network, spec, split, options);
  if (!set) return fail(tool, set.takeError());
  printNotes(tool, *set);
  DeviceFactory make = [&](const Device *beside) -> llvm::Expected<std::unique_ptr<Device>> {
    if (chip) return makeLoihi(chip);
    if (device == "x86") return makeX86(model->bytes.data.get(), model->bytes.size, isa);
    if (device == "cuda") return makeCuda(model->bytes.data.get(), model->bytes.size, std::min(batch, std::max<size_t>(1, set->count)), false, beside);
    return makeInterpreter(model->network);
  };
  auto result = sweep(make, *set, unsigned(threads));
  if (!result) return fail(tool, result.takeError());

  if (!folder.empty()) {
    loihi::report::CollectOptions collected;
    collected.simulated.statistics = &chip->statistics, collected.simulated.links = chip->links;
    collected.simulated.verification.what = fmt::format("simulation of {} {}", set->name, split);
    collected.simulated.verification.samples = result->images;
    collected.simulated.verification.accuracy_mapping = 100.0 * double(result->correct) / double(std::max<size_t>(1, result->images));
    if (llvm::Error error = writeReports(collect(mapping.mapping, mapping.chip, mapping.checked, collected), folder)) return fail(tool, std::move(error));
  }
  nlohmann::ordered_json report = toJson(*result);
  if (chip) report["chip"] = toJson(*chip);
  if (json) {
    fmt::print("{}\n", report.dump(2));
    return kOk;
  }
  fmt::print("device      {} {}\nimages      {}\ntop-1       {:.2f} %\nlatency     p50 {:.1f} us, p90 {:.1f} us, p99 {:.1f} us\nthroughput  {:.0f} images/s\n",
             result->device, result->isa, result->images, report["top1"].get<double>(), result->percentile(.5),
             result->percentile(.9), result->percentile(.99), report["images_per_s"].get<double>());
  if (result->integer) fmt::print("digest      {}\n", hex(result->digest));
  fmt::print("spike rate  {:.2f} %\n", 100 * report["spike_rate"].get<double>());
  for (const LayerStats &layer : result->layers) {
    fmt::print("  {:<24} {:>9} neurons  {:6.2f} %", layer.name, layer.neurons, 100 * layer.rate());
    if (profile)
      fmt::print("  {:>12.0f} synops/image  {:>8} clips", double(layer.synops) / std::max<size_t>(1, result->images), layer.clips);
    fmt::print("\n");
  }
  if (chip) fmt::print("{}", toText(*chip, profile));
  return kOk;
}
