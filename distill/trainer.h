// The training loop, the same for teacher and student: shuffles, splits each batch over workers, steps, logs, checkpoints.
//
// Workers are threads with a replica each: replicas share the weights' storage and own their gradients, so a step is
// "each its shard; sum the gradients in order; one optimizer step". Unlike intra-op threads they meet once a step, which is
// what keeps two busy cores useful (docs/distill.md). Results depend on the number of workers, not on how they are scheduled.
#pragma once

#include "distill/batches.h"
#include "distill/options.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <memory>

namespace lasnn::distill {

using Terms = std::map<std::string, double>; // summed over a shard's images

/// One replica: everything that is trained hangs below `root`.
struct Learner {
  std::shared_ptr<torch::nn::Module> root;
  /// Mean loss over the batch; adds each term times the batch's size to `terms` ("correct" counts images).
  std::function<torch::Tensor(const Batch &, uint64_t stream, Terms &terms)> loss;
  bool intensities = false;
};

struct TrainResult {
  double seconds = 0, loss = 0, top1 = 0, imagesPerSecond = 0; // of the last epoch, on training images as they were trained
  int64_t epochs = 0;
  Terms terms;
};

/// `makeLearner(k)` builds replica k; replica 0's weights are the start and hold the result. `run` identifies the options: a
/// checkpoint of another run is refused on --resume.
TrainResult train(const TrainOptions &, const data::Dataset &, const std::function<Learner(int)> &makeLearner, const nlohmann::json &run);

/// Learning rate at `step` of `steps`: warm-up, then cosine to 0, one-cycle (linear up, linear down), or constant.
double learningRate(const TrainOptions &, int64_t step, int64_t steps);

} // namespace lasnn::distill
