// A run's whole state on disk: what --resume needs to end with the same bits as a run that was never stopped.
#pragma once

#include "distill/ema.h"
#include "distill/learner.h"

#include <nlohmann/json.hpp>

namespace lasnn::distill {

struct Place {
  int64_t epoch = 0, step = 0;                  // the next step to take
  nlohmann::json history = nlohmann::json::array();
  std::map<std::string, double> sums;           // of the running epoch's steps so far
  double images = 0, secondsOfEpoch = 0, seconds = 0;
};

/// What is written beside the weights: `run` identifies the options. `buffers`: every replica's running statistics, flat, one
/// replica after another (within an epoch they differ); of several processes also each one's averaged statistics.
void saveCheckpoint(const std::string &path, const Learner &, torch::optim::Optimizer &, Ema *, const std::vector<torch::Tensor> &buffers,
                    const Place &, const nlohmann::json &run);

struct Loaded {
  Place place;
  std::vector<torch::Tensor> buffers;
};

/// The file's bytes, or "" where there is none; takes away what a killed run left half-written beside it.
std::string readCheckpoint(const std::string &path);

/// Throws std::runtime_error when the file is none of ours, or of other options: then with every difference, a line each.
Loaded loadCheckpoint(const std::string &bytes, const std::string &path, const Learner &, torch::optim::Optimizer &, Ema *, const nlohmann::json &run);

/// Running statistics, say, as one flat tensor on the CPU (float64: every type fits), and back.
torch::Tensor flatTensors(const std::vector<torch::Tensor> &);
void setTensors(const std::vector<torch::Tensor> &, const torch::Tensor &flat);

/// The lines "  name   checkpoint's value   this run's value" of all that differs; empty: nothing does.
std::string settingsDifference(const nlohmann::json &checkpoint, const nlohmann::json &run);

} // namespace lasnn::distill
