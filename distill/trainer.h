// The training loop, the same for teacher and student: shuffles, splits each batch over workers, steps, logs, checkpoints.
//
// Workers are threads with a replica each: replicas share the weights' storage and own their gradients, so a step is
// "each its shard; sum the gradients in order; one optimizer step". Unlike intra-op threads they meet once a step, which is
// what keeps two busy cores useful (docs/distill.md). Results depend on the number of workers, not on how they are scheduled.
// Several processes (group.h) divide a batch the same way: replica k of process r is replica r * workers + k of all.
#pragma once

#include "distill/group.h"
#include "distill/learner.h"
#include "distill/options.h"

#include <nlohmann/json.hpp>

#include <functional>

namespace lasnn::distill {

struct TrainResult {
  double seconds = 0, loss = 0, top1 = 0, imagesPerSecond = 0; // of the last epoch, on training images as they were trained
  int64_t epochs = 0;
  std::map<std::string, double> terms;
  nlohmann::json history = nlohmann::json::array();            // history.h
};

/// What a caller may add to a run.
struct TrainHooks {
  std::vector<uint32_t> images;                                 // those that are trained on; empty: all of the set
  std::function<int64_t(int64_t epoch)> timesteps;              // T of an epoch (from 0), for learners that have one
  /// Called after every --eval-every epochs with the weights that would be saved in place; its keys join the epoch's history.
  std::function<nlohmann::json()> evaluate;
  std::shared_ptr<Group> group = std::make_shared<Group>();     // the processes that train together; only the first evaluates and writes
};

/// `makeLearner(k)` builds replica k; replica 0's weights are the start and hold the result (their moving average where one is
/// kept). `run` identifies the options: a checkpoint of another run is refused on --resume.
TrainResult train(const TrainOptions &, const data::Dataset &, const std::function<Learner(int)> &makeLearner, const nlohmann::json &run,
                  const TrainHooks &hooks = {});

} // namespace lasnn::distill
