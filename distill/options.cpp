#include "distill/options.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <stdexcept>

namespace lasnn::distill {

void readCheckpointEvery(const std::string &text, TrainOptions &o) {
  o.checkpointSteps = o.checkpointSeconds = 0;
  if (text.empty())
    return;
  const bool seconds = text.back() == 's';
  const char *end = text.data() + text.size() - (seconds ? 1 : 0);
  int64_t number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || stop != end || number < 1)
    throw std::invalid_argument(fmt::format("--checkpoint-every={}: a number of steps (200) or of seconds (60s), at least 1", text));
  if (o.checkpoint.empty())
    throw std::invalid_argument("--checkpoint-every writes --checkpoint=FILE, which is not given");
  (seconds ? o.checkpointSeconds : o.checkpointSteps) = number;
}

Reset resetFromName(const std::string &name) { return name == "subtract" ? Reset::Subtract : Reset::Zero; }

Surrogate surrogateFromName(const std::string &name) {
  return name == "sigmoid"   ? Surrogate::Sigmoid
         : name == "arctan"  ? Surrogate::Arctan
         : name == "rectangle" ? Surrogate::Rectangle
                               : Surrogate::Triangle;
}

nlohmann::json neuronToJson(const NeuronOptions &o) {
  static const char *const surrogates[] = {"triangle", "sigmoid", "arctan", "rectangle"};
  return {{"kind", o.kind}, {"beta", o.beta}, {"alpha", o.alpha}, {"learn_decay", o.learnDecay},
          {"learn_threshold", o.learnThreshold}, {"v_threshold", o.vThreshold},
          {"reset", o.reset == Reset::Zero ? "zero" : "subtract"}, {"detach_reset", o.detachReset},
          {"surrogate", surrogates[int(o.surrogate)]}, {"surrogate_width", o.width}};
}

NeuronOptions neuronFromJson(const nlohmann::json &json) {
  NeuronOptions o;
  o.kind = json.at("kind"), o.beta = json.at("beta"), o.vThreshold = json.at("v_threshold");
  // Models of version 0.1 know the first three kinds only.
  o.alpha = json.value("alpha", o.alpha), o.learnDecay = json.value("learn_decay", false);
  o.learnThreshold = json.value("learn_threshold", "none");
  o.reset = resetFromName(json.at("reset")), o.detachReset = json.at("detach_reset");
  o.surrogate = surrogateFromName(json.at("surrogate")), o.width = json.at("surrogate_width");
  return o;
}

nlohmann::json activationToJson(const Activation &a) { return {{"kind", a.kind}, {"levels", a.levels}, {"lambda", a.lambda}}; }

Activation activationFromJson(const nlohmann::json &json) { return {json.at("kind"), json.at("levels"), json.at("lambda")}; }

nlohmann::json archOptionsToJson(const ArchOptions &o) {
  return {{"width", o.width}, {"shortcut", o.shortcut}, {"downsample", o.downsample}, {"stem", o.stem}, {"pool", o.pool}, {"pool_at", o.poolAt}};
}

nlohmann::json trainToJson(const TrainOptions &o) {
  // What changes the result; where files go and how many threads run does not belong here.
  nlohmann::json json = {{"arch", o.arch}, {"shape", archOptionsToJson(o.shape)}, {"activation", activationToJson(o.activation)},
          {"checkpoint_activations", o.checkpointActivations}, {"epochs", o.epochs}, {"batch", o.batch}, {"limit", o.limit},
          {"skip_corrupt", o.skipCorrupt}, {"lr", o.lr}, {"momentum", o.momentum},
          {"weight_decay", o.weightDecay}, {"warmup", o.warmup}, {"optimizer", o.optimizer}, {"schedule", o.schedule},
          {"augment", o.augment}, {"label_smoothing", o.labelSmoothing}, {"seed", o.seed}, {"workers", o.workers}, {"bf16", o.bfloat16},
          {"ema", o.ema}, {"clip", o.clip}, {"bn_reestimate", o.bnReestimate}, {"bn_reestimate_end", o.bnReestimateEnd}, {"valid", o.valid},
          {"channels_last", o.channelsLast}};
  if (o.fusedNormalisation != "auto") // absent in files from before it
    json["fused_bn"] = o.fusedNormalisation;
  return json;
}

nlohmann::json studentToJson(const StudentOptions &s) {
  const LossOptions &l = s.loss;
  return {{"adapter", s.adapter}, {"align", s.align}, {"encoding", s.encoding}, {"init", s.init},
          {"weights", s.weights}, {"weight_unit", s.weights.empty() ? "" : s.weightUnit}, {"timesteps", s.timesteps},
          {"timesteps_schedule", s.timestepsSchedule}, {"distill", !s.noDistill},
          {"alpha", l.alpha}, {"lambda", l.lambda}, {"attention", l.attention}, {"attention_power", l.attentionPower},
          {"attention_temperature", l.attentionTemperature}, {"attention_scale", l.attentionScale}, {"distance", l.distance},
          {"weight_teacher", l.weightTeacher}, {"attention_maps", l.attentionMaps}, {"kd", l.kd}, {"kd_temperature", l.kdTemperature},
          {"kd_per_step", l.kdPerStep}, {"tet", l.tet}, {"tet_margin", l.tetMargin}, {"self_distill", l.selfDistill},
          {"self_target", l.selfTarget}, {"progressive", l.progressive}, {"rate_scope", l.rateScope}, {"rate_target", l.rateTarget},
          {"rate_weight", l.rateWeight}, {"neuron", neuronToJson(s.neuron)}};
}

} // namespace lasnn::distill
