// Measures a model on a split: accuracy, firing rates per layer, and latency of single images.
#pragma once

#include "distill/model_file.h"
#include "frontend/data/data.h"

namespace lasnn::distill {

struct LayerRate {
  std::string name; // as in the exported file: conv1.lif
  int64_t neurons = 0;
  double rate = 0;  // spikes a neuron and step
};

struct Evaluation {
  size_t images = 0;
  double top1 = 0, seconds = 0, meanRate = 0;
  std::vector<LayerRate> layers; // students only
  std::string digest;            // students in integers: XXH64 of all logits, as lasnn-run prints it
  std::vector<double> latencyUs; // p50, p90, p99; empty unless asked for
};

/// `threads` shards of images at a time; float32 whatever the training used. `latency` > 0 also times so many single images.
/// `images`: those to measure on; empty: all of the set.
Evaluation evaluate(const Model &, const data::Dataset &, int threads, int64_t latency, std::span<const uint32_t> images = {});

nlohmann::json evaluationToJson(const Evaluation &);

/// Throws when the set's shape, classes or normalisation are not those the model was trained on.
void checkDataset(const Model &, const data::Dataset &);

} // namespace lasnn::distill
