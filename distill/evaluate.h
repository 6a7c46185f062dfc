// Measures a model on a split: accuracy over the time-steps and by class, firing rates per layer, latency of single images.
#pragma once

#include "distill/model_file.h"
#include "frontend/data/data.h"

namespace lasnn::distill {

struct LayerRate {
  std::string name; // as in the exported file: conv1.lif
  int64_t neurons = 0;
  double rate = 0;  // spikes a neuron and step
  std::vector<float> each; // of every neuron; empty unless asked for
};

/// What the network answers after `timesteps` steps: the mean of its read-out over them, so one run gives every T up to its own.
struct StepAccuracy {
  int64_t timesteps = 0;
  double top1 = 0, top5 = 0, rate = 0;
};

struct Evaluation {
  size_t images = 0;
  int64_t timesteps = 1, classes = 0;
  double top1 = 0, top5 = 0, seconds = 0, meanRate = 0; // top5: more than 10 classes only
  std::vector<LayerRate> layers; // students only
  std::string digest;            // students in integers: XXH64 of all logits, as lasnn-run prints it
  std::vector<double> latencyUs; // p50, p90, p99; empty unless asked for
  std::vector<StepAccuracy> steps;    // students only: after 1, 2, ... T steps
  std::vector<int64_t> confusion;     // [label][answer]

  int64_t confused(int64_t label, int64_t answer) const { return confusion[size_t(label * classes + answer)]; }
  std::vector<double> perClass() const; // share of each class's images that are answered right; NaN where it has none
};

/// `threads` shards of images at a time; float32 whatever the training used. `latency` > 0 also times so many single images.
/// `images`: those to measure on; empty: all of the set. `timesteps`: 0 for the model's own T. `neurons`: also the rate of every neuron.
Evaluation evaluate(const Model &, const data::Dataset &, int threads, int64_t latency, std::span<const uint32_t> images = {},
                    int64_t timesteps = 0, bool neurons = false);

/// `over`: the T to list under "over_time"; empty: 1, 2, 4, ... and the last.
nlohmann::json evaluationToJson(const Evaluation &, const std::vector<int64_t> &over = {});

/// 1, 2, 4, ... up to `last`, and `last`.
std::vector<int64_t> doublings(int64_t last);

/// Throws when the set's shape, classes or normalisation are not those the model was trained on, or its frames not `timesteps` (0: the model's T).
void checkDataset(const Model &, const data::Dataset &, int64_t timesteps = 0);

} // namespace lasnn::distill
