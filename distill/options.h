// What a training run is told; the command line fills it, models and checkpoints carry it as JSON. Free of Torch.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::distill {

enum class Reset { Zero, Subtract };
enum class Surrogate { Triangle, Sigmoid, Arctan, Rectangle };

struct NeuronOptions {
  std::string kind = "lif"; // lif, if, plif, cuba, clif
  double beta = 0.5;        // learned: where it starts
  double alpha = 0.5;       // cuba: its current's decay
  bool learnDecay = false;  // beta (and alpha), one a layer; plif is lif with it
  std::string learnThreshold = "none"; // none | layer | channel
  double vThreshold = 1.0;
  Reset reset = Reset::Zero;
  bool detachReset = false; // true: no gradient through the reset's s[t]
  Surrogate surrogate = Surrogate::Triangle;
  double width = 1.0;
  bool learnsDecay() const { return learnDecay || kind == "plif"; }
};

/// A teacher's: relu, or qcfs (network.cpp), whose thresholds and weights can seed a student.
struct Activation {
  std::string kind = "relu";
  int64_t levels = 4;
  double lambda = 4; // where the learned clip starts: beyond what a normalised current reaches
};

/// Changes to an architecture's recipe (arch_recipe.h); empty: as the recipe says.
struct ArchOptions {
  double width = 1;
  std::string shortcut, downsample, stem, pool, poolAt;
  bool any() const { return width != 1 || !(shortcut + downsample + stem + pool + poolAt).empty(); }
};

struct LossOptions {
  double alpha = 1;                   // weight of the layer term: L = L_ce + alpha * sum_l lambda_l D_l + ...
  std::vector<double> lambda;         // one a layer; empty: 1 each; one value: the same for all
  std::string attention = "softmax";  // softmax | l2
  int attentionPower = 1;             // p of mean_c |F|^p
  double attentionTemperature = 1;
  std::string attentionScale = "sum"; // sum: A sums to 1 (the method as written); mean: A averages 1, so D keeps F's scale
  std::string distance = "mse";       // mse | kl
  bool weightTeacher = false;         // teacher's side weighted by A too
  bool attentionMaps = false;         // distance between the two attention maps instead of the features
  double kd = 0, kdTemperature = 3;   // logit distillation
  bool kdPerStep = false;             // on every step's logits instead of their mean
  double tet = 0;                     // share of the cross-entropy taken at every step
  double tetMargin = 0;               // TET's second term: every step's logits towards 1
  double selfDistill = 0;             // every step's logits towards the mean over steps
  std::string selfTarget = "mean";    // mean | correct: only steps whose answer is right
  double progressive = 0;             // the answer after t steps towards the one after t + 1
  double labelSmoothing = 0;
  double rateTarget = 0.1, rateWeight = 0;
  std::string rateScope = "layer";    // layer | network: what the target holds for
};

struct TrainOptions {
  std::string data, out;
  std::string arch; // empty: cnn-small, or the teacher's own for a student
  ArchOptions shape;
  Activation activation;
  int64_t epochs = 10, batch = 128, limit = 0;
  double lr = 1e-3, momentum = 0.9, weightDecay = 5e-4, warmup = 0.1; // warmup: share of all steps
  std::string optimizer = "adamw", schedule = "cosine", augment = "none";
  double labelSmoothing = 0;
  uint64_t seed = 1;
  int threads = 1, workers = 1;
  bool checkpointActivations = false;
  bool bfloat16 = false, resume = false;
  bool skipCorrupt = false, checksums = false; // of the data set; the first changes which images there are
  std::string log, checkpoint, report;
  int64_t stopAfter = 0; // > 0: end after so many epochs of the schedule, as if interrupted
  double ema = 0;        // decay of the weights' moving average, 0: none
  double clip = 0;       // largest norm of a gradient, 0: any
  int64_t bnReestimate = 0, bnReestimateEnd = 0;         // batches, before the first step and after the last
  int64_t checkpointSteps = 0, checkpointSeconds = 0;    // also within an epoch; 0: only after each
  double valid = 0;      // share of the training images that is held out
  std::string device = "cpu"; // cpu, cuda or cuda:N
  bool channelsLast = false;
  std::string fusedNormalisation = "auto"; // on, off, auto: on a GPU
  bool packSpikes = false;    // keep a bit a spike for synapses' gradients
  bool cudaGraph = false;     // a step's kernels as one CUDA graph
  std::string tensorboard;    // folder for an event file, or none
  double timeout = 600;       // seconds that one process waits for the others
  int64_t evalEvery = 0; // epochs; on the held-out images, else on the test split
};

struct StudentOptions {
  std::string teacher, adapter = "conv1x1", align = "auto", encoding = "direct", init = "teacher";
  int64_t timesteps = 4;
  std::string timestepsSchedule; // schedule.h: Curriculum
  bool noDistill = false;
  std::string weights, weightUnit = "learned"; // width(s) to train in integers; empty: float
  std::vector<std::string> given;              // options a student that is trained on has an opinion of, and the user too
  LossOptions loss;
  NeuronOptions neuron;
};

nlohmann::json neuronToJson(const NeuronOptions &);
NeuronOptions neuronFromJson(const nlohmann::json &);
/// "200": steps; "60s": seconds; "": neither. Throws std::invalid_argument.
void readCheckpointEvery(const std::string &text, TrainOptions &);
Reset resetFromName(const std::string &);
Surrogate surrogateFromName(const std::string &);
nlohmann::json activationToJson(const Activation &);
Activation activationFromJson(const nlohmann::json &);
nlohmann::json archOptionsToJson(const ArchOptions &);
nlohmann::json trainToJson(const TrainOptions &);
nlohmann::json studentToJson(const StudentOptions &);

} // namespace lasnn::distill
