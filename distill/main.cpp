// lasnn-distill: the command line. Results on stdout, diagnostics on stderr; exit 0, 1 (it failed), 2 (it was asked wrongly).
#include "distill/arch.h"
#include "distill/augment.h"
#include "distill/claim.h"
#include "distill/commands.h"
#include "distill/presets.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <thread>

#ifdef __GLIBC__
#include <malloc.h>
#endif

using namespace lasnn::distill;

namespace {

// Later words win, so a preset's words can simply stand before the user's.
template <typename T> CLI::Option *add(CLI::App *app, const std::string &name, T &to, const std::string &help) {
  return app->add_option(name, to, help)->take_last()->capture_default_str();
}
CLI::Option *choose(CLI::App *app, const std::string &name, std::string &to, const std::string &help, const std::vector<std::string> &from) {
  return add(app, name, to, help)->check(CLI::IsMember(from));
}

template <typename Options> void addData(CLI::App *app, Options &o) {
  add(app, "--data", o.data, "SET:DIR, for some sets with ?key=value&... behind (docs/data.md); SET one of " + lasnn::data::knownSets())->required();
  app->add_flag("--skip-corrupt,!--no-skip-corrupt", o.skipCorrupt, "leave damaged records out and say which, instead of failing");
  app->add_flag("--checksums", o.checksums, "compare standard files with their known MD5; a difference is said, not an error");
}

void addTraining(CLI::App *app, TrainOptions &o, std::string &preset, std::string &every) {
  app->add_option("--preset", preset, "defaults by name (" + knownPresets() + ") or FILE.json; other flags win over it");
  addData(app, o);
  add(app, "-o,--output", o.out, "the model file to write")->required();
  add(app, "--arch", o.arch, "architecture: " + knownArchs() + ", or FILE.json; default: cnn-small, for a student its teacher's");
  add(app, "--width", o.shape.width, "every layer's channels times this, to multiples of 32 (below 64: of 8)")->check(CLI::Range(0.01, 16.0));
  choose(app, "--shortcut", o.shape.shortcut, "a resnet's: currents before the neuron, membrane stream, spikes after the neuron", {"plain", "ms", "sew"});
  choose(app, "--downsample", o.shape.downsample, "a resnet's shortcut where the shape changes", {"conv", "pad"});
  choose(app, "--stem", o.shape.stem, "a resnet's first layer: 3x3, 3x3/2, or 7x7/2 with a pool", {"cifar", "tiny", "imagenet"});
  choose(app, "--pool", o.shape.pool, "a vgg's pools (stride: strided convolutions instead), a resnet's last one", {"max", "avg", "stride"});
  choose(app, "--pool-at", o.shape.poolAt, "a vgg's pools act on spikes, or on the current before the neuron", {"spikes", "current"});
  add(app, "--epochs", o.epochs, "passes over the data")->check(CLI::Range(int64_t(1), int64_t(100000)));
  add(app, "--batch", o.batch, "images a step")->check(CLI::Range(int64_t(1), int64_t(65536)));
  add(app, "--lr", o.lr, "peak learning rate")->check(CLI::PositiveNumber);
  choose(app, "--optimizer", o.optimizer, "optimizer", {"sgd", "adam", "adamw"});
  add(app, "--momentum", o.momentum, "sgd's (Nesterov) momentum")->check(CLI::Range(0.0, 0.999));
  add(app, "--weight-decay", o.weightDecay, "on synapses, not on normalisation or biases")->check(CLI::NonNegativeNumber);
  choose(app, "--schedule", o.schedule, "learning rate after warm-up", {"cosine", "linear", "onecycle", "constant"});
  add(app, "--warmup", o.warmup, "share of all steps in which the rate rises")->check(CLI::Range(0.0, 0.9));
  add(app, "--ema", o.ema, "decay of a moving average of the weights, which then is what is evaluated and saved; 0 = none")->check(CLI::Range(0.0, 0.999999));
  add(app, "--clip", o.clip, "largest norm of the gradient, 0 = any")->check(CLI::NonNegativeNumber);
  add(app, "--bn-reestimate", o.bnReestimate, "measure normalisation's statistics anew over N batches before the first step")->check(CLI::NonNegativeNumber);
  add(app, "--bn-reestimate-end", o.bnReestimateEnd, "and after the last")->check(CLI::NonNegativeNumber);
  add(app, "--label-smoothing", o.labelSmoothing, "of the cross-entropy")->check(CLI::Range(0.0, 0.9));
  add(app, "--augment", o.augment, "random changes of training images: none, crop-flip, crop-flip-cutout, or a list of " + knownAugments() + " (docs/data.md)");
  add(app, "--seed", o.seed, "everything random follows from it");
  add(app, "--workers", o.workers, "replicas that share each batch, a thread each; part of what a result depends on")->check(CLI::Range(1, 256));
  add(app, "--threads", o.threads, "intra-op threads a worker; leave 1 unless the machine is idle")->check(CLI::Range(1, 256));
  app->add_flag("--bf16,!--no-bf16", o.bfloat16, "train convolutions and neurons in bfloat16 (weights stay float32)");
  add(app, "--limit", o.limit, "use the first N images, 0 = all")->check(CLI::NonNegativeNumber);
  add(app, "--device", o.device, "cpu, cuda or cuda:N");
  app->add_flag("--channels-last", o.channelsLast, "keep channels innermost in memory, which some convolutions prefer");
  app->add_flag("--fused-bn{on},--no-fused-bn{off}", o.fusedNormalisation, "a student's normalisation and neuron in one operation; default: on a GPU")->take_last();
  app->add_flag("--pack-spikes,!--no-pack-spikes", o.packSpikes, "keep a bit a spike for synapses' gradients instead of the spikes; less memory, a little more work");
  app->add_flag("--cuda-graph,!--no-cuda-graph", o.cudaGraph, "launch a step's kernels at once, recorded at the fourth step; for small batches on a GPU");
  add(app, "--timeout", o.timeout, "seconds that a process waits for the others (torchrun)")->check(CLI::PositiveNumber);
  add(app, "--tensorboard", o.tensorboard, "folder for a TensorBoard event file");
  add(app, "--log", o.log, "FILE.csv or FILE.jsonl: a line an epoch");
  add(app, "--valid", o.valid, "share of the training images held out, to choose settings on")->check(CLI::Range(0.0, 0.9));
  add(app, "--eval-every", o.evalEvery, "measure top-1 every N epochs, on the held-out images or else the test split; 0 = at the end, with --valid 1")->check(CLI::NonNegativeNumber);
  add(app, "--report", o.report, "FILE.html: curves, confusion, rates and attention maps, as `lasnn-distill report` writes them");
  add(app, "--checkpoint", o.checkpoint, "written after every epoch");
  add(app, "--checkpoint-every", every, "and within an epoch: every N steps, or Ns for N seconds");
  app->add_flag("--checkpoint-activations", o.checkpointActivations, "compute activations again for the gradient; keep a bit a spike");
  app->add_flag("--resume", o.resume, "continue from --checkpoint when it exists");
  add(app, "--stop-after", o.stopAfter, "end after N epochs of the schedule, to be resumed")->check(CLI::NonNegativeNumber);
}

void addNeuron(CLI::App *app, NeuronOptions &n, std::string &reset, std::string &surrogate) {
  choose(app, "--neuron", n.kind, "lif, if (no leak), plif (learns its beta), cuba (synaptic current), clif (complementary)", {"lif", "if", "plif", "cuba", "clif"});
  add(app, "--beta", n.beta, "membrane kept from step to step")->check(CLI::Range(0.0, 1.0));
  add(app, "--alpha-syn", n.alpha, "cuba: current kept from step to step")->check(CLI::Range(0.0, 1.0));
  app->add_flag("--learn-decay", n.learnDecay, "learn beta (and alpha-syn), one a layer");
  choose(app, "--learn-threshold", n.learnThreshold, "learn v_threshold, from --v-threshold on", {"none", "layer", "channel"});
  add(app, "--v-threshold", n.vThreshold, "firing threshold")->check(CLI::PositiveNumber);
  choose(app, "--reset", reset, "after a spike: to zero, or subtract the threshold", {"zero", "subtract"});
  app->add_flag("--detach-reset", n.detachReset, "no gradient through the reset");
  choose(app, "--surrogate", surrogate, "shape of the spike's gradient", {"triangle", "sigmoid", "arctan", "rectangle"});
  add(app, "--surrogate-width", n.width, "its width; its peak is 1/width")->check(CLI::PositiveNumber);
}

void addDistillation(CLI::App *app, StudentOptions &s) {
  LossOptions &l = s.loss;
  add(app, "--teacher", s.teacher, "the teacher: a model file, .safetensors of a CIFAR ResNet, or TorchScript (.ts); not needed with --no-distill --init=random");
  add(app, "--timesteps-schedule", s.timestepsSchedule, "T by share of the epochs, as 1:0.3,2:0.3,4; ends with -T's");
  // Not CLI11's range check: a T of 0 deserves a sentence of its own (commands.cpp).
  add(app, "-T,--timesteps", s.timesteps, "time-steps");
  choose(app, "--encoding", s.encoding, "input: the image as current, or Poisson spikes", {"direct", "poisson"});
  add(app, "--init", s.init, "start from the teacher's weights where shapes agree (teacher), from another student's (STUDENT.pt), or random");
  add(app, "--weights", s.weights, "train in integers as they are compiled: int8 to int2 (ternary), exceptions by layer: int4,conv1=int8; needs --init=STUDENT.pt");
  choose(app, "--weight-unit", s.weightUnit, "what one unit is worth: learned; best (least squared error at the start); max (the largest weight uses all bits)",
         {"learned", "best", "max"});
  app->add_flag("--no-distill", s.noDistill, "labels only: the baseline that distillation is measured against");
  add(app, "--alpha", l.alpha, "weight of the layer term")->check(CLI::NonNegativeNumber);
  app->add_option("--lambda", l.lambda, "weight of each aligned layer, comma-separated, or one for all")->delimiter(',')->check(CLI::NonNegativeNumber);
  choose(app, "--adapter", s.adapter, "student's rates to the teacher's channels", {"conv1x1", "identity"});
  add(app, "--align", s.align, "compared layers: auto, names, stages, or STUDENT:TEACHER,...");
  choose(app, "--attention", l.attention, "normalisation of the attention map", {"softmax", "l2"});
  add(app, "--attention-power", l.attentionPower, "p of mean_c |F|^p")->check(CLI::IsMember({1, 2}));
  add(app, "--attention-temperature", l.attentionTemperature, "of the softmax")->check(CLI::PositiveNumber);
  choose(app, "--attention-scale", l.attentionScale, "map that sums to 1 (as published) or averages 1", {"sum", "mean"});
  choose(app, "--distance", l.distance, "between features", {"mse", "kl"});
  app->add_flag("--weight-teacher", l.weightTeacher, "attention weighs the teacher's side too");
  app->add_flag("--attention-maps", l.attentionMaps, "distance between attention maps instead of features");
  add(app, "--kd", l.kd, "weight of logit distillation")->check(CLI::NonNegativeNumber);
  add(app, "--kd-temperature", l.kdTemperature, "its temperature")->check(CLI::PositiveNumber);
  app->add_flag("--kd-per-step", l.kdPerStep, "on every step's logits");
  add(app, "--tet", l.tet, "share of the cross-entropy taken at every step")->check(CLI::Range(0.0, 1.0));
  add(app, "--tet-margin", l.tetMargin, "weight of every step's logits towards 1 (TET's regulariser)")->check(CLI::NonNegativeNumber);
  add(app, "--self-distill", l.selfDistill, "weight of every step's logits towards their mean")->check(CLI::NonNegativeNumber);
  choose(app, "--self-target", l.selfTarget, "that mean: over all steps, or over those that answer correctly", {"mean", "correct"});
  add(app, "--progressive", l.progressive, "weight of the answer after t steps towards the one after t + 1")->check(CLI::NonNegativeNumber);
  add(app, "--rate-target", l.rateTarget, "firing rate above which a layer is penalised")->check(CLI::Range(0.0, 1.0));
  choose(app, "--rate-scope", l.rateScope, "what the target holds for", {"layer", "network"});
  add(app, "--rate-weight", l.rateWeight, "weight of that penalty")->check(CLI::NonNegativeNumber);
}

void addConversion(CLI::App *app, ConvertOptions &c) {
  add(app, "--percentile", c.percentile, "of the teacher's activations: a layer's threshold")->check(CLI::Range(50.0, 100.0));
  app->add_flag("--per-channel", c.perChannel, "a threshold for each channel");
  choose(app, "--initial", c.initial, "membrane at the start: half the threshold, or zero", {"half", "zero"});
  choose(app, "--max-pool", c.maxPool, "gate: the busiest neuron's spikes pass; spikes: each step's maximum", {"gate", "spikes"});
  add(app, "--calibrate", c.calibrate, "training images that thresholds come from")->check(CLI::Range(int64_t(1), int64_t(100000)));
  add(app, "-T,--timesteps", c.timesteps, "the most steps to run")->check(CLI::Range(int64_t(1), int64_t(65536)));
  add(app, "--until", c.until, "end by the power of two at which top-1 (0..1) was reached")->check(CLI::Range(0.0, 1.0));
  add(app, "--flat", c.flat, "end when doubling T gained less than this share, near the teacher's accuracy")->check(CLI::Range(0.0, 1.0));
  app->add_flag("--bf16", c.bfloat16, "convolutions in bfloat16; membranes stay float32");
  add(app, "--threads", c.threads, "batches run at a time")->check(CLI::Range(1, 256));
}

/// Training takes and returns the same large blocks every step. By default glibc maps and unmaps each of them, and clearing
/// fresh pages was a fifth of a student's CPU time (measured 2026-11-23, 2-core EPYC Zen 4); so: one heap, kept.
void keepMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20); // the largest value glibc accepts
  mallopt(M_TRIM_THRESHOLD, 2000 << 20);
  mallopt(M_ARENA_MAX, 1); // blocks this large fit only in the main arena
#endif
}

/// argv with the preset's words put right after the subcommand.
std::vector<std::string> withPreset(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string preset;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--preset="))
      preset = words[i].substr(9);
    else if (words[i] == "--preset" && i + 1 < words.size())
      preset = words[i + 1];
  }
  if (!preset.empty() && (words[0] == "teacher" || words[0] == "student")) {
    const auto more = presetWords(preset, words[0]);
    words.insert(words.begin() + 1, more.begin(), more.end());
  }
  return words;
}

} // namespace

int main(int argc, char **argv) {
  keepMemory();
  CLI::App app{"Trains an ANN teacher, distils it layer by layer into a spiking student, measures and exports it.", "lasnn-distill"};
  app.set_version_flag("--version", "lasnn-distill 0.1.0");
  app.require_subcommand(1);
  bool json = false;
  TrainOptions train;
  StudentOptions student;
  EvalOptions eval;
  ExportOptions exporting;
  TraceOptions tracing;
  QuantizeOptions quantizing;
  ReportOptions reporting;
  ConvertCommand converting;
  ClaimOptions claiming;
  std::string preset, every, reset = "zero", surrogate = "triangle";
  eval.threads = reporting.threads = converting.options.threads = int(std::max(1u, std::thread::hardware_concurrency()));

  auto *teacherCommand = app.add_subcommand("teacher", "train a teacher: a network with ReLU");
  auto *studentCommand = app.add_subcommand("student", "train a spiking student under a frozen teacher");
  for (auto *command : {teacherCommand, studentCommand}) {
    addTraining(command, train, preset, every);
    command->add_flag("--json", json, "print the result as one JSON object on stdout");
  }
  choose(teacherCommand, "--activation", train.activation.kind, "ReLU, or quantised clip-floor, whose thresholds seed a student", {"relu", "qcfs"});
  add(teacherCommand, "--levels", train.activation.levels, "qcfs: steps up to its clip")->check(CLI::Range(int64_t(1), int64_t(1024)));
  addDistillation(studentCommand, student);
  addNeuron(studentCommand, student.neuron, reset, surrogate);

  auto *evalCommand = app.add_subcommand("eval", "accuracy, firing rates and latency of a model");
  evalCommand->add_option("model", eval.model, "MODEL.pt, teacher or student")->required();
  addData(evalCommand, eval);
  choose(evalCommand, "--split", eval.split, "which images", {"train", "test"});
  evalCommand->add_option("-T,--timesteps", eval.timesteps, "time-steps; several, comma-separated, give a table from one run; default: as trained")->delimiter(',');
  add(evalCommand, "--limit", eval.limit, "the first N images, 0 = all")->check(CLI::NonNegativeNumber);
  add(evalCommand, "--threads", eval.threads, "shards evaluated at a time")->check(CLI::Range(1, 256));
  add(evalCommand, "--latency", eval.latency, "also time N single images")->check(CLI::NonNegativeNumber);
  evalCommand->add_flag("--json", json, "print the result as one JSON object on stdout");

  auto *reportCommand = app.add_subcommand("report", "one HTML page: curves, accuracy over T, rates, confusion, attention maps");
  reportCommand->add_option("model", reporting.model, "MODEL.pt, teacher or student")->required();
  addData(reportCommand, reporting);
  add(reportCommand, "--teacher", reporting.teacher, "its teacher, for the attention maps");
  add(reportCommand, "-o,--output", reporting.out, "the HTML file to write")->required();
  choose(reportCommand, "--split", reporting.split, "which images", {"train", "test"});
  add(reportCommand, "--limit", reporting.limit, "the first N images, 0 = all")->check(CLI::NonNegativeNumber);
  add(reportCommand, "-T,--timesteps", reporting.timesteps, "show accuracy up to so many steps; default: twice as trained")->check(CLI::Range(0, 4096));
  add(reportCommand, "--threads", reporting.threads, "shards evaluated at a time")->check(CLI::Range(1, 256));

  auto *convertCommand = app.add_subcommand("convert", "run a teacher's weights as spiking neurons without training: the baseline");
  convertCommand->add_option("model", converting.model, "TEACHER.pt or .safetensors")->required();
  addData(convertCommand, converting);
  add(convertCommand, "--limit", converting.limit, "the first N test images, 0 = all")->check(CLI::NonNegativeNumber);
  addConversion(convertCommand, converting.options);
  convertCommand->add_flag("--json", json, "print the result as one JSON object on stdout");

  auto *claimCommand = app.add_subcommand("claim", "the table: teacher, SNN without distillation, LaSNN over T, converted SNN over T");
  add(claimCommand, "--data", claiming.data, "SET:DIR, as for the other commands")->required();
  add(claimCommand, "-o,--output", claiming.out, "a folder: models, results, claim.md, claim.json, claim.html; what is there and agrees is used again")->required();
  add(claimCommand, "--preset", claiming.preset, "of teacher and student: " + knownPresets() + ", or FILE.json");
  add(claimCommand, "--arch", claiming.arch, "of teacher and student");
  add(claimCommand, "--teacher", claiming.teacher, "a ready teacher; default: train one");
  add(claimCommand, "--teacher-flags", claiming.teacherFlags, "further words for `teacher`, as one argument");
  add(claimCommand, "--student-flags", claiming.studentFlags, "further words for both students");
  add(claimCommand, "--convert-flags", claiming.convertFlags, "further words for `convert`");
  choose(claimCommand, "--baseline-init", claiming.baselineInit, "what the SNN without distillation starts from", {"random", "teacher"});
  claimCommand->add_option("--seeds", claiming.seeds, "of the students, comma-separated: mean and standard deviation are shown")->delimiter(',');
  claimCommand->add_option("-T,--timesteps", claiming.timesteps, "T at which LaSNN is evaluated")->delimiter(',')->check(CLI::Range(int64_t(1), int64_t(4096)));
  add(claimCommand, "--train-timesteps", claiming.train, "T that students are trained with, and that is compared with conversion")->check(CLI::Range(int64_t(1), int64_t(4096)));
  claimCommand->add_flag("--train-each", claiming.trainEach, "train a student for each T instead of one for all");
  add(claimCommand, "--convert-limit", claiming.convertLimit, "test images the conversion is measured on, 0 = all")->check(CLI::NonNegativeNumber);
  claimCommand->add_flag("--json", json, "print the result as one JSON object on stdout");

  auto *exportCommand = app.add_subcommand("export", "write a student as ONNX (docs/student-onnx.md)");
  exportCommand->add_option("model", exporting.model, "STUDENT.pt")->required();
  add(exportCommand, "-o,--output", exporting.out, "the ONNX file to write")->required();
  choose(exportCommand, "--bn", exporting.normalisation, "batch normalisation: in the weights, or as nodes of its own", {"fold", "keep"});

  auto *quantizeCommand = app.add_subcommand("quantize", "round a student's weights to integers, without training");
  quantizeCommand->add_option("model", quantizing.model, "STUDENT.pt")->required();
  add(quantizeCommand, "--weights", quantizing.weights, "int8 to int2 (ternary), exceptions by layer: int4,conv1=int8");
  choose(quantizeCommand, "--weight-unit", quantizing.unit, "what one unit is worth: best (least squared error) or max (the largest weight uses all bits)", {"best", "max"});
  add(quantizeCommand, "-o,--output", quantizing.out, "the model file to write")->required();

  auto *traceCommand = app.add_subcommand("trace", "write a student's per-step spikes and logits: OUT.json, OUT.bin");
  traceCommand->add_option("model", tracing.model, "STUDENT.pt")->required();
  addData(traceCommand, tracing);
  choose(traceCommand, "--split", tracing.split, "which images", {"train", "test"});
  add(traceCommand, "--limit", tracing.limit, "the first N images")->check(CLI::Range(int64_t(1), int64_t(10000)));
  add(traceCommand, "-o,--output", tracing.out, "the files to write, without .json and .bin")->required();
  for (auto *command : {teacherCommand, studentCommand, evalCommand, reportCommand, convertCommand, claimCommand, quantizeCommand, exportCommand, traceCommand})
    command->set_version_flag("--version", "lasnn-distill 0.1.0");

  try {
    auto words = withPreset(argc, argv);
    std::reverse(words.begin(), words.end()); // CLI11 takes its vector from the back
    app.parse(words);
    readCheckpointEvery(every, train);
    student.neuron.reset = resetFromName(reset);
    student.neuron.surrogate = surrogateFromName(surrogate);
    for (const char *name : {"--timesteps", "--encoding", "--neuron", "--beta", "--v-threshold", "--reset"})
      if (studentCommand->count(name) > 0)
        student.given.push_back(name);
    if (*teacherCommand)
      runTeacher(train, json);
    else if (*studentCommand)
      runStudent(train, student, json);
    else if (*evalCommand)
      runEval(eval, json);
    else if (*quantizeCommand)
      runQuantize(quantizing);
    else if (*convertCommand)
      runConvert(converting, json);
    else if (*claimCommand)
      runClaim(claiming, json);
    else if (*reportCommand)
      runReport(reporting);
    else if (*traceCommand)
      runTrace(tracing);
    else
      runExport(exporting);
    return 0;
  } catch (const CLI::ParseError &e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const std::invalid_argument &e) {
    fmt::print(stderr, "lasnn-distill: {}\n", e.what());
    return 2;
  } catch (const std::exception &e) {
    fmt::print(stderr, "lasnn-distill: {}\n", e.what());
    return 1;
  }
}
