// A trained network on disk: its description, how it was trained, and its tensors. Torch's own archive format.
#pragma once

#include "distill/network.h"

#include <nlohmann/json.hpp>

namespace lasnn::distill {

struct Model {
  std::shared_ptr<Network> network;
  nlohmann::json meta; // kind (teacher|student), arch, neuron, timesteps, encoding, data {name, mean, std}, training
  bool student() const { return meta.at("kind") == "student"; }
  int64_t timesteps() const { return student() ? meta.at("timesteps").get<int64_t>() : 1; }
};

void saveModel(const Model &, const std::string &path);
/// Throws std::runtime_error: which file, what is wrong, what to do.
Model loadModel(const std::string &path);

/// Every parameter and buffer of `module` under its name; used by models and checkpoints alike.
void writeTensors(const torch::nn::Module &module, torch::serialize::OutputArchive &archive);
void readTensors(torch::nn::Module &module, torch::serialize::InputArchive &archive, const std::string &path);

} // namespace lasnn::distill
