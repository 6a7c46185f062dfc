// A run's epochs as data: one JSON object an epoch, in the checkpoint, in the model's meta ("history") and in --log's file.
//
//   {"epoch": 1, "lr": ..., "loss": ..., "train_top1": ..., NAME: ... for every other loss term, "timesteps": T, "test_top1": ...,
//    "valid_top1": ..., "rates": {LAYER: spikes a neuron and step, ...}, "grad_norm": ..., "seconds": ..., "images_per_s": ...}
//
// timesteps and rates are a student's; test_top1 or valid_top1 is there in the epochs that were evaluated.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace lasnn::distill {

/// Writes the history as FILE.csv (a column a name, rates as rate/LAYER; empty where an epoch has no value) or, by any other name,
/// a JSON object a line. The whole file every time: after a resume it holds each epoch once.
void writeHistory(const nlohmann::json &history, const std::string &path);

/// "best valid top1 87.10 % in epoch 17 (the last is what counts)", or nothing where no epoch was evaluated.
std::string bestEpoch(const nlohmann::json &history);

} // namespace lasnn::distill
