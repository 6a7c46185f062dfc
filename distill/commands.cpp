#include "distill/commands.h"
#include "distill/convert.h"
#include "distill/device.h"
#include "distill/evaluate.h"
#include "distill/export.h"
#include "distill/file.h"
#include "distill/history.h"
#include "distill/learn.h"
#include "distill/quantize.h"
#include "distill/report.h"
#include "distill/schedule.h"
#include "distill/start.h"
#include "distill/teacher.h"
#include "distill/trace.h"
#include "distill/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>

namespace lasnn::distill {

namespace {

/// `o` has a command's data, limit, skipCorrupt and checksums; `frames` is T of the network that will read an event set, 0: as the spec says.
template <typename Options> data::Dataset loadData(const Options &o, const std::string &split, int64_t frames = 0) {
  std::string error;
  data::LoadOptions options;
  options.limit = size_t(o.limit), options.frames = uint32_t(frames), options.skipCorrupt = o.skipCorrupt, options.checksums = o.checksums;
  auto set = data::load(o.data, split, options, error);
  if (!set)
    throw std::runtime_error(error);
  for (const std::string &note : set->notes)
    fmt::print(stderr, "{}: {}\n", split, note);
  return std::move(*set);
}

int64_t framesOf(const Model &model) { return model.student() ? model.timesteps() : 0; }

/// The data as the model of `path` takes it: one that came from elsewhere brings a normalisation of its own, whatever the set's is.
template <typename Options> data::Dataset loadFor(const Model &model, const std::string &path, const Options &o, const std::string &split, int64_t frames) {
  data::Dataset set = loadData(o, split, frames);
  if (path.ends_with(".safetensors")) {
    set.mean = model.meta.at("data").at("mean").get<std::vector<float>>();
    set.std = model.meta.at("data").at("std").get<std::vector<float>>();
  }
  return set;
}

Arch archFor(const TrainOptions &o, const data::Dataset &set) {
  Arch arch = findArch(o.arch.empty() ? "cnn-small" : o.arch, o.shape);
  arch.channels = set.channels, arch.height = set.height, arch.width = set.width, arch.classes = set.classes;
  return arch;
}

void checkTraining(const TrainOptions &o) {
  if (o.resume && o.checkpoint.empty())
    throw std::invalid_argument("--resume continues from --checkpoint=FILE, which is not given");
  for (const std::string &file : {o.out, o.report}) {
    const auto parent = std::filesystem::path(file).parent_path();
    if (!parent.empty() && !std::filesystem::is_directory(parent)) // before minutes of training, not after
      throw std::runtime_error(fmt::format("{}: its folder does not exist; create {} first", file, parent.string()));
  }
}

unsigned cores() { return std::max(1u, std::thread::hardware_concurrency()); }

/// The same images are held out whatever the seed, so that runs can be compared.
std::pair<std::vector<uint32_t>, std::vector<uint32_t>> holdOut(const data::Dataset &set, double share) {
  std::vector<uint32_t> order = epochOrder(set.count, 0, -1);
  const auto split = order.begin() + std::ptrdiff_t(std::llround(share * double(set.count)));
  if (share > 0 && (split == order.begin() || split == order.end()))
    throw std::invalid_argument(fmt::format("--valid={} of {} images leaves {}", share, set.count, split == order.begin() ? "none to measure on" : "none to train on"));
  std::vector<uint32_t> held(order.begin(), split), trained(split, order.end());
  std::sort(held.begin(), held.end()), std::sort(trained.begin(), trained.end());
  return {held, trained};
}

/// Measures the model every --eval-every epochs: on the held-out images, or on the test split where none are.
TrainHooks watch(Model &model, TrainOptions &o, const data::Dataset &set, std::shared_ptr<Group> group) {
  TrainHooks hooks;
  hooks.group = std::move(group);
  auto [held, trained] = holdOut(set, o.valid);
  hooks.images = trained;
  if (o.valid > 0 && o.evalEvery == 0)
    o.evalEvery = 1;
  if (o.evalEvery == 0)
    return hooks;
  auto test = std::make_shared<data::Dataset>();
  if (held.empty())
    *test = loadData(o, "test", framesOf(model));
  hooks.evaluate = [&model, &set, test, held = std::move(held), bfloat16 = o.bfloat16]() -> nlohmann::json {
    const Evaluation e = held.empty() ? evaluate(model, *test, int(cores()), 0) : evaluate(model, set, int(cores()), 0, held);
    model.network->bfloat16 = bfloat16;
    return {{held.empty() ? "test_top1" : "valid_top1", e.top1}};
  };
  return hooks;
}

/// Tells a checkpoint's teacher from another (FNV-1a of the file).
std::string fileDigest(const std::string &path) {
  std::string bytes, error;
  if (!readText(path, bytes, error))
    throw std::runtime_error(error);
  uint64_t digest = 0xcbf29ce484222325u;
  for (unsigned char byte : bytes)
    digest = (digest ^ byte) * 0x100000001b3u;
  return fmt::format("{:016x}", digest);
}

/// Writes the model, then measures it on the test split and reports.
void finish(Model &model, Teacher *teacher, const TrainOptions &o, const TrainResult &result, bool json) {
  model.meta["history"] = result.history;
  saveModel(model, o.out);
  const data::Dataset test = loadData(o, "test", framesOf(model));
  const Evaluation e = evaluate(model, test, int(cores()), 0);
  fmt::print(stderr, "{}: {} epochs in {:.1f} s, test top1 {:.2f} % of {} images{}\n", o.out, result.epochs, result.seconds, 100 * e.top1, e.images,
             model.student() ? fmt::format(", spike rate {:.2f} %", 100 * e.meanRate) : "");
  if (const std::string best = bestEpoch(result.history); !best.empty())
    fmt::print(stderr, "  {}\n", best);
  if (!o.report.empty())
    writeReport(model, teacher, test, {o.out, o.data, "", 2 * model.timesteps()}, int(cores()), o.report);
  if (!json)
    return;
  nlohmann::json out = {{"model", o.out}, {"kind", model.meta["kind"]}, {"epochs", result.epochs}, {"train_seconds", result.seconds},
                        {"train_loss", result.loss}, {"train_top1", result.top1}, {"train_images_per_s", result.imagesPerSecond},
                        {"test", evaluationToJson(e)}};
  fmt::print("{}\n", out.dump());
}

nlohmann::json dataToJson(const data::Dataset &set) {
  nlohmann::json json = {{"name", set.name}, {"mean", set.mean}, {"std", set.std}};
  if (set.events)
    json["events"] = {{"binning", set.binning}, {"max_count", set.maxCount}};
  return json;
}

} // namespace

void runTeacher(TrainOptions o, bool json) {
  checkTraining(o);
  const auto group = groupFromEnvironment(deviceFromName(o.device), o.timeout);
  const data::Dataset set = loadData(o, "train");
  const Arch arch = archFor(o, set);
  torch::manual_seed(o.seed);
  Model model;
  model.meta = {{"kind", "teacher"}, {"data", dataToJson(set)}, {"training", trainToJson(o)}};
  nlohmann::json run = model.meta["training"];
  run["data"] = set.name, run["binning"] = set.binning, run["images"] = set.count;
  run["workers"] = o.workers * group->size();
  const TrainHooks hooks = watch(model, o, set, group);
  const TrainResult result = train(o, set, [&](int k) {
    auto network = std::make_shared<Network>(arch, std::nullopt, o.activation);
    if (k == 0)
      model.network = network;
    return teacherLearner(network, o);
  }, run, hooks);
  if (group->first())
    finish(model, nullptr, o, result, json);
}

void runStudent(TrainOptions o, const StudentOptions &given, bool json) {
  checkTraining(o);
  StudentOptions s = given;
  if (s.timesteps < 1 || s.timesteps > 4096)
    throw std::invalid_argument(fmt::format("-T {}: a spiking network needs at least 1 time-step to answer (allowed 1 to 4096; 4 is a good start)", s.timesteps));
  const bool needed = !s.noDistill || s.init == "teacher";
  if (needed && s.teacher.empty())
    throw std::invalid_argument("--teacher=FILE is needed (train one with `lasnn-distill teacher`), or give --no-distill --init=random (or a student's file)");
  const auto group = groupFromEnvironment(deviceFromName(o.device), o.timeout);
  const Model start = findStart(s, o);
  const data::Dataset set = loadData(o, "train", s.timesteps);
  if (set.events && s.encoding == "poisson")
    throw std::invalid_argument(fmt::format("--encoding=poisson draws spikes from an image's intensities, but {} holds spikes already; leave it out", set.name));
  if (set.events && !s.timestepsSchedule.empty())
    throw std::invalid_argument(fmt::format("--timesteps-schedule changes T while training, but {} is binned into {} frames once; leave it out", set.name, set.frames));
  if (set.events)
    s.encoding = "events";
  std::shared_ptr<Teacher> teacher;
  if (needed)
    teacher = loadTeacher(s.teacher, set);
  const auto ancestor = teacher ? teacher->network() : nullptr;
  if (start.network && (!s.weights.empty() || !set.events)) // weights alone may go on with another T
    checkDataset(start, set);
  const Curriculum curriculum = curriculumFromText(s.timestepsSchedule, s.timesteps);
  const Arch arch = !o.arch.empty() ? archFor(o, set) : start.network ? variantOf(start.network->arch, o.shape) : ancestor ? variantOf(ancestor->arch, o.shape) : archFor(o, set);
  torch::manual_seed(o.seed);
  Model model;
  nlohmann::json training = trainToJson(o);
  training["student"] = studentToJson(s);
  model.meta = {{"kind", "student"}, {"data", dataToJson(set)}, {"training", training}, {"timesteps", s.timesteps}, {"encoding", s.encoding}};
  nlohmann::json run = training;
  run["data"] = set.name, run["binning"] = set.binning, run["images"] = set.count;
  if (needed)
    run["student"]["teacher_file"] = fileDigest(s.teacher);
  if (start.network)
    run["student"]["init_file"] = fileDigest(s.init);
  run["workers"] = o.workers * group->size();
  TrainHooks hooks = watch(model, o, set, group);
  hooks.timesteps = [&](int64_t epoch) { return timestepsAt(curriculum, epoch, o.epochs); };
  const TrainResult result = train(o, set, [&](int k) {
    const auto network = newStudent(start, ancestor.get(), arch, s, k == 0 && group->first());
    if (k == 0)
      model.network = network;
    return studentLearner(network, teacher, o, s);
  }, run, hooks);
  if (group->first())
    finish(model, teacher.get(), o, result, json);
}

void runEval(const EvalOptions &o, bool json) {
  const Model model = loadAnyModel(o.model);
  for (int64_t t : o.timesteps)
    if (t < 1 || t > 4096)
      throw std::invalid_argument(fmt::format("-T {}: a spiking network needs at least 1 time-step to answer (allowed 1 to 4096)", t));
  if (!o.timesteps.empty() && !model.student())
    throw std::invalid_argument(fmt::format("{}: is a teacher, which has no time-steps; leave -T out", o.model));
  const int64_t steps = o.timesteps.empty() ? model.timesteps() : *std::max_element(o.timesteps.begin(), o.timesteps.end());
  const data::Dataset set = loadFor(model, o.model, o, o.split, model.student() ? steps : 0);
  Evaluation e = evaluate(model, set, o.threads, o.latency, {}, steps);
  if (set.events) // a recording is cut into T frames, so each T sees other frames: no run gives the others
    for (int64_t t : o.timesteps)
      if (t != steps)
        e.steps[size_t(t - 1)] = evaluate(model, loadFor(model, o.model, o, o.split, t), o.threads, 0, {}, t).steps.back();
  if (json) {
    nlohmann::json out = evaluationToJson(e, o.timesteps);
    out["model"] = o.model, out["kind"] = model.meta["kind"], out["split"] = o.split;
    if (model.network->integer)
      out["weights"] = widthsToText(model.network->integer->options.widths);
    fmt::print("{}\n", out.dump());
    return;
  }
  const std::string five = e.classes > 10 ? fmt::format(", top5 {:.2f} %", 100 * e.top5) : "";
  fmt::print("{} on {} {}: top1 {:.2f} %{} of {} images, {:.1f} s\n", model.meta["kind"].get<std::string>(), set.name, o.split, 100 * e.top1, five, e.images, e.seconds);
  for (const LayerRate &layer : e.layers)
    fmt::print("  {:<16} {:>8} neurons  spike rate {:6.2f} %\n", layer.name, layer.neurons, 100 * layer.rate);
  if (!e.layers.empty())
    fmt::print("  mean spike rate {:.2f} % at T = {}\n", 100 * e.meanRate, e.timesteps);
  for (int64_t t : o.timesteps) {
    const StepAccuracy &at = e.steps[size_t(t - 1)];
    fmt::print("  T = {:<5} top1 {:6.2f} %{}  spike rate {:6.2f} %\n", t, 100 * at.top1, five.empty() ? "" : fmt::format("  top5 {:6.2f} %", 100 * at.top5), 100 * at.rate);
  }
  if (!e.latencyUs.empty())
    fmt::print("  one image: p50 {:.0f} us, p90 {:.0f} us, p99 {:.0f} us\n", e.latencyUs[0], e.latencyUs[1], e.latencyUs[2]);
}

void runReport(const ReportOptions &o) {
  const Model model = loadAnyModel(o.model);
  const data::Dataset set = loadFor(model, o.model, o, o.split, framesOf(model));
  const auto teacher = o.teacher.empty() ? nullptr : loadTeacher(o.teacher, set);
  writeReport(model, teacher.get(), set, {o.model, o.data, o.teacher, o.timesteps ? o.timesteps : 2 * model.timesteps()}, o.threads, o.out);
}

void runConvert(const ConvertCommand &o, bool json) {
  const Model model = loadAnyModel(o.model);
  if (model.student())
    throw std::invalid_argument(fmt::format("{}: is a student and spikes already; give the teacher that is to be converted", o.model));
  ConvertCommand calibration = o;
  calibration.limit = o.options.calibrate;
  const data::Dataset training = loadFor(model, o.model, calibration, "train", 0), test = loadFor(model, o.model, o, "test", 0);
  const Thresholds thresholds = balanceThresholds(model, training, o.options);
  const Conversion c = runConverted(model, thresholds, test, o.options);
  if (json) {
    nlohmann::json out = conversionToJson(c);
    out["model"] = o.model;
    out["options"] = {{"percentile", o.options.percentile}, {"per_channel", o.options.perChannel}, {"initial", o.options.initial}, {"max_pool", o.options.maxPool},
                      {"calibrate", o.options.calibrate}, {"timesteps", o.options.timesteps}, {"bf16", o.options.bfloat16}};
    fmt::print("{}\n", out.dump());
    return;
  }
  fmt::print("{} images: the teacher has top1 {:.2f} %, converted ({:.1f} s):\n", c.images, 100 * c.annTop1, c.seconds);
  for (int64_t t : doublings(int64_t(c.top1.size())))
    fmt::print("  T = {:<5} top1 {:6.2f} %  spike rate {:6.2f} %\n", t, 100 * c.top1[size_t(t - 1)], 100 * c.rates[size_t(t - 1)]);
  if (!c.stopped.empty())
    fmt::print("  ended there: {}\n", c.stopped);
}

void runTrace(const TraceOptions &o) {
  const Model model = loadModel(o.model);
  traceStudent(model, loadData(o, o.split, framesOf(model)), o.out);
}

void runQuantize(const QuantizeOptions &o) {
  const Model model = loadModel(o.model);
  const Model out = quantized(model, widthsFromText(o.weights), o.unit, model.timesteps());
  saveModel(out, o.out);
  fmt::print(stderr, "{}: weights {}, units by {}; measure it with `lasnn-distill eval`, train it with `student --weights={} --init={}`\n", o.out,
             widthsToText(out.network->integer->options.widths), o.unit, o.weights, o.model);
}

void runExport(const ExportOptions &o) {
  const Model model = loadModel(o.model);
  exportStudent(model, o.out, o.normalisation == "keep");
  fmt::print(stderr, "{}: {} layers, T = {}{}\n", o.out, model.network->layerNames().size(), model.timesteps(),
             model.network->integer ? ", weights " + widthsToText(model.network->integer->options.widths) : "");
}

} // namespace lasnn::distill
