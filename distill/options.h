// What a training run is told; the command line fills it, checkpoints carry it.
#pragma once

#include "distill/loss.h"
#include "distill/neuron.h"

#include <string>

namespace lasnn::distill {

struct TrainOptions {
  std::string data, out, arch = "cnn-small";
  int64_t epochs = 10, batch = 128, limit = 0;
  double lr = 1e-3, momentum = 0.9, weightDecay = 5e-4, warmup = 0.1; // warmup: share of all steps
  std::string optimizer = "adamw", schedule = "cosine", augment = "none";
  double labelSmoothing = 0;
  uint64_t seed = 1;
  int threads = 1, workers = 1;
  bool bfloat16 = false, resume = false;
  std::string log, checkpoint;
  int64_t stopAfter = 0; // > 0: end after so many epochs of the schedule, as if interrupted
};

struct StudentOptions {
  std::string teacher, adapter = "conv1x1", encoding = "direct", init = "teacher";
  int64_t timesteps = 4;
  bool noDistill = false;
  LossOptions loss;
  NeuronOptions neuron;
};

nlohmann::json trainToJson(const TrainOptions &);
nlohmann::json studentToJson(const StudentOptions &);

} // namespace lasnn::distill
